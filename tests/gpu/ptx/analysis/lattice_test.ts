/**
 * The lattice: strides, alignments and bounds of values, and that none is claimed that does not hold.
 */
import assert from "node:assert/strict";
import { createCpuDevice } from "../../../../gpu/cpu/mod.ts";
import { analyzeLattice, registerAlignments, registerBounds } from "../../../../gpu/ptx/analysis/lattice.ts";
import type { ValueFacts } from "../../../../gpu/ptx/analysis/lattice.ts";
import { runBody } from "../../cpu/device_support.ts";
import { Random } from "../generate/random.ts";
import { passBody } from "../pass_support.ts";
import type { Passed } from "../pass_support.ts";

const BLOCK = { x: 64, y: 2, z: 1 };

interface Analysed extends Passed {
  /** What is known of the last value of a register, and of all of them together. */
  last(name: string): ValueFacts;
  readonly alignments: Uint8Array;
  readonly bounds: Float64Array;
}

function analyse(body: string, areParamsAligned = true, module = ""): Analysed {
  const passed = passBody(body, module);
  const { kernel, cfg, ssa } = passed;
  const facts = analyzeLattice({ kernel, cfg, ssa, block: BLOCK, areParamsAligned });
  const count = kernel.registers.length;
  return {
    ...passed,
    last: (name) => {
      const index = ssa.values.findLastIndex(({ register, kind }) =>
        register === passed.register(name) && kind !== "unwritten"
      );
      const found = facts[index];
      if (found === undefined) throw new RangeError(`No value of ${name}`);
      return found;
    },
    alignments: registerAlignments(ssa, facts, count),
    bounds: registerBounds(ssa, facts, count),
  };
}

Deno.test("what is the same for a block is uniform, what depends on the thread is not", () => {
  const { last } = analyse(
    `mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ntid.x; mad.lo.u32 %r3, %r1, %r2, 5; mov.u32 %r4, %tid.x;
     add.u32 %r5, %r3, %r4; ld.param.u32 %r6, [number]; ld.global.u32 %r7, [%d1]; mov.u32 %r8, %laneid;`,
  );
  for (const name of ["%r1", "%r2", "%r3", "%r6"]) assert.equal(last(name).stride, 0n, name);
  for (const name of ["%r4", "%r5", "%r7", "%r8"]) assert.notEqual(last(name).stride, 0n, name);
});

Deno.test("values that meet behind a branch that diverges vary, behind one that does not they need not", () => {
  const body = (condition: string): string =>
    `${condition} mov.u32 %r1, 1; @%p1 bra A; mov.u32 %r1, 2; A: mov.u32 %r2, %r1;`;
  assert.equal(analyse(body("mov.u32 %r3, %tid.x; setp.eq.u32 %p1, %r3, 3;")).last("%r2").stride, undefined);
  assert.equal(analyse(body("mov.u32 %r3, %ctaid.x; setp.eq.u32 %p1, %r3, 3;")).last("%r2").stride, 0n);
});

Deno.test("a counter of a loop that threads leave at different times varies behind it", () => {
  const { last } = analyse(
    "mov.u32 %r9, %tid.x; mov.u32 %r1, 0; L: add.u32 %r1, %r1, 1; setp.lt.u32 %p1, %r1, %r9; @%p1 bra L; mov.u32 %r2, %r1;",
  );
  assert.notEqual(last("%r2").stride, 0n);
});

Deno.test("a write under a guard that diverges varies", () => {
  const { last } = analyse(
    "mov.u32 %r9, %tid.x; setp.eq.u32 %p1, %r9, 1; mov.u32 %r1, 1; @%p1 mov.u32 %r1, 2;",
  );
  assert.equal(last("%r1").stride, undefined);
});

Deno.test("alignment passes through sums, products and shifts", () => {
  const { last } = analyse(
    `mov.u32 %r1, %tid.x; shl.b32 %r2, %r1, 3; mul.lo.u32 %r3, %r1, 12; add.u32 %r4, %r2, %r3; add.u32 %r5, %r4, 2;
     and.b32 %r6, %r1, -16; mul.wide.u32 %d1, %r2, 4; ld.param.u64 %d2, [memory]; add.u64 %d3, %d2, %d1; or.b32 %r7, %r2, 4;
     cvt.u64.u32 %d4, %r2; sub.u32 %r8, %r2, 64; mad.lo.u32 %r9, %r1, 8, %r2;`,
  );
  const wanted = {
    "%r1": 0,
    "%r2": 3,
    "%r3": 2,
    "%r4": 2,
    "%r5": 1,
    "%r6": 4,
    "%d1": 5,
    "%d3": 4,
    "%r7": 2,
    "%d4": 3,
    "%r8": 3,
    "%r9": 3,
  };
  for (const [name, bits] of Object.entries(wanted)) assert.equal(last(name).alignment, bits, name);
});

Deno.test("a parameter's alignment is believed only where it was looked at", () => {
  assert.equal(analyse("ld.param.u64 %d1, [memory];", true).last("%d1").alignment, 4);
  assert.equal(analyse("ld.param.u64 %d1, [memory];", false).last("%d1").alignment, 0);
  assert.equal(analyse("ld.param.u32 %r1, [number];", true).last("%r1").alignment, 0);
});

Deno.test("what saturates, is loaded or is the high half has no alignment", () => {
  const { last } = analyse(
    `mov.u32 %r1, %tid.x; shl.b32 %r1, %r1, 4; add.sat.s32 %r2, %r1, %r1; mul.hi.u32 %r3, %r1, %r1; shr.u32 %r4, %r1, 1;
     not.b32 %r5, %r1; ld.global.u32 %r6, [%d1]; cvt.sat.u8.u32 %r7, %r1;`,
  );
  for (const name of ["%r2", "%r3", "%r4", "%r5", "%r6", "%r7"]) assert.equal(last(name).alignment, 0, name);
});

Deno.test("the alignment of a register is that of its worst value", () => {
  const analysed = analyse("mov.u32 %r1, 64; st.global.u32 [%d1], %r1; mov.u32 %r1, 2;");
  assert.equal(analysed.alignments[analysed.register("%r1")], 1);
});

Deno.test("bounds are kept where nothing can wrap, and given up where a loop grows them", () => {
  const { bounds, register } = analyse(
    `mov.u32 %r1, %tid.x; and.b32 %r2, %r1, 31; shl.b32 %r3, %r2, 2; add.u32 %r4, %r3, 8; rem.u32 %r5, %r6, 10; shr.u32 %r7, %r5, 1;
     mov.u32 %r8, 0; L: add.u32 %r8, %r8, 4; setp.lt.u32 %p1, %r8, 100; @%p1 bra L; sub.u32 %r9, %r2, 40; add.u32 %r10, %r2, -1;`,
  );
  const wanted: Record<string, number> = { "%r2": 31, "%r3": 124, "%r4": 132, "%r5": 9, "%r7": 4 };
  for (const [name, bound] of Object.entries(wanted)) assert.equal(bounds[register(name)], bound, name);
  for (const name of ["%r8", "%r9", "%r10"]) assert.equal(bounds[register(name)], Infinity, name);
});

/** A few random operations on `%r1`, which holds the thread's number; constants are such that alignments arise. */
function randomOffset(random: Random): string {
  const constant = (): number => random.pick([0, 1, 2, 3, 4, 6, 8, 12, 16, 31, 32, 60, 64, 255, 256]);
  const lines: string[] = [];
  for (let step = random.between(1, 6); step > 0; step--) {
    const [a, b, target] = [random.between(1, 4), random.between(1, 4), random.between(1, 4)];
    lines.push(random.pick([
      `add.u32 %r${target}, %r${a}, ${constant()};`,
      `add.u32 %r${target}, %r${a}, %r${b};`,
      `sub.u32 %r${target}, %r${a}, ${constant()};`,
      `shl.b32 %r${target}, %r${a}, ${random.between(0, 6)};`,
      `shr.u32 %r${target}, %r${a}, ${random.between(0, 6)};`,
      `mul.lo.u32 %r${target}, %r${a}, ${constant()};`,
      `mad.lo.u32 %r${target}, %r${a}, ${constant()}, %r${b};`,
      `and.b32 %r${target}, %r${a}, ${random.pick([-4, -16, 7, 12, 60, 252])};`,
      `or.b32 %r${target}, %r${a}, ${constant()};`,
      `min.u32 %r${target}, %r${a}, %r${b};`,
      `rem.u32 %r${target}, %r${a}, ${random.between(1, 200)};`,
      `setp.lt.u32 %p1, %r${a}, %r${b}; selp.b32 %r${target}, %r${a}, %r${b}, %p1;`,
      `setp.lt.u32 %p1, %r${a}, ${constant()}; @%p1 add.u32 %r${target}, %r${b}, ${constant()};`,
      `cvt.u16.u32 %h1, %r${a}; cvt.u32.u16 %r${target}, %h1;`,
      `cvt.sat.u8.u32 %r${target}, %r${a};`,
    ]));
  }
  return lines.join(" ");
}

Deno.test("an access that the lattice knows to be right ends as one that is checked in full", async () => {
  const device = createCpuDevice({ programsMax: 1 });
  const ends = new Map<number, number>();
  for (let seed = 0; seed < 80; seed++) {
    const random = new Random(seed);
    const start = "mov.u32 %r1, %tid.x; mov.u32 %r2, %tid.x; mov.u32 %r3, 64; mov.u32 %r4, %tid.x;";
    const steps = randomOffset(random);
    const bytes = random.pick([2, 4, 8]);
    const space = random.pick(["shared", "global"]);
    const value = { 2: "%h2", 4: "%r9", 8: "%d9" }[bytes];
    const module = ".shared .align 16 .b8 s[1024];";
    const run = (hide: string): ReturnType<typeof runBody> => {
      const offset = `${hide} add.u32 %r5, %r4, %r6;`;
      const address = space === "shared"
        ? `mov.u32 %r7, s; add.u32 %r7, %r7, %r5; ld.shared.u${bytes * 8} ${value}, [%r7];`
        : `cvt.u64.u32 %d1, %r5; add.u64 %d1, %memory, %d1; ld.global.u${bytes * 8} ${value}, [%d1];`;
      return runBody(device, `${start} ${steps} ${offset} ${address}`, {
        module,
        block: { x: 32 },
        bytes: 65_536,
      });
    };
    // What is loaded is zero, but nothing is known of it.
    const [known, checked] = [await run("mov.u32 %r6, 0;"), await run("ld.global.u32 %r6, [%memory+32768];")];
    assert.equal(known.status, checked.status, `seed ${seed}: ${steps} ${space} ${bytes}`);
    ends.set(known.status, (ends.get(known.status) ?? 0) + 1);
  }
  for (const status of [0, 700, 716]) assert.ok((ends.get(status) ?? 0) > 0, JSON.stringify([...ends]));
});
