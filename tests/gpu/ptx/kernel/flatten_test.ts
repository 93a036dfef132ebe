/** Where variables of a kernel come to lie. */
import assert from "node:assert/strict";
import { kernelOf, runText } from "../run_text.ts";

Deno.test("dynamic shared memory is one place for all its names, as aligned as any of them asks", async () => {
  const before = `.shared .align 4 .b8 mine[20];
.extern .shared .align 4 .b8 words[];
.extern .shared .align 128 .b8 tiles[];`;
  const body = `st.shared.u32 [mine], 1;
  st.shared.u32 [words+4], 7;
  ld.shared.u32 %r0, [tiles+4];
  mov.u32 %r1, tiles;
  and.b32 %r1, %r1, 127;
  mov.u32 %r2, mine;
  mov.u32 %r3, tiles;
  setp.ge.u32 %p0, %r3, 20;
  selp.u32 %r4, 1, 0, %p0;
  st.global.v4.u32 [%rd0], {%r0, %r1, %r2, %r4};
  ret;`;
  const words = await runText(kernelOf(body, { before }), { words: [9, 9, 9, 9], sharedBytes: 8 });
  assert.deepEqual(words, [7, 0, 0, 1]);
});
