/**
 * Whatever numbers a guest passes, in whatever order: each function answers with a code of the contract, nothing
 * is thrown, limits hold, and memory that belongs to no window and no copy is not touched.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { GPU_CODES } from "../../../gpu/mod.ts";
import { FakeGpu, wideParams } from "../../support/fake_gpu.ts";
import type { FakeGpuOptions, FakeKernel } from "../../support/fake_gpu.ts";
import { ARG, encodeArgs } from "../../support/gpu_args.ts";
import { AT, SessionGuest } from "../../support/session_guest.ts";

const KERNELS: Readonly<Record<string, FakeKernel>> = {
  touch: {
    params: wideParams(2),
    run: ({ params, bytes }) => {
      const [pointer, length] = [params.getBigUint64(0, true), params.getBigUint64(8, true)];
      if (length > 0n) bytes(pointer, Number(length)).fill(0x55);
    },
  },
  nothing: { params: [], run: () => {} },
};
const PTX = Object.keys(KERNELS).map((name) => `.entry ${name}`).join("\n");
const LIMITS = { gpuMemoryBytesMax: 100_000, gpuAllocationsMax: 20, gpuKernelsMax: 6, gpuStreamsMax: 6 };
const CODE_MIN = Math.min(...Object.values(GPU_CODES));

/** Numbers near everything that has a bound, and handles by their place among those given out. */
const NUMBER = fc.oneof(
  fc.integer({ min: -4, max: 4 }),
  fc.constantFrom(
    AT.entry,
    AT.args,
    AT.text,
    AT.data,
    262_143,
    262_144,
    262_145,
    2 ** 31 - 1,
    -(2 ** 31),
    1024,
    1025,
  ),
  fc.integer(),
);
const HANDLE = fc.oneof({ weight: 4, arbitrary: fc.nat({ max: 12 }) }, { weight: 1, arbitrary: fc.bigInt() });

type Step = readonly [name: string, handles: readonly (number | bigint)[], numbers: readonly number[]];
const STEP: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom(
    ...[
      "load",
      "loadGood",
      "launch",
      "launchGood",
      "launchGood",
      "unload",
      "alloc",
      "free",
      "h2d",
      "d2h",
      "sync",
    ],
    ...["query", "name", "errorLength", "errorCopy", "stream", "streamDestroy", "streamSync", "event"],
    ...["eventDestroy", "record", "eventQuery", "eventSync", "wait", "elapsed"],
  ),
  fc.array(HANDLE, { minLength: 3, maxLength: 3 }),
  fc.array(NUMBER, { minLength: 10, maxLength: 10 }),
);

/** Runs one step; the answer as the guest gets it. */
async function run(guest: SessionGuest, [name, picks, n]: Step, given: bigint[]): Promise<bigint> {
  const { session } = guest;
  const [a = 0n, b = 0n, c = 0n] = picks.map((pick) =>
    typeof pick === "bigint" ? BigInt.asIntN(64, pick) : given[pick] ?? BigInt(pick)
  );
  const [n0 = 0, n1 = 0, n2 = 0, n3 = 0] = n;
  const keep = (handle: bigint): bigint => {
    if (handle > 0n) given.push(handle);
    return handle;
  };
  const launch = (
    argsPointer: number,
    argsLength: number,
    extents: readonly number[],
  ): Promise<number> | number => {
    const [x = 1, y = 1, z = 1, bx = 1, by = 1, bz = 1] = extents;
    return session.launch({
      kernel: a,
      grid: { x, y, z },
      block: { x: bx, y: by, z: bz },
      sharedBytes: n0,
      stream: b,
      argsPointer,
      argsLength,
      mayHaveArgs: true,
    });
  };
  switch (name) {
    case "load":
      return keep(await session.loadPtx(n0, n1, n2, n3));
    case "loadGood":
      return keep(await guest.load(PTX, n0 % 2 === 0 ? "touch" : "nothing"));
    case "launch":
      return BigInt(await launch(n2, n3, n.slice(4)));
    case "launchGood": {
      const record = c > 0n && n1 % 2 === 0
        ? ARG.buffer(c, BigInt(n2 >>> 0))
        : ARG.out(AT.data + (n2 & 1023), n3 & 511);
      const args = encodeArgs(record, ARG.u64(BigInt(n3 & 511)));
      return BigInt(await launch(...guest.put(AT.args, args), []));
    }
    case "unload":
      return BigInt(await session.unload(a));
    case "alloc":
      return keep(session.allocate(BigInt(n0)));
    case "free":
      return BigInt(await session.free(a));
    case "h2d":
      return BigInt(await session.copyToDevice(a, BigInt(n0), n1, n2));
    case "d2h":
      // Into the area that windows are in, so that the rest can be watched.
      return BigInt(await session.copyToGuest(AT.data + (n0 & 511), a, BigInt(n1), n2 & 1023));
    case "sync":
      return BigInt(await session.synchronize());
    case "query":
      return session.queryDevice(n0);
    case "name":
      return BigInt(session.copyDeviceName(AT.data + (n0 & 511), n1 & 63));
    case "errorLength":
      return BigInt(session.lastErrorLength());
    case "errorCopy":
      return BigInt(session.copyLastError(AT.data + (n0 & 511), n1 & 511));
    case "stream":
      return keep(session.createStream());
    case "streamDestroy":
      return BigInt(await session.destroyStream(a));
    case "streamSync":
      return BigInt(await session.synchronizeStream(a));
    case "event":
      return keep(session.createEvent());
    case "eventDestroy":
      return BigInt(session.destroyEvent(a));
    case "record":
      return BigInt(session.recordEvent(a, b));
    case "eventQuery":
      return BigInt(await session.queryEvent(a));
    case "eventSync":
      return BigInt(await session.synchronizeEvent(a));
    case "wait":
      return BigInt(session.waitEvent(a, b));
    default:
      return session.elapsedNanos(a, b);
  }
}

async function check(options: FakeGpuOptions, steps: readonly Step[]): Promise<void> {
  const device = new FakeGpu({ ...options, kernels: KERNELS });
  const guest = new SessionGuest(device, { limits: LIMITS });
  const beyond = AT.data + 2048;
  guest.bytes.fill(0xaa, beyond);
  const given: bigint[] = [];
  for (const step of steps) {
    const answer = await run(guest, step, given);
    assert.ok(answer >= BigInt(CODE_MIN), `${step[0]} answered ${answer}`);
    const [context] = device.contexts;
    assert.ok((context?.allocatedBytes ?? 0) <= LIMITS.gpuMemoryBytesMax);
    assert.ok((context?.allocationCount ?? 0) <= LIMITS.gpuAllocationsMax);
  }
  assert.ok(guest.bytes.subarray(beyond).every((byte) => byte === 0xaa));
  guest[Symbol.dispose]();
  assert.equal(device.contexts.size, 0);
}

for (const options of [{}, { isLazy: true }, { isLazy: true, isSlow: true }]) {
  Deno.test(`a session takes whatever comes (${JSON.stringify(options)})`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { maxLength: 60 }), (steps) => check(options, steps)),
      { numRuns: 300 },
    );
  });
}
