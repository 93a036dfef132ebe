/**
 * Barrier objects: each operation against a model of the object, and kernels that wait for one another through
 * them on the CPU device.
 */
import assert from "node:assert/strict";
import { createCpuDevice } from "../../../../gpu/cpu/mod.ts";
import { GpuError } from "../../../../gpu/mod.ts";
import { kernelOf } from "../run_text.ts";
import { compileInstruction, compileInstructions } from "./one_instruction.ts";
import { randomBits } from "./random_bits.ts";

const next = randomBits(29);

/** PTX ISA 9.7.13.15.1 to 5. */
class Model {
  expected = 0;
  pending = 0;
  bytes = 0;
  phase = 0;

  init(count: number): void {
    [this.expected, this.pending, this.bytes, this.phase] = [count, count, 0, 0];
  }

  arrive(count: number): void {
    this.pending -= count;
    this.#complete();
  }

  drop(count: number): void {
    this.expected -= count;
    this.arrive(count);
  }

  expect(bytes: number): void {
    this.bytes += bytes;
    this.#complete();
  }

  #complete(): void {
    if (this.pending !== 0 || this.bytes !== 0) return;
    this.phase++;
    this.pending = this.expected;
  }
}

Deno.test("an object counts arrivals and bytes, phase by phase", () => {
  const descriptor = { initial: 1n, maximum: 1n, address: "i64" } as unknown as WebAssembly.MemoryDescriptor;
  const options = {
    memory: new WebAssembly.Memory(descriptor),
    sharedBytes: 64,
    specials: { sharedBase: 0x200n, sharedEnd: 64n },
  };
  const names = [
    "mbarrier.init.shared.b64 [%r0], %r1",
    "mbarrier.arrive.shared.b64 %l0, [%r0]",
    "mbarrier.arrive.release.cta.shared::cta.b64 %l0, [%r0], %r1",
    "mbarrier.arrive.expect_tx.shared.b64 %l0, [%r0], %r1",
    "mbarrier.arrive_drop.shared.b64 _, [%r0], %r1",
    "mbarrier.expect_tx.relaxed.cta.shared.b64 [%r0], %r1",
    "mbarrier.complete_tx.shared.b64 [%r0], %r1",
    "cp.async.mbarrier.arrive.noinc.shared.b64 [%r0]",
    "cp.async.mbarrier.arrive.shared.b64 [%r0]",
    "mbarrier.arrive.noComplete.shared.b64 %l0, [%r0], %r1",
    "mbarrier.test_wait.shared.b64 %p0, [%r0], %l1",
    "mbarrier.try_wait.parity.shared.b64 %p0, [%r0], %r1, %r2",
    "mbarrier.pending_count.b64 %r2, %l1",
    "mbarrier.inval.shared.b64 [%r0]",
  ];
  const [
    init,
    arrive,
    arriveMany,
    arriveExpect,
    drop,
    expect,
    complete,
    copied,
    copiedInc,
    noComplete,
    test,
    parity,
    pending,
  ] = compileInstructions(names, options).map(({ run }) => run);
  assert.ok(
    init && arrive && arriveMany && arriveExpect && drop && expect && complete && copied && copiedInc,
  );
  assert.ok(noComplete && test && parity && pending);
  const at = 8n;
  for (let round = 0; round < 30; round++) {
    const model = new Model();
    const count = 3 + Number(next() % 200n);
    init(at, BigInt(count));
    model.init(count);
    const states: { readonly state: bigint; readonly phase: number }[] = [];
    for (let step = 0; step < 60; step++) {
      const { phase, pending: left } = model;
      const give = Number(next() % BigInt(Math.max(left, 1))) + (left > 0 ? 1 : 0);
      const keep = (results: readonly bigint[]): void => {
        const state = results[0] ?? 0n;
        assert.deepEqual(pending(state), [BigInt(left)]);
        states.push({ state, phase });
      };
      switch (Number(next() % 8n)) {
        case 0:
          if (left > 0) keep(arrive(at)), model.arrive(1);
          break;
        case 1:
        case 2:
          if (left > 0) keep(arriveMany(at, BigInt(give))), model.arrive(give);
          break;
        case 3: {
          if (left === 0) break;
          const bytes = Number(next() % 1000n);
          keep(arriveExpect(at, BigInt(bytes)));
          model.bytes += bytes;
          model.arrive(1);
          break;
        }
        case 4:
          if (left > 0 && model.expected > 1) drop(at, 1n), model.drop(1);
          break;
        case 5:
          expect(at, 16n), model.expect(16);
          break;
        case 6:
          complete(at, BigInt(model.bytes)), model.expect(-model.bytes);
          break;
        case 7:
          copiedInc(at);
          if (left > 0) copied(at), model.arrive(1);
      }
      for (const { state, phase: of } of states.slice(-6)) {
        if (model.phase - of < 8) assert.deepEqual(test(at, state), [model.phase === of ? 0n : 1n]);
      }
      for (const bit of [0n, 1n]) {
        assert.deepEqual(parity(at, bit, 1000n), [model.phase % 2 === Number(bit) ? 0n : 1n]);
      }
    }
  }
  init(at, 4n);
  const [state = 0n] = noComplete(at, 3n);
  assert.deepEqual(test(at, state), [0n]);
  assert.deepEqual(pending(state), [4n]);
});

Deno.test("forms that are for clusters, or do not exist, are refused", () => {
  for (
    const text of [
      "mbarrier.arrive.shared::cluster.b64 _, [%r0]",
      "mbarrier.init.shared.b64 [%r0]",
      "mbarrier.shared.b64 [%r0]",
      "mbarrier.test_wait.shared.b64 %p0, [%r0]",
    ]
  ) assert.throws(() => compileInstruction(text), { name: "PtxError" }, text);
});

async function run(body: string, block: number, fuelMax: number): Promise<Uint32Array | number> {
  let left = fuelMax;
  using context = createCpuDevice().createContext({
    memoryBytesMax: 2 ** 20,
    print: () => {},
    pacer: {
      tick: (fuel) => ((left -= fuel), left < 0 ? -1 : 100_000),
      charge: () => {},
      wait: async (promise) => {
        await promise.catch(() => {});
      },
    },
  });
  const words = new Uint32Array(block);
  const pointer = context.allocate(words.byteLength);
  await context.copyToDevice(pointer, new Uint8Array(words.buffer));
  const params = new Uint8Array(8);
  new DataView(params.buffer).setBigUint64(0, pointer, true);
  const module = context.loadModule(new TextEncoder().encode(kernelOf(body)));
  const kernel = module.kernels.get("k");
  if (kernel === undefined) throw new Error("Invariant: the text has kernel k");
  try {
    const [grid, shape] = [{ x: 1, y: 1, z: 1 }, { x: block, y: 1, z: 1 }];
    await context.launch({ module, kernel, grid, block: shape, sharedBytes: 0, params });
    await context.synchronize();
  } catch (error) {
    if (error instanceof GpuError) return error.status;
    throw error;
  }
  await context.copyFromDevice(new Uint8Array(words.buffer), pointer);
  return words;
}

/** Warps pass a number on, each waiting for the phase that the one before it ends. */
const CHAIN = `
  .shared .align 8 .b64 bars[8];
  .shared .align 4 .b32 value;
  mov.u32 %r0, %tid.x; shr.u32 %r1, %r0, 5; mov.u32 %r2, bars; shl.b32 %r3, %r1, 3; add.u32 %r2, %r2, %r3;
  setp.ne.u32 %p0, %r0, 0; @%p0 bra READY;
  mov.u32 %r4, bars; mov.u32 %r5, 0;
INIT:
  mbarrier.init.shared.b64 [%r4], 32; add.u32 %r4, %r4, 8; add.u32 %r5, %r5, 1;
  setp.lt.u32 %p1, %r5, 8; @%p1 bra INIT;
  st.shared.u32 [value], 5;
READY:
  bar.sync 0;
  // The last warp begins: warp w waits for the object of warp w + 1.
  setp.eq.u32 %p2, %r1, 3; @%p2 bra GO;
WAIT:
  mbarrier.try_wait.parity.shared.b64 %p3, [%r2+8], 0; @!%p3 bra WAIT;
GO:
  ld.shared.u32 %r6, [value];
  bar.warp.sync -1;
  and.b32 %r7, %r0, 31; setp.eq.u32 %p4, %r7, 0; mad.lo.u32 %r8, %r6, 3, %r1;
  @%p4 st.shared.u32 [value], %r8;
  mbarrier.arrive.shared.b64 %rd1, [%r2];
  mul.wide.u32 %rd2, %r0, 4; add.u64 %rd3, %rd0, %rd2; st.global.u32 [%rd3], %r6;
  ret;`;

Deno.test("threads that ask in a loop do not keep others from arriving", async () => {
  const words = await run(CHAIN, 128, 10_000_000);
  assert.ok(words instanceof Uint32Array);
  const values = [5];
  for (let warp = 3; warp > 0; warp--) values.unshift((values[0] ?? 0) * 3 + warp);
  assert.deepEqual([...words], values.flatMap((value) => Array.from({ length: 32 }, () => value)));
});

Deno.test("waiting for what never comes uses up the fuel, and no more", async () => {
  const body = `
  .shared .align 8 .b64 bars;
  mbarrier.init.shared.b64 [bars], 1000;
WAIT:
  mbarrier.test_wait.parity.shared.b64 %p3, [bars], 0; @!%p3 bra WAIT;
  ret;`;
  assert.equal(await run(body, 64, 200_000), 702);
});
