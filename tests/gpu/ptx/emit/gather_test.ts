/**
 * Warps whose lanes go different ways: who exchanges with whom, checked on the CPU device.
 */
import assert from "node:assert/strict";
import { createCpuDevice } from "../../../../gpu/cpu/mod.ts";
import { runBody, stoppingPacer } from "../../cpu/device_support.ts";

const device = createCpuDevice();

/** Runs a body that leaves `%r1` of each thread; threads that ended before leave 0. */
async function valuesOf(body: string, threads: number): Promise<number[]> {
  const { status, text, memory } = await runBody(device, `${body}\nst.global.u32 [%own], %r1;`, {
    block: { x: threads },
    pacer: stoppingPacer(1000, 1_000_000),
  });
  assert.equal(status, 0, text);
  return [...new Uint32Array(memory.buffer, 0, threads)];
}

function lanes(count: number, value: (lane: number) => number): number[] {
  return Array.from({ length: count }, (_, lane) => value(lane) >>> 0);
}

Deno.test("a whole warp shuffles", async () => {
  const values = await valuesOf("shfl.sync.bfly.b32 %r1, %me, 1, 31, -1;", 64);
  assert.deepEqual(values, lanes(64, (lane) => lane ^ 1));
});

Deno.test("halves of a warp shuffle among themselves, each in its own branch", async () => {
  const values = await valuesOf(
    `setp.lt.u32 %p1, %me, 16; @%p1 bra A;
     shfl.sync.idx.b32 %r1, %me, 20, 31, 0xffff0000; bra E;
     A: shfl.sync.idx.b32 %r1, %me, 3, 31, 0x0000ffff; E:`,
    32,
  );
  assert.deepEqual(values, lanes(32, (lane) => lane < 16 ? 3 : 20));
});

Deno.test("lanes that are to take part are waited for, whichever branch they come from", async () => {
  const values = await valuesOf(
    `mov.u32 %r2, %me; and.b32 %r3, %me, 3; setp.ne.u32 %p1, %r3, 0; @%p1 bra S;
     mov.u32 %r4, 0; L: add.u32 %r4, %r4, 1; setp.lt.u32 %p2, %r4, 100; @%p2 bra L; add.u32 %r2, %r2, 1000;
     S: shfl.sync.idx.b32 %r1, %r2, 4, 31, -1;`,
    32,
  );
  assert.deepEqual(values, lanes(32, () => 1004));
});

Deno.test("a loop of a different length for every lane votes with those that are in it", async () => {
  // Every lane counts its turns; in each, the vote says who is still there.
  const values = await valuesOf(
    `mov.u32 %r1, 0; mov.u32 %r2, 0; L: activemask.b32 %r3; popc.b32 %r3, %r3; add.u32 %r1, %r1, 1;
     add.u32 %r2, %r2, 1; setp.le.u32 %p1, %r2, %me; @%p1 bra L;`,
    32,
  );
  assert.deepEqual(values, lanes(32, (lane) => lane + 1));
});

Deno.test("a shuffle in a divergent loop under the mask of those that are in it", async () => {
  const values = await valuesOf(
    `mov.u32 %r1, 0; mov.u32 %r2, 0;
     L: setp.le.u32 %p1, %r2, %me; vote.sync.ballot.b32 %r3, %p1, -1; @!%p1 bra N;
     shfl.sync.idx.b32 %r4, %r2, 31, 31, %r3; add.u32 %r1, %r1, %r4;
     N: add.u32 %r2, %r2, 1; setp.lt.u32 %p2, %r2, 32; @%p2 bra L;`,
    32,
  );
  assert.deepEqual(values, lanes(32, (lane) => lane * (lane + 1) / 2));
});

Deno.test("lanes that have ended are waited for no more", async () => {
  const values = await valuesOf(
    `mov.u32 %r1, 7; setp.gt.u32 %p1, %me, 9; @%p1 exit; vote.sync.ballot.b32 %r1, 1, -1;`
      .replace(
        "vote.sync.ballot.b32 %r1, 1, -1;",
        "setp.eq.u32 %p2, %me, %me; vote.sync.ballot.b32 %r1, %p2, -1;",
      ),
    32,
  );
  assert.deepEqual(values, lanes(32, (lane) => lane <= 9 ? 0x3ff : 0));
});

Deno.test("a ragged last warp has the lanes that it has", async () => {
  const values = await valuesOf("setp.eq.u32 %p1, %me, %me; vote.sync.ballot.b32 %r1, %p1, -1;", 40);
  assert.deepEqual(values, lanes(40, (thread) => thread < 32 ? -1 : 0xff));
});

Deno.test("two shuffles in two branches that cross", async () => {
  // Even lanes come to B after A, odd ones to A after B: each pair of masks meets in its own turn.
  const values = await valuesOf(
    `and.b32 %r2, %me, 1; setp.eq.u32 %p1, %r2, 1; mov.u32 %r1, %me; @%p1 bra B;
     A: shfl.sync.up.b32 %r1, %r1, 2, 0, 0x55555555; bra E;
     B: shfl.sync.down.b32 %r1, %r1, 2, 31, 0xaaaaaaaa; E: shfl.sync.bfly.b32 %r1, %r1, 1, 31, -1;`,
    32,
  );
  const after = lanes(
    32,
    (lane) => lane % 2 === 0 ? (lane < 2 ? lane : lane - 2) : lane > 29 ? lane : lane + 2,
  );
  assert.deepEqual(values, lanes(32, (lane) => after[lane ^ 1] ?? 0));
});

Deno.test("registers of each lane survive an exchange, whatever their type", async () => {
  const values = await valuesOf(
    `cvt.u64.u32 %d1, %me; mul.lo.u64 %d1, %d1, 0x100000001; cvt.rn.f32.u32 %f1, %me; cvt.rn.f64.u32 %g1, %me;
     cvt.u16.u32 %h1, %me; setp.gt.u32 %p1, %me, 10;
     shfl.sync.bfly.b32 %r2, %me, 3, 31, -1; bar.warp.sync -1;
     shr.u64 %d2, %d1, 32; cvt.u32.u64 %r3, %d2; cvt.rzi.u32.f32 %r4, %f1; cvt.rzi.u32.f64 %r5, %g1; cvt.u32.u16 %r6, %h1;
     selp.u32 %r7, 1000, 0, %p1; add.u32 %r1, %r3, %r4; add.u32 %r1, %r1, %r5; add.u32 %r1, %r1, %r6; add.u32 %r1, %r1, %r7;`,
    32,
  );
  assert.deepEqual(values, lanes(32, (lane) => 4 * lane + (lane > 10 ? 1000 : 0)));
});
