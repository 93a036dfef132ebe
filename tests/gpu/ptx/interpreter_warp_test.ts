/**
 * The interpreter's barriers, warp operations and matrices.
 *
 * Owns what threads do together. Expected values are reckoned in the tests, by hand or from whole matrices.
 */
import assert from "node:assert/strict";
import type { KernelStatus } from "./interpreter/interpret.ts";
import { runBody } from "./interpreter_support.ts";

function errorOf(status: KernelStatus): number | undefined {
  return status === "ok" ? undefined : status.error;
}

Deno.test("interpreter: barriers order warps, count only threads that live, and reduce", () => {
  const { status, words } = runBody({
    threads: 70,
    module: ".shared .align 4 .b8 box[280]; .shared .u32 total;",
    body: `setp.ge.u32 %p1, %me, 65; @%p1 exit; mov.u32 %r1, box; mad.lo.u32 %r1, %me, 4, %r1;
      st.shared.u32 [%r1], %me; bar.sync 0; sub.u32 %r2, 64, %me; mov.u32 %r3, box; mad.lo.u32 %r3, %r2, 4, %r3;
      ld.shared.u32 %r4, [%r3]; st.global.u32 [%own], %r4; setp.lt.u32 %p2, %me, 40;
      bar.red.popc.u32 %r5, 1, %p2; bar.red.and.pred %p3, 2, %p2; barrier.red.or.pred %p4, 3, !%p2;
      selp.u32 %r6, 1, 0, %p3; selp.u32 %r7, 2, 0, %p4; add.u32 %r5, %r5, %r6; add.u32 %r5, %r5, %r7;
      st.global.u32 [%own+300], %r5;`,
    memory: new Uint8Array(1024),
  });
  assert.equal(status, "ok");
  assert.deepEqual([...words.slice(0, 65)], Array.from({ length: 65 }, (_, index) => 64 - index));
  assert.deepEqual([...words.slice(75, 140)], new Array(65).fill(42));
});

Deno.test("interpreter: producers arrive and go on, consumers wait for them", () => {
  const body = `setp.lt.u32 %p1, %me, 32; @%p1 bra produce; bar.sync 1, 64; ld.shared.u32 %r1, [box];
    st.global.u32 [%own], %r1; bra end;
    produce: st.shared.u32 [box], 77; bar.arrive 1, 64; st.global.u32 [%own], 1; end: ret;`;
  for (const isReversed of [false, true]) {
    const { status, words } = runBody({ threads: 64, module: ".shared .u32 box;", body, isReversed });
    assert.equal(status, "ok");
    assert.deepEqual([words[0], words[31], words[32], words[63]], [1, 1, 77, 77]);
  }
});

Deno.test("interpreter: an mbarrier ends its phase with the last arrival", () => {
  const { status, words } = runBody({
    threads: 40,
    module: ".shared .align 8 .b64 gate; .shared .u32 box;",
    body: `setp.ne.u32 %p1, %me, 0; @!%p1 mbarrier.init.shared.b64 [gate], 40; bar.sync 0;
      setp.eq.u32 %p2, %me, 39; @%p2 st.shared.u32 [box], 5; mbarrier.arrive.shared.b64 %d1, [gate];
      wait: mbarrier.test_wait.shared.b64 %p3, [gate], %d1; @!%p3 bra wait; ld.shared.u32 %r1, [box];
      mbarrier.test_wait.parity.shared.b64 %p4, [gate], 0; mbarrier.test_wait.parity.shared.b64 %p5, [gate], 1;
      @%p4 add.u32 %r1, %r1, 10; @%p5 add.u32 %r1, %r1, 100; st.global.u32 [%own], %r1;`,
  });
  assert.equal(status, "ok");
  assert.deepEqual([...words.slice(0, 40)], new Array(40).fill(15));
});

Deno.test("interpreter: lanes of a warp at different barriers, and barriers that never fill, are faults", () => {
  const split = `setp.lt.u32 %p1, %me, %r1; @%p1 bra other; WAIT 0; bra end; other: WAIT 0; end: ret;`;
  const at = (word: string, lane: number): string => `mov.u32 %r1, ${lane};` + split.replaceAll("WAIT", word);
  assert.equal(errorOf(runBody({ threads: 32, body: at("bar.sync", 5) }).status), 719);
  assert.equal(runBody({ threads: 32, body: at("barrier.sync", 5) }).status, "ok");
  assert.equal(runBody({ threads: 64, body: at("bar.sync", 32) }).status, "ok");
  const starved = "setp.lt.u32 %p1, %me, 32; @%p1 bra end; bar.sync 0, 64; end: ret;";
  assert.equal(errorOf(runBody({ threads: 64, body: starved }).status), 719);
});

Deno.test("interpreter: a lane that spins lets the others run", () => {
  const { status } = runBody({
    threads: 64,
    body: `setp.ne.u32 %p1, %me, 0; @%p1 bra set;
      spin: ld.volatile.global.u32 %r1, [%base]; setp.lt.u32 %p2, %r1, 63; @%p2 bra spin; bra end;
      set: red.global.add.u32 [%base], 1; end: ret;`,
  });
  assert.equal(status, "ok");
});

Deno.test("interpreter: shuffles by mode, clamp and segment", () => {
  const run = (line: string): number[] => {
    const body = `add.u32 %r1, %me, 100; ${line} selp.u32 %r3, 1000, 0, %p1; add.u32 %r2, %r2, %r3;
      st.global.u32 [%own], %r2;`;
    return [...runBody({ threads: 32, body }).words.slice(0, 32)];
  };
  const lanes = Array.from({ length: 32 }, (_, lane) => lane);
  const up = lanes.map((lane) => lane >= 3 ? 1100 + lane - 3 : 100 + lane);
  assert.deepEqual(run("shfl.sync.up.b32 %r2|%p1, %r1, 3, 0, -1;"), up);
  const down = lanes.map((lane) => lane + 4 <= (lane & 24 | 7) ? 1104 + lane : 100 + lane);
  assert.deepEqual(run("shfl.sync.down.b32 %r2|%p1, %r1, 4, 0x1807, -1;"), down);
  assert.deepEqual(
    run("shfl.sync.bfly.b32 %r2|%p1, %r1, 1, 31, -1;"),
    lanes.map((lane) => 1100 + (lane ^ 1)),
  );
  const idx = lanes.map((lane) => 1100 + (lane & 16) + 5);
  assert.deepEqual(run("shfl.idx.b32 %r2|%p1, %r1, 21, 0x101f;"), idx);
});

Deno.test("interpreter: votes, matches and reductions count the lanes that are there", () => {
  const { words } = runBody({
    threads: 20,
    body: `setp.lt.u32 %p1, %me, 18; @!%p1 exit; and.b32 %r1, %me, 1; setp.ne.u32 %p2, %r1, 0;
      vote.sync.ballot.b32 %r2, %p2, -1; vote.sync.all.pred %p3, %p1, -1; vote.sync.uni.pred %p4, %p2, -1;
      match.any.sync.b32 %r3, %r1, -1; match.all.sync.b32 %r4|%p5, %r1, -1; redux.sync.add.s32 %r5, %me, -1;
      redux.sync.min.u32 %r6, %r2, -1; activemask.b32 %r7; elect.sync %r8|%p6, -1;
      selp.u32 %r9, 1, 0, %p3; @%p4 add.u32 %r9, %r9, 2; @%p5 add.u32 %r9, %r9, 4; @%p6 add.u32 %r9, %r9, 8;
      setp.eq.u32 %p7, %me, 1; @%p7 st.global.v4.u32 [%base], {%r2, %r3, %r4, %r5};
      @%p7 st.global.v4.u32 [%base+16], {%r6, %r7, %r8, %r9};`,
  });
  const odd = 0x2aaaa;
  assert.deepEqual([...words.slice(0, 8)], [odd, odd, 0, 153, odd, 0x3ffff, 0, 1]);
});

Deno.test("interpreter: lanes that cannot meet proceed, those at the lowest place first", () => {
  const { status, words } = runBody({
    threads: 4,
    body: `setp.lt.u32 %p1, %me, 2; @%p1 bra low; vote.sync.ballot.b32 %r1, 1, -1; bra end;
      low: vote.sync.ballot.b32 %r1, 1, -1; end: st.global.u32 [%own], %r1;
      vote.sync.ballot.b32 %r2, 1, 0xf; st.global.u32 [%own+16], %r2;`.replaceAll(", 1, ", ", %p9, ")
      .replace("setp.lt", "setp.eq.u32 %p9, 0, 0; setp.lt"),
  });
  assert.equal(status, "ok");
  assert.deepEqual([...words.slice(0, 8)], [3, 3, 12, 12, 15, 15, 15, 15]);
});

/** A matrix of small integers, row by row. */
function matrix(rows: number, columns: number, salt: number): number[] {
  return Array.from({ length: rows * columns }, (_, index) => ((index * 7 + salt) % 11) - 5);
}

function product(a: number[], b: number[], m: number, n: number, k: number): number[] {
  return Array.from({ length: m * n }, (_, at) => {
    let sum = 0;
    for (let each = 0; each < k; each++) {
      sum += (a[Math.floor(at / n) * k + each] ?? 0) * (b[each * n + (at % n)] ?? 0);
    }
    return sum;
  });
}

Deno.test("interpreter: mma.m16n8k16 of halves and bytes, fragments laid out as the manual has them", () => {
  const [a, b] = [matrix(16, 16, 1), matrix(16, 8, 4)];
  const want = product(a, b, 16, 8, 16);
  // A row-major at 0, B by columns at 512 (halves) or 256 (bytes), C at 1024.
  const memory = new Uint8Array(2048);
  const halves = new Float16Array(memory.buffer);
  halves.set(a);
  for (let n = 0; n < 8; n++) for (let k = 0; k < 16; k++) halves[256 + n * 16 + k] = b[k * 8 + n] ?? 0;
  const position = `shr.u32 %r1, %me, 2; and.b32 %r2, %me, 3; mad.lo.u32 %r3, %r1, 8, 0; shl.b32 %r4, %r2, 1;
    add.u32 %r3, %r3, %r4; mad.wide.u32 %d5, %r3, 4, %base;`;
  const store = "st.global.v2.f32 [%d5+1024], {%f1, %f2}; st.global.v2.f32 [%d5+1280], {%f3, %f4};";
  const zero = "mov.f32 %f1, 0f00000000; mov.f32 %f2, %f1; mov.f32 %f3, %f1; mov.f32 %f4, %f1;";
  const half = runBody({
    threads: 32,
    memory,
    body: `${position} mad.wide.u32 %d1, %r1, 32, %base; mad.wide.u32 %d1, %r2, 4, %d1; ${zero}
      ld.global.u32 %r10, [%d1]; ld.global.u32 %r11, [%d1+256]; ld.global.u32 %r12, [%d1+16];
      ld.global.u32 %r13, [%d1+272]; ld.global.u32 %r14, [%d1+512]; ld.global.u32 %r15, [%d1+528];
      mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f1,%f2,%f3,%f4}, {%r10,%r11,%r12,%r13}, {%r14,%r15},
      {%f1,%f2,%f3,%f4}; ${store}`,
  });
  assert.equal(half.status, "ok");
  assert.deepEqual([...new Float32Array(memory.buffer, 1024, 128)], want.map((each) => each + 0));
  const bytes = new Int8Array(memory.buffer);
  bytes.set(a);
  for (let n = 0; n < 8; n++) for (let k = 0; k < 16; k++) bytes[256 + n * 16 + k] = b[k * 8 + n] ?? 0;
  runBody({
    threads: 32,
    memory,
    body: `${position} mad.wide.u32 %d1, %r1, 16, %base; mad.wide.u32 %d1, %r2, 4, %d1;
      ld.global.u32 %r10, [%d1]; ld.global.u32 %r11, [%d1+128]; ld.global.u32 %r12, [%d1+256];
      mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32 {%r20,%r21,%r22,%r23}, {%r10,%r11}, {%r12}, {1,1,1,1};
      st.global.v2.u32 [%d5+1024], {%r20, %r21}; st.global.v2.u32 [%d5+1280], {%r22, %r23};`,
  });
  assert.deepEqual([...new Int32Array(memory.buffer, 1024, 128)], want.map((each) => each + 1));
});

Deno.test("interpreter: wmma multiplies what it loads, by rows or columns; ldmatrix and movmatrix transpose", () => {
  const [a, b] = [matrix(16, 16, 2), matrix(16, 16, 9)];
  const memory = new Uint8Array(4096);
  const halves = new Float16Array(memory.buffer);
  halves.set(a);
  for (let n = 0; n < 16; n++) for (let k = 0; k < 16; k++) halves[256 + n * 16 + k] = b[k * 16 + n] ?? 0;
  const registers = (first: number): string =>
    `{${Array.from({ length: 8 }, (_, i) => `%r${first + i}`).join(",")}}`;
  const wmma = runBody({
    threads: 32,
    memory,
    body: `wmma.load.a.sync.aligned.row.m16n16k16.global.f16 ${registers(1)}, [%base], 16;
      wmma.load.b.sync.aligned.col.m16n16k16.global.f16 ${registers(10)}, [%base+512];
      wmma.load.c.sync.aligned.row.m16n16k16.global.f32 ${registers(20)}, [%base+1024];
      wmma.mma.sync.aligned.row.col.m16n16k16.f32.f32 ${registers(20)}, ${registers(1)}, ${registers(10)},
      ${registers(20)}; wmma.store.d.sync.aligned.row.m16n16k16.global.f32 [%base+1024], ${
      registers(20)
    }, 16;`,
  });
  assert.equal(wmma.status, "ok");
  assert.deepEqual(
    [...new Float32Array(memory.buffer, 1024, 256)],
    product(a, b, 16, 16, 16).map((each) => each + 0),
  );
  const moved = runBody({
    threads: 32,
    module: ".shared .align 16 .b8 tile[128];",
    body: `mov.u32 %r1, tile; mad.lo.u32 %r2, %me, 4, %r1; shl.b32 %r3, %me, 1; add.u32 %r4, %r3, 1;
      shl.b32 %r4, %r4, 16; or.b32 %r3, %r3, %r4; st.shared.u32 [%r2], %r3; bar.sync 0;
      and.b32 %r5, %me, 7; mad.lo.u32 %r5, %r5, 16, %r1;
      ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%r6}, [%r5]; st.global.u32 [%own], %r6;
      movmatrix.sync.aligned.m8n8.trans.b16 %r7, %r6; setp.eq.u32 %p1, %r7, %r3;
      selp.u32 %r8, 1, 0, %p1; st.global.u32 [%own+128], %r8;`,
  });
  assert.equal(moved.status, "ok");
  // Lane 4g + q has elements 2q and 2q + 1 of column g, which are numbered by rows.
  const want = Array.from({ length: 32 }, (_, lane) => {
    const [g, q] = [lane >> 2, lane & 3];
    return (16 * q + g) | ((16 * q + 8 + g) << 16);
  });
  assert.deepEqual([...moved.words.slice(0, 32)], want);
  assert.deepEqual([...moved.words.slice(32, 64)], new Array(32).fill(1));
});
