/** Loops that wait for other threads of the block. */
import assert from "node:assert/strict";
import { prepareKernel } from "../../../../gpu/ptx/compile.ts";
import { linkModule } from "../../../../gpu/ptx/kernel/link.ts";
import { parsePtx } from "../../../../gpu/ptx/syntax/parser.ts";
import { kernelOf, runText } from "../run_text.ts";

const lanes = (count: number): number[] => Array.from({ length: count }, (_, lane) => lane);
const OWN = `mov.u32 %r0, %tid.x;
  mul.wide.u32 %rd1, %r0, 4;
  add.s64 %rd1, %rd0, %rd1;`;
const FLAG = ".shared .align 4 .u32 flag;";

Deno.test("a first thread spins until the last one has written", async () => {
  const loads = ["ld.volatile.shared.u32", "ld.acquire.cta.shared.u32", "ld.relaxed.gpu.shared.u32"];
  for (const [index, load] of loads.entries()) {
    // The way back may be a block of its own.
    const again = index === 1 ? "AGAIN" : "WAIT";
    const body = `${OWN}
    setp.ne.u32 %p0, %r0, 99;
    @%p0 bra WAIT;
    st.shared.u32 [flag], 7;
    WAIT:
    ${load} %r1, [flag];
    setp.ne.u32 %p1, %r1, 7;
    @%p1 bra ${again};
    add.u32 %r2, %r0, %r1;
    st.global.u32 [%rd1], %r2;
    ret;
    AGAIN:
    bra.uni WAIT;`;
    const words = await runText(kernelOf(body, { before: FLAG }), { block: { x: 100 }, words: lanes(100) });
    assert.deepEqual(words, lanes(100).map((lane) => lane + 7), load);
  }
});

Deno.test("the lanes of a warp wait for one of them that spins for another warp", async () => {
  const body = `${OWN}
  bar.warp.sync -1;
  and.b32 %r1, %r0, 31;
  setp.ne.u32 %p0, %r1, 0;
  @%p0 bra DONE;
  atom.shared.add.u32 %r2, [flag], 1;
  WAIT:
  atom.shared.or.b32 %r3, [flag], 0;
  setp.lt.u32 %p1, %r3, 4;
  @%p1 bra WAIT;
  st.global.u32 [%rd1], 50;
  DONE:
  bar.warp.sync -1;
  sub.u32 %r4, %r0, %r1;
  mul.wide.u32 %rd2, %r4, 4;
  add.s64 %rd2, %rd0, %rd2;
  ld.global.u32 %r5, [%rd2];
  bar.sync 0;
  st.global.u32 [%rd1], %r5;
  ret;`;
  const words = await runText(kernelOf(body, { before: FLAG }), { block: { x: 128 }, words: lanes(128) });
  assert.deepEqual(words, lanes(128).map(() => 50));
});

Deno.test("a spin in the layout of a rotated loop, and one that nobody ends", async () => {
  const body = `${OWN}
  setp.ne.u32 %p2, %r0, 0;
  @%p2 bra WRITE;
  bra.uni TEST;
  BODY:
  add.u32 %r8, %r8, 1;
  TEST:
  ld.volatile.shared.u32 %r1, [flag];
  setp.eq.u32 %p1, %r1, 0;
  @%p1 bra BODY;
  st.global.u32 [%rd1], %r1;
  ret;
  WRITE:
  st.shared.u32 [flag], 3;
  st.global.u32 [%rd1], 9;
  ret;`;
  const ptx = kernelOf(body, { before: FLAG });
  const words = await runText(ptx, { block: { x: 40 }, words: lanes(40) });
  assert.deepEqual(words, lanes(40).map((lane) => lane === 0 ? 3 : 9));
  assert.equal(await runText(ptx, { words: [0], fuelMax: 100_000 }), 702);
});

/** Places at which threads of the kernel let others run. */
function yieldsOf(body: string): number {
  const module = parsePtx(kernelOf(body));
  const [kernel] = module.functions;
  assert.ok(kernel !== undefined);
  return prepareKernel(linkModule(module), kernel).plan.questionCount;
}

Deno.test("loops that need nobody else stay as they are", () => {
  const lock = `TRY:
  atom.global.cas.b32 %r1, [%rd0], 0, 1;
  setp.ne.u32 %p0, %r1, 0;
  @%p0 bra TRY;
  ret;`;
  assert.equal(yieldsOf(lock), 1);
  const update = `ld.global.u32 %r1, [%rd0];
  TRY:
  mov.u32 %r2, %r1;
  add.u32 %r3, %r2, 5;
  atom.global.cas.b32 %r1, [%rd0], %r2, %r3;
  setp.ne.u32 %p0, %r1, %r2;
  @%p0 bra TRY;
  ret;`;
  assert.equal(yieldsOf(update), 0);
  const counted = `NEXT:
  ld.volatile.global.u32 %r1, [%rd0];
  add.u32 %r2, %r2, %r1;
  add.u32 %r3, %r3, 1;
  setp.lt.u32 %p0, %r3, 9;
  @%p0 bra NEXT;
  ret;`;
  assert.equal(yieldsOf(counted), 0);
});
