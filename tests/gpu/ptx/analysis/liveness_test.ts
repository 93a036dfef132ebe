/**
 * Liveness: what is read later, and only that.
 */
import assert from "node:assert/strict";
import type { Instruction } from "../../../../gpu/ptx/kernel/ir.ts";
import { terminatorDefs, terminatorUses } from "../../../../gpu/ptx/analysis/liveness.ts";
import { GENERATED_SEEDS, passBody, passGenerated } from "../pass_support.ts";
import type { Passed } from "../pass_support.ts";

function liveInto(passed: Passed, block: number): number[] {
  return [...passed.liveness.liveIn[block] ?? []].sort((a, b) => a - b);
}

Deno.test("a register is alive from where it is written to where it is read last", () => {
  const passed = passBody(
    `mov.u32 %r1, 1; mov.u32 %r2, 2; setp.eq.u32 %p1, %r2, 3; @%p1 bra A;
     add.u32 %r3, %r1, 1; A: mov.u32 %r4, 5; st.global.u32 [%d1], %r4;`,
  );
  assert.deepEqual(
    liveInto(passed, 1),
    [passed.register("%r1"), passed.register("%d1")].sort((a, b) => a - b),
  );
  assert.deepEqual(liveInto(passed, 2), [passed.register("%d1")]);
});

Deno.test("a write under a guard does not end the old value", () => {
  const passed = passBody("mov.u32 %r1, 1; bra A; A: @%p1 mov.u32 %r1, 2; st.global.u32 [%d1], %r1;");
  assert.ok(liveInto(passed, 1).includes(passed.register("%r1")));
});

Deno.test("what a loop reads in its next turn is alive at its end", () => {
  const passed = passBody(
    "mov.u32 %r1, 0; L: add.u32 %r1, %r1, 1; setp.lt.u32 %p1, %r1, 9; @%p1 bra L; st.global.u32 [%d1], 0;",
  );
  assert.ok(liveInto(passed, 1).includes(passed.register("%r1")));
  assert.ok(!liveInto(passed, 2).includes(passed.register("%r1")));
});

Deno.test("a register that lives inside one block takes no part", () => {
  const passed = passBody("mov.u32 %r1, 1; add.u32 %r2, %r1, 1; st.global.u32 [%d1], %r2;");
  assert.equal(passed.liveness.universe.places[passed.register("%r1")], -1);
});

Deno.test("the result of a shuffle ends the old value, its operands do not", () => {
  const passed = passBody(
    "mov.u32 %r1, 1; mov.u32 %r2, 2; shfl.sync.idx.b32 %r1, %r2, 0, 31, -1; st.global.u32 [%d1], %r1;",
  );
  assert.deepEqual(liveInto(passed, 0), [passed.register("%d1")]);
  assert.ok(liveInto(passed, 1).includes(passed.register("%r1")));
});

Deno.test("of generated kernels, liveness is what the slow definition says: read on some way before written", () => {
  for (const seed of GENERATED_SEEDS.slice(0, 8)) {
    const { cfg, kernel, liveness } = passGenerated(seed);
    const sets = cfg.blocks.map(() => new Set<number>());
    for (let changed = true; changed;) {
      changed = false;
      for (const { index, instructions, terminator, successors } of cfg.blocks.toReversed()) {
        const live = new Set(successors.flatMap((to) => [...sets[to] ?? []]));
        for (const def of terminatorDefs(terminator)) live.delete(def);
        for (const use of terminatorUses(terminator)) live.add(use);
        for (const { uses, defs, guard } of instructions.toReversed() as Instruction[]) {
          if (guard === undefined) { for (const def of defs) live.delete(def); }
          for (const use of uses) live.add(use);
        }
        if (live.size === sets[index]?.size) continue;
        sets[index] = live;
        changed = true;
      }
    }
    cfg.blocks.forEach(({ index }) => {
      for (let register = 0; register < kernel.registers.length; register++) {
        assert.equal(liveness.liveIn[index]?.has(register), sets[index]?.has(register), `seed ${seed}`);
      }
    });
  }
});
