/**
 * Thread constants: which registers are computed again instead of saved.
 */
import assert from "node:assert/strict";
import { findThreadConstants } from "../../../../gpu/ptx/analysis/thread_constants.ts";
import { passBody } from "../pass_support.ts";

function constantsOf(body: string): Map<string, "uniform" | "thread"> {
  const { kernel, cfg, register } = passBody(body);
  const found = findThreadConstants(kernel, cfg);
  const names = [...body.matchAll(/%[a-z]+\d+/g)].map(([name]) => name);
  return new Map(
    [...new Set(names)].flatMap((name) => {
      const constant = found.get(register(name));
      return constant === undefined
        ? []
        : [[name, constant.isUniform ? "uniform" as const : "thread" as const]];
    }),
  );
}

Deno.test("what is made of parameters and of the block's registers is a constant of the block", () => {
  const constants = constantsOf(
    "ld.param.u64 %d1, [memory]; mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ntid.x; mul.lo.u32 %r3, %r1, %r2; add.u32 %r4, %r3, 7;",
  );
  assert.deepEqual([...constants.values()], Array(5).fill("uniform"));
});

Deno.test("what is made of the thread's number is a constant of the thread, if it is short", () => {
  const constants = constantsOf("mov.u32 %r1, %tid.x; mad.lo.u32 %r2, %r1, 4, %r1;");
  assert.deepEqual([...constants], [["%r1", "thread"], ["%r2", "thread"]]);
  const long = constantsOf(
    "mov.u32 %r1, %tid.x; " +
      Array.from({ length: 12 }, (_, i) => `add.u32 %r${i + 2}, %r${i + 1}, 1;`).join(" "),
  );
  assert.equal(long.get("%r2"), "thread");
  assert.equal(long.has("%r13"), false);
});

Deno.test("what is written twice, under a guard, loaded, exchanged or counted by a clock is none", () => {
  const constants = constantsOf(
    `mov.u32 %r1, 1; mov.u32 %r1, 2; @%p1 mov.u32 %r2, 1; ld.global.u32 %r3, [%d1]; mov.u32 %r4, %clock;
     shfl.sync.idx.b32 %r5, %r6, 0, 31, -1; add.u32 %r7, %r3, 1; add.u32 %r8, %r9, 1;`,
  );
  assert.deepEqual([...constants], []);
});

Deno.test("a value in a loop that reads the loop's own is none", () => {
  const constants = constantsOf(
    "L: add.u32 %r1, %r1, 1; mul.lo.u32 %r2, %r1, 3; setp.lt.u32 %p1, %r2, 9; @%p1 bra L;",
  );
  assert.deepEqual([...constants], []);
});
