/**
 * SSA: one value for every use, and what is known of it.
 */
import assert from "node:assert/strict";
import { dominates } from "../../../../gpu/ptx/analysis/cfg.ts";
import type { Instruction } from "../../../../gpu/ptx/kernel/ir.ts";
import { PtxError } from "../../../../gpu/ptx/ptx_error.ts";
import { GENERATED_SEEDS, passBody, passGenerated } from "../pass_support.ts";
import type { Passed } from "../pass_support.ts";

function instructionsOf({ cfg }: Passed): { readonly instruction: Instruction; readonly block: number }[] {
  return cfg.blocks.flatMap(({ index, instructions, terminator }) => [
    ...instructions.map((instruction) => ({ instruction, block: index })),
    ...(terminator.kind === "cut" ? [{ instruction: terminator.instruction, block: index }] : []),
  ]);
}

Deno.test("values of a register meet in a phi where ways do", () => {
  const passed = passBody(
    `mov.u32 %r1, 1; @%p1 bra A; mov.u32 %r1, 2; A: st.global.u32 [%d1], %r1;`,
  );
  const phis = passed.ssa.values.filter(({ kind }) => kind === "phi");
  assert.deepEqual(phis.map(({ register, inputs }) => [register, inputs.length]), [[
    passed.register("%r1"),
    2,
  ]]);
});

Deno.test("no phi is made for what nobody reads any more", () => {
  const { ssa } = passBody("mov.u32 %r1, 1; @%p1 bra A; mov.u32 %r1, 2; A: ret;");
  assert.deepEqual(ssa.values.filter(({ kind }) => kind === "phi"), []);
});

Deno.test("a loop has a phi at its head", () => {
  const passed = passBody(
    "mov.u32 %r1, 0; L: add.u32 %r1, %r1, 1; setp.lt.u32 %p1, %r1, 9; @%p1 bra L; st.global.u32 [%d1], %r1;",
  );
  const [phi] = passed.ssa.values.filter(({ kind }) => kind === "phi");
  assert.deepEqual([phi?.block, phi?.inputs.length], [1, 2]);
});

Deno.test("a write under a guard has the value before it as input", () => {
  const { ssa } = passBody("mov.u32 %r1, 1; @%p1 mov.u32 %r1, 2; st.global.u32 [%d1], %r1;");
  const guarded = ssa.values.find(({ instruction }) => instruction?.guard !== undefined);
  assert.equal(ssa.values[guarded?.inputs[0] ?? -1]?.kind, "write");
});

Deno.test("what was never written is one value for all uses of a register", () => {
  const { ssa } = passBody(
    "st.global.u32 [%d1], %r1; @%p1 bra A; st.global.u32 [%d1], %r1; A: st.global.u32 [%d1], %r1;",
  );
  const unwritten = ssa.values.filter(({ kind }) => kind === "unwritten");
  assert.equal(unwritten.length, 3);
});

Deno.test("loops that are nested without end are refused with a limit", () => {
  const count = 1_500;
  const heads = Array.from({ length: count }, (_, i) => `H${i}: add.u32 %r1, %r1, 1;`).join("\n");
  const ends = Array.from({ length: count }, (_, i) => `@%p1 bra H${count - 1 - i};`).join("\n");
  assert.throws(() => passBody(heads + ends), (error) => error instanceof PtxError && error.kind === "limit");
});

Deno.test("of generated kernels, every use has one value of its register, and its definition dominates it", () => {
  for (const seed of GENERATED_SEEDS) {
    const passed = passGenerated(seed);
    const { ssa } = passed;
    const order = new Map(instructionsOf(passed).map(({ instruction }, index) => [instruction, index]));
    for (const { instruction, block } of instructionsOf(passed)) {
      const values = ssa.uses.get(instruction) ?? [];
      assert.equal(values.length, instruction.uses.length, `seed ${seed}`);
      values.forEach((value, place) => {
        const definition = ssa.values[value];
        assert.equal(definition?.register, instruction.uses[place], `seed ${seed}`);
        if (definition === undefined || definition.kind === "unwritten") return;
        assert.ok(dominates(ssa.idom, definition.block, block), `seed ${seed}`);
        if (definition.block !== block || definition.instruction === undefined) return;
        assert.ok((order.get(definition.instruction) ?? 0) < (order.get(instruction) ?? 0), `seed ${seed}`);
      });
    }
  }
});

Deno.test("of generated kernels, a phi has as many inputs as its block has predecessors, of its own register", () => {
  for (const seed of GENERATED_SEEDS) {
    const { cfg, ssa } = passGenerated(seed);
    for (const { kind, block, inputs, register } of ssa.values) {
      if (kind !== "phi") continue;
      assert.equal(inputs.length, cfg.predecessors[block]?.length, `seed ${seed}`);
      for (const input of inputs) assert.equal(ssa.values[input]?.register, register, `seed ${seed}`);
    }
  }
});

Deno.test("of generated kernels, every write is a value of its own", () => {
  for (const seed of GENERATED_SEEDS) {
    const passed = passGenerated(seed);
    const written = instructionsOf(passed).flatMap(({ instruction }) =>
      passed.ssa.defs.get(instruction) ?? []
    );
    assert.equal(new Set(written).size, written.length, `seed ${seed}`);
  }
});
