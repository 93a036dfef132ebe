/**
 * The CUDA device over the fake driver: what it passes, what it owns, how it waits.
 *
 * Owns what the contract does not say: layouts, the ways of a copy, shared contexts, waiting and giving up. After
 * each test nothing is open and the driver was given nothing wrong, unless a kernel that does not end was given up.
 */
import assert from "node:assert/strict";
import type { GpuContext, GpuModule, KernelLaunch, Pacer } from "../../../gpu/mod.ts";
import { CudaUnavailable, driverPaths, GpuError, openDevice } from "../../../gpu/mod.ts";
import {
  BASIC_PTX,
  FAULTS_PTX,
  GLOBALS_PTX,
  PARAMS_PTX,
  PRINT_PTX,
  SHARED_PTX,
} from "../../contract/gpu_kernels.ts";
import type { CudaDevice, CudaDeviceOptions } from "../../../gpu/cuda/mod.ts";
import { FakeDriver } from "./fake_driver.ts";

const fake = FakeDriver.build();
const ONE = { x: 1, y: 1, z: 1 };

const FREE_PACER: Pacer = {
  tick: () => 1000,
  charge: () => {},
  wait: async (promise) => {
    await promise.catch(() => {});
  },
};

/** A pacer that ends whoever asks it more often than that. */
function stopsAfter(asks: number): Pacer {
  let asked = 0;
  return { ...FREE_PACER, tick: () => ++asked > asks ? -1 : 1000 };
}

function contextOf(device: CudaDevice, pacer = FREE_PACER, memoryBytesMax = 1 << 26): GpuContext {
  return device.createContext({ memoryBytesMax, pacer, print: () => {} });
}

function load(context: GpuContext, ptx: string): GpuModule {
  return context.loadModule(new TextEncoder().encode(ptx));
}

function launch(
  context: GpuContext,
  module: GpuModule,
  name: string,
  args: (view: DataView) => void = () => {},
  more: Partial<KernelLaunch> = {},
): ReturnType<GpuContext["launch"]> {
  const kernel = module.kernels.get(name);
  assert.ok(kernel);
  const params = new Uint8Array(kernel.paramBytes);
  args(new DataView(params.buffer));
  return context.launch({ module, kernel, grid: ONE, block: ONE, sharedBytes: 0, params, ...more });
}

type Settings = Parameters<FakeDriver["open"]>[1];

/** Runs with a device; afterwards it must be as if nothing had been. */
function test(
  name: string,
  run: (device: CudaDevice, driver: FakeDriver) => void | Promise<void>,
  options: CudaDeviceOptions = {},
  settings: Settings = {},
): void {
  if (fake === undefined) return;
  Deno.test(`cuda: ${name}`, async () => {
    const device = fake.open(options, settings);
    await run(device, fake);
    device[Symbol.dispose]();
    fake.assertClean(device);
  });
}

/** What a script prints, or what went wrong. */
async function runScript(script: string, flags: readonly string[], driverPath: string): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, script);
    const args = ["run", "--quiet", "--no-check", ...flags, file, driverPath];
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" } })
      .output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(file);
  }
}

function refuses(run: () => unknown, status: string): void {
  assert.throws(run, (error) => error instanceof GpuError && error.statusName === status);
}

// The library.

Deno.test("cuda: a library that is not there is told with every path, and why", async () => {
  const opened = openDevice({ device: "cuda", threads: 1, cuda: { driverPath: "/nowhere/libcuda.so.1" } });
  await assert.rejects(
    async () => await opened,
    (error) =>
      error instanceof CudaUnavailable && /\/nowhere\/libcuda.so.1: .*No such file/.test(error.message),
  );
  assert.ok(
    driverPaths().includes("libcuda.so.1") && driverPaths().includes("/usr/lib/wsl/lib/libcuda.so.1"),
  );
});

Deno.test("cuda: auto comes to the CPU, and says why", async () => {
  const reasons: string[] = [];
  const cuda = { driverPath: "/nowhere/libcuda.so.1" };
  using device = await openDevice({
    device: "auto",
    threads: 1,
    cuda,
    onFallback: (why) => void reasons.push(why),
  });
  assert.equal(device?.info.kind, "cpu");
  assert.match(reasons.join(), /No such file/);
  assert.equal(openDevice({ device: "off", threads: 1 }), undefined);
});

if (fake !== undefined) {
  const unusable: readonly (readonly [string, Settings, CudaDeviceOptions, RegExp])[] = [
    ["a driver without a device", { initStatus: 100 }, {}, /cuInit answers CUDA_ERROR_NO_DEVICE/],
    ["a driver that shows none", { deviceCount: 0 }, {}, /shows 0 devices/],
    ["a number that no device has", { deviceCount: 2 }, { deviceIndex: 2 }, /shows 2 devices, and number 2/],
    ["a device that reads this process", { readsHost: 1 }, {}, /PAGEABLE_MEMORY_ACCESS/],
  ];
  for (const [what, settings, options, reason] of unusable) {
    Deno.test(`cuda: ${what} is unavailable, with the reason`, () => {
      assert.throws(
        () => fake.open(options, settings),
        (error) => error instanceof CudaUnavailable && reason.test(error.message),
      );
      fake.assertNoProblem();
    });
  }

  Deno.test("cuda: auto takes the GPU", async () => {
    fake.reset();
    using device = await openDevice({ device: "auto", threads: 1, cuda: { driverPath: fake.path } });
    assert.equal(device?.info.kind, "cuda");
  });

  Deno.test("cuda: a permission for the library alone is enough, and can be given up once it is open", async () => {
    const script = `
      import { openDevice } from ${JSON.stringify(new URL("../../../gpu/mod.ts", import.meta.url).href)};
      const cuda = { driverPath: Deno.args[0] };
      using device = await openDevice({ device: "cuda", threads: 1, cuda });
      await Deno.permissions.revoke({ name: "ffi" });
      const pacer = { tick: () => 1, charge: () => {}, wait: (promise) => promise };
      using context = device.createContext({ memoryBytesMax: 4096, pacer, print: () => {} });
      const pointer = context.allocate(4);
      using module = context.loadModule(new TextEncoder().encode(${JSON.stringify(BASIC_PTX)}));
      const kernel = module.kernels.get("nothing");
      const one = { x: 1, y: 1, z: 1 };
      context.launch({ module, kernel, grid: one, block: one, sharedBytes: 0, params: new Uint8Array(0) });
      await context.copyToDevice(pointer, Uint8Array.of(1, 2, 3, 4));
      const memory = new WebAssembly.Memory({ initial: 1 });
      await context.copyFromDevice(new Uint8Array(memory.buffer, 8, 4), pointer);
      await Deno.stdout.write(new TextEncoder().encode(String(new Uint8Array(memory.buffer, 8, 4))));`;
    assert.equal(await runScript(script, [`--allow-ffi=${fake.path}`, "--no-prompt"], fake.path), "1,2,3,4");
  });
}

test(
  "the device is as the driver says",
  ({ info, driverVersion, driverPath }, { path }) => {
    assert.deepEqual([info.kind, info.index, info.name], ["cuda", 1, "Fake GPU 1"]);
    assert.deepEqual(info.computeCapability, { major: 9, minor: 0 });
    assert.deepEqual([info.multiprocessorCount, info.memoryBytes], [132, 140 * 2 ** 30]);
    assert.equal(info.sharedBytesPerBlockMax, 227 * 1024);
    assert.deepEqual([driverVersion, driverPath], [{ major: 13, minor: 0 }, path]);
  },
  { deviceIndex: 1 },
  { deviceCount: 2 },
);

// Launches.

test("parameters, shape and shared memory arrive as they are", (device, driver) => {
  using context = contextOf(device);
  using module = load(context, PARAMS_PTX);
  const wanted = Uint8Array.from({ length: 48 }, (_, at) => at + 1);
  const kernel = module.kernels.get("echo");
  assert.ok(kernel);
  const [grid, block] = [{ x: 9, y: 8, z: 7 }, { x: 6, y: 5, z: 4 }];
  context.launch({ module, kernel, grid, block, sharedBytes: 321, params: wanted });
  const { params, shape } = driver.lastLaunch();
  assert.deepEqual([...params], [...wanted]);
  assert.deepEqual(shape, [9, 8, 7, 6, 5, 4, 321]);
});

const RESIDENT_THREADS = 132 * 2048;
for (
  const [what, room, isTaken] of [["as much as there is room for", 0, true], [
    "one byte more",
    -1,
    false,
  ]] as const
) {
  test(
    `local memory of all threads that can be resident is counted, once for all kernels: ${what}`,
    (device) => {
      using context = contextOf(device);
      using other = contextOf(device);
      const pointer = context.allocate(256);
      const own = device.allocatedBytes;
      assert.equal(own, 256);
      using module = load(context, BASIC_PTX);
      if (!isTaken) return refuses(() => launch(context, module, "nothing"), "CUDA_ERROR_OUT_OF_MEMORY");
      launch(context, module, "nothing");
      launch(other, load(other, BASIC_PTX), "fill");
      assert.equal(device.allocatedBytes, own + 512 * RESIDENT_THREADS);
      context.free(pointer);
    },
    { contexts: "primary", memoryBytesMax: 256 + 512 * RESIDENT_THREADS + room },
    { localBytes: 512 },
  );
}

test("more shared memory than the default is asked for once", (device, driver) => {
  using context = contextOf(device);
  using module = load(context, SHARED_PTX);
  const asks = (): number => driver.calls().filter((name) => name === "cuFuncSetAttribute").length;
  for (const [sharedBytes, count] of [[48 * 1024, 0], [48 * 1024 + 1, 1], [227 * 1024, 1]] as const) {
    launch(context, module, "reverse", () => {}, { sharedBytes });
    assert.equal(asks(), count);
  }
});

test("a launch makes one call of the driver once it is warm", (device, driver) => {
  using context = contextOf(device);
  using module = load(context, BASIC_PTX);
  launch(context, module, "nothing");
  const before = driver.callCount;
  for (let round = 0; round < 10; round++) assert.equal(launch(context, module, "nothing"), undefined);
  assert.deepEqual(driver.calls(before), Array.from({ length: 10 }, () => "cuLaunchKernel"));
});

test(
  "a launch that asks is told how long the device was busy, at the next synchronisation",
  async (device) => {
    using context = contextOf(device);
    using module = load(context, BASIC_PTX);
    const told: number[] = [];
    const timed = (deviceTimeUs: number): void => void told.push(deviceTimeUs);
    launch(context, module, "nothing", () => {}, { timed });
    launch(context, module, "nothing");
    assert.deepEqual(told, []);
    await context.synchronize();
    assert.equal(told.length, 1);
    assert.ok((told[0] ?? 0) >= 19_000 && (told[0] ?? 0) < 1_000_000, String(told));
  },
  {},
  { kernelDelayUs: 20_000 },
);

test(
  "launches run ahead of the device only so far",
  async (device) => {
    using context = contextOf(device);
    using module = load(context, BASIC_PTX);
    let waited = 0;
    for (let count = 0; count < 600; count++) {
      const answer = launch(context, module, "nothing");
      if (answer === undefined) continue;
      waited++;
      await answer;
    }
    assert.ok(waited >= 2 && waited <= 4, String(waited));
    await context.synchronize();
  },
  {},
  { kernelDelayUs: 1_000 },
);

// Memory.

test("new memory is ordered before what uses it on another stream", (device, driver) => {
  using context = contextOf(device);
  using stream = context.createStream();
  const pointer = context.allocate(16);
  const before = driver.callCount;
  void context.copyToDevice(pointer, new Uint8Array(16), stream);
  void context.copyToDevice(pointer, new Uint8Array(16), stream);
  assert.deepEqual(driver.calls(before).filter((name) => /Wait|Memcpy/.test(name)), [
    ...["cuStreamWaitEvent", "cuMemcpyHtoDAsync_v2", "cuMemcpyHtoDAsync_v2"],
  ]);
});

test("a device that says it has pools, and has none, has memory all the same", async (device, driver) => {
  using context = contextOf(device);
  driver.failCall(1, 801);
  const pointer = context.allocate(16);
  await context.copyToDevice(pointer, Uint8Array.of(1, 2, 3));
  context.free(pointer);
  context.free(context.allocate(32));
  await context.synchronize();
  const names = driver.calls().filter((name) => /^cuMem(Alloc|Free)/.test(name));
  assert.deepEqual(names, [
    ...["cuMemAllocAsync", "cuMemAlloc_v2", "cuMemFree_v2", "cuMemAlloc_v2", "cuMemFree_v2"],
  ]);
}, { contexts: "primary" });

test(
  "memory is given back after what may use it, without a wait",
  async (device, driver) => {
    using context = contextOf(device);
    using module = load(context, BASIC_PTX);
    const pointer = context.allocate(16);
    launch(context, module, "nothing");
    const before = driver.callCount;
    context.free(pointer);
    const calls = driver.calls(before);
    assert.deepEqual(calls.slice(-3), ["cuEventRecord", "cuStreamWaitEvent", "cuMemFreeAsync"]);
    const waits = context.synchronize();
    assert.ok(waits instanceof Promise, "the kernel still runs");
    await waits;
  },
  {},
  { kernelDelayUs: 500_000 },
);

test(
  "a small copy to a busy stream goes through pinned memory and does not wait; a large one waits",
  async (device, driver) => {
    using context = contextOf(device);
    using module = load(context, BASIC_PTX);
    const pointer = context.allocate(1 << 20);
    assert.equal(context.residentBytes, 0);
    launch(context, module, "nothing");
    const source = Uint8Array.of(1, 2, 3);
    assert.equal(context.copyToDevice(pointer, source), undefined);
    source.fill(9);
    assert.ok(context.residentBytes > 0);
    assert.equal(driver.live("host"), 1);
    const large = context.copyToDevice(pointer + 4n, new Uint8Array(70_000).fill(5));
    assert.ok(large instanceof Promise);
    await large;
    const target = new Uint8Array(6);
    await context.copyFromDevice(target, pointer);
    assert.deepEqual([...target], [1, 2, 3, 0, 5, 5]);
  },
  {},
  { kernelDelayUs: 500_000 },
);

test(
  "slots of pinned memory come round",
  async (device, driver) => {
    using context = contextOf(device);
    using module = load(context, BASIC_PTX);
    const pointer = context.allocate(64);
    launch(context, module, "nothing");
    for (let at = 0; at < 40; at++) await context.copyToDevice(pointer + BigInt(at), Uint8Array.of(at));
    const target = new Uint8Array(40);
    await context.copyFromDevice(target, pointer);
    assert.deepEqual([...target], Array.from({ length: 40 }, (_, at) => at));
    assert.equal(driver.live("host"), 1);
  },
  {},
  { kernelDelayUs: 5000 },
);

test("no address that is not the context's reaches the driver", (device, driver) => {
  using context = contextOf(device);
  using other = contextOf(device);
  using module = load(context, GLOBALS_PTX);
  const [pointer, theirs] = [context.allocate(100), other.allocate(100)];
  const before = driver.callCount;
  const bytes = new Uint8Array(8);
  for (const wild of [0n, 8n, 2n ** 63n, pointer + 93n, pointer - 1n, theirs, -1n]) {
    refuses(() => context.copyToDevice(wild, bytes), "CUDA_ERROR_INVALID_VALUE");
    refuses(() => context.copyFromDevice(bytes, wild), "CUDA_ERROR_INVALID_VALUE");
    refuses(() => context.fillZero?.(wild, 8), "CUDA_ERROR_INVALID_VALUE");
  }
  assert.deepEqual(driver.calls(before).filter((name) => name !== "cuCtxSetCurrent"), []);
  const table = module.findGlobal("table");
  assert.equal(table?.byteLength, 16);
  void context.copyToDevice(table?.pointer ?? 0n, bytes);
  module[Symbol.dispose]();
  refuses(() => context.copyToDevice(table?.pointer ?? 0n, bytes), "CUDA_ERROR_INVALID_VALUE");
});

test("streams, events and modules of another context are refused", (device) => {
  using context = contextOf(device);
  using other = contextOf(device);
  using stream = other.createStream();
  using event = other.createEvent();
  using module = load(other, BASIC_PTX);
  refuses(() => context.synchronize(stream), "CUDA_ERROR_INVALID_HANDLE");
  refuses(() => context.recordEvent(event), "CUDA_ERROR_INVALID_HANDLE");
  refuses(() => launch(context, module, "nothing"), "CUDA_ERROR_INVALID_HANDLE");
});

test("the driver's compiler is heard", (device) => {
  using context = contextOf(device);
  const ptx = BASIC_PTX.replace("ld.param", "frobnicate.param");
  assert.throws(() => load(context, ptx), /CUDA_ERROR_INVALID_PTX.*line \d+; error .*frobnicate/);
});

test(
  "what is in the buffer of prints is told at the next synchronisation, once nothing runs",
  async (device) => {
    const printed: string[] = [];
    const print = (text: string): void => void printed.push(text);
    using context = device.createContext({ memoryBytesMax: 4096, pacer: FREE_PACER, print });
    using stream = context.createStream();
    using module = load(context, PRINT_PTX);
    const buffer = module.findGlobal("tensor_wasm_print_buffer");
    assert.equal(buffer?.byteLength, 256 * 1024 + 8);
    // A record as print.cu makes it: size, place of the arguments, format, one argument.
    const record = new Uint8Array(8 + 32);
    const view = new DataView(record.buffer);
    view.setBigUint64(0, 32n, true);
    view.setUint32(8, 32, true);
    view.setUint32(12, 24, true);
    record.set(new TextEncoder().encode("value %u!\n"), 16);
    view.setUint32(32, 42, true);
    await context.copyToDevice(buffer.pointer, record);
    launch(context, module, "say");
    launch(context, module, "say", () => {}, { stream });
    await context.synchronize(stream);
    await context.synchronize();
    await context.synchronize();
    assert.deepEqual(printed, ["value 42!\n"]);
    const after = new Uint8Array(40);
    await context.copyFromDevice(after, buffer.pointer);
    assert.ok(after.every((byte) => byte === 0));
  },
  {},
  { kernelDelayUs: 2000 },
);

// Shared contexts.

test("contexts of the primary kind share one, and modules without variables", (device, driver) => {
  using first = contextOf(device);
  using second = contextOf(device);
  const modules = [load(first, BASIC_PTX), load(second, BASIC_PTX), load(second, BASIC_PTX)];
  assert.deepEqual([driver.live("context"), driver.live("module")], [1, 1]);
  using own = load(first, GLOBALS_PTX);
  using another = load(second, GLOBALS_PTX);
  assert.notEqual(own.findGlobal("table")?.pointer, another.findGlobal("table")?.pointer);
  assert.equal(driver.live("module"), 3);
  const [module] = modules;
  assert.ok(module);
  refuses(() => launch(second, module, "nothing"), "CUDA_ERROR_INVALID_HANDLE");
  for (const each of modules) each[Symbol.dispose]();
  // One that may be asked for again is kept.
  assert.equal(driver.live("module"), 3);
}, { contexts: "primary" });

test("a fault of one is a fault of all that share the context, and the device says so", async (device) => {
  using first = contextOf(device);
  using second = contextOf(device);
  launch(first, load(first, FAULTS_PTX), "trap_now");
  await assert.rejects(async () => await first.synchronize(), /LAUNCH_FAILED/);
  refuses(() => second.allocate(8), "CUDA_ERROR_LAUNCH_FAILED");
  assert.equal(device.health.failure?.statusName, "CUDA_ERROR_LAUNCH_FAILED");
}, { contexts: "primary" });

// Waiting.

test(
  "others run while one waits",
  async (device) => {
    using slow = contextOf(device);
    using quick = contextOf(device);
    launch(slow, load(slow, BASIC_PTX), "nothing");
    const waits = slow.synchronize();
    assert.ok(waits instanceof Promise);
    let isDone = false;
    void waits.then(() => isDone = true);
    for (let round = 0; round < 20; round++) {
      quick.free(quick.allocate(64));
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    assert.equal(isDone, false);
    await waits;
  },
  {},
  { kernelDelayUs: 1_500_000 },
);

test("what is done at once needs no promise", (device) => {
  using context = contextOf(device);
  launch(context, load(context, BASIC_PTX), "nothing");
  assert.equal(context.synchronize(), undefined);
});

test(
  "a context that is disposed while it waits says so, and is closed when its work is done",
  async (device, driver) => {
    const context = contextOf(device);
    launch(context, load(context, BASIC_PTX), "nothing");
    const waits = context.synchronize();
    context[Symbol.dispose]();
    await assert.rejects(async () => await waits, /INVALID_CONTEXT/);
    assert.equal(device.health.lingeringCount, 1);
    for (let round = 0; round < 5_000 && device.health.lingeringCount > 0; round++) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      device.reap();
    }
    assert.deepEqual([device.health.lingeringCount, driver.live("context")], [0, 0]);
  },
  {},
  { kernelDelayUs: 500_000 },
);

test(
  "a stream that is closed with work on it is waited for by the context",
  async (device) => {
    using context = contextOf(device);
    const stream = context.createStream();
    launch(context, load(context, BASIC_PTX), "nothing", () => {}, { stream });
    stream[Symbol.dispose]();
    refuses(() => context.synchronize(stream), "CUDA_ERROR_INVALID_HANDLE");
    const waits = context.synchronize();
    assert.ok(waits instanceof Promise);
    await waits;
    assert.equal(context.synchronize(), undefined, "nothing runs any more");
  },
  {},
  { kernelDelayUs: 500_000 },
);

test(
  "whoever is stopped while work is about to end loses the context, and nobody else's",
  async (device, driver) => {
    const stopped = contextOf(device, stopsAfter(0));
    using other = contextOf(device);
    launch(stopped, load(stopped, BASIC_PTX), "nothing");
    await assert.rejects(async () => await stopped.synchronize(), /LAUNCH_TIMEOUT/);
    refuses(() => stopped.allocate(1), "CUDA_ERROR_LAUNCH_TIMEOUT");
    driver.release();
    stopped[Symbol.dispose]();
    assert.equal(device.health.abandonedCount, 0);
    other.free(other.allocate(1));
    assert.equal(driver.live("context"), 1);
  },
  { contexts: "primary" },
  { kernelDelayUs: -1 },
);

for (const contexts of ["own", "primary"] as const) {
  if (fake === undefined) break;
  Deno.test(`cuda: a kernel that does not end is given up, an own context with it (${contexts})`, async () => {
    const device = fake.open({ contexts });
    const context = contextOf(device, stopsAfter(5));
    const pointer = context.allocate(64);
    using other = contextOf(device);
    launch(context, load(context, FAULTS_PTX), "spin");
    await assert.rejects(async () => await context.synchronize(), /LAUNCH_TIMEOUT/);
    refuses(() => context.free(pointer), "CUDA_ERROR_LAUNCH_TIMEOUT");
    const before = fake.callCount;
    context[Symbol.dispose]();
    // A question does not wait; anything else could.
    const asked = contexts === "own" ? [] : ["cuStreamQuery"];
    assert.deepEqual([...new Set(fake.calls(before))], asked, "a call could wait for it");
    const [abandonedCount, lingeringCount] = contexts === "own" ? [1, 0] : [0, 1];
    assert.deepEqual(device.health, { failure: undefined, abandonedCount, lingeringCount });
    other.free(other.allocate(64));
    assert.equal(device.allocatedBytes, contexts === "own" ? 0 : 64);
    other[Symbol.dispose]();
    device[Symbol.dispose]();
    fake.assertNoProblem();
    assert.equal(device.ledger.counts.context, 1);
  });
}

if (fake !== undefined) {
  Deno.test("cuda: a handle that is collected while it is open is reported, and left open", async () => {
    const script = `
      import { openCudaDevice } from ${
      JSON.stringify(new URL("../../../gpu/cuda/mod.ts", import.meta.url).href)
    };
      const leaks = new Set();
      const device = openCudaDevice({ driverPath: Deno.args[0], onLeak: ({ kind }) => leaks.add(kind) });
      const pacer = { tick: () => 1, charge: () => {}, wait: (promise) => promise };
      const options = { memoryBytesMax: 4096, pacer, print: () => {} };
      const { ledger } = device;
      device.createContext(options)[Symbol.dispose]();
      const before = ledger.openCount;
      (() => void ledger.opened("stream", {}))();
      for (let round = 0; round < 50 && leaks.size === 0; round++) {
        globalThis.gc();
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await Deno.stdout.write(new TextEncoder().encode(before + " " + [...leaks] + " " + ledger.openCount));`;
    const printed = await runScript(script, ["--allow-all", "--v8-flags=--expose-gc"], fake.path);
    assert.equal(printed, "0 stream 1");
  });
}
