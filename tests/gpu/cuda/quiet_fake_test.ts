/**
 * What the driver is not asked while something runs, and buffers whose copies are under way, over the fake driver.
 *
 * Owns the moments: the fake driver says itself what is wrong about them (fake_cuda.c). Invariant: after each test
 * nothing is open and nothing was wrong.
 */
import assert from "node:assert/strict";
import type { GpuContext, GpuModule, GpuStream, Pacer } from "../../../gpu/mod.ts";
import type { CudaDevice, CudaDeviceOptions } from "../../../gpu/cuda/mod.ts";
import { BASIC_PTX, GLOBALS_PTX } from "../../contract/gpu_kernels.ts";
import { FakeDriver } from "./fake_driver.ts";

const fake = FakeDriver.build();
const MIB = 1024 * 1024;
/** As host_ranges.ts. */
const CHUNK = 16 * MIB;
/** Work that goes on until it is released. */
const ENDLESS_US = -1;

const PACER: Pacer = {
  tick: () => 1000,
  charge: () => {},
  wait: async (promise) => {
    await promise.catch(() => {});
  },
};

function contextOf(
  device: CudaDevice,
  hostMemory: () => ArrayBufferLike | undefined = () => undefined,
): GpuContext {
  return device.createContext({ memoryBytesMax: 64 * MIB, pacer: PACER, print: () => {}, hostMemory });
}

function load(context: GpuContext, ptx: string): GpuModule {
  return context.loadModule(new TextEncoder().encode(ptx));
}

function launch(context: GpuContext, module: GpuModule, name: string, stream?: GpuStream): void {
  const kernel = module.kernels.get(name);
  assert.ok(kernel);
  const one = { x: 1, y: 1, z: 1 };
  const shape = { grid: one, block: one, sharedBytes: 0, ...(stream === undefined ? {} : { stream }) };
  void context.launch({ module, kernel, ...shape, params: new Uint8Array(kernel.paramBytes) });
}

function test(
  name: string,
  options: CudaDeviceOptions,
  run: (device: CudaDevice, driver: FakeDriver) => Promise<void>,
): void {
  if (fake === undefined) return;
  Deno.test(`cuda quiet: ${name}`, async () => {
    const device = fake.open({ contexts: "primary", ...options });
    await run(device, fake);
    device[Symbol.dispose]();
    fake.assertClean(device);
  });
}

const countOf = (driver: FakeDriver, call: string): number =>
  driver.calls().filter((name) => name === call).length;

test(
  "code is unloaded when nothing runs in the context, of other calls neither",
  {},
  async (device, driver) => {
    using other = contextOf(device);
    const context = contextOf(device);
    load(context, GLOBALS_PTX);
    load(context, GLOBALS_PTX)[Symbol.dispose]();
    const module = load(other, BASIC_PTX);
    driver.set("kernelDelayUs", ENDLESS_US);
    launch(other, module, "nothing");
    context[Symbol.dispose]();
    assert.deepEqual([device.health.lingeringCount, countOf(driver, "cuModuleUnload")], [0, 1]);
    driver.set("kernelDelayUs", 0);
    driver.release();
    await other.synchronize();
    device.reap();
    assert.equal(countOf(driver, "cuModuleUnload"), 2);
    assert.equal(driver.live("module"), 1);
  },
);

test(
  "pinned memory serves one session after the other, and none is given back in between",
  {},
  async (device, driver) => {
    for (let round = 0; round < 3; round++) {
      using context = contextOf(device);
      const pointer = context.allocate(64);
      await context.copyToDevice(pointer, Uint8Array.of(round));
      const target = new Uint8Array(1);
      await context.copyFromDevice(target, pointer);
      assert.deepEqual([...target], [round]);
      assert.ok(context.residentBytes > 0);
    }
    assert.deepEqual([countOf(driver, "cuMemHostAlloc"), countOf(driver, "cuMemFreeHost")], [1, 0]);
  },
);

for (const copies of ["direct", "staged"] as const) {
  test(`where no memory can be pinned copies go without (${copies})`, { copies }, async (device, driver) => {
    driver.set("lockedBytesMax", 4096);
    using context = contextOf(device);
    const pointer = context.allocate(3 * MIB);
    for (const length of [5, 70_000, 2 * MIB + 1]) {
      const source = Uint8Array.from({ length }, (_, at) => at * 31 + length);
      const want = source.slice();
      await context.copyToDevice(pointer, source);
      source.fill(0);
      const target = new Uint8Array(length);
      await context.copyFromDevice(target, pointer);
      assert.deepEqual(target, want);
    }
    assert.equal(driver.live("host"), 0);
    assert.ok(countOf(driver, "cuMemHostAlloc") <= 2, "it is asked once for each ring");
  });
}

test(
  "a copy of the caller's buffer has not answered while the driver may read it",
  {},
  async (device, driver) => {
    using context = contextOf(device);
    const pointer = context.allocate(MIB);
    await context.synchronize();
    driver.set("copyDelayUs", ENDLESS_US);
    const source = new Uint8Array(70_000).fill(3);
    const copied = context.copyToDevice(pointer, source);
    assert.ok(copied instanceof Promise);
    driver.set("copyDelayUs", 0);
    driver.release();
    await copied;
    source.fill(4);
    const target = new Uint8Array(70_000);
    await context.copyFromDevice(target, pointer);
    assert.ok(target.every((byte) => byte === 3));
  },
);

test(
  "a copy is parted where registered memory begins and ends, and where its chunks meet",
  { copies: "registered" },
  async (device, driver) => {
    const memory = new WebAssembly.Memory({ initial: (2 * CHUNK + 2 * MIB) / 65_536 });
    using context = contextOf(device, () => memory.buffer);
    const pointer = context.allocate(2 * MIB);
    const copy = async (start: number, length: number): Promise<void> => {
      const bytes = new Uint8Array(memory.buffer, start, length);
      for (let at = 0; at < length; at += 4096) bytes[at] = at / 4096 + start;
      const want = bytes.slice();
      await context.copyToDevice(pointer, bytes);
      bytes.fill(0);
      await context.copyFromDevice(bytes, pointer);
      assert.deepEqual(bytes, want);
    };
    // The first chunk is copied as often as it is long; the next is not.
    for (let round = 0; round < CHUNK / MIB; round++) await copy(0, MIB);
    assert.equal(driver.live("range"), 1);
    await copy(CHUNK - MIB / 2, MIB);
    // A small one too: what counts is where it lies.
    await copy(CHUNK - 8192, 16_384);
    // The chunk at the end is a short one; once it is registered the memory grows.
    for (let round = 0; round < 4; round++) await copy(2 * CHUNK, MIB);
    assert.equal(driver.live("range"), 2);
    memory.grow(64);
    await copy(2 * CHUNK + MIB, 2 * MIB);
  },
);

test(
  "registered memory that has grown is not registered anew while something runs",
  { copies: "registered" },
  async (device, driver) => {
    const memory = new WebAssembly.Memory({ initial: 16 });
    using other = contextOf(device);
    using context = contextOf(device, () => memory.buffer);
    const pointer = context.allocate(2 * MIB);
    const copy = async (length: number): Promise<void> =>
      await context.copyToDevice(pointer, new Uint8Array(memory.buffer, 0, length));
    for (let round = 0; round < 3; round++) await copy(MIB);
    assert.equal(driver.live("range"), 1);
    memory.grow(16);
    driver.set("kernelDelayUs", ENDLESS_US);
    launch(other, load(other, BASIC_PTX), "nothing");
    driver.set("kernelDelayUs", 0);
    for (let round = 0; round < 3; round++) await copy(2 * MIB);
    assert.equal(countOf(driver, "cuMemHostUnregister"), 0);
    driver.release();
    await other.synchronize();
    await copy(2 * MIB);
    assert.deepEqual([countOf(driver, "cuMemHostRegister_v2"), countOf(driver, "cuMemHostUnregister")], [
      2,
      1,
    ]);
  },
);
