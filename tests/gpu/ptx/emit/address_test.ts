/**
 * Addresses: state spaces, generic addresses and their conversions, on the CPU device.
 */
import assert from "node:assert/strict";
import { createCpuDevice } from "../../../../gpu/cpu/mod.ts";
import { runBody } from "../../cpu/device_support.ts";

const device = createCpuDevice();
const MODULE = `.shared .align 8 .b8 s[64]; .global .align 8 .u32 g[4] = {10, 11, 12, 13};
  .const .align 8 .u32 c[4] = {20, 21, 22, 23};`;

/** What a body leaves in `%r1` to `%r4` of each thread. */
async function wordsOf(body: string, threads = 1): Promise<number[][]> {
  const { status, text, memory } = await runBody(
    device,
    `.local .align 8 .b8 l[32]; ${body} mad.wide.u32 %own, %me, 16, %memory;
     st.global.v4.u32 [%own], {%r1, %r2, %r3, %r4};`,
    { module: MODULE, block: { x: threads } },
  );
  assert.equal(status, 0, text);
  return Array.from({ length: threads }, (_, thread) => [...new Uint32Array(memory.buffer, thread * 16, 4)]);
}

Deno.test("variables of every space are read by name, with an offset, and by address", async () => {
  const body =
    `st.shared.u32 [s+8], 30; st.local.u32 [l+12], 40; ld.shared.u32 %r1, [s+8]; ld.local.u32 %r2, [l+12];
    ld.global.u32 %r3, [g+4]; mov.u64 %d1, c; ld.const.u32 %r4, [%d1+12];`;
  assert.deepEqual(await wordsOf(body), [[30, 40, 11, 23]]);
});

Deno.test("a generic address leads to shared and local memory, and back", async () => {
  const body = `mov.u64 %d1, s; cvta.shared.u64 %d2, %d1; st.u32 [%d2+4], 5; ld.shared.u32 %r1, [s+4];
    mov.u64 %d3, l; cvta.local.u64 %d4, %d3; st.u32 [%d4+8], 6; ld.local.u32 %r2, [l+8];
    cvta.to.shared.u64 %d5, %d2; sub.u64 %d5, %d5, %d1; cvt.u32.u64 %r3, %d5;
    cvta.to.local.u64 %d6, %d4; sub.u64 %d6, %d6, %d3; cvt.u32.u64 %r4, %d6;`;
  assert.deepEqual(await wordsOf(body), [[5, 6, 0, 0]]);
});

Deno.test("local memory is each thread's own, shared memory the block's", async () => {
  const body =
    `st.local.u32 [l], %me; st.shared.u32 [s], 9; bar.sync 0; ld.local.u32 %r1, [l]; ld.shared.u32 %r2, [s];
    mov.u64 %d1, l; cvta.local.u64 %d2, %d1; ld.u32 %r3, [%d2]; mov.u32 %r4, 0;`;
  assert.deepEqual(
    await wordsOf(body, 40),
    Array.from({ length: 40 }, (_, thread) => [thread, 9, thread, 0]),
  );
});

Deno.test("isspacep tells what a generic address leads to", async () => {
  const body = `mov.u64 %d1, s; cvta.shared.u64 %d1, %d1; mov.u64 %d2, l; cvta.local.u64 %d2, %d2;
    isspacep.shared %p1, %d1; isspacep.local %p2, %d2; isspacep.global %p3, %memory; isspacep.global %p4, %d1;
    selp.u32 %r1, 1, 0, %p1; selp.u32 %r2, 1, 0, %p2; selp.u32 %r3, 1, 0, %p3; selp.u32 %r4, 1, 0, %p4;`;
  assert.deepEqual(await wordsOf(body), [[1, 1, 1, 0]]);
});

Deno.test("addresses in shared memory may have 32 or 64 bits, and wrap in 32", async () => {
  const body =
    `st.shared.u32 [s+16], 7; mov.u32 %r9, s; ld.shared.u32 %r1, [%r9+16]; mov.u64 %d1, s; ld.shared.u32 %r2, [%d1+16];
    add.u32 %r8, %r9, 0xfffffff0; ld.shared.u32 %r3, [%r8+32]; add.u32 %r7, %r9, 32; ld.shared.u32 %r4, [%r7+-16];`;
  assert.deepEqual(await wordsOf(body), [[7, 7, 7, 7]]);
});

Deno.test("vectors of every width, with elements that nobody wants", async () => {
  const body = `st.shared.v4.u32 [s], {1, 2, 3, 4}; ld.shared.v2.u64 {%d1, %d2}, [s]; cvt.u32.u64 %r1, %d2;
    ld.shared.v4.u16 {%h1, %h2, %h3, %h4}, [s+8]; cvt.u32.u16 %r2, %h3; ld.shared.v4.u32 {_, %r3, _, %r4}, [s];`;
  assert.deepEqual(await wordsOf(body), [[3, 4, 2, 4]]);
});

Deno.test("narrow loads fill the register with sign or zeros", async () => {
  const body =
    `st.shared.u32 [s], 0x8180ff80; ld.shared.s8 %r1, [s]; ld.shared.u8 %r2, [s]; ld.shared.s16 %r3, [s+2];
    ld.shared.u16 %r4, [s+2];`;
  assert.deepEqual(await wordsOf(body), [[0xffffff80, 0x80, 0xffff8180, 0x8180]]);
});
