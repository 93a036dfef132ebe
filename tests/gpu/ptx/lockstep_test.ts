/** Warps that count on their lanes being at one instruction. */
import assert from "node:assert/strict";
import { kernelOf, runText } from "./run_text.ts";

const lanes = (count: number): number[] => Array.from({ length: count }, (_, lane) => lane);

/** The last steps of a reduction from before `__syncwarp`. */
const STEPS = [32, 16, 8, 4, 2, 1].map((step) => `
  ld.volatile.shared.u32 %r3, [%r2];
  ld.volatile.shared.u32 %r4, [%r2+${4 * step}];
  add.u32 %r3, %r3, %r4;
  st.volatile.shared.u32 [%r2], %r3;`).join("");

Deno.test("a reduction by one warp through volatile shared memory adds what all lanes stored", async () => {
  const body = `mov.u32 %r0, %tid.x;
  mul.wide.u32 %rd1, %r0, 4;
  add.s64 %rd1, %rd0, %rd1;
  ld.global.u32 %r1, [%rd1];
  shl.b32 %r5, %r0, 2;
  mov.u32 %r2, data;
  add.u32 %r2, %r2, %r5;
  st.volatile.shared.u32 [%r2], %r1;
  bar.sync 0;
  setp.gt.u32 %p0, %r0, 31;
  @%p0 bra DONE;
  ${STEPS}
  setp.ne.u32 %p1, %r0, 0;
  @!%p1 st.global.u32 [%rd0], %r3;
  DONE:
  ret;`;
  const before = ".shared .align 4 .b8 data[512];";
  const words = await runText(kernelOf(body, { before }), { block: { x: 64 }, words: lanes(64) });
  assert.deepEqual(words.toString(), [64 * 63 / 2, ...lanes(64).slice(1)].toString());
});

Deno.test("a volatile store under a guard, by some lanes alone, and of vectors", async () => {
  const body = `mov.u32 %r0, %tid.x;
  and.b32 %r1, %r0, 3;
  setp.eq.u32 %p0, %r1, 0;
  shl.b32 %r2, %r0, 3;
  mov.u32 %r3, data;
  add.u32 %r3, %r3, %r2;
  @%p0 st.volatile.shared.v2.u32 [%r3], {%r0, %r1};
  setp.gt.u32 %p1, %r0, 40;
  @%p1 bra DONE;
  @!%p0 st.volatile.shared.u32 [%r3], 9;
  DONE:
  bar.warp.sync -1;
  ld.shared.u32 %r4, [%r3];
  mul.wide.u32 %rd1, %r0, 4;
  add.s64 %rd1, %rd0, %rd1;
  st.global.u32 [%rd1], %r4;
  ret;`;
  const before = ".shared .align 8 .b8 data[512];";
  const words = await runText(kernelOf(body, { before }), { block: { x: 50 }, words: lanes(50) });
  const expected = lanes(50).map((lane) => lane % 4 === 0 ? lane : lane > 40 ? 0 : 9);
  assert.deepEqual(words, expected);
});
