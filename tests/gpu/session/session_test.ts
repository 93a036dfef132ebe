/**
 * GpuSession: codes, limits, ids, the last error, streams and events, on a device whose kernels are functions.
 */
import assert from "node:assert/strict";
import { encodeWithin } from "../../../gpu/session/last_error.ts";
import { GPU_ATTRIBUTES, GPU_CODES, GPU_FUNCTIONS, GpuError } from "../../../gpu/mod.ts";
import { fingerprintPtx } from "../../../gpu/session/ptx_text.ts";
import { FakeGpu, wideParams } from "../../support/fake_gpu.ts";
import type { FakeKernel } from "../../support/fake_gpu.ts";
import { ARG } from "../../support/gpu_args.ts";
import { AT, SessionGuest } from "../../support/session_guest.ts";
import type { SessionGuestOptions } from "../../support/session_guest.ts";

/** Adds one to so many bytes from an address on. */
const ADD_ONE: FakeKernel = {
  params: wideParams(2),
  run: ({ params, bytes }) => {
    const target = bytes(params.getBigUint64(0, true), Number(params.getBigUint64(8, true)));
    for (let at = 0; at < target.length; at++) target[at] = (target[at] ?? 0) + 1;
  },
};
const KERNELS: Readonly<Record<string, FakeKernel>> = {
  add_one: ADD_ONE,
  nothing: { params: [], run: () => {} },
  wild: { params: [], run: ({ bytes }) => void bytes(0n, 4) },
  broken: {
    params: [],
    run: () => {
      throw new GpuError("launch", "CUDA_ERROR_ASSERT", "kernel broken: assertion failed");
    },
  },
  talks: { params: [], run: ({ print }) => print("hello\n") },
  works: { params: [], run: () => {}, fuel: 1000, ticks: 3 },
};
const PTX = Object.keys(KERNELS).map((name) => `.entry ${name}`).join("\n");

function guestOn(
  options: SessionGuestOptions = {},
  device = new FakeGpu({ kernels: KERNELS }),
): SessionGuest {
  return new SessionGuest(device, options);
}

// Loading.

Deno.test("kernel ids are positive, differ, and begin at a random place", async () => {
  const firsts = new Set<bigint>();
  for (let instance = 0; instance < 20; instance++) {
    using guest = guestOn();
    const ids = [await guest.kernel(PTX, "nothing"), await guest.kernel(PTX, "nothing")];
    assert.ok(ids.every((id) => id > 0n && id < 2n ** 53n));
    assert.equal(new Set(ids).size, 2);
    firsts.add(ids[0] ?? 0n);
  }
  assert.equal(firsts.size, 20);
});

Deno.test("a kernel of another instance is none here", async () => {
  using mine = guestOn();
  using other = guestOn();
  const [id, foreign] = [await mine.kernel(PTX, "nothing"), await other.kernel(PTX, "nothing")];
  assert.equal(await mine.launch(id, []), 0);
  for (const wrong of [foreign, 0n, -1n, id + 1n, id + 2n ** 60n, 2n ** 63n - 1n]) {
    assert.equal(await mine.launch(wrong, []), GPU_CODES.invalidKernel);
    assert.equal(await mine.session.unload(wrong), GPU_CODES.invalidKernel);
  }
  assert.equal(mine.lastError, `No kernel has the id ${2n ** 63n - 1n}`);
});

Deno.test("one text is compiled once, whatever its entries, and goes with its last kernel", async () => {
  const device = new FakeGpu({ kernels: KERNELS });
  using guest = guestOn({}, device);
  const first = await guest.kernel(PTX, "nothing");
  const second = await guest.kernel(PTX, "add_one");
  await guest.kernel(`${PTX}`.replace("\n.entry works", ""), "nothing");
  assert.equal(device.loadCount, 2);
  assert.deepEqual(guest.loads.map(({ cached }) => cached), [false, true, false]);
  const [context] = device.contexts;
  const unloads = (): number => context?.calls.filter((call) => call === "unload").length ?? -1;
  assert.equal(await guest.session.unload(first), 0);
  assert.equal(await guest.launch(first, []), GPU_CODES.invalidKernel);
  assert.equal(unloads(), 0);
  assert.equal(await guest.session.unload(second), 0);
  assert.equal(unloads(), 1);
  await guest.kernel(PTX, "nothing");
  assert.equal(device.loadCount, 3);
});

Deno.test("PTX that is empty, has a NUL or is not UTF-8 is malformed before any device sees it", async () => {
  const device = new FakeGpu({ kernels: KERNELS });
  using guest = guestOn({}, device);
  const cases: readonly (readonly [Uint8Array | string, RegExp])[] = [
    ["", /^PTX is empty$/],
    [`${PTX}\0`, /^PTX has a NUL at byte \d+$/],
    [Uint8Array.from([0x2e, 0xc3]), /^PTX is not UTF-8$/],
    [Uint8Array.from([0xff, 0x41]), /^PTX is not UTF-8$/],
  ];
  for (const [ptx, text] of cases) {
    assert.equal(await guest.load(ptx, "nothing"), BigInt(GPU_CODES.malformedPtx));
    assert.match(guest.lastError, text);
  }
  assert.equal(device.loadCount, 0);
  assert.ok((await guest.load(PTX.replace("\n", "\n.entry nothing\n"), "nothing")) > 0n);
});

Deno.test("what the compiler refuses is malformed, with its log as the last error", async () => {
  using guest = guestOn();
  assert.equal(await guest.load(`${PTX}\nfrob.u32`, "nothing"), BigInt(GPU_CODES.malformedPtx));
  assert.equal(guest.lastError, "CUDA_ERROR_INVALID_PTX (218) in loadModule: line 7: unknown frob.u32");
  assert.deepEqual(guest.loads.map(({ failure }) => failure), [{
    code: GPU_CODES.malformedPtx,
    reason: "CUDA_ERROR_INVALID_PTX",
    status: "CUDA_ERROR_INVALID_PTX",
    isSticky: false,
  }]);
});

Deno.test("an entry that the module has not is a failed look-up, and leaves no module", async () => {
  const device = new FakeGpu({ kernels: KERNELS });
  using guest = guestOn({ limits: { ptxTotalBytesMax: PTX.length } }, device);
  assert.equal(await guest.load(PTX, "nowhere"), BigInt(GPU_CODES.launchFailed));
  assert.match(
    guest.lastError,
    /^CUDA_ERROR_NOT_FOUND \(500\) in load_ptx: the module has no entry "nowhere"; it has "[a-z_]+", .*, and [0-9]+ more$/,
  );
  assert.ok(await guest.load(PTX, "nothing") > 0n);
  assert.equal(device.loadCount, 2);
});

Deno.test("an entry that a C++ compiler has named is listed, with what leaves it its name", async () => {
  using guest = guestOn({}, new FakeGpu({ kernels: { _Z4blurPf: { params: [], run: () => {} } } }));
  assert.equal(await guest.load(".entry _Z4blurPf", "blur"), BigInt(GPU_CODES.launchFailed));
  assert.ok(
    guest.lastError.endsWith(
      `the module has no entry "blur"; it has "_Z4blurPf" (extern "C" leaves a name as it is)`,
    ),
    guest.lastError,
  );
});

Deno.test("an entry name is text of 1 to 256 bytes", async () => {
  using guest = guestOn();
  assert.equal(await guest.load(PTX, ""), BigInt(GPU_CODES.invalidArgs));
  assert.equal(await guest.load(PTX, Uint8Array.from([0x6e, 0xff])), BigInt(GPU_CODES.invalidArgs));
  assert.equal(await guest.load(PTX, "n".repeat(256)), BigInt(GPU_CODES.launchFailed));
  assert.equal(await guest.load(PTX, "n".repeat(257)), BigInt(GPU_CODES.quotaExceeded));
  assert.equal(guest.lastError, "Entry name is too long: gpuEntryNameBytesMax is 256, got 257");
});

Deno.test("limits on PTX and kernels name themselves, their value and what was asked for", async () => {
  const limits = { ptxBytesMax: 300, ptxTotalBytesMax: 400, gpuKernelsMax: 3 };
  using guest = guestOn({ limits });
  assert.equal(await guest.load(PTX.padEnd(301), "nothing"), BigInt(GPU_CODES.quotaExceeded));
  assert.equal(guest.lastError, "PTX is too long: ptxBytesMax is 300, got 301");
  const text = `${PTX}${"\n.entry nothing".repeat(10)}`;
  assert.ok(await guest.load(text, "nothing") > 0n);
  const other = `${PTX}${"\n.entry add_one".repeat(10)}`;
  assert.equal(await guest.load(other, "nothing"), BigInt(GPU_CODES.quotaExceeded));
  assert.equal(guest.lastError, `Too much PTX: ptxTotalBytesMax is 400, got ${2 * text.length}`);
  assert.ok(await guest.load(text, "nothing") > 0n);
  const third = await guest.kernel(text, "add_one");
  assert.equal(await guest.load(text, "nothing"), BigInt(GPU_CODES.quotaExceeded));
  assert.equal(guest.lastError, "Too many kernels: gpuKernelsMax is 3, got 4");
  await guest.session.unload(third);
  assert.ok(await guest.load(text, "nothing") > 0n);
});

Deno.test("regions outside of memory are refused first, whatever else is wrong", async () => {
  using guest = guestOn({ limits: { ptxBytesMax: 4 } });
  const size = guest.bytes.length;
  const regions: readonly [number, number][] = [[size, 1], [-1, 1], [0, -1], [size - 3, 4]];
  for (const region of regions) {
    assert.equal(await guest.session.loadPtx(...region, 0, 0), BigInt(GPU_CODES.invalidPointer));
    assert.equal(await guest.session.loadPtx(0, 0, ...region), BigInt(GPU_CODES.invalidPointer));
  }
});

Deno.test("loading costs fuel by the length of the text, compiled or not", async () => {
  using guest = guestOn();
  await guest.kernel(PTX, "nothing");
  assert.equal(guest.fuel, PTX.length * 100);
});

Deno.test("equal texts have equal fingerprints, and a changed byte another", () => {
  const bytes = new TextEncoder().encode(PTX);
  const seen = new Set([fingerprintPtx(bytes.slice())]);
  assert.ok(seen.has(fingerprintPtx(bytes)));
  for (let at = 0; at < bytes.length; at++) {
    for (const bit of [1, 2, 32]) {
      const changed = bytes.slice();
      changed[at] = ((changed[at] ?? 0) ^ bit) || 1;
      seen.add(fingerprintPtx(changed));
    }
  }
  assert.ok(seen.size > bytes.length * 3 * 0.98);
});

// Launching: the order of checks.

Deno.test("a launch finds what is wrong in the order of the contract", async () => {
  using guest = guestOn();
  const id = await guest.kernel(PTX, "add_one");
  const raw = (over: Partial<Parameters<SessionGuest["session"]["launch"]>[0]>): number | Promise<number> =>
    guest.session.launch({
      kernel: -1n,
      grid: { x: 0, y: 1, z: 1 },
      block: { x: 1, y: 1, z: 1 },
      sharedBytes: 0,
      stream: 5n,
      argsPointer: -8,
      argsLength: 8,
      mayHaveArgs: false,
      ...over,
    });
  const [argsPointer, argsLength] = guest.put(AT.args, Uint8Array.from([0xff]));
  const inside = { argsPointer, argsLength };
  const grid = { x: 1, y: 1, z: 1 };
  assert.equal(await raw({}), GPU_CODES.invalidPointer);
  assert.equal(await raw(inside), GPU_CODES.invalidDimensions);
  assert.equal(await raw({ ...inside, grid }), GPU_CODES.invalidHandle);
  assert.equal(await raw({ ...inside, grid, stream: 0n }), GPU_CODES.kernelArgsUnsupported);
  assert.equal(await raw({ ...inside, grid, stream: 0n, mayHaveArgs: true }), GPU_CODES.invalidArgs);
  guest.put(AT.args, Uint8Array.from(ARG.i32(1)));
  const whole = { argsPointer, argsLength: 5, grid, stream: 0n, mayHaveArgs: true };
  assert.equal(await raw(whole), GPU_CODES.invalidKernel);
  assert.equal(await raw({ ...whole, kernel: id }), GPU_CODES.invalidArgs);
  assert.equal(guest.lastError, "Kernel add_one takes 2 arguments, got 1");
  assert.equal(guest.launches.length, 7);
});

Deno.test("extents must be positive, a block at most 1024 threads; the rest is the device's", async () => {
  using guest = guestOn();
  const id = await guest.kernel(PTX, "nothing");
  const with_ = (
    grid: [number, number, number],
    block: [number, number, number],
    sharedBytes = 0,
  ): Promise<number> => guest.launch(id, [], { grid, block, sharedBytes });
  for (const bad of [0, -1, -(2 ** 31)]) {
    for (const at of [0, 1, 2]) {
      const extents: [number, number, number] = [1, 1, 1];
      extents[at] = bad;
      assert.equal(await with_(extents, [1, 1, 1]), GPU_CODES.invalidDimensions);
      assert.equal(await with_([1, 1, 1], extents), GPU_CODES.invalidDimensions);
    }
  }
  assert.equal(await with_([2 ** 31 - 1, 1, 1], [1024, 1, 1]), 0);
  assert.equal(await with_([1, 1, 1], [32, 32, 1]), 0);
  assert.equal(await with_([1, 1, 1], [1025, 1, 1]), GPU_CODES.invalidDimensions);
  assert.equal(await with_([1, 1, 1], [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1]), GPU_CODES.invalidDimensions);
  assert.equal(await with_([1, 1, 1], [32, 33, 1]), GPU_CODES.invalidDimensions);
  assert.equal(guest.lastError, "Block is 32×33×1: expected at most 1024 threads, got 1056");
  assert.equal(await with_([1, 1, 1], [1, 1, 1], -1), GPU_CODES.invalidDimensions);
  assert.equal(await with_([1, 1, 1], [1, 1, 65]), GPU_CODES.launchFailed);
});

Deno.test("a guest without an exported memory gets codes, not failures", async () => {
  using guest = guestOn();
  const id = await guest.kernel(PTX, "nothing");
  guest.memory = undefined;
  const { session } = guest;
  assert.equal(await session.loadPtx(0, 1, 0, 1), BigInt(GPU_CODES.invalidPointer));
  const at = { x: 1, y: 1, z: 1 };
  const launch = { kernel: id, grid: at, block: at, sharedBytes: 0, stream: 0n, mayHaveArgs: true };
  assert.equal(await session.launch({ ...launch, argsPointer: 0, argsLength: 0 }), GPU_CODES.invalidPointer);
  assert.equal(session.copyLastError(0, 10), GPU_CODES.invalidPointer);
  assert.equal(session.copyDeviceName(0, 10), GPU_CODES.invalidPointer);
  assert.equal(await session.synchronize(), 0);
});

Deno.test("version 0.1.0 launches without arguments and refuses any", async () => {
  using guest = guestOn();
  const id = await guest.kernel(PTX, "nothing");
  assert.equal(await guest.launch(id, [], { mayHaveArgs: false }), 0);
  assert.equal(await guest.launch(id, [ARG.i32(1)], { mayHaveArgs: false }), GPU_CODES.kernelArgsUnsupported);
});

Deno.test("a launch is recorded with its kernel, shape, bytes and the device's time", async () => {
  using guest = guestOn();
  const id = await guest.kernel(PTX, "add_one");
  const args = [ARG.inOut(AT.data, 8), ARG.u64(8n)];
  await guest.launch(id, args, { grid: [2, 3, 4], block: [5, 6, 7], sharedBytes: 8 });
  await guest.launch(id, [], {});
  await guest.launch(1n, [], {});
  const [launch, refused, unknown] = guest.launches;
  assert.ok(launch?.dispatch !== undefined && refused !== undefined);
  const { startMs, endMs, dispatch, ...rest } = launch;
  assert.ok(startMs <= dispatch.startMs && dispatch.startMs <= dispatch.endMs && dispatch.endMs <= endMs);
  assert.equal(dispatch.deviceTimeUs, 5);
  assert.deepEqual(rest, {
    failure: undefined,
    kernel: "add_one",
    grid: { x: 2, y: 3, z: 4 },
    block: { x: 5, y: 6, z: 7 },
    sharedBytes: 8,
    bytesIn: 8,
    bytesOut: 8,
    clock: undefined,
  });
  assert.deepEqual([refused.failure?.reason, refused.kernel, refused.dispatch], [
    "invalid_args",
    "add_one",
    undefined,
  ]);
  assert.deepEqual([unknown?.failure?.reason, unknown?.kernel], ["invalid_kernel", undefined]);
});

// Failing kernels.

for (
  const [kernel, text] of [
    ["wild", /^CUDA_ERROR_ILLEGAL_ADDRESS \(700\)/],
    ["broken", /^CUDA_ERROR_ASSERT \(710\) in launch: kernel broken/],
  ] as const
) {
  for (const isLazy of [false, true]) {
    Deno.test(`a kernel that is ${kernel} fails the sync, and everything after it (${isLazy ? "lazy" : "prompt"})`, async () => {
      const device = new FakeGpu({ kernels: KERNELS, isLazy });
      using guest = guestOn({}, device);
      const [add, bad] = [await guest.kernel(PTX, "add_one"), await guest.kernel(PTX, kernel)];
      guest.bytes.fill(9, AT.data, AT.data + 8);
      assert.equal(await guest.launch(add, [ARG.inOut(AT.data, 8), ARG.u64(8n)]), 0);
      assert.equal(await guest.launch(bad, []), 0);
      assert.equal(await guest.sync(), GPU_CODES.launchFailed);
      assert.match(guest.lastError, text);
      const failure = guest.syncs[0]?.failure;
      assert.match(failure?.status ?? "", /^CUDA_ERROR_(ILLEGAL_ADDRESS|ASSERT)$/);
      assert.deepEqual([failure?.reason, failure?.isSticky], [failure?.status, true]);
      assert.equal(await guest.launch(add, [ARG.in(AT.data, 8), ARG.u64(8n)]), GPU_CODES.launchFailed);
      assert.equal(guest.session.allocate(8n), BigInt(GPU_CODES.launchFailed));
      assert.equal(await guest.sync(), GPU_CODES.launchFailed);
      // Nothing of the failed work came back.
      assert.deepEqual([...guest.bytes.subarray(AT.data, AT.data + 8)], new Array(8).fill(9));
      using other = guestOn({}, device);
      assert.equal(await other.launch(await other.kernel(PTX, "nothing"), []), 0);
      assert.equal(await other.sync(), 0);
    });
  }
}

Deno.test("what a kernel prints reaches the session's owner", async () => {
  using guest = guestOn();
  await guest.launch(await guest.kernel(PTX, "talks"), []);
  await guest.sync();
  assert.deepEqual(guest.printed, ["hello\n"]);
});

Deno.test("a kernel's fuel is asked for and charged, and it ends when the answer is negative", async () => {
  using guest = guestOn();
  const id = await guest.kernel(PTX, "works");
  const before = guest.fuel;
  assert.equal(await guest.launch(id, []), 0);
  assert.equal(guest.fuel - before, 3001);
  using stopped = guestOn({ pacer: { tick: () => -1 } });
  assert.equal(await stopped.launch(await stopped.kernel(PTX, "works"), []), GPU_CODES.launchFailed);
  assert.match(stopped.lastError, /^CUDA_ERROR_LAUNCH_TIMEOUT \(702\)/);
});

Deno.test("a bug of a device is thrown, not answered", async () => {
  const kernels = {
    bug: {
      params: [],
      run: () => {
        throw new TypeError("a bug");
      },
    },
  };
  using guest = guestOn({}, new FakeGpu({ kernels }));
  const id = await guest.kernel(".entry bug", "bug");
  await assert.rejects(guest.launch(id, []), TypeError);
});

// Buffers.

Deno.test("a buffer is zero, keeps what is copied to it, and gives it back", async () => {
  using guest = guestOn();
  const buffer = guest.session.allocate(100n);
  assert.ok(buffer > 0n);
  const bytes = Uint8Array.from({ length: 50 }, (_, at) => at + 1);
  guest.put(AT.data, bytes);
  assert.equal(await guest.session.copyToDevice(buffer, 50n, AT.data, 50), 0);
  assert.equal(await guest.session.copyToGuest(AT.data + 1000, buffer, 0n, 100), 0);
  assert.deepEqual(
    guest.bytes.slice(AT.data + 1000, AT.data + 1100),
    Uint8Array.from([...new Uint8Array(50), ...bytes]),
  );
  const add = await guest.kernel(PTX, "add_one");
  assert.equal(await guest.launch(add, [ARG.buffer(buffer, 99n), ARG.u64(1n)]), 0);
  assert.equal(await guest.session.copyToGuest(AT.data, buffer, 98n, 2), 0);
  assert.deepEqual([...guest.bytes.subarray(AT.data, AT.data + 2)], [49, 51]);
  assert.equal(await guest.session.free(buffer), 0);
  assert.equal(await guest.session.free(buffer), GPU_CODES.invalidHandle);
  assert.equal(await guest.launch(add, [ARG.buffer(buffer), ARG.u64(1n)]), GPU_CODES.invalidHandle);
  assert.match(guest.lastError, /^Argument 0: no buffer has the handle \d+$/);
});

Deno.test("places in buffers and memory are checked, one past the end is one", async () => {
  using guest = guestOn();
  const { session } = guest;
  const buffer = session.allocate(16n);
  const add = await guest.kernel(PTX, "add_one");
  const size = guest.bytes.length;
  for (const offset of [17n, -1n, 2n ** 62n]) {
    assert.equal(await session.copyToDevice(buffer, offset, 0, 0), GPU_CODES.invalidPointer);
    assert.equal(await guest.launch(add, [ARG.buffer(buffer, BigInt.asUintN(64, offset)), ARG.u64(0n)]), -2);
  }
  assert.equal(await session.copyToDevice(buffer, 16n, size, 0), 0);
  assert.equal(await session.copyToGuest(size, buffer, 16n, 0), 0);
  assert.equal(await guest.launch(add, [ARG.buffer(buffer, 16n), ARG.u64(0n)]), 0);
  assert.equal(await session.copyToDevice(buffer, 10n, 0, 7), GPU_CODES.invalidPointer);
  assert.equal(guest.lastError, "Target: 7 bytes at 10 exceed the buffer of 16 bytes");
  assert.equal(await session.copyToDevice(buffer, 0n, size - 3, 4), GPU_CODES.invalidPointer);
  assert.equal(await session.copyToGuest(size - 3, buffer, 0n, 4), GPU_CODES.invalidPointer);
  assert.equal(await session.copyToGuest(0, buffer, 0n, -1), GPU_CODES.invalidPointer);
  assert.equal(await session.copyToDevice(0n, 0n, 0, 1), GPU_CODES.invalidHandle);
});

Deno.test("limits on device memory name themselves, their value and what it would come to", () => {
  const limits = { gpuAllocationBytesMax: 1000, gpuMemoryBytesMax: 1500, gpuAllocationsMax: 2 };
  using guest = guestOn({ limits });
  const { session } = guest;
  const refused = (bytes: bigint, code: number, text: string): void => {
    assert.equal(session.allocate(bytes), BigInt(code));
    assert.equal(guest.lastError, text);
  };
  refused(0n, GPU_CODES.invalidArgs, "A buffer has at least one byte, got 0");
  refused(-1n, GPU_CODES.invalidArgs, "A buffer has at least one byte, got -1");
  refused(1001n, GPU_CODES.quotaExceeded, "Buffer is too large: gpuAllocationBytesMax is 1000, got 1001");
  assert.ok(session.allocate(1000n) > 0n);
  refused(501n, GPU_CODES.quotaExceeded, "Too much device memory: gpuMemoryBytesMax is 1500, got 1501");
  assert.ok(session.allocate(1n) > 0n);
  refused(1n, GPU_CODES.quotaExceeded, "Too many allocations: gpuAllocationsMax is 2, got 3");
});

Deno.test("where the process has no room, an allocation is refused, not the call ended", () => {
  using guest = guestOn({ hasRoom: (bytes) => bytes <= 10 });
  assert.ok(guest.session.allocate(10n) > 0n);
  assert.equal(guest.session.allocate(11n), BigInt(GPU_CODES.quotaExceeded));
  assert.equal(guest.lastError, "The process has no room for 11 bytes of device memory");
});

Deno.test("a copy sees what a launch before has written to the same guest memory", async () => {
  const device = new FakeGpu({ kernels: KERNELS, isLazy: true });
  using guest = guestOn({}, device);
  const { session } = guest;
  const [add, buffer] = [await guest.kernel(PTX, "add_one"), session.allocate(8n)];
  assert.equal(await guest.launch(add, [ARG.inOut(AT.data, 8), ARG.u64(8n)]), 0);
  assert.equal(await session.copyToDevice(buffer, 0n, AT.data, 8), 0);
  // And what is copied to the guest is not overwritten by what was due before.
  assert.equal(await guest.launch(add, [ARG.inOut(AT.data, 8), ARG.u64(8n)]), 0);
  assert.equal(await guest.launch(add, [ARG.buffer(buffer), ARG.u64(8n)]), 0);
  assert.equal(await guest.launch(add, [ARG.buffer(buffer), ARG.u64(8n)]), 0);
  assert.equal(await session.copyToGuest(AT.data, buffer, 0n, 8), 0);
  assert.equal(await guest.sync(), 0);
  assert.deepEqual([...guest.bytes.subarray(AT.data, AT.data + 8)], new Array(8).fill(3));
});

// The device.

Deno.test("the device's attributes", async () => {
  using guest = guestOn({ limits: { gpuMemoryBytesMax: 1 << 20 } });
  const ask = (name: keyof typeof GPU_ATTRIBUTES): bigint => guest.session.queryDevice(GPU_ATTRIBUTES[name]);
  assert.deepEqual(Object.values(GPU_ATTRIBUTES), [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(
    [ask("kind"), ask("computeCapability"), ask("multiprocessors"), ask("memoryBytes"), ask("freeBytes")],
    [1n, 80n, 2n, 1n << 20n, 1n << 20n],
  );
  assert.deepEqual(
    [ask("warpSize"), ask("threadsPerBlockMax"), ask("sharedBytesPerBlockMax")],
    [32n, 1024n, 49_152n],
  );
  guest.session.allocate(4096n);
  const add = await guest.kernel(PTX, "add_one");
  await guest.launch(add, [ARG.in(AT.data, 512), ARG.u64(1n)]);
  await guest.sync();
  // What windows had is free for the next.
  assert.equal(ask("freeBytes"), (1n << 20n) - 4096n);
  for (const unknown of [8, -1, 2 ** 31 - 1]) {
    assert.equal(guest.session.queryDevice(unknown), BigInt(GPU_CODES.invalidArgs));
  }
});

Deno.test("the device's name is cut to the room there is", () => {
  using guest = guestOn();
  assert.equal(guest.session.copyDeviceName(AT.data, 100), 8);
  assert.equal(new TextDecoder().decode(guest.bytes.subarray(AT.data, AT.data + 9)), "Fake GPU\0");
  assert.equal(guest.session.copyDeviceName(AT.data + 100, 4), 4);
  assert.equal(new TextDecoder().decode(guest.bytes.subarray(AT.data + 100, AT.data + 105)), "Fake\0");
  assert.equal(guest.session.copyDeviceName(guest.bytes.length, 1), GPU_CODES.invalidPointer);
});

// The last error.

Deno.test("the last error is that of the last call that failed; success and reading leave it", async () => {
  using guest = guestOn();
  assert.deepEqual([guest.session.lastErrorLength(), guest.session.copyLastError(0, 10)], [0, 0]);
  const id = await guest.kernel(PTX, "nothing");
  await guest.launch(id, [ARG.i32(1)]);
  const text = guest.lastError;
  assert.equal(text, "Kernel nothing takes 0 arguments, got 1");
  assert.equal(guest.session.copyLastError(-5, 10), GPU_CODES.invalidPointer);
  await guest.launch(id, []);
  assert.equal(guest.lastError, text);
  assert.equal(guest.session.copyLastError(AT.data, 6), 6);
  assert.equal(new TextDecoder().decode(guest.bytes.subarray(AT.data, AT.data + 6)), "Kernel");
});

Deno.test("a long text is cut before a character, with an ellipsis, within 512 bytes", () => {
  for (const unit of ["a", "é", "€", "😀", "aé€😀"]) {
    for (let length = 505; length < 520; length++) {
      const text = unit.repeat(length).slice(0, length);
      const bytes = encodeWithin(text, 512);
      const whole = new TextEncoder().encode(text);
      const decoded = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      if (whole.length <= 512) assert.deepEqual(bytes, whole);
      else {
        assert.ok(bytes.length <= 512 && bytes.length > 505, `${bytes.length}`);
        assert.ok(decoded.endsWith("…") && text.startsWith(decoded.slice(0, -1)));
      }
    }
  }
  assert.equal(encodeWithin("abc", 2).length, 0);
  assert.equal(encodeWithin("", 512).length, 0);
});

// Streams and events.

Deno.test("streams and events by their handles", async () => {
  using guest = guestOn({}, new FakeGpu({ kernels: KERNELS, isLazy: true }));
  const { session } = guest;
  const [stream, start, end] = [session.createStream(), session.createEvent(), session.createEvent()];
  const add = await guest.kernel(PTX, "add_one");
  const args = [ARG.inOut(AT.data, 4), ARG.u64(4n)];
  assert.equal(await session.queryEvent(start), 1);
  assert.equal(await session.synchronizeEvent(start), 0);
  assert.equal(session.elapsedNanos(start, end), BigInt(GPU_CODES.invalidHandle));
  assert.equal(session.recordEvent(start, stream), 0);
  assert.equal(await guest.launch(add, args, { stream }), 0);
  assert.equal(session.recordEvent(end, stream), 0);
  assert.equal(await session.queryEvent(start), 1);
  assert.equal(await session.queryEvent(end), 0);
  assert.equal(session.elapsedNanos(start, end), BigInt(GPU_CODES.notReady));
  assert.equal(guest.bytes[AT.data], 0);
  assert.equal(await session.synchronizeEvent(end), 0);
  assert.equal(guest.bytes[AT.data], 1);
  assert.equal(await session.queryEvent(end), 1);
  assert.ok(session.elapsedNanos(start, end) >= 0n);
  assert.equal(session.destroyEvent(end), 0);
  assert.equal(session.destroyEvent(end), GPU_CODES.invalidHandle);
  assert.equal(await session.queryEvent(end), GPU_CODES.invalidHandle);
  assert.equal(await session.destroyStream(stream), 0);
  assert.equal(await guest.launch(add, args, { stream }), GPU_CODES.invalidHandle);
  assert.equal(await session.destroyStream(0n), GPU_CODES.invalidHandle);
});

Deno.test("an event lets results back that were due before it, and not those after", async () => {
  using guest = guestOn({}, new FakeGpu({ kernels: KERNELS, isLazy: true }));
  const { session } = guest;
  const add = await guest.kernel(PTX, "add_one");
  const event = session.createEvent();
  assert.equal(await guest.launch(add, [ARG.inOut(AT.data, 1), ARG.u64(1n)]), 0);
  assert.equal(session.recordEvent(event, 0n), 0);
  assert.equal(await guest.launch(add, [ARG.inOut(AT.data + 1, 1), ARG.u64(1n)]), 0);
  assert.equal(await session.synchronizeEvent(event), 0);
  assert.deepEqual([...guest.bytes.subarray(AT.data, AT.data + 2)], [1, 0]);
  assert.equal(await guest.sync(), 0);
  assert.deepEqual([...guest.bytes.subarray(AT.data, AT.data + 2)], [1, 1]);
});

Deno.test("a stream waits for an event of another", async () => {
  using guest = guestOn({}, new FakeGpu({ kernels: KERNELS, isLazy: true }));
  const { session } = guest;
  const [first, second, event] = [session.createStream(), session.createStream(), session.createEvent()];
  const [add, buffer] = [await guest.kernel(PTX, "add_one"), session.allocate(4n)];
  const args = [ARG.buffer(buffer), ARG.u64(4n)];
  assert.equal(session.waitEvent(second, event), 0);
  assert.equal(await guest.launch(add, args, { stream: first }), 0);
  assert.equal(session.recordEvent(event, first), 0);
  assert.equal(session.waitEvent(second, event), 0);
  assert.equal(await guest.launch(add, args, { stream: second }), 0);
  assert.equal(await session.synchronizeStream(second), 0);
  assert.equal(await session.queryEvent(event), 1);
  assert.equal(await session.copyToGuest(AT.data, buffer, 0n, 1), 0);
  assert.equal(guest.bytes[AT.data], 2);
});

Deno.test("destroying a stream brings back what is due of it", async () => {
  using guest = guestOn({}, new FakeGpu({ kernels: KERNELS, isLazy: true }));
  const stream = guest.session.createStream();
  const add = await guest.kernel(PTX, "add_one");
  assert.equal(await guest.launch(add, [ARG.inOut(AT.data, 1), ARG.u64(1n)], { stream }), 0);
  assert.equal(await guest.session.destroyStream(stream), 0);
  assert.equal(guest.bytes[AT.data], 1);
});

Deno.test("streams and events have a limit together", () => {
  using guest = guestOn({ limits: { gpuStreamsMax: 2 } });
  const { session } = guest;
  const [stream, event] = [session.createStream(), session.createEvent()];
  assert.ok(stream > 0n && event > 0n);
  for (const refused of [session.createStream(), session.createEvent()]) {
    assert.equal(refused, BigInt(GPU_CODES.quotaExceeded));
  }
  assert.equal(guest.lastError, "Too many streams and events: gpuStreamsMax is 2, got 3");
  assert.equal(session.destroyEvent(event), 0);
  assert.ok(session.createStream() > 0n);
});

// The end.

Deno.test("a session that is over has left nothing, also in the middle of things", async () => {
  const device = new FakeGpu({ kernels: KERNELS, isLazy: true });
  const guest = guestOn({}, device);
  const add = await guest.kernel(PTX, "add_one");
  const stream = guest.session.createStream();
  guest.session.createEvent();
  guest.session.allocate(10n);
  await guest.launch(add, [ARG.inOut(AT.data, 8), ARG.u64(8n)], { stream });
  assert.equal(device.contexts.size, 1);
  guest[Symbol.dispose]();
  guest[Symbol.dispose]();
  assert.equal(device.contexts.size, 0);
  assert.equal(await guest.launch(add, []), GPU_CODES.invalidKernel);
  assert.equal(guest.session.allocate(1n), BigInt(GPU_CODES.launchFailed));
});

Deno.test("a session that was only asked about its device, or to wait for nothing, has no context", async () => {
  const device = new FakeGpu({ kernels: KERNELS });
  using guest = guestOn({}, device);
  guest.session.queryDevice(0);
  guest.session.copyDeviceName(0, 1);
  assert.equal(guest.session.lastErrorLength(), 0);
  assert.equal(await guest.sync(), 0);
  assert.equal(await guest.session.unload(1n), GPU_CODES.invalidKernel);
  assert.equal(device.contexts.size, 0);
});

// The table.

Deno.test("the codes are those of the contract, and none has changed", () => {
  assert.deepEqual(GPU_CODES, {
    notAvailable: -1,
    invalidPointer: -2,
    invalidKernel: -3,
    malformedPtx: -4,
    launchFailed: -5,
    quotaExceeded: -6,
    internal: -7,
    invalidDimensions: -8,
    invalidArgs: -9,
    kernelArgsUnsupported: -10,
    invalidHandle: -11,
    notReady: -12,
  });
});

Deno.test("the reserved name is no function", () => {
  assert.ok(!Object.hasOwn(GPU_FUNCTIONS, "wasi_cuda_last_error_ptr"));
});
