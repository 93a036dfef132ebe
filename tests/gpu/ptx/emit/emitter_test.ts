/** Operands and results of instructions in whole kernels, compiled and interpreted. */
import assert from "node:assert/strict";
import { kernelOf, runText } from "../run_text.ts";

const lanes = (count: number): number[] => Array.from({ length: count }, (_, lane) => lane);
/** The buffer's word of this thread, its address in %rd1. */
const OWN = `mov.u32 %r0, %tid.x;
  mul.wide.u32 %rd1, %r0, 4;
  add.s64 %rd1, %rd0, %rd1;`;

Deno.test("a true predicate that is written as -1 is one bit, also in a warp that is not whole", async () => {
  const body = `${OWN}
  activemask.b32 %r1;
  mov.pred %p1, -1;
  vote.sync.ballot.b32 %r2, %p1, %r1;
  selp.u32 %r3, 1, 0, %p1;
  shl.b32 %r3, %r3, 31;
  xor.b32 %r2, %r2, %r3;
  st.global.u32 [%rd1], %r2;
  ret;`;
  const words = await runText(kernelOf(body), { block: { x: 20 }, words: lanes(20) });
  assert.deepEqual(words, lanes(20).map(() => 0x800f_ffff));
});
