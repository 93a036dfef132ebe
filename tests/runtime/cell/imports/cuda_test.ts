/**
 * `wasi:cuda/host` bound to guests: instrumented modules as fibers, on a device whose kernels are functions. What
 * is metered and stopped, what is left when a call is over, and what its result says of the device.
 */
import assert from "node:assert/strict";
import { GPU_CODES, GPU_FUNCTIONS } from "../../../../gpu/mod.ts";
import type { CallResult } from "../../../../runtime/cell/instance.ts";
import { GPU_SPANS_MAX } from "../../../../runtime/cell/gpu_trace.ts";
import { KERNEL_LATENCY_SECONDS, PTX_COMPILE_SECONDS } from "../../../../runtime/model/gpu.ts";
import type { Outcome } from "../../../../runtime/model/outcome.ts";
import type { CallMeta, CellLogLine } from "../../../../runtime/wire/messages.ts";
import { METRICS } from "../../../../telemetry/mod.ts";
import { CUDA_AT, CUDA_CALLS, cudaGuest, launchingGuest } from "../../../support/cuda_guest.ts";
import type { CudaGuestOptions } from "../../../support/cuda_guest.ts";
import { FakeGpu, wideParams } from "../../../support/fake_gpu.ts";
import type { FakeGpuOptions, FakeKernel } from "../../../support/fake_gpu.ts";
import { compileGuest, FiberCell } from "../../../support/fiber_cell.ts";
import type { FiberCellOptions } from "../../../support/fiber_cell.ts";
import { ARG, encodeArgs } from "../../../support/gpu_args.ts";

const never = (): Promise<unknown> => new Promise(() => {});

const KERNELS: Readonly<Record<string, FakeKernel>> = {
  fill: {
    params: wideParams(2),
    run: ({ params, bytes }) => {
      bytes(params.getBigUint64(0, true), Number(params.getBigUint64(8, true))).fill(7);
    },
  },
  nothing: { params: [], run: () => {} },
  works: { params: [], run: () => {}, fuel: 10_000, ticks: 50 },
  endless: { params: [], run: () => {}, fuel: 10_000, ticks: Infinity },
  stuck: { params: [], run: () => {}, waitsFor: never },
  patient: { params: [], run: () => {}, waitsFor: () => Promise.resolve() },
  failing_wait: { params: [], run: () => {}, waitsFor: () => Promise.reject(new Error("elsewhere")) },
  wild: { params: [], run: ({ bytes }) => void bytes(1n, 1) },
  talks: { params: [], run: ({ print }) => print("first\nsecond, un") },
  bug: {
    params: [],
    run: () => {
      throw new TypeError("a bug of the device");
    },
  },
};
const PTX = Object.keys(KERNELS).map((name) => `.entry ${name}`).join("\n");
const FILL = encodeArgs(ARG.out(CUDA_AT.data, 16), ARG.u64(16n));

interface Run extends CallResult {
  readonly device: FakeGpu;
  readonly lines: readonly CellLogLine[];
}

const I32: Partial<CallMeta> = { resultTypes: ["i32"] };

async function run(
  guest: Uint8Array,
  meta: Partial<CallMeta> = {},
  options: FiberCellOptions & { readonly gpuOptions?: FakeGpuOptions } = {},
): Promise<Run> {
  const device = new FakeGpu({ kernels: KERNELS, ...options.gpuOptions });
  const lines: CellLogLine[] = [];
  const writeLines = (bytes: Uint8Array): void => {
    for (const line of new TextDecoder().decode(bytes).trim().split("\n")) lines.push(JSON.parse(line));
  };
  const cell = FiberCell.manual({ gpu: device, writeLines, ...options });
  const result = await cell.run(guest, { ...I32, ...meta });
  assert.equal(device.contexts.size, 0, "nothing is left on the device");
  assert.equal(cell.memory.deviceBytes, 0);
  return { ...result, device, lines };
}

/** What a guest that returned answered. */
function answer({ meta: { outcome } }: CallResult): unknown {
  assert.ok(outcome.type === "returned", JSON.stringify(outcome));
  return outcome.values[0]?.value;
}

function launching(entry: string, args?: Uint8Array, count?: number, options?: CudaGuestOptions): Uint8Array {
  return launchingGuest(entry, PTX, args, count, options);
}

function assertExhausted(outcome: Outcome, limit: string): void {
  assert.ok(outcome.type === "exhausted" && outcome.limit === limit, JSON.stringify(outcome));
}

// Without a device.

const NOT_AVAILABLE = Object.entries(GPU_FUNCTIONS).map(([name, { params, results }]) => {
  const zeros = params.map((type) => `(${type}.const -1)`).join(" ");
  const call = `(call $${name} ${zeros})`;
  return (results as readonly string[])[0] === "i64" ? `(i32.wrap_i64 ${call})` : call;
});

for (const version of ["0.1.0", "0.2.0"] as const) {
  Deno.test(`${version}: without a device every function answers -1, whatever its arguments`, async () => {
    const sum = NOT_AVAILABLE.reduce((left, right) => `(i32.add ${left} ${right})`);
    const { meta } = await FiberCell.manual().run(cudaGuest(sum, { version }), I32);
    assert.equal(answer({ meta, output: new Uint8Array(0) }), -NOT_AVAILABLE.length);
    assert.equal(meta.gpu, undefined);
  });
}

Deno.test("a guest that does not import the interface has no session, and one that asks nothing no context", async () => {
  const device = new FakeGpu({ kernels: KERNELS });
  const { meta } = await FiberCell.manual({ gpu: device }).run("noop");
  assert.equal(meta.gpu, undefined);
  const asked = await run(cudaGuest("(i32.wrap_i64 (call $wasi_cuda_device_query (i32.const 5)))"));
  assert.equal(answer(asked), 32);
  assert.equal(asked.meta.gpu, undefined);
  assert.equal(asked.meta.usage.memoryBytes, 4 * 65_536);
});

// Results.

for (const gpuOptions of [{}, { isLazy: true }, { isSlow: true }, { isLazy: true, isSlow: true }]) {
  Deno.test(`a guest launches, waits, and finds the result (${JSON.stringify(gpuOptions)})`, async () => {
    const body = `${CUDA_CALLS.load(PTX, "fill")}
      (drop ${CUDA_CALLS.launch(FILL.length)}) (drop ${CUDA_CALLS.sync})
      (i32.load (i32.const ${CUDA_AT.data + 12}))`;
    const result = await run(cudaGuest(body, { ptx: PTX, entry: "fill", args: FILL }), {}, { gpuOptions });
    assert.equal(answer(result), 0x0707_0707);
  });
}

Deno.test("version 0.1.0 takes launches without arguments alone, and ids of the other version", async () => {
  const old = { version: "0.1.0" } as const;
  assert.equal(answer(await run(launching("nothing", undefined, 1, old))), 0);
  assert.equal(answer(await run(launching("fill", FILL, 1, old))), GPU_CODES.kernelArgsUnsupported);
});

Deno.test("a start function may use the device", async () => {
  const start = `(func $start (drop ${
    CUDA_CALLS.load(PTX, "nothing").replace("(local.set $kernel ", "").slice(0, -1)
  }))
    (start $start)`;
  const result = await run(cudaGuest("(i32.const 3)", { ptx: PTX, entry: "nothing", functions: start }));
  assert.equal(answer(result), 3);
  // No memory is exported yet when it runs.
  assert.deepEqual(result.meta.gpu?.spans.map(({ type, reason }) => [type, reason]), [["load", undefined]]);
});

// Metering.

Deno.test("fuel of kernels is the call's, the same whoever else runs", async () => {
  const fuels = new Set<number>();
  const guest = await compileGuest(launching("works"));
  for (const lookMs of [0, 0.05, 0.25, 2]) {
    const cell = FiberCell.manual({ gpu: new FakeGpu({ kernels: KERNELS }), lookMs });
    const calls = [0, 1, 2].map((tenant) => cell.submit(guest, { ...I32, tenant: `${tenant}` }));
    await cell.finish();
    for (const { result } of calls) {
      const settled = await result;
      assert.equal(answer(settled), 0);
      fuels.add(settled.meta.usage.fuel);
    }
  }
  const [fuel = 0, ...others] = fuels;
  assert.equal(others.length, 0);
  assert.ok(fuel > 500_000 && fuel < 520_000, `${fuel}`);
});

Deno.test("a call may use exactly its fuel, its kernels' included, and not one unit more", async () => {
  const guest = launching("works");
  const { meta: { usage: { fuel } } } = await run(guest);
  const enough = await run(guest, { fuelMax: fuel });
  assert.equal(answer(enough), 0);
  assert.equal(enough.meta.usage.fuel, fuel);
  const { meta: { outcome } } = await run(guest, { fuelMax: fuel - 1 });
  assertExhausted(outcome, "fuel");
});

Deno.test("a kernel is stopped at the call's fuel, and the guest behind it", async () => {
  const { meta } = await run(launching("endless"), { fuelMax: 1_000_000 });
  assertExhausted(meta.outcome, "fuel");
  assert.ok(meta.usage.fuel > 1_000_000 && meta.usage.fuel <= 1_020_000, `${meta.usage.fuel}`);
  assert.equal(meta.gpu?.failures["CUDA_ERROR_LAUNCH_TIMEOUT"], 1);
});

Deno.test("device memory counts as the call's memory", async () => {
  const body = `(i64.gt_s (call $wasi_cuda_alloc (i64.const 1000000)) (i64.const 0))`;
  const { meta } = await run(cudaGuest(body));
  assert.equal(meta.usage.memoryBytes, 4 * 65_536 + 1_000_000);
});

Deno.test("an allocation that the cell has no room for is refused, the call goes on", async () => {
  const body = `(i32.wrap_i64 (call $wasi_cuda_alloc (i64.const 1000000)))`;
  const result = await run(cudaGuest(body), {}, { memory: { memoryBytesMax: 1_000_000 } });
  assert.equal(answer(result), GPU_CODES.quotaExceeded);
});

Deno.test("a tenant's own limits hold for its calls", async () => {
  const gpu = { gpuMemoryBytesMax: 4096, gpuAllocationsMax: 1, gpuKernelsMax: 0, ptxTotalBytesMax: 1 };
  const alloc = (bytes: number): string => `(i32.wrap_i64 (call $wasi_cuda_alloc (i64.const ${bytes})))`;
  assert.equal(answer(await run(cudaGuest(alloc(4097)), { gpu })), GPU_CODES.quotaExceeded);
  const twice = `(drop ${alloc(1)}) ${alloc(1)}`;
  assert.equal(answer(await run(cudaGuest(twice), { gpu })), GPU_CODES.quotaExceeded);
  const load = `${CUDA_CALLS.load(PTX, "nothing")} (i32.wrap_i64 (local.get $kernel))`;
  const guest = cudaGuest(load, { ptx: PTX, entry: "nothing" });
  assert.equal(answer(await run(guest, { gpu })), GPU_CODES.quotaExceeded);
});

// Stopping.

for (const kernel of ["endless", "stuck"]) {
  Deno.test(`a kernel that is ${kernel} ends at the call's deadline, its spans ended`, async () => {
    const { meta } = await run(launching(kernel), { deadlineMs: 20 });
    assertExhausted(meta.outcome, "deadline_ms");
    const hops = meta.spans.map(({ hop }) => hop).sort();
    assert.deepEqual(hops, ["call", "spawn", "terminate"]);
    assert.deepEqual(meta.gpu?.spans.map(({ type, reason }) => [type, reason]), [
      ["load", undefined],
      ["launch", "CUDA_ERROR_LAUNCH_TIMEOUT"],
    ]);
  });

  Deno.test(`a kernel that is ${kernel} ends when its call is cancelled`, async () => {
    const device = new FakeGpu({ kernels: KERNELS });
    const cell = FiberCell.manual({ gpu: device });
    const { fiber, result } = cell.submit(await compileGuest(launching(kernel)), I32);
    for (let turn = 0; turn < 20; turn++) await cell.host.turn();
    assert.equal(device.contexts.size, 1);
    cell.scheduler.cancel(fiber, { type: "cancelled", by: "client" });
    await cell.finish();
    assert.deepEqual((await result).meta.outcome, { type: "cancelled", by: "client" });
    assert.equal(device.contexts.size, 0);
  });
}

Deno.test("a guest that catches whatever comes ends all the same when its kernel is ended", async () => {
  const launch = CUDA_CALLS.launch(0);
  const body = `${CUDA_CALLS.load(PTX, "endless")}
    (loop $again
      (try (do (drop ${launch})) (catch_all))
      (br $again))
    (i32.const 0)`;
  const guest = cudaGuest(body, { ptx: PTX, entry: "endless" });
  const { meta } = await run(guest, { deadlineMs: 20 });
  assertExhausted(meta.outcome, "deadline_ms");
});

Deno.test("a guest that launches small kernels without end gives way and is stopped", async () => {
  const body = `${CUDA_CALLS.load(PTX, "nothing")}
    (loop $again (drop ${CUDA_CALLS.launch(0)}) (br $again)) (i32.const 0)`;
  const guest = cudaGuest(body, { ptx: PTX, entry: "nothing" });
  const { meta } = await run(guest, { deadlineMs: 50 });
  assertExhausted(meta.outcome, "deadline_ms");
  assert.ok(meta.outcome.type === "exhausted" && meta.outcome.actual < 55);
});

Deno.test("a kernel shares the thread: another tenant's call ends while it runs", async () => {
  const cell = FiberCell.manual({ gpu: new FakeGpu({ kernels: KERNELS }) });
  const kernel = cell.submit(await compileGuest(launching("endless")), { ...I32, deadlineMs: 200 });
  const fib = cell.submit(await compileGuest("fib"), {
    ...I32,
    tenant: "1",
    export: "fib",
    args: [{ type: "i32", value: 15 }],
  });
  assert.equal(answer(await runUntilSettled(cell, fib.result)), 610);
  assert.ok(cell.host.timeMs < 100, `${cell.host.timeMs}`);
  assert.equal(kernel.fiber.stopped, undefined);
  await cell.finish();
  const { meta } = await kernel.result;
  assertExhausted(meta.outcome, "deadline_ms");
  assert.ok(meta.usage.yields > 0);
});

async function runUntilSettled(cell: FiberCell, result: Promise<CallResult>): Promise<CallResult> {
  let isSettled = false;
  void result.finally(() => isSettled = true);
  await cell.host.runUntil(() => isSettled);
  return await result;
}

Deno.test("while a kernel runs elsewhere the thread is free", async () => {
  const device = new FakeGpu({ kernels: KERNELS });
  const cell = FiberCell.manual({ gpu: device });
  const stuck = cell.submit(await compileGuest(launching("stuck")), { ...I32, deadlineMs: 10_000 });
  const fib = cell.submit(await compileGuest("fib"), {
    ...I32,
    export: "fib",
    args: [{ type: "i32", value: 15 }],
  });
  assert.equal(answer(await runUntilSettled(cell, fib.result)), 610);
  await cell.finish();
  const { meta } = await stuck.result;
  assertExhausted(meta.outcome, "deadline_ms");
  assert.ok(meta.usage.cpuUs < 20_000, `${meta.usage.cpuUs}`);
});

for (const kernel of ["patient", "failing_wait"]) {
  Deno.test(`a guest goes on when what its kernel waits for has settled (${kernel})`, async () => {
    assert.equal(answer(await run(launching(kernel))), 0);
  });
}

Deno.test("whatever way a call ends, nothing is left on the device", async () => {
  const before = `${CUDA_CALLS.load(PTX, "fill")} (drop ${CUDA_CALLS.launch(FILL.length)})
    (drop (call $wasi_cuda_stream_create)) (drop (call $wasi_cuda_alloc (i64.const 100)))`;
  const ends: readonly (readonly [string, string])[] = [
    ["unreachable", "trapped"],
    ["(loop $spin (br $spin)) (i32.const 0)", "exhausted"],
    ["(i32.const 0)", "returned"],
  ];
  for (const [end, type] of ends) {
    const guest = cudaGuest(`${before} ${end}`, { ptx: PTX, entry: "fill", args: FILL });
    const { meta } = await run(guest, { deadlineMs: 20 });
    assert.equal(meta.outcome.type, type);
  }
});

Deno.test("a bug of the device is no outcome of the guest", async () => {
  const cell = FiberCell.manual({ gpu: new FakeGpu({ kernels: KERNELS }) });
  await assert.rejects(cell.run(launching("bug"), I32), TypeError);
});

// The log.

Deno.test("what kernels print is in the guest's log, line by line", async () => {
  const { lines } = await run(launching("talks", undefined, 2));
  assert.deepEqual(lines.map(({ source, level, text }) => [source, level, text]), [
    ["device", "info", "first"],
    ["device", "info", "second, unfirst"],
    ["device", "info", "second, un"],
  ]);
});

// The report.

Deno.test("the report has a span for each operation, within the call, and the sums", async () => {
  const { meta } = await run(launching("fill", FILL, 3));
  const { gpu, spans } = meta;
  assert.ok(gpu);
  const call = spans.find(({ hop }) => hop === "call");
  assert.ok(call);
  assert.deepEqual(gpu.spans.map(({ type }) => type), ["load", "launch", "launch", "launch", "sync"]);
  for (const span of gpu.spans) {
    assert.ok(span.startUs >= call.startUs && span.startUs <= span.endUs && span.endUs <= call.endUs);
    if (span.type !== "launch") continue;
    const { dispatch } = span;
    assert.ok(dispatch && dispatch.startUs >= span.startUs && dispatch.endUs <= span.endUs);
    const { startUs: _start, endUs: _end, dispatch: _dispatch, ...rest } = span;
    assert.deepEqual(rest, {
      type: "launch",
      kernel: "fill",
      grid: [1, 1, 1],
      block: [1, 1, 1],
      sharedBytes: 0,
      bytesIn: 0,
      bytesOut: 16,
    });
  }
  assert.equal(gpu.launchCount, 3);
  assert.ok(gpu.launchUs >= gpu.launchUsMax && gpu.launchUsMax >= 0);
  assert.equal(gpu.dispatches.counts.reduce((sum, count) => sum + count), 3);
  assert.equal(gpu.dispatches.counts[0], 3);
  assert.ok(Math.abs(gpu.dispatches.sumSeconds - 15e-6) < 1e-12);
  assert.deepEqual(gpu.loads, { compiled: 1, cached: 0, failed: 0 });
  assert.equal(gpu.compiles.counts.reduce((sum, count) => sum + count), 1);
  assert.deepEqual(gpu.failures, {});
});

Deno.test("spans are 64 at most, and the sums have everything", async () => {
  const { meta: { gpu } } = await run(launching("nothing", undefined, 1000));
  assert.ok(gpu);
  const spans = gpu.spans.reduce((sum, span) => sum + (span.type === "launch" ? 2 : 1), 0);
  assert.ok(spans <= GPU_SPANS_MAX && spans >= GPU_SPANS_MAX - 1, `${spans}`);
  assert.equal(gpu.launchCount, 1000);
  assert.equal(gpu.dispatches.counts.reduce((sum, count) => sum + count), 1000);
});

Deno.test("a launch that is refused has a span without a dispatch, and a reason", async () => {
  const { meta: { gpu } } = await run(launching("fill"));
  assert.deepEqual(gpu?.spans.map(({ type, reason }) => [type, reason]), [
    ["load", undefined],
    ["launch", "invalid_args"],
    ["sync", undefined],
  ]);
  assert.equal(gpu?.dispatches.sumSeconds, 0);
  assert.deepEqual(gpu?.failures, {});
});

Deno.test("a kernel that fails is a failure of the device, by the name of its CUresult", async () => {
  const result = await run(launching("wild"));
  assert.equal(answer(result), GPU_CODES.launchFailed);
  assert.deepEqual(result.meta.gpu?.spans.at(-1)?.reason, "CUDA_ERROR_ILLEGAL_ADDRESS");
  assert.deepEqual(result.meta.gpu?.failures, { CUDA_ERROR_ILLEGAL_ADDRESS: 1 });
});

Deno.test("the buckets are those of the metrics", () => {
  assert.deepEqual(METRICS.tensor_wasm_kernel_latency_seconds.buckets, KERNEL_LATENCY_SECONDS);
  assert.deepEqual(METRICS.tensor_wasm_ptx_compile_seconds.buckets, PTX_COMPILE_SECONDS);
});
