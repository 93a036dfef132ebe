/**
 * Windows: their grouping as arithmetic on ranges, and whole sequences of launches against a model in which
 * every window is copied byte by byte and nothing is put off, kept or left out.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ArgList } from "../../../gpu/session/args.ts";
import { DEFAULT_GPU_LIMITS } from "../../../gpu/mod.ts";
import { pieceBytes } from "../../../gpu/session/piece_cache.ts";
import { covers, groupWindows, overlaps } from "../../../gpu/session/windows.ts";
import type { WindowGroup } from "../../../gpu/session/windows.ts";
import { FakeGpu, wideParams } from "../../support/fake_gpu.ts";
import type { FakeContext, FakeGpuOptions, FakeKernel } from "../../support/fake_gpu.ts";
import { ARG, encodeArgs } from "../../support/gpu_args.ts";
import type { ArgRecord } from "../../support/gpu_args.ts";
import { AT, SessionGuest } from "../../support/session_guest.ts";

type Access = "in" | "out" | "inOut";

interface Window {
  readonly access: Access;
  readonly offset: number;
  readonly length: number;
}

function recordsOf(windows: readonly Window[]): ArgRecord[] {
  return windows.map(({ access, offset, length }) => ARG[access](offset, length));
}

function group(...windows: readonly (readonly [Access, number, number])[]): WindowGroup[] {
  const list = new ArgList(DEFAULT_GPU_LIMITS);
  const records = windows.map(([access, offset, length]) => ARG[access](offset, length));
  const bytes = encodeArgs(...records);
  const memory = new Uint8Array(4096);
  memory.set(bytes, 1024);
  list.parse(memory, 1024, bytes.length, () => 0n);
  return groupWindows(list);
}

// Grouping.

Deno.test("windows that share no byte are pieces of their own, also where they meet", () => {
  const groups = group(["in", 100, 10], ["out", 110, 10], ["inOut", 0, 100]);
  assert.deepEqual(groups.map(({ start, end, members }) => [start, end, members]), [
    [0, 100, [2]],
    [100, 110, [0]],
    [110, 120, [1]],
  ]);
  assert.deepEqual(groups.map(({ uploads, zeros, downloads }) => [uploads, zeros, downloads]), [
    [[0, 100], [], [0, 100]],
    [[100, 110], [], []],
    [[], [110, 120], [110, 120]],
  ]);
});

Deno.test("windows that share a byte are one piece; what no window reads is zeroed, what none writes stays", () => {
  const [only, ...others] = group(["out", 0, 100], ["in", 50, 100], ["inOut", 140, 20]);
  assert.equal(others.length, 0);
  assert.deepEqual(only, {
    start: 0,
    end: 160,
    uploads: [50, 160],
    zeros: [0, 50],
    downloads: [0, 100, 140, 160],
    members: [0, 1, 2],
  });
});

Deno.test("the same window twice, read once and written once, is uploaded and written back", () => {
  const [only] = group(["out", 8, 8], ["in", 8, 8]);
  assert.deepEqual([only?.uploads, only?.zeros, only?.downloads], [[8, 16], [], [8, 16]]);
});

Deno.test("a window within another, then one that meets the outer one's end only", () => {
  const groups = group(["out", 0, 100], ["out", 10, 10], ["out", 100, 1]);
  assert.deepEqual(groups.map(({ start, end }) => [start, end]), [[0, 100], [100, 101]]);
});

Deno.test("windows without a byte are in no piece", () => {
  assert.deepEqual(group(["in", 5, 0], ["out", 0, 0]), []);
});

const ANY_WINDOW: fc.Arbitrary<Window> = fc.record({
  access: fc.constantFrom<Access>("in", "out", "inOut"),
  offset: fc.integer({ min: 0, max: 120 }),
  length: fc.integer({ min: 0, max: 40 }),
});

Deno.test("groups are disjoint, in order, and say of each byte what the windows say", () => {
  fc.assert(
    fc.property(fc.array(ANY_WINDOW, { maxLength: 12 }), (windows) => {
      const groups = group(...windows.map(({ access, offset, length }) => [access, offset, length] as const));
      for (const [index, { start }] of groups.entries()) {
        assert.ok(index === 0 || start >= (groups[index - 1]?.end ?? 0));
      }
      for (let byte = 0; byte < 160; byte++) {
        const of = windows.filter(({ offset, length }) => byte >= offset && byte < offset + length);
        const reads = of.some(({ access }) => access !== "out");
        const writes = of.some(({ access }) => access !== "in");
        const one: readonly [number, number] = [byte, byte + 1];
        const within = (pick: (of: WindowGroup) => readonly number[]): boolean =>
          groups.some((each) => overlaps(pick(each), one));
        assert.equal(within(({ uploads }) => uploads), reads, `${byte}`);
        assert.equal(within(({ zeros }) => zeros), of.length > 0 && !reads, `${byte}`);
        assert.equal(within(({ downloads }) => downloads), writes, `${byte}`);
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("covers() is that no byte of the inner ranges is missing", () => {
  const ranges = fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 6 }).map((cuts) => {
    const sorted = [...new Set(cuts)].sort((a, b) => a - b);
    return sorted.slice(0, sorted.length & ~1);
  });
  const bytes = (of: readonly number[]): Set<number> => {
    const set = new Set<number>();
    for (let at = 0; at < of.length; at += 2) {
      for (let byte = of[at] ?? 0; byte < (of[at + 1] ?? 0); byte++) set.add(byte);
    }
    return set;
  };
  fc.assert(
    fc.property(ranges, ranges, (outer, inner) => {
      assert.equal(covers(outer, inner), bytes(inner).isSubsetOf(bytes(outer)));
      assert.equal(overlaps(outer, inner), !bytes(inner).isDisjointFrom(bytes(outer)));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("a piece has room for what it is for, wastes at most a quarter, and is a multiple of 256", () => {
  for (const length of [1, 255, 256, 257, 1024, 1025, 1281, 5000, 1 << 20, (1 << 20) + 1, 3e9, 2 ** 32 - 1]) {
    const size = pieceBytes(length);
    assert.ok(
      size >= length && size % 256 === 0 && size <= Math.max(length * 1.25, length + 255),
      `${length}: ${size}`,
    );
  }
});

// Launches against a model.

/** Writes over every byte of every window it is given, from a sum of what it sees; as many windows as there are. */
function mixKernel(count: number): FakeKernel {
  return {
    params: wideParams(2 * count),
    run: ({ params, bytes }) => {
      const windows = Array.from({ length: count }, (_, index) => {
        const length = Number(params.getBigUint64(16 * index + 8, true));
        return length === 0 ? new Uint8Array(0) : bytes(params.getBigUint64(16 * index, true), length);
      });
      mix(windows);
    },
  };
}

/** What the kernel does, on any pieces of memory that alias as theirs do. */
function mix(windows: readonly Uint8Array[]): void {
  let sum = 17;
  for (const window of windows) {
    for (const byte of window) sum = (sum * 31 + byte) & 0xffff;
  }
  for (const window of windows) {
    for (let at = 0; at < window.length; at++) {
      sum = (sum * 5 + 1) & 0xffff;
      window[at] = ((window[at] ?? 0) + sum) & 0xff;
    }
  }
}

/** A launch as the contract says it, without a thought for speed: one copy of everything that any window reads. */
function modelLaunch(memory: Uint8Array, windows: readonly Window[]): void {
  const device = new Uint8Array(memory.length);
  for (const { access, offset, length } of windows) {
    if (access !== "out") device.set(memory.subarray(offset, offset + length), offset);
  }
  mix(windows.map(({ offset, length }) => device.subarray(offset, offset + length)));
  for (const { access, offset, length } of windows) {
    if (access !== "in") memory.set(device.subarray(offset, offset + length), offset);
  }
}

const AREA = 160;

type Step =
  | { readonly type: "launch"; readonly windows: readonly Window[]; readonly stream: number }
  | { readonly type: "sync" }
  | { readonly type: "streamSync"; readonly stream: number }
  | { readonly type: "poke"; readonly at: number; readonly value: number };

/** Windows of which many have a beginning or an end in common. */
const COARSE_WINDOW: fc.Arbitrary<Window> = fc.record({
  access: fc.constantFrom<Access>("in", "out", "inOut"),
  offset: fc.constantFrom(0, 20, 40),
  length: fc.constantFrom(20, 40, 60),
});

const LAUNCH = fc.record({
  type: fc.constant("launch" as const),
  windows: fc.oneof(
    fc.array(ANY_WINDOW, { minLength: 1, maxLength: 4 }),
    fc.array(COARSE_WINDOW, { minLength: 1, maxLength: 3 }),
  ),
  stream: fc.constant(0),
});
const STEP: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: LAUNCH },
  { weight: 1, arbitrary: fc.constant({ type: "sync" as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("poke" as const),
      at: fc.integer({ min: 0, max: AREA - 1 }),
      value: fc.integer({ min: 0, max: 255 }),
    }),
  },
);

const PTX = ".entry mix1\n.entry mix2\n.entry mix3\n.entry mix4";
const KERNELS = { mix1: mixKernel(1), mix2: mixKernel(2), mix3: mixKernel(3), mix4: mixKernel(4) };

async function runSteps(options: FakeGpuOptions, steps: readonly Step[], seed: number): Promise<void> {
  const device = new FakeGpu({ ...options, kernels: KERNELS });
  using guest = new SessionGuest(device);
  const ids = [0n];
  for (let count = 1; count <= 4; count++) ids.push(await guest.kernel(PTX, `mix${count}`));
  assert.equal(device.loadCount, 1);
  const model = new Uint8Array(AREA);
  for (let at = 0; at < AREA; at++) model[at] = (at * 7 + seed) & 0xff;
  const area = guest.bytes.subarray(AT.data, AT.data + AREA);
  area.set(model);
  for (const step of steps) {
    if (step.type === "launch") {
      const moved = step.windows.map((window) => ({ ...window, offset: window.offset + AT.data }));
      const args = recordsOf(moved).flatMap((record, index) => [
        record,
        ARG.u64(BigInt(moved[index]?.length ?? 0)),
      ]);
      assert.equal(await guest.launch(ids[step.windows.length] ?? 0n, args), 0, guest.lastError);
      modelLaunch(model, step.windows);
    } else {
      // A guest that writes where a result is due gets either; so it waits first.
      assert.equal(await guest.sync(), 0);
      assert.deepEqual(area, model);
      if (step.type === "poke") area[step.at] = model[step.at] = step.value;
    }
  }
  assert.equal(await guest.sync(), 0);
  assert.deepEqual(area, model);
}

for (const options of [{}, { isLazy: true }, { isSlow: true }, { isLazy: true, isSlow: true }]) {
  const name = Object.keys(options).join(" and ") || "prompt";
  Deno.test(`a device that is ${name}: any launches leave memory as the model says`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(STEP, { maxLength: 12 }),
        fc.integer({ min: 0, max: 255 }),
        async (steps, seed) => {
          await runSteps(options, steps, seed);
        },
      ),
      { numRuns: 300 },
    );
  });
}

Deno.test("results of several streams come back with their own synchronisation", async () => {
  const device = new FakeGpu({ kernels: KERNELS, isLazy: true });
  using guest = new SessionGuest(device);
  const kernel = await guest.kernel(PTX, "mix1");
  const streams = [guest.session.createStream(), guest.session.createStream()];
  const places = [AT.data, AT.data + 4096];
  const expected = places.map((place) => {
    const bytes = guest.bytes.slice(place, place + 64);
    mix([bytes]);
    return bytes;
  });
  for (const [index, place] of places.entries()) {
    const args = [ARG.inOut(place, 64), ARG.u64(64n)];
    assert.equal(await guest.launch(kernel, args, { stream: streams[index] ?? 0n }), 0);
  }
  const at = (place: number): Uint8Array => guest.bytes.slice(place, place + 64);
  assert.deepEqual(places.map(at), [new Uint8Array(64), new Uint8Array(64)]);
  assert.equal(await guest.session.synchronizeStream(streams[1] ?? 0n), 0);
  assert.deepEqual(places.map(at), [new Uint8Array(64), expected[1]]);
  assert.equal(await guest.sync(), 0);
  assert.deepEqual(places.map(at), expected);
});

// What is copied, and what is not.

interface Setup extends Disposable {
  readonly guest: SessionGuest;
  readonly context: FakeContext;
  readonly kernel: bigint;
}

async function setup(options: FakeGpuOptions = {}): Promise<Setup> {
  const device = new FakeGpu({ kernels: KERNELS, ...options });
  const guest = new SessionGuest(device, { pages: 64 });
  const kernel = await guest.kernel(PTX, "mix1");
  const [context] = device.contexts;
  assert.ok(context);
  return { guest, context, kernel, [Symbol.dispose]: () => guest[Symbol.dispose]() };
}

Deno.test("in windows go up only, out windows come back only, in-out windows do both", async () => {
  const sizes = async (access: Access): Promise<readonly number[]> => {
    using of = await setup();
    const { guest, context, kernel } = of;
    assert.equal(await guest.launch(kernel, [ARG[access](AT.data, 1000), ARG.u64(1000n)]), 0);
    await guest.sync();
    const [launch] = guest.launches;
    assert.deepEqual([launch?.bytesIn, launch?.bytesOut], [context.bytesIn, context.bytesOut]);
    return [context.bytesIn, context.bytesOut];
  };
  assert.deepEqual(await sizes("in"), [1000, 0]);
  assert.deepEqual(await sizes("out"), [0, 1000]);
  assert.deepEqual(await sizes("inOut"), [1000, 1000]);
});

Deno.test("launches that go on with what the one before left copy it once each way", async () => {
  using of = await setup({ isLazy: true });
  const { guest, context, kernel } = of;
  const expected = new Uint8Array(4096);
  for (let round = 0; round < 10; round++) {
    assert.equal(await guest.launch(kernel, [ARG.inOut(AT.data, 4096), ARG.u64(4096n)]), 0);
    mix([expected]);
  }
  await guest.sync();
  assert.deepEqual([context.bytesIn, context.bytesOut], [4096, 4096]);
  assert.deepEqual(guest.bytes.slice(AT.data, AT.data + 4096), expected);
});

Deno.test("the memory of windows is used again, and is zero where a launch expects it", async () => {
  using of = await setup();
  const { guest, context, kernel } = of;
  const expected = new Uint8Array(500);
  mix([expected]);
  for (let round = 0; round < 20; round++) {
    assert.equal(await guest.launch(kernel, [ARG.out(AT.data, 500), ARG.u64(500n)]), 0);
    await guest.sync();
    assert.deepEqual(guest.bytes.slice(AT.data, AT.data + 500), expected);
  }
  assert.equal(context.allocationCount, 1);
  assert.equal(context.calls.filter((call) => call === "allocate").length, 1);
});

Deno.test("a thousand launches that nobody waits for take no more memory than a few", async () => {
  using of = await setup({ isLazy: true });
  const { guest, context, kernel } = of;
  const one = [ARG.out(AT.data, 512), ARG.u64(512n)];
  for (let round = 0; round < 1000; round++) assert.equal(await guest.launch(kernel, one), 0);
  assert.ok(context.allocationCount <= 4, `${context.allocationCount}`);
  for (let round = 0; round < 1000; round++) {
    assert.equal(await guest.launch(kernel, [ARG.out(AT.data + 512 * round, 512), ARG.u64(512n)]), 0);
  }
  assert.ok(context.allocationCount <= 260, `${context.allocationCount}`);
  await guest.sync();
  const expected = new Uint8Array(512);
  mix([expected]);
  for (let round = 0; round < 1000; round++) {
    const at = AT.data + 512 * round;
    assert.deepEqual(guest.bytes.slice(at, at + 512), expected);
  }
});

Deno.test("unaligned windows are aligned on the device, and those that share bytes keep their distance", async () => {
  const seen: bigint[][] = [];
  const kernels = {
    look: {
      params: wideParams(4),
      run: ({ params }) => void seen.push([0, 8, 16, 24].map((at) => params.getBigUint64(at, true))),
    } satisfies FakeKernel,
  };
  using guest = new SessionGuest(new FakeGpu({ kernels }));
  const id = await guest.kernel(".entry look", "look");
  const at = AT.data + 3;
  const args = [ARG.in(at, 10), ARG.out(at + 7, 9), ARG.in(at + 101, 5), ARG.in(at, 0)];
  assert.equal(await guest.launch(id, args), 0);
  const [[first = 0n, second = 0n, third = 0n, none = 1n] = []] = seen;
  assert.deepEqual([first % 256n, second - first, third % 256n, none], [0n, 7n, 0n, 0n]);
});

Deno.test("where device memory runs out, what is put by is given up and what is due is written back first", async () => {
  const device = new FakeGpu({ kernels: KERNELS, isLazy: true });
  using guest = new SessionGuest(device, { limits: { gpuMemoryBytesMax: 4096 } });
  const kernel = await guest.kernel(PTX, "mix1");
  const expected = [1024, 2048, 1000, 3072].map((length) => {
    const bytes = new Uint8Array(length);
    mix([bytes]);
    return bytes;
  });
  for (const [index, { length }] of expected.entries()) {
    const args = [ARG.out(AT.data + index * 4096, length), ARG.u64(BigInt(length))];
    assert.equal(await guest.launch(kernel, args), 0, guest.lastError);
  }
  assert.equal(await guest.sync(), 0);
  for (const [index, bytes] of expected.entries()) {
    const at = AT.data + index * 4096;
    assert.deepEqual(guest.bytes.slice(at, at + bytes.length), bytes);
  }
  assert.equal(await guest.launch(kernel, [ARG.out(AT.data, 5000), ARG.u64(5000n)]), -6);
  assert.match(guest.lastError, /gpuMemoryBytesMax is 4096, got 5120/);
});

Deno.test("results come back into memory that has grown meanwhile", async () => {
  using of = await setup({ isLazy: true });
  const { guest, kernel } = of;
  const expected = new Uint8Array(256);
  mix([expected]);
  assert.equal(await guest.launch(kernel, [ARG.inOut(AT.data, 256), ARG.u64(256n)]), 0);
  guest.memory?.grow(3);
  assert.equal(await guest.sync(), 0);
  assert.deepEqual(guest.bytes.slice(AT.data, AT.data + 256), expected);
});

Deno.test("a launch that the device refuses leaves due results and guest memory alone", async () => {
  using of = await setup({ isLazy: true });
  const { guest, kernel } = of;
  const expected = new Uint8Array(256);
  mix([expected]);
  const args = [ARG.out(AT.data, 256), ARG.u64(256n)];
  assert.equal(await guest.launch(kernel, args), 0);
  assert.equal(await guest.launch(kernel, args, { block: [1, 1, 65] }), -5);
  assert.match(guest.lastError, /CUDA_ERROR_INVALID_VALUE \(1\)/);
  assert.equal(await guest.sync(), 0);
  assert.deepEqual(guest.bytes.slice(AT.data, AT.data + 256), expected);
});

Deno.test("large windows are copied in pieces, between which the call is asked whether it may go on", async () => {
  const device = new FakeGpu({ kernels: KERNELS });
  let asked = 0;
  let granted = 5;
  using guest = new SessionGuest(device, {
    pages: 200,
    pacer: { tick: () => (asked++, granted-- > 0 ? Promise.resolve(1) : -1) },
  });
  const kernel = await guest.kernel(PTX, "mix1");
  const bytes = 4 * 1024 * 1024;
  assert.equal(await guest.launch(kernel, [ARG.inOut(AT.data, bytes), ARG.u64(BigInt(bytes))]), 0);
  assert.equal(asked, 3);
  // Stopped on the way back: no more than what was copied before is written.
  assert.equal(await guest.sync(), -5);
  const written = guest.bytes.subarray(AT.data, AT.data + bytes).findLastIndex((byte) => byte !== 0) + 1;
  assert.ok(written <= 3 * 1024 * 1024, `${written}`);
});
