/**
 * Barriers of a block: who waits for whom, checked on the CPU device.
 */
import assert from "node:assert/strict";
import { createCpuDevice } from "../../../../gpu/cpu/mod.ts";
import { runBody, stoppingPacer } from "../../cpu/device_support.ts";

const device = createCpuDevice();
const MODULE = ".shared .align 8 .b8 s[4096];";

/** Runs a body that leaves `%r1` of each thread; `%r30` is the place of the thread's word in shared memory. */
async function valuesOf(body: string, threads: number): Promise<number[]> {
  const { status, text, memory } = await runBody(
    device,
    `mov.u32 %r31, s; mad.lo.u32 %r30, %me, 4, %r31;\n${body}\nst.global.u32 [%own], %r1;`,
    { module: MODULE, block: { x: threads }, pacer: stoppingPacer(1000, 1_000_000) },
  );
  assert.equal(status, 0, text);
  return [...new Uint32Array(memory.buffer, 0, threads)];
}

function threads(count: number, value: (thread: number) => number): number[] {
  return Array.from({ length: count }, (_, thread) => value(thread) >>> 0);
}

Deno.test("what is written before a barrier is read behind it, by every thread", async () => {
  for (const count of [1, 31, 32, 33, 96, 100, 1024]) {
    const values = await valuesOf(
      `st.shared.u32 [%r30], %me; bar.sync 0; sub.u32 %r2, ${count - 1}, %me; mad.lo.u32 %r2, %r2, 4, %r31;
       ld.shared.u32 %r1, [%r2];`,
      count,
    );
    assert.deepEqual(values, threads(count, (thread) => count - 1 - thread));
  }
});

Deno.test("barriers in a loop keep threads in step", async () => {
  const values = await valuesOf(
    `mov.u32 %r1, 0; mov.u32 %r2, 0; st.shared.u32 [%r30], 0;
     L: bar.sync 0; ld.shared.u32 %r3, [s]; add.u32 %r1, %r1, %r3; bar.sync 0;
     setp.ne.u32 %p1, %me, 0; @%p1 bra N; add.u32 %r4, %r2, 1; st.shared.u32 [s], %r4; N:
     add.u32 %r2, %r2, 1; setp.lt.u32 %p2, %r2, 10; @%p2 bra L;`,
    64,
  );
  assert.deepEqual(values, threads(64, () => 45));
});

Deno.test("threads that have ended are not waited for", async () => {
  const values = await valuesOf(
    "setp.gt.u32 %p1, %me, 40; @%p1 exit; st.shared.u32 [%r30], 5; bar.sync 0; ld.shared.u32 %r1, [s+160];",
    96,
  );
  assert.deepEqual(values, threads(96, (thread) => thread <= 40 ? 5 : 0));
});

Deno.test("barriers with counts: two pairs of warps wait for each other alone", async () => {
  const values = await valuesOf(
    `shr.u32 %r2, %me, 6; add.u32 %r2, %r2, 1; st.shared.u32 [%r30], %me; bar.sync %r2, 64;
     xor.b32 %r3, %me, 32; mad.lo.u32 %r3, %r3, 4, %r31; ld.shared.u32 %r1, [%r3];`,
    128,
  );
  assert.deepEqual(values, threads(128, (thread) => thread ^ 32));
});

Deno.test("who arrives does not wait, and who syncs waits for the arrivals", async () => {
  // The first warp produces, the second consumes, four times.
  const values = await valuesOf(
    `mov.u32 %r1, 0; mov.u32 %r2, 0; setp.lt.u32 %p1, %me, 32; @!%p1 bra C;
     P: mad.lo.u32 %r3, %r2, 100, %me; st.shared.u32 [%r30], %r3; bar.arrive 1, 64; bar.sync 2, 64;
     add.u32 %r2, %r2, 1; setp.lt.u32 %p2, %r2, 4; @%p2 bra P; bra E;
     C: bar.sync 1, 64; ld.shared.u32 %r4, [%r30+-128]; add.u32 %r1, %r1, %r4; bar.arrive 2, 64;
     add.u32 %r2, %r2, 1; setp.lt.u32 %p2, %r2, 4; @%p2 bra C; E:`,
    64,
  );
  assert.deepEqual(values, threads(64, (thread) => thread < 32 ? 0 : 600 + 4 * (thread - 32)));
});

Deno.test("bar.red counts, ands and ors what threads say", async () => {
  const values = await valuesOf(
    `and.b32 %r2, %me, 3; setp.eq.u32 %p1, %r2, 0; setp.lt.u32 %p2, %me, 1000; setp.eq.u32 %p3, %me, 77;
     bar.red.popc.u32 %r3, 0, %p1; bar.red.and.pred %p4, 0, %p2; bar.red.or.pred %p5, 0, %p3;
     bar.red.and.pred %p6, 0, %p1; bar.red.or.pred %p7, 0, !%p2;
     selp.u32 %r4, 1000, 0, %p4; selp.u32 %r5, 2000, 0, %p5; selp.u32 %r6, 4000, 0, %p6; selp.u32 %r7, 8000, 0, %p7;
     add.u32 %r1, %r3, %r4; add.u32 %r1, %r1, %r5; add.u32 %r1, %r1, %r6; add.u32 %r1, %r1, %r7;`,
    100,
  );
  assert.deepEqual(values, threads(100, () => 25 + 1000 + 2000));
});

Deno.test("bar.red in a loop starts from nothing each time", async () => {
  const values = await valuesOf(
    `mov.u32 %r1, 0; mov.u32 %r2, 0; L: setp.le.u32 %p1, %me, %r2; bar.red.popc.u32 %r3, 0, %p1; add.u32 %r1, %r1, %r3;
     add.u32 %r2, %r2, 1; setp.lt.u32 %p2, %r2, 8; @%p2 bra L;`,
    64,
  );
  assert.deepEqual(values, threads(64, () => 36));
});

Deno.test("warps wait at different instructions of one barrier", async () => {
  const values = await valuesOf(
    `st.shared.u32 [%r30], %me; setp.lt.u32 %p1, %me, 32; @%p1 bra A; bar.sync 0; ld.shared.u32 %r1, [s]; bra E;
     A: bar.sync 0; ld.shared.u32 %r1, [s+252]; E:`,
    64,
  );
  assert.deepEqual(values, threads(64, (thread) => thread < 32 ? 63 : 0));
});

Deno.test("warps specialise: one exchanges while others wait", async () => {
  const values = await valuesOf(
    `setp.ge.u32 %p1, %me, 32; @%p1 bra W; mov.u32 %r2, %me;
     shfl.sync.bfly.b32 %r3, %r2, 16, 31, -1; add.u32 %r2, %r2, %r3; shfl.sync.bfly.b32 %r3, %r2, 8, 31, -1; add.u32 %r2, %r2, %r3;
     shfl.sync.bfly.b32 %r3, %r2, 4, 31, -1; add.u32 %r2, %r2, %r3; shfl.sync.bfly.b32 %r3, %r2, 2, 31, -1; add.u32 %r2, %r2, %r3;
     shfl.sync.bfly.b32 %r3, %r2, 1, 31, -1; add.u32 %r2, %r2, %r3; st.shared.u32 [s], %r2;
     W: bar.sync 0; ld.shared.u32 %r1, [s];`,
    96,
  );
  assert.deepEqual(values, threads(96, () => 496));
});

Deno.test("barrier.sync without .aligned lets lanes of a warp come from different instructions", async () => {
  const values = await valuesOf(
    `st.shared.u32 [%r30], %me; and.b32 %r2, %me, 1; setp.eq.u32 %p1, %r2, 0; @%p1 bra A;
     barrier.sync 0; ld.shared.u32 %r1, [s]; bra E; A: barrier.sync 0; ld.shared.u32 %r1, [s+4]; E:`,
    64,
  );
  assert.deepEqual(values, threads(64, (thread) => thread % 2 === 0 ? 1 : 0));
});
