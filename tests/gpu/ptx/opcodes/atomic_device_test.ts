/**
 * Atomic operations of several threads of the CPU device on the same words: nothing is lost, whatever the order.
 */
import assert from "node:assert/strict";
import { createCpuDevice } from "../../../../gpu/cpu/mod.ts";
import { kernelText, openContext } from "../../cpu/device_support.ts";

const BLOCKS = 32;
const THREADS = 64;
const TIMES = 800;
/** Helpers join launches of which it is known that they take long, and once they have started. */
const LAUNCHES = 4;
const TOTAL = BLOCKS * THREADS * TIMES * LAUNCHES;

interface Race {
  readonly name: string;
  /** What each thread does again and again: `%r0` is its number in the grid, `%memory` the word's address. */
  readonly body: string;
  /** Bytes of the word before and after. */
  readonly start: bigint;
  readonly end: bigint;
  readonly bytes?: number;
}

const VIEW = new DataView(new ArrayBuffer(8));
function f32(value: number): bigint {
  VIEW.setFloat32(0, value);
  return BigInt(VIEW.getUint32(0));
}
function f64(value: number): bigint {
  VIEW.setFloat64(0, value);
  return VIEW.getBigUint64(0);
}

const RACES: readonly Race[] = [
  { name: "add", body: "atom.add.u32 %r1, [%memory], 3;", start: 5n, end: 5n + 3n * BigInt(TOTAL) },
  {
    name: "red.add.u64",
    body: "red.global.add.u64 [%memory], 0x100000001;",
    start: 0n,
    end: 0x1_0000_0001n * BigInt(TOTAL),
    bytes: 8,
  },
  { name: "inc", body: "atom.global.inc.u32 %r1, [%memory], 999;", start: 0n, end: BigInt(TOTAL % 1000) },
  {
    name: "dec",
    body: "atom.global.dec.u32 %r1, [%memory], 999;",
    start: 0n,
    end: BigInt((1000 - TOTAL % 1000) % 1000),
  },
  { name: "xor", body: "atom.global.xor.b32 %r2, [%memory], %r0;", start: 7n, end: 7n },
  {
    name: "max.s32",
    body: "sub.s32 %r1, %r0, 5000; red.global.max.s32 [%memory], %r1;",
    start: 0x8000_0000n,
    end: BigInt.asUintN(32, BigInt(BLOCKS * THREADS - 1 - 5000)),
  },
  {
    name: "min.u64",
    body: "cvt.u64.u32 %d1, %r0; add.u64 %d1, %d1, 17; atom.min.u64 %d2, [%memory], %d1;",
    start: 2n ** 64n - 1n,
    end: 17n,
    bytes: 8,
  },
  {
    name: "add.f32",
    body: "atom.global.add.f32 %f1, [%memory], 0.5;",
    start: f32(1),
    end: f32(1 + TOTAL / 2),
  },
  {
    name: "add.f64",
    body: "red.global.add.f64 [%memory], 0.25;",
    start: f64(1),
    end: f64(1 + TOTAL / 4),
    bytes: 8,
  },
  {
    name: "cas",
    body: `ld.global.u32 %r1, [%memory];
      AGAIN: add.u32 %r2, %r1, 7; atom.global.cas.b32 %r3, [%memory], %r1, %r2;
      setp.ne.u32 %p1, %r3, %r1; mov.u32 %r1, %r3; @%p1 bra AGAIN;`,
    start: 0n,
    end: 7n * BigInt(TOTAL),
  },
  {
    name: "cas.b16",
    body: `ld.global.u16 %h1, [%memory+2];
      AGAIN: add.u16 %h2, %h1, 1; atom.global.cas.b16 %h3, [%memory+2], %h1, %h2;
      setp.ne.u16 %p1, %h3, %h1; mov.u16 %h1, %h3; @%p1 bra AGAIN;`,
    start: 0xabcdn,
    end: BigInt(TOTAL % 65536) << 16n | 0xabcdn,
  },
  {
    name: "a lock of exch",
    // Only the first lane of a warp takes the lock, so that no lane waits for one that it holds back.
    body: `and.b32 %r1, %me, 31; setp.ne.u32 %p1, %r1, 0; @%p1 bra PAST;
      AGAIN: atom.acquire.gpu.global.exch.b32 %r2, [%memory+4], 1; setp.ne.u32 %p2, %r2, 0; @%p2 bra AGAIN;
      ld.global.u32 %r3, [%memory]; add.u32 %r3, %r3, 1; st.global.u32 [%memory], %r3;
      atom.release.gpu.global.exch.b32 %r2, [%memory+4], 0;
      PAST:`,
    start: 0n,
    end: BigInt(TOTAL / 32),
    bytes: 8,
  },
  {
    name: "halves",
    body:
      "and.b32 %r1, %r10, 1; setp.eq.u32 %p1, %r1, 0; selp.b32 %r2, 0x3c003c00, 0xbc00bc00, %p1; red.global.add.noftz.f16x2 [%memory], %r2;",
    start: 0n,
    end: 0n,
  },
];

Deno.test("threads of the device lose no atomic operation", async (t) => {
  using device = createCpuDevice({ threads: 4 });
  for (const { name, body, start, end, bytes = 4 } of RACES) {
    await t.step(name, async () => {
      using context = openContext(device);
      const pointer = context.allocate(8);
      const word = new Uint8Array(8);
      new DataView(word.buffer).setBigUint64(0, start, true);
      await context.copyToDevice(pointer, word);
      const text = kernelText(`
        mov.u32 %r0, %ctaid.x; mov.u32 %r9, %ntid.x; mad.lo.u32 %r0, %r0, %r9, %me; mov.u32 %r10, 0;
        ROUND: ${body} add.u32 %r10, %r10, 1; setp.lt.u32 %p9, %r10, ${TIMES}; @%p9 bra ROUND;`);
      const module = context.loadModule(new TextEncoder().encode(text));
      const kernel = module.kernels.get("k");
      assert.ok(kernel !== undefined);
      const params = new Uint8Array(BigUint64Array.of(pointer).buffer);
      const [grid, block] = [{ x: BLOCKS, y: 1, z: 1 }, { x: THREADS, y: 1, z: 1 }];
      for (let launch = 0; launch < LAUNCHES; launch++) {
        await context.launch({ module, kernel, grid, block, sharedBytes: 0, params });
        await context.synchronize();
      }
      await context.copyFromDevice(word, pointer);
      const found = new DataView(word.buffer).getBigUint64(0, true);
      assert.equal(bytes === 8 ? found : found & 0xffff_ffffn, end);
    });
  }
});
