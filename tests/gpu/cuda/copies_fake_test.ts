/**
 * The ways of large copies over the fake driver: direct, staged through pinned memory, from registered memory.
 *
 * Owns what is right whatever the way (bytes, order, sources that change), what is registered and given up when,
 * and that nothing is left whichever call fails. Which way is fast is no question here: nothing is on hardware.
 */
import assert from "node:assert/strict";
import { CudaUnavailable, GpuError } from "../../../gpu/mod.ts";
import type { GpuContext, Pacer } from "../../../gpu/mod.ts";
import type { CopyWay, CudaDevice } from "../../../gpu/cuda/mod.ts";
import { BASIC_PTX } from "../../contract/gpu_kernels.ts";
import { FakeDriver } from "./fake_driver.ts";

const fake = FakeDriver.build();
const MIB = 1024 * 1024;
const PAGE = 65_536;
const WAYS = ["direct", "staged", "registered"] as const;

const PACER: Pacer = {
  tick: () => 1000,
  charge: () => {},
  wait: async (promise) => {
    await promise.catch(() => {});
  },
};

/** A guest's memory and a context that copies of it go through. */
class Guest implements Disposable {
  readonly memory: WebAssembly.Memory;
  readonly context: GpuContext;

  constructor(device: CudaDevice, pages: number, pacer = PACER) {
    this.memory = new WebAssembly.Memory({ initial: pages });
    this.context = device.createContext({
      memoryBytesMax: 64 * MIB,
      pacer,
      print: () => {},
      hostMemory: () => this.memory.buffer,
    });
  }

  bytes(start: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, start, length);
  }

  /** Fills a part of the memory with numbers that depend on the place. */
  fill(start: number, length: number, seed: number): Uint8Array {
    const bytes = this.bytes(start, length);
    for (let at = 0; at < length; at++) bytes[at] = Math.imul(at + seed, 0x9e3779b1) >>> 24;
    return bytes;
  }

  launch(ptx: string, name: string): void {
    const module = this.context.loadModule(new TextEncoder().encode(ptx));
    const kernel = module.kernels.get(name);
    assert.ok(kernel);
    const one = { x: 1, y: 1, z: 1 };
    const params = new Uint8Array(kernel.paramBytes);
    void this.context.launch({ module, kernel, grid: one, block: one, sharedBytes: 0, params });
  }

  [Symbol.dispose](): void {
    this.context[Symbol.dispose]();
  }
}

function test(
  name: string,
  ways: readonly CopyWay[],
  run: (device: CudaDevice, driver: FakeDriver) => Promise<void> | void,
): void {
  if (fake === undefined) return;
  for (const copies of ways) {
    Deno.test(`cuda copies: ${name} (${copies})`, async () => {
      const device = fake.open({ contexts: "primary", copies });
      await run(device, fake);
      device[Symbol.dispose]();
      fake.assertClean(device);
    });
  }
}

test("what goes up comes down, of every size, beside busy streams too", WAYS, async (device, driver) => {
  using guest = new Guest(device, 88);
  const { context } = guest;
  const pointer = context.allocate(3 * MIB);
  for (const delayUs of [0, 500]) {
    driver.set("copyDelayUs", delayUs);
    for (const length of [1, 65_536, 65_537, 2 * MIB + 12_345]) {
      // Often enough for the registered way to register.
      for (let round = 0; round < 3; round++) {
        const source = guest.fill(7, length, round);
        const want = source.slice();
        const up = context.copyToDevice(pointer, source);
        if (up !== undefined) await up;
        source.fill(0xee);
        const target = guest.bytes(3 * MIB + 11, length).fill(0);
        const down = context.copyFromDevice(target, pointer);
        if (down !== undefined) await down;
        assert.ok(sameBytes(target, want), `${length} bytes, round ${round}, ${delayUs} µs`);
      }
    }
  }
});

test("many contexts copy at a time, each its own bytes", WAYS, async (device, driver) => {
  driver.set("copyDelayUs", 200);
  await Promise.all(Array.from({ length: 8 }, async (_, index) => {
    using guest = new Guest(device, 64);
    const pointer = guest.context.allocate(MIB + 4096);
    for (let round = 0; round < 3; round++) {
      const source = guest.fill(0, MIB + 4096, 100 * index + round);
      const want = source.slice();
      await guest.context.copyToDevice(pointer, source);
      source.fill(0);
      await guest.context.copyFromDevice(guest.bytes(2 * MIB, MIB + 4096), pointer);
      assert.ok(sameBytes(guest.bytes(2 * MIB, MIB + 4096), want), `guest ${index}, round ${round}`);
    }
    guest.context.free(pointer);
    await guest.context.synchronize();
  }));
});

test(
  "only what is copied as often as it is long is registered, once",
  ["registered"],
  async (device, driver) => {
    using guest = new Guest(device, 32);
    const pointer = guest.context.allocate(MIB);
    const copy = async (start: number): Promise<number> => {
      await guest.context.copyToDevice(pointer, guest.bytes(start, MIB));
      return driver.live("range");
    };
    const counts: number[] = [];
    for (const start of [0, MIB, 0, 512, MIB]) counts.push(await copy(start));
    assert.deepEqual(counts, [0, 0, 1, 1, 1]);
    // Other memory than the guest's, and small copies, are none of it.
    await guest.context.copyToDevice(pointer, new Uint8Array(MIB));
    await guest.context.copyToDevice(pointer, guest.bytes(5, 1000));
    assert.equal(driver.calls().filter((name) => name === "cuMemHostRegister_v2").length, 1);
    guest[Symbol.dispose]();
    assert.equal(driver.live("range"), 0);
  },
);

test(
  "a memory that grows is registered anew, as long as it is then",
  ["registered"],
  async (device, driver) => {
    using guest = new Guest(device, 16);
    const pointer = guest.context.allocate(MIB);
    for (let round = 0; round < 3; round++) await guest.context.copyToDevice(pointer, guest.bytes(0, MIB));
    assert.equal(driver.live("range"), 1);
    guest.memory.grow(16);
    // What was registered is still so: the memory has not moved.
    await guest.context.copyToDevice(pointer, guest.bytes(0, MIB));
    assert.equal(driver.live("range"), 1);
    for (let round = 0; round < 3; round++) {
      await guest.context.copyFromDevice(
        guest.bytes(MIB, MIB),
        pointer,
      );
    }
    const names = driver.calls().filter((name) => /HostRegister|HostUnregister/.test(name));
    assert.deepEqual(names, ["cuMemHostRegister_v2", "cuMemHostUnregister", "cuMemHostRegister_v2"]);
  },
);

test("a system that locks no more memory is asked once", ["registered"], async (device, driver) => {
  driver.set("lockedBytesMax", PAGE);
  using guest = new Guest(device, 32);
  const pointer = guest.context.allocate(MIB);
  for (let round = 0; round < 6; round++) await guest.context.copyToDevice(pointer, guest.bytes(0, MIB));
  assert.equal(driver.calls().filter((name) => name === "cuMemHostRegister_v2").length, 1);
  assert.equal(driver.live("range"), 0);
});

test(
  "what is registered stays so until work that lingers is done",
  ["registered"],
  async (device, driver) => {
    const guest = new Guest(device, 16);
    const pointer = guest.context.allocate(MIB);
    for (let round = 0; round < 3; round++) await guest.context.copyToDevice(pointer, guest.bytes(0, MIB));
    driver.set("kernelDelayUs", 500_000);
    guest.launch(BASIC_PTX, "nothing");
    guest[Symbol.dispose]();
    assert.equal(driver.live("range"), 1);
    driver.set("kernelDelayUs", 0);
    await idle(device);
    assert.equal(driver.live("range"), 0);
  },
);

if (fake !== undefined) {
  Deno.test("cuda copies: a call that must stop while it waits for a part leaves no slot taken", async () => {
    const device = fake.open({ contexts: "primary", copies: "staged" });
    let isOver = false;
    const guest = new Guest(device, 128, { ...PACER, tick: () => isOver ? -1 : 1000 });
    const pointer = guest.context.allocate(6 * MIB);
    fake.set("copyDelayUs", 50_000);
    const copying = guest.context.copyFromDevice(guest.bytes(0, 6 * MIB), pointer);
    isOver = true;
    await assert.rejects(async () => await copying, GpuError);
    fake.set("copyDelayUs", 0);
    guest[Symbol.dispose]();
    await idle(device);
    // As long as a shared context is given up with what runs in it, there is nothing to be used any more.
    if (device.health.failure === undefined) {
      // The ring is the workspace's: another call has all of it.
      using other = new Guest(device, 128);
      const own = other.context.allocate(6 * MIB);
      const want = other.fill(0, 6 * MIB, 3).slice();
      await other.context.copyToDevice(own, other.bytes(0, 6 * MIB));
      await other.context.copyFromDevice(other.bytes(0, 6 * MIB).fill(0), own);
      assert.ok(sameBytes(other.bytes(0, 6 * MIB), want));
    }
    device[Symbol.dispose]();
    fake.assertNoProblem();
  });

  for (const copies of WAYS) {
    for (const status of [2, 719]) {
      Deno.test(`cuda copies: every call fails once and nothing is left (${copies}, status ${status})`, async () => {
        const good = await upAndDown(fake, copies, 0, 0);
        assert.equal(good, undefined);
        const names = fake.calls();
        const tried = new Map<string, number>();
        for (const [index, name] of names.entries()) {
          const count = (tried.get(name) ?? 0) + 1;
          tried.set(name, count);
          if (count > 3) continue;
          const error = await upAndDown(fake, copies, index + 1, status);
          // How often a wait asks is a matter of time: the call that failed may be another one.
          const [failed = "none"]: string[] = fake.calls(index);
          const at: string = `call ${index + 1}, ${failed}`;
          fake.assertNoProblem();
          assert.ok(error === undefined || error instanceof GpuError || error instanceof CudaUnavailable, at);
          if (!/Destroy|Release|Unregister|Free/.test(failed)) assert.equal(fake.liveText, "", at);
        }
      });
    }
  }
}

/** Copies often enough for every way to come to what it does; the error, if any, with everything disposed. */
async function upAndDown(driver: FakeDriver, copies: CopyWay, nth: number, status: number): Promise<unknown> {
  driver.reset();
  driver.set("copyDelayUs", 5);
  driver.failCall(nth, status);
  let device: CudaDevice | undefined;
  let error: unknown;
  try {
    device = driver.open({ contexts: "primary", copies }, {}, false);
    // What is staged has two parts.
    const length = (copies === "staged" ? MIB : 2 * PAGE) + 99;
    const pages = Math.ceil(2 * length / PAGE);
    using guest = new Guest(device, pages);
    const pointer = guest.context.allocate(length);
    for (let round = 0; round < 2; round++) {
      await guest.context.copyToDevice(pointer, guest.bytes(0, length));
      await guest.context.copyFromDevice(guest.bytes(length, length), pointer);
    }
    guest.memory.grow(1);
    await guest.context.copyToDevice(pointer, guest.bytes((pages + 1) * PAGE - length, length));
    await guest.context.synchronize();
  } catch (thrown) {
    error = thrown;
  }
  if (device !== undefined) await idle(device);
  device?.[Symbol.dispose]();
  assert.equal(device?.ledger.openCount ?? 0, 0, JSON.stringify(device?.ledger.counts));
  return error;
}

/** Closes what was disposed while it had work, once that is done. */
async function idle(device: CudaDevice): Promise<void> {
  for (let round = 0; round < 5_000 && device.health.lingeringCount > 0; round++) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    device.reap();
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
