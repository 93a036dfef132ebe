/** Special registers in whole kernels. */
import assert from "node:assert/strict";
import { kernelOf, runText } from "../run_text.ts";

Deno.test("reserved shared memory is no variable's and has room for cooperative groups", async () => {
  const body = `mov.u32 %r0, %tid.x;
  shl.b32 %r1, %r0, 2;
  mov.u32 %r2, mine;
  add.u32 %r2, %r2, %r1;
  st.shared.u32 [%r2], %r0;
  mov.u32 %r3, %reserved_smem_offset_1;
  add.u32 %r3, %r3, %r1;
  st.shared.u32 [%r3], 77;
  mov.u32 %r4, dynamic;
  add.u32 %r4, %r4, %r1;
  st.shared.u32 [%r4], 88;
  bar.sync 0;
  ld.shared.u32 %r5, [%r2];
  ld.shared.u32 %r6, [%r3];
  ld.shared.u32 %r7, [%r4];
  add.u32 %r5, %r5, %r6;
  add.u32 %r5, %r5, %r7;
  mul.wide.u32 %rd1, %r0, 4;
  add.s64 %rd1, %rd0, %rd1;
  st.global.u32 [%rd1], %r5;
  mov.u32 %r8, %reserved_smem_offset_end;
  mov.u32 %r9, %reserved_smem_offset_begin;
  sub.u32 %r8, %r8, %r9;
  setp.lt.u32 %p0, %r8, 288;
  @%p0 trap;
  ret;`;
  const before = ".shared .align 4 .b8 mine[288];\n.extern .shared .align 4 .b8 dynamic[];";
  const lanes = Array.from({ length: 72 }, (_, lane) => lane);
  const words = await runText(kernelOf(body, { before }), {
    block: { x: 72 },
    sharedBytes: 288,
    words: lanes,
  });
  assert.deepEqual(words, lanes.map((lane) => lane + 165));
});
