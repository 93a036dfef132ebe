/**
 * The contract of a device: what every implementation of GpuDevice (gpu/device.ts) does.
 *
 * Registers one Deno.test per property under the implementation's name. Kernels are PTX (gpu_kernels.ts); their
 * results are held against arithmetic in here. Invariant: nothing here depends on when a device does its work,
 * only on what the interface says of the order.
 */
import assert from "node:assert/strict";
import { GpuError } from "../../gpu/mod.ts";
import type {
  CudaStatusName,
  GpuContext,
  GpuDevice,
  GpuModule,
  GpuStream,
  KernelLaunch,
  Pacer,
} from "../../gpu/mod.ts";
import {
  BAD_PTX,
  BASIC_PTX,
  BOUNDS_PTX,
  FAULTS_PTX,
  GLOBALS_PTX,
  PARAMS_PTX,
  PRINT_PTX,
  SHAPE_PTX,
  SHARED_PTX,
  WORK_PTX,
} from "./gpu_kernels.ts";

const MEMORY_BYTES_MAX = 64 * 1024 * 1024;

/** A pacer that lets everything go on, and counts. */
class CountingPacer implements Pacer {
  fuel = 0;
  ticks = 0;

  tick(fuel: number): number | Promise<number> {
    this.ticks++;
    this.fuel += fuel;
    return 100_000;
  }

  charge(fuel: number): void {
    this.fuel += fuel;
  }

  async wait(promise: Promise<unknown>): Promise<void> {
    await promise.catch(() => {});
  }
}

/** A context with what tests do to it again and again. */
class Place implements Disposable {
  readonly context: GpuContext;
  readonly pacer: CountingPacer;
  readonly printed: string[] = [];

  constructor(
    device: GpuDevice,
    pacer: CountingPacer = new CountingPacer(),
    memoryBytesMax = MEMORY_BYTES_MAX,
  ) {
    this.pacer = pacer;
    this.context = device.createContext({
      memoryBytesMax,
      pacer,
      print: (text) => void this.printed.push(text),
    });
  }

  async load(ptx: string): Promise<GpuModule> {
    const bytes = new TextEncoder().encode(ptx);
    return await (this.context.loadModuleInTurns?.(bytes) ?? this.context.loadModule(bytes));
  }

  /** Makes words on the device. */
  async words(values: readonly number[]): Promise<bigint> {
    const pointer = this.context.allocate(values.length * 4);
    await this.write(pointer, Uint32Array.from(values));
    return pointer;
  }

  async write(pointer: bigint, values: Uint32Array, stream?: GpuStream): Promise<void> {
    await this.context.copyToDevice(pointer, new Uint8Array(values.buffer), stream);
  }

  async read(pointer: bigint, count: number, stream?: GpuStream): Promise<number[]> {
    const target = new Uint8Array(count * 4);
    await this.context.copyFromDevice(target, pointer, stream);
    return [...new Uint32Array(target.buffer)];
  }

  /** Launches; resolves when the device has taken it. */
  async launch(
    module: GpuModule,
    name: string,
    args: readonly (bigint | number)[],
    shape: Partial<Pick<KernelLaunch, "grid" | "block" | "sharedBytes">> & { stream?: GpuStream } = {},
  ): Promise<number | undefined> {
    const kernel = module.kernels.get(name);
    assert.ok(kernel, `${name} is there`);
    const params = new Uint8Array(kernel.paramBytes);
    const view = new DataView(params.buffer);
    for (const [index, arg] of args.entries()) {
      const { offset = 0 } = kernel.params[index] ?? {};
      if (typeof arg === "bigint") view.setBigUint64(offset, arg, true);
      else view.setUint32(offset, arg, true);
    }
    const timing = await this.context.launch({
      module,
      kernel,
      grid: { x: 1, y: 1, z: 1 },
      block: { x: 32, y: 1, z: 1 },
      sharedBytes: 0,
      ...shape,
      params,
    });
    return timing?.deviceTimeUs;
  }

  /** Launches what must fail; by the launch or by the synchronisation after it. */
  async failure(module: GpuModule, name: string, args: readonly (bigint | number)[] = []): Promise<GpuError> {
    try {
      await this.launch(module, name, args, { block: { x: 1, y: 1, z: 1 } });
      await this.context.synchronize();
    } catch (error) {
      if (error instanceof GpuError) return error;
      throw error;
    }
    return assert.fail(`${name} did not fail`);
  }

  [Symbol.dispose](): void {
    this.context[Symbol.dispose]();
  }
}

/** What a call throws. */
async function statusOf(run: () => unknown): Promise<CudaStatusName | "none"> {
  try {
    await run();
  } catch (error) {
    if (error instanceof GpuError) return error.statusName;
    throw error;
  }
  return "none";
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** What a stand-in for a device cannot do, and why: a device has none of these. */
export type ContractSkip = readonly [what: RegExp, reason: string];

/**
 * Parts of the contract: what goes well, and what ends a context. After some errors a driver wants a new process, so
 * the second part may have one of its own.
 */
export type ContractPart = "sound" | "faults";
const PARTS: readonly ContractPart[] = ["sound", "faults"];

/** Registers the tests of one implementation, of all parts unless said. */
export function testGpuDevice(
  name: string,
  openDevice: () => GpuDevice,
  skips: readonly ContractSkip[] = [],
  parts: readonly ContractPart[] = PARTS,
): void {
  const test = (
    what: string,
    run: (device: GpuDevice) => Promise<void>,
    part: ContractPart = "sound",
  ): void => {
    if (!parts.includes(part)) return;
    const [, reason] = skips.find(([pattern]) => pattern.test(what)) ?? [];
    const skipped = reason === undefined ? "" : ` (skipped: ${reason})`;
    Deno.test({
      name: `${name}: ${what}${skipped}`,
      ignore: reason !== undefined,
      fn: async () => {
        using device = openDevice();
        await run(device);
      },
    });
  };

  test("the device says what it is", ({ info }) => {
    assert.ok(info.name.length > 0);
    assert.ok(info.computeCapability.major >= 7);
    assert.ok(info.multiprocessorCount >= 1 && info.memoryBytes > 0);
    assert.deepEqual([info.warpSize, info.threadsPerBlockMax], [32, 1024]);
    assert.ok(info.sharedBytesPerBlockMax >= 48 * 1024);
    return Promise.resolve();
  });

  // Memory.

  test("allocations are aligned to 256 bytes, apart, and zero", async (device) => {
    using place = new Place(device);
    const { context } = place;
    assert.equal(context.allocatedBytes, 0);
    const sizes = [1, 255, 256, 257, 4096, 1_000_001];
    const taken = sizes.map((size) => ({ size, pointer: context.allocate(size) }));
    for (const { pointer } of taken) assert.equal(pointer % 256n, 0n);
    taken.sort((a, b) => (a.pointer < b.pointer ? -1 : 1));
    for (const [index, { pointer }] of taken.entries()) {
      const before = taken[index - 1];
      assert.ok(pointer > 0n && (before === undefined || before.pointer + BigInt(before.size) <= pointer));
    }
    assert.ok(context.allocatedBytes >= sizes.reduce((sum, size) => sum + size));
    for (const { size, pointer } of taken) {
      const target = new Uint8Array(size).fill(1);
      await context.copyFromDevice(target, pointer);
      assert.ok(target.every((byte) => byte === 0));
    }
  });

  test("memory that was freed comes back zero", async (device) => {
    using place = new Place(device);
    const { context } = place;
    for (let round = 0; round < 20; round++) {
      const pointers = range(5).map((index) => context.allocate(1000 + 300 * index));
      for (const pointer of pointers) {
        const target = new Uint8Array(1000);
        await context.copyFromDevice(target, pointer);
        assert.ok(target.every((byte) => byte === 0));
        await context.copyToDevice(pointer, target.fill(0xff));
      }
      for (const pointer of pointers) context.free(pointer);
    }
    assert.equal(context.allocatedBytes, 0);
  });

  test("what exceeds the context's memory is out of memory, and changes nothing", async (device) => {
    using place = new Place(device, new CountingPacer(), 1 << 20);
    const { context } = place;
    const first = context.allocate(1 << 19);
    assert.equal(await statusOf(() => context.allocate((1 << 19) + 1)), "CUDA_ERROR_OUT_OF_MEMORY");
    assert.equal(await statusOf(() => context.allocate(2 ** 45)), "CUDA_ERROR_OUT_OF_MEMORY");
    context.free(first);
    const whole = context.allocate(1 << 20);
    context.free(whole);
    assert.equal(context.allocatedBytes, 0);
  });

  test("only what was allocated can be freed, and once", async (device) => {
    using place = new Place(device);
    const { context } = place;
    const pointer = context.allocate(1024);
    for (const wrong of [0n, pointer + 256n, pointer - 256n, 2n ** 63n]) {
      assert.equal(await statusOf(() => context.free(wrong)), "CUDA_ERROR_INVALID_VALUE");
    }
    context.free(pointer);
    assert.equal(await statusOf(() => context.free(pointer)), "CUDA_ERROR_INVALID_VALUE");
  });

  test("copies go where they are told, byte for byte", async (device) => {
    using place = new Place(device);
    const { context } = place;
    const pointer = context.allocate(1000);
    const bytes = Uint8Array.from({ length: 300 }, (_, at) => at * 7);
    await context.copyToDevice(pointer + 101n, bytes);
    const all = new Uint8Array(1000);
    await context.copyFromDevice(all, pointer);
    assert.deepEqual(all.slice(101, 401), bytes);
    assert.ok(all.slice(0, 101).every((byte) => byte === 0) && all.slice(401).every((byte) => byte === 0));
    const part = new Uint8Array(5);
    await context.copyFromDevice(part, pointer + 399n);
    assert.deepEqual([...part], [...all.slice(399, 404)]);
    // What is copied is what was there at the call.
    const source = Uint8Array.of(1, 2, 3);
    const copied = context.copyToDevice(pointer, source);
    await copied;
    source.fill(9);
    await context.copyFromDevice(part, pointer);
    assert.deepEqual([...part.slice(0, 3)], [1, 2, 3]);
    await context.fillZero?.(pointer + 150n, 100);
    if (context.fillZero !== undefined) {
      await context.copyFromDevice(all, pointer);
      assert.ok(all.slice(150, 250).every((byte) => byte === 0) && all[149] !== 0 && all[250] !== 0);
    }
  });

  test("a copy from or to nowhere is refused, and the context is good as before", async (device) => {
    using place = new Place(device);
    const { context } = place;
    const bytes = new Uint8Array(4);
    for (const wild of [0n, 8n, 2n ** 63n, 2n ** 64n - 4n]) {
      assert.notEqual(await statusOf(() => context.copyToDevice(wild, bytes)), "none");
      assert.notEqual(await statusOf(() => context.copyFromDevice(bytes, wild)), "none");
    }
    assert.deepEqual(await place.read(await place.words([5]), 1), [5]);
  });

  // Modules.

  test("a module has its kernels, with offsets and sizes of their parameters", async (device) => {
    using place = new Place(device);
    using module = await place.load(PARAMS_PTX);
    assert.deepEqual([...module.kernels.keys()], ["echo"]);
    const echo = module.kernels.get("echo");
    assert.deepEqual(echo?.params.map(({ offset, byteLength }) => [offset, byteLength]), [
      ...[[0, 1], [2, 2], [4, 4], [8, 12], [24, 8], [32, 4], [40, 8]],
    ]);
    assert.equal(echo?.paramBytes, 48);
    assert.deepEqual(echo?.params.map(({ type }) => type.replace(/^[us]/, "i")), [
      ...["i8", "i16", "f32", "b8", "f64", "i32", "i64"],
    ]);
  });

  for (const [what, ptx, line] of BAD_PTX) {
    test(`${what} is refused with its line, and the context is good as before`, async (device) => {
      using place = new Place(device);
      const error = await place.load(ptx).then(() => undefined, (thrown: unknown) => thrown);
      assert.ok(error instanceof GpuError);
      assert.equal(error.statusName, "CUDA_ERROR_INVALID_PTX");
      assert.ok(!error.isSticky);
      assert.match(error.message, new RegExp(`line ${line}\\b|\\b${line}:`), error.message);
      using module = await place.load(BASIC_PTX);
      assert.ok(module.kernels.has("nothing"));
    });
  }

  test("module variables have their initial values, for each load anew", async (device) => {
    using place = new Place(device);
    for (let load = 0; load < 2; load++) {
      using module = await place.load(GLOBALS_PTX);
      const [counter, table] = [module.findGlobal("counter"), module.findGlobal("table")];
      assert.ok(counter && table);
      assert.deepEqual([counter.byteLength, table.byteLength], [4, 16]);
      assert.equal(module.findGlobal("nowhere"), undefined);
      assert.deepEqual(await place.read(table.pointer, 4), [1, 2, 3, 0]);
      await place.launch(module, "count", [], { grid: { x: 3, y: 1, z: 1 }, block: { x: 1, y: 1, z: 1 } });
      assert.deepEqual(await place.read(counter.pointer, 1), [40 + 3 * 6]);
      await place.write(table.pointer, Uint32Array.of(10, 0, 0, 1));
      await place.launch(module, "count", [], { block: { x: 2, y: 1, z: 1 } });
      assert.deepEqual(await place.read(counter.pointer, 1), [58 + 22]);
    }
  });

  test("a kernel of a module that was disposed is refused", async (device) => {
    using place = new Place(device);
    const module = await place.load(BASIC_PTX);
    module[Symbol.dispose]();
    assert.notEqual(await statusOf(() => place.launch(module, "nothing", [])), "none");
    using again = await place.load(BASIC_PTX);
    await place.launch(again, "nothing", []);
    await place.context.synchronize();
  });

  // Launches.

  test("a kernel sees memory, and what it writes is there after it", async (device) => {
    using place = new Place(device);
    using module = await place.load(BASIC_PTX);
    const pointer = await place.words(range(1000));
    const shape = { grid: { x: 8, y: 1, z: 1 }, block: { x: 128, y: 1, z: 1 } };
    for (let round = 0; round < 3; round++) await place.launch(module, "add_one", [pointer, 1000], shape);
    await place.context.synchronize();
    assert.deepEqual(await place.read(pointer, 1000), range(1000).map((value) => value + 3));
  });

  test("parameters of every size arrive", async (device) => {
    using place = new Place(device);
    using module = await place.load(PARAMS_PTX);
    const kernel = module.kernels.get("echo");
    assert.ok(kernel);
    const out = place.context.allocate(64);
    const params = new Uint8Array(kernel.paramBytes).fill(0xee);
    const view = new DataView(params.buffer);
    view.setUint8(0, 200);
    view.setUint16(2, 50_000, true);
    view.setFloat32(4, -1.25, true);
    for (const [index, value] of [1, 20, 300].entries()) view.setUint32(8 + 4 * index, value, true);
    view.setFloat64(24, Math.E, true);
    view.setInt32(32, -7, true);
    view.setBigUint64(40, out, true);
    const one = { x: 1, y: 1, z: 1 };
    await place.context.launch({ module, kernel, grid: one, block: one, sharedBytes: 0, params });
    // Copied: what happens to the block afterwards is nothing to the kernel.
    params.fill(0);
    const bytes = new Uint8Array(64);
    await place.context.copyFromDevice(bytes, out);
    const result = new DataView(bytes.buffer);
    assert.equal(result.getBigUint64(0, true), 200n);
    assert.equal(result.getBigUint64(8, true), 50_000n);
    assert.equal(result.getFloat32(16, true), -1.25);
    assert.equal(result.getUint32(24, true), 321);
    assert.equal(result.getFloat64(32, true), Math.E);
    assert.equal(result.getBigInt64(40, true), -7n);
  });

  for (
    const [grid, block] of [
      [[1, 1, 1], [1, 1, 1]],
      [[1, 1, 1], [1024, 1, 1]],
      [[5, 3, 2], [7, 3, 2]],
      [[1, 40, 3], [1, 1, 64]],
      [[70, 1, 1], [33, 1, 1]],
      [[2, 1, 2], [1, 1024, 1]],
    ] as const
  ) {
    test(`a grid of ${grid.join("×")} blocks of ${block.join("×")} threads runs each thread once`, async (device) => {
      using place = new Place(device);
      using module = await place.load(SHAPE_PTX);
      const count = [...grid, ...block].reduce<number>((product, extent) => product * extent, 1);
      const out = place.context.allocate(count * 4);
      await place.launch(module, "shape", [out], {
        grid: { x: grid[0], y: grid[1], z: grid[2] },
        block: { x: block[0], y: block[1], z: block[2] },
      });
      assert.deepEqual(await place.read(out, count), range(count).map((index) => index + 1));
    });
  }

  test("dynamic shared memory is as large as asked for, and a barrier is one", async (device) => {
    using place = new Place(device);
    using module = await place.load(SHARED_PTX);
    const pointer = await place.words(range(512));
    const shape = { grid: { x: 2, y: 1, z: 1 }, block: { x: 256, y: 1, z: 1 }, sharedBytes: 1024 };
    await place.launch(module, "reverse", [pointer], shape);
    const expected = range(512).map((index) => (index < 256 ? 255 - index : 256 + 511 - index));
    assert.deepEqual(await place.read(pointer, 512), expected);
  });

  test("shapes that the device does not take are refused, and the context is good as before", async (device) => {
    using place = new Place(device);
    using module = await place.load(BASIC_PTX);
    const pointer = await place.words([1]);
    const one = { x: 1, y: 1, z: 1 };
    const bad: readonly Parameters<Place["launch"]>[3][] = [
      { grid: { x: 0, y: 1, z: 1 } },
      { grid: { x: 1, y: 65_536, z: 1 } },
      { grid: { x: 1, y: 1, z: 65_536 } },
      { grid: { x: 2 ** 31, y: 1, z: 1 } },
      { block: { x: 1025, y: 1, z: 1 } },
      { block: { x: 1, y: 1, z: 65 } },
      { block: { x: 32, y: 33, z: 1 } },
      { block: { x: 1, y: 0, z: 1 } },
      { block: one, sharedBytes: device.info.sharedBytesPerBlockMax + 1 },
      { block: one, sharedBytes: -1 },
    ];
    for (const shape of bad) {
      const status = await statusOf(() => place.launch(module, "add_one", [pointer, 1], shape));
      assert.equal(status, "CUDA_ERROR_INVALID_VALUE", JSON.stringify(shape));
    }
    await place.launch(module, "add_one", [pointer, 1]);
    assert.deepEqual(await place.read(pointer, 1), [2]);
  });

  test("a kernel's own bounds on its block hold", async (device) => {
    using place = new Place(device);
    using module = await place.load(BOUNDS_PTX);
    const block = (x: number, y = 1): { block: { x: number; y: number; z: number } } => ({
      block: { x, y, z: 1 },
    });
    const { kernels } = module;
    assert.deepEqual(kernels.get("only_8x4")?.requiredBlock, { x: 8, y: 4, z: 1 });
    assert.equal(kernels.get("at_most_64")?.threadsPerBlockMax, 64);
    assert.equal(await statusOf(() => place.launch(module, "only_8x4", [], block(8, 4))), "none");
    assert.equal(await statusOf(() => place.launch(module, "at_most_64", [], block(64))), "none");
    for (const [entry, shape] of [["only_8x4", block(32)], ["at_most_64", block(65)]] as const) {
      assert.equal(await statusOf(() => place.launch(module, entry, [], shape)), "CUDA_ERROR_INVALID_VALUE");
    }
  });

  test("what a kernel prints is told", async (device) => {
    using place = new Place(device);
    using module = await place.load(PRINT_PTX);
    await place.launch(module, "say", [4_000_000_000], { block: { x: 2, y: 1, z: 1 } });
    await place.context.synchronize();
    assert.equal(place.printed.join(""), "value 4000000000!\n".repeat(2));
  });

  // Failing kernels.

  const FAULTS: readonly (readonly [string, bigint | undefined, CudaStatusName])[] = [
    ["read_at", 0n, "CUDA_ERROR_ILLEGAL_ADDRESS"],
    ["write_at", 0n, "CUDA_ERROR_ILLEGAL_ADDRESS"],
    ["read_at", 2n ** 62n, "CUDA_ERROR_ILLEGAL_ADDRESS"],
    ["write_at", 2n ** 64n - 8n, "CUDA_ERROR_ILLEGAL_ADDRESS"],
    ["trap_now", undefined, "CUDA_ERROR_LAUNCH_FAILED"],
  ];
  for (const [kernel, address, status] of FAULTS) {
    const at = address === undefined ? "" : ` of 0x${address.toString(16)}`;
    test(`${kernel}${at} is ${status}, and so is everything after it`, async (device) => {
      using place = new Place(device);
      const { context } = place;
      const module = await place.load(FAULTS_PTX);
      const pointer = context.allocate(64);
      const error = await place.failure(module, kernel, address === undefined ? [] : [address]);
      assert.deepEqual([error.statusName, error.isSticky], [status, true]);
      const bytes = new Uint8Array(4);
      for (
        const use of [
          () => place.launch(module, "nothing", []),
          () => context.synchronize(),
          () => context.allocate(1),
          () => context.copyToDevice(pointer, bytes),
          () => context.copyFromDevice(bytes, pointer),
          () => place.load(BASIC_PTX),
        ]
      ) assert.equal(await statusOf(use), status);
    }, "faults");
  }

  for (const kernel of ["write_at", "trap_now"]) {
    test(`after ${kernel} has failed nobody else notices`, async (device) => {
      using place = new Place(device);
      using other = new Place(device);
      const module = await place.load(FAULTS_PTX);
      await place.failure(module, kernel, kernel === "write_at" ? [0n] : []);
      using good = await other.load(BASIC_PTX);
      const words = await other.words([1, 2]);
      await other.launch(good, "add_one", [words, 2]);
      assert.deepEqual(await other.read(words, 2), [2, 3]);
    }, "faults");
  }

  test("an address that is no multiple of the size is misaligned", async (device) => {
    using place = new Place(device);
    const module = await place.load(FAULTS_PTX);
    const error = await place.failure(module, "read_at", [place.context.allocate(64) + 2n]);
    assert.deepEqual([error.statusName, error.isSticky], ["CUDA_ERROR_MISALIGNED_ADDRESS", true]);
  }, "faults");

  test("memory of another context is not there", async (device) => {
    using place = new Place(device);
    using other = new Place(device);
    const secret = await other.words([42, 43]);
    // Both may have the same addresses; what lies there is each one's own.
    const mine = place.context.allocate(8);
    if (mine === secret) assert.deepEqual(await place.read(mine, 2), [0, 0]);
    const module = await place.load(FAULTS_PTX);
    await place.launch(module, "write_at", [mine], { block: { x: 1, y: 1, z: 1 } });
    await place.context.synchronize();
    assert.deepEqual(await other.read(secret, 2), [42, 43]);
  });

  // The pacer.

  test("a kernel's work is charged, by what it does", async (device) => {
    const fuelOf = async (rounds: number): Promise<number> => {
      using place = new Place(device);
      using module = await place.load(WORK_PTX);
      const pointer = place.context.allocate(4);
      await place.launch(module, "work", [pointer, rounds], { block: { x: 1, y: 1, z: 1 } });
      await place.context.synchronize();
      const [value] = await place.read(pointer, 1);
      let expected = 1;
      for (let round = 0; round < rounds; round++) {
        expected = (Math.imul(expected, 1664525) + 1013904223) >>> 0;
      }
      assert.equal(value, expected);
      return place.pacer.fuel;
    };
    if (device.info.kind === "cuda") return;
    const [few, many] = [await fuelOf(1000), await fuelOf(101_000)];
    assert.ok(many - few > 100_000 && many - few < 2_000_000, `${many - few}`);
    assert.equal(await fuelOf(1000), few);
  });

  test("a kernel is suspended while the pacer's answer is to come, and others run", async (device) => {
    if (device.info.kind === "cuda") return;
    const gate = Promise.withResolvers<number>();
    const pacer = new CountingPacer();
    pacer.tick = () => ++pacer.ticks === 3 ? gate.promise : 1000;
    using place = new Place(device, pacer);
    using module = await place.load(WORK_PTX);
    const pointer = place.context.allocate(4);
    const launched = place.launch(module, "work", [pointer, 10_000], { block: { x: 1, y: 1, z: 1 } })
      .then(() => place.context.synchronize());
    let isDone = false;
    void launched.then(() => isDone = true);
    using other = new Place(device);
    using good = await other.load(BASIC_PTX);
    const words = await other.words([1]);
    await other.launch(good, "add_one", [words, 1]);
    assert.deepEqual(await other.read(words, 1), [2]);
    assert.equal(isDone, false);
    gate.resolve(1000);
    await launched;
    assert.ok(pacer.ticks > 3);
  });

  // Streams and events.

  test("work of a stream is in order, and a copy on it comes after it", async (device) => {
    using place = new Place(device);
    using module = await place.load(BASIC_PTX);
    using stream = place.context.createStream();
    const pointer = place.context.allocate(400);
    const shape = { block: { x: 100, y: 1, z: 1 }, stream };
    await place.write(pointer, Uint32Array.from(range(100)), stream);
    await place.launch(module, "add_one", [pointer, 100], shape);
    await place.launch(module, "add_one", [pointer, 50], shape);
    assert.deepEqual(
      await place.read(pointer, 100, stream),
      range(100).map((index) => index + (index < 50 ? 2 : 1)),
    );
    await place.context.synchronize(stream);
  });

  test("events are done in order, tell the time between, and order streams", async (device) => {
    using place = new Place(device);
    const { context } = place;
    using module = await place.load(BASIC_PTX);
    using first = context.createStream();
    using second = context.createStream();
    using start = context.createEvent();
    using end = context.createEvent();
    const pointer = await place.words([0]);
    await context.synchronize();
    context.recordEvent(start, first);
    await place.launch(module, "fill", [pointer, 5, 1], { stream: first });
    context.recordEvent(end, first);
    context.waitEvent(second, end);
    await place.launch(module, "add_one", [pointer, 1], { stream: second });
    await context.synchronize(second);
    assert.deepEqual(await place.read(pointer, 1, second), [6]);
    await context.synchronizeEvent(end);
    assert.deepEqual([context.queryEvent(start), context.queryEvent(end)], [true, true]);
    const elapsedMs = context.elapsedMs(start, end);
    assert.ok(elapsedMs >= 0 && elapsedMs < 10_000, `${elapsedMs}`);
  });

  test("an event of the default stream comes after what was launched there", async (device) => {
    using place = new Place(device);
    using module = await place.load(BASIC_PTX);
    using event = place.context.createEvent();
    const pointer = await place.words([0]);
    await place.launch(module, "fill", [pointer, 9, 1]);
    place.context.recordEvent(event);
    await place.context.synchronizeEvent(event);
    assert.equal(place.context.queryEvent(event), true);
    assert.deepEqual(await place.read(pointer, 1), [9]);
  });

  test("an event that was not recorded has no time", async (device) => {
    using place = new Place(device);
    using start = place.context.createEvent();
    using end = place.context.createEvent();
    assert.equal(await statusOf(() => place.context.elapsedMs(start, end)), "CUDA_ERROR_INVALID_HANDLE");
  });

  // The end.

  test("a context that was disposed is of no use, and disposing again is nothing", async (device) => {
    const place = new Place(device);
    const { context } = place;
    context.allocate(1 << 20);
    place[Symbol.dispose]();
    place[Symbol.dispose]();
    assert.equal(await statusOf(() => context.allocate(1)), "CUDA_ERROR_INVALID_CONTEXT");
    assert.equal(await statusOf(() => place.load(BASIC_PTX)), "CUDA_ERROR_INVALID_CONTEXT");
    assert.equal(context.residentBytes, 0);
  });

  test("many contexts come and go", async (device) => {
    for (let round = 0; round < 30; round++) {
      using place = new Place(device);
      using module = await place.load(BASIC_PTX);
      const words = await place.words([round]);
      await place.launch(module, "add_one", [words, 1]);
      assert.deepEqual(await place.read(words, 1), [round + 1]);
    }
  });

  // Last: on a GPU such a kernel goes on until its process ends.

  test("a kernel that does not end is ended by the pacer, and its context with it", async (device) => {
    const pacer = new CountingPacer();
    pacer.tick = (fuel) => {
      pacer.fuel += fuel;
      return ++pacer.ticks > 20 ? -1 : 10_000;
    };
    using place = new Place(device, pacer);
    using other = new Place(device);
    const module = await place.load(FAULTS_PTX);
    const error = await place.failure(module, "spin");
    assert.deepEqual([error.statusName, error.isSticky], ["CUDA_ERROR_LAUNCH_TIMEOUT", true]);
    assert.equal(await statusOf(() => place.context.synchronize()), "CUDA_ERROR_LAUNCH_TIMEOUT");
    using good = await other.load(BASIC_PTX);
    await other.launch(good, "nothing", []);
    await other.context.synchronize();
  }, "faults");
}
