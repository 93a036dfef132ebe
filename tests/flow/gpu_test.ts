/**
 * Guests of `wasi:cuda/host` through HTTP on the CPU device: results, traces, logs, metrics, limits, and what
 * kernels that misbehave do to their neighbours.
 */
import assert from "node:assert/strict";
import { GPU_CODES } from "../../gpu/mod.ts";
import { BASIC_PTX, FAULTS_PTX, PRINT_PTX, WORK_PTX } from "../contract/gpu_kernels.ts";
import { addingGuest } from "../support/adding_guest.ts";
import { awaitTrace } from "../support/await_trace.ts";
import { Collector } from "../support/collector.ts";
import type { DecodedSpan } from "../support/collector.ts";
import { CUDA_AT, CUDA_CALLS, cudaGuest, launchingGuest, PRINTED } from "../support/cuda_guest.ts";
import { TestGateway } from "../support/gateway.ts";
import { assertGolden } from "../support/golden.ts";
import { ARG, encodeArgs } from "../support/gpu_args.ts";
import { buildSpanTree, normalizeSpanTree, walkSpans } from "../support/span_tree.ts";
import type { SpanNode } from "../support/span_tree.ts";
import { until } from "../system/program.ts";
import { assertNested, linesOf } from "./call_trace.ts";
import { assertTraceId } from "./problem.ts";
import { parsePrometheusText, valueOf } from "./prometheus_text.ts";

let collector: Collector;
let gateway: TestGateway;

const READ_NULL = encodeArgs(ARG.u64(0n));
const WORK = encodeArgs(ARG.out(CUDA_AT.data, 4), ARG.u32(20_000_000));

/** Says that it runs, then launches a kernel that does not end. */
const SPINS = `${CUDA_CALLS.load(FAULTS_PTX, "spin")} ${CUDA_CALLS.print} ${CUDA_CALLS.launch(0)}`;

const GUESTS: Readonly<Record<string, Uint8Array<ArrayBuffer>>> = {
  gpu_adds: addingGuest(),
  gpu_prints: launchingGuest("say", PRINT_PTX, encodeArgs(ARG.u32(7)), 2),
  gpu_wild: launchingGuest("read_at", FAULTS_PTX, READ_NULL),
  gpu_spins: cudaGuest(SPINS, { ptx: FAULTS_PTX, entry: "spin", prints: true }),
  gpu_works: launchingGuest("work", WORK_PTX, WORK),
  gpu_many: launchingGuest("nothing", BASIC_PTX, new Uint8Array(0), 100),
  gpu_malformed: cudaGuest(
    `${CUDA_CALLS.load("frob", "x")} (i32.wrap_i64 (local.get $kernel))`,
    { ptx: "frob", entry: "x" },
  ),
  gpu_allocates: cudaGuest(`(i32.wrap_i64 (call $wasi_cuda_alloc (i64.const 65536)))`),
};

Deno.test.beforeAll(async () => {
  collector = new Collector();
  gateway = await TestGateway.start({
    flags: ["--cells-min", "1", "--cells-max", "1", "--gpu", "cpu"],
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_BSP_SCHEDULE_DELAY: "50",
      TENSOR_WASM_TENANT_LIMITS: '{"7":{"gpuMemoryBytesMax":65535},"8":{"fuelMax":10000000}}',
    },
  });
  for (const [name, bytes] of Object.entries(GUESTS)) await gateway.deploy(name, bytes);
  await gateway.deploy("fib");
});
Deno.test.afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await collector[Symbol.asyncDispose]();
});

async function call(guest: string, headers: Record<string, string> = {}): Promise<Response> {
  return await gateway.invoke(guest, { export: "run" }, headers);
}

async function resultOf(response: Response): Promise<unknown> {
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text).result[0];
}

async function treeOf(response: Response): Promise<SpanNode> {
  const tree = buildSpanTree(await awaitTrace(collector, assertTraceId(response)));
  assertNested(tree);
  for (const span of walkSpans(tree)) assert.equal(span.attributes["target"], span.scope);
  return tree;
}

/** A call of gpu_spins that only its client ends. */
interface Spinner {
  readonly traceId: string;
  /** Whether it was answered. */
  readonly isOver: () => boolean;
  /** Leaves; resolves when the gateway has noticed. */
  leave(): Promise<void>;
}

/** Starts a kernel that does not end; resolves when it runs. */
async function startSpinner(): Promise<Spinner> {
  const traceId = crypto.randomUUID().replaceAll("-", "");
  const controller = new AbortController();
  let isOver = false;
  const answer = fetch(`${gateway.url}/functions/gpu_spins/invoke?export=run`, {
    method: "POST",
    headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
    body: "",
    signal: controller.signal,
  }).finally(() => isOver = true);
  answer.catch(() => {});
  await runningOf(traceId);
  return {
    traceId,
    isOver: () => isOver,
    leave: async () => {
      controller.abort();
      await assert.rejects(answer);
      const completed = await gateway.line((line) =>
        line.message === "request.completed" && line.trace_id === traceId
      );
      assert.equal(completed["status"], 499);
    },
  };
}

/** Resolves when the guest of a call has said that it runs. */
async function runningOf(traceId: string): Promise<void> {
  await gateway.line((line) => line["line"] === PRINTED && line.trace_id === traceId);
}

function spansNamed(tree: SpanNode, name: string): DecodedSpan[] {
  return [...walkSpans(tree)].filter((span) => span.name === name);
}

// Results and traces.

Deno.test("a guest adds on the device, and its trace shows what it did there", async () => {
  const response = await call("gpu_adds");
  const tree = await treeOf(response);
  assert.equal(await resultOf(response), 300);
  await assertGolden("spans/gpu_call.txt", normalizeSpanTree(tree));
  const [export_] = spansNamed(tree, "tensor_wasm_exec::executor::call_export_with_args");
  const { "gpu.launches": launches, "gpu.launch_ms_mean": mean, "gpu.launch_ms_max": max } = export_
    ?.attributes ?? {};
  assert.equal(launches, 3);
  assert.ok(Number(mean) > 0 && Number(mean) <= Number(max));
  for (const { attributes } of spansNamed(tree, "wasi_cuda.dispatch")) {
    assert.ok(Number(attributes["device_time_us"]) > 0);
  }
});

Deno.test("results are the same at the second call, and fuel too", async () => {
  const fuels = new Set<string | null>();
  for (let round = 0; round < 3; round++) {
    const response = await call("gpu_adds");
    assert.equal(await resultOf(response), 300);
    fuels.add(response.headers.get("x-tensorwasm-fuel"));
    assert.ok(Number(response.headers.get("x-tensorwasm-memory-bytes")) > 4 * 65_536);
  }
  assert.equal(fuels.size, 1);
});

Deno.test("a kernel that fails: a code in the guest, errors in the trace", async () => {
  const response = await call("gpu_wild");
  const tree = await treeOf(response);
  assert.equal(await resultOf(response), GPU_CODES.launchFailed);
  await assertGolden("spans/gpu_kernel_failed.txt", normalizeSpanTree(tree));
});

Deno.test("PTX that does not compile: a code in the guest, an error in the trace", async () => {
  const response = await call("gpu_malformed");
  const tree = await treeOf(response);
  assert.equal(await resultOf(response), GPU_CODES.malformedPtx);
  await assertGolden("spans/gpu_malformed_ptx.txt", normalizeSpanTree(tree));
});

Deno.test("a kernel that does not end is stopped at the deadline, its trace whole", async () => {
  // Far more than it takes until the kernel is launched, which is to be in the trace.
  const response = await call("gpu_spins", { "x-tensorwasm-deadline-ms": "1000" });
  const tree = await treeOf(response);
  assert.equal(response.status, 504);
  assert.equal((await response.json()).error.kind, "invoke_timeout");
  await assertGolden("spans/gpu_deadline.txt", normalizeSpanTree(tree));
});

Deno.test("a hundred launches: 64 spans at most, all of them in the sums", async () => {
  const response = await call("gpu_many");
  const tree = await treeOf(response);
  assert.equal(await resultOf(response), 0);
  const spans = [...walkSpans(tree)].filter(({ name }) => name.startsWith("wasi_cuda."));
  assert.ok(spans.length <= 64 && spans.length >= 62, `${spans.length}`);
  const [export_] = spansNamed(tree, "tensor_wasm_exec::executor::call_export_with_args");
  assert.equal(export_?.attributes["gpu.launches"], 100);
});

Deno.test("a cell that is killed under a kernel leaves a whole trace", async () => {
  const traceId = "9".repeat(32);
  const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
  const running = call("gpu_spins", headers);
  await runningOf(traceId);
  const started = gateway.lines.findLast((line) =>
    line.message === "cell.started" && line["pool"] === "calls"
  );
  Deno.kill(Number(started?.["pid"]), "SIGKILL");
  const response = await running;
  assert.equal(response.status, 502);
  await response.body?.cancel();
  await assertGolden("spans/gpu_cell_killed.txt", normalizeSpanTree(await treeOf(response)));
  assert.equal(await resultOf(await call("gpu_adds")), 300);
});

Deno.test("what kernels print is in the log, with the ids of the call", async () => {
  const response = await call("gpu_prints");
  assert.equal(await resultOf(response), 0);
  const lines = (await linesOf(gateway, assertTraceId(response))).filter((line) =>
    line["target"] === "guest"
  );
  assert.deepEqual(lines.map((line) => [line.message, line["level"], line["line"]]), [
    ["guest.device", "info", "value 7!"],
    ["guest.device", "info", "value 7!"],
  ]);
});

// Neighbours and limits.

Deno.test("while a kernel spins, other calls of the cell are answered", async () => {
  const yields = async (): Promise<number> =>
    valueOf(
      parsePrometheusText(await (await fetch(`${gateway.url}/metrics`)).text()),
      "tensor_wasm_guest_yields_total",
      { tenant: "0" },
    );
  const before = await yields();
  const spinner = await startSpinner();
  for (let round = 0; round < 10; round++) {
    const response = await gateway.invoke("fib", { export: "fib", args: [15] }, {
      "x-tensorwasm-tenant": "0",
    });
    assert.deepEqual((await response.json()).result, [610]);
  }
  assert.equal(spinner.isOver(), false, "nobody waited for the kernel to end");
  await spinner.leave();
  await until("the kernel gave way", async () => await yields() > before);
});

Deno.test("a client that leaves ends its kernel", async () => {
  const spinner = await startSpinner();
  await spinner.leave();
  // Had the kernel run on, so had its call.
  const spans = await awaitTrace(collector, spinner.traceId);
  const ended = spans.find(({ name }) => name === "tensor_wasm_exec::executor::call_export_with_args");
  assert.equal(ended?.attributes["outcome"], "cancelled");
});

Deno.test("a tenant's own limit of fuel ends its kernel, by name", async () => {
  await gateway.deploy("gpu_works", GUESTS["gpu_works"], { "x-tensorwasm-tenant": "8" });
  const response = await call("gpu_works", { "x-tensorwasm-tenant": "8" });
  assert.equal(response.status, 500);
  const { error } = await response.json();
  assert.equal(error.kind, "guest_limit_exceeded");
  assert.match(error.message, /fuel is 10000000, got \d+/);
  assert.ok(Number(response.headers.get("x-tensorwasm-fuel")) > 10_000_000);
});

Deno.test("a tenant's own limit of device memory is a code for its guests alone", async () => {
  await gateway.deploy("gpu_allocates", GUESTS["gpu_allocates"], { "x-tensorwasm-tenant": "7" });
  const own = await call("gpu_allocates", { "x-tensorwasm-tenant": "7" });
  assert.equal(await resultOf(own), GPU_CODES.quotaExceeded);
  assert.ok(Number(await resultOf(await call("gpu_allocates"))) !== GPU_CODES.quotaExceeded);
});

// The gateway.

Deno.test("GET /device says what there is", async () => {
  const response = await fetch(`${gateway.url}/device`);
  const body = await response.json();
  assert.equal(response.status, 200);
  assert.deepEqual([body.kind, body.index, body.warp_size, body.threads_per_block_max], ["cpu", 0, 32, 1024]);
  assert.match(body.compute_capability, /^\d+\.\d+$/);
  assert.ok(body.name.length > 0 && body.memory_bytes > 0 && body.shared_bytes_per_block_max >= 48 * 1024);
  assert.deepEqual(body.limits, {
    memory_bytes_max: 4 * 1024 ** 3,
    allocation_bytes_max: 256 * 1024 ** 2,
    allocations_max: 4096,
    kernels_max: 256,
    streams_max: 256,
    ptx_bytes_max: 8 * 1024 ** 2,
    ptx_total_bytes_max: 512 * 1024 ** 2,
    entry_name_bytes_max: 256,
    args_count_max: 128,
    args_bytes_max: 4096,
  });
});

Deno.test("kernels, loads and failures are counted by device", async () => {
  const scrape = async (): Promise<ReturnType<typeof parsePrometheusText>> =>
    parsePrometheusText(await (await fetch(`${gateway.url}/metrics`)).text());
  const before = await scrape();
  for (const guest of ["gpu_adds", "gpu_wild", "gpu_malformed"]) await (await call(guest)).body?.cancel();
  const after = await scrape();
  const rise = (name: string, labels: Record<string, string> = {}): number =>
    valueOf(after, name, { device: "cpu", ...labels }) - valueOf(before, name, { device: "cpu", ...labels });
  assert.equal(rise("tensor_wasm_kernel_dispatches_total", { tenant: "0" }), 4);
  assert.equal(rise("tensor_wasm_kernel_latency_seconds_count"), 4);
  assert.ok(rise("tensor_wasm_kernel_latency_seconds_sum") > 0);
  assert.equal(rise("tensor_wasm_ptx_loads_total", { result: "compiled" }), 2);
  assert.equal(rise("tensor_wasm_ptx_loads_total", { result: "failed" }), 1);
  assert.equal(rise("tensor_wasm_ptx_compile_seconds_count"), 3);
  assert.equal(rise("tensor_wasm_kernel_errors_total", { status: "CUDA_ERROR_ILLEGAL_ADDRESS" }), 1);
  assert.equal(
    valueOf(after, "tensor_wasm_kernel_errors_total", {
      device: "cpu",
      status: "CUDA_ERROR_INVALID_PTX",
    }) >= 1,
    true,
  );
});

Deno.test("device memory of running calls is in the metrics, and goes with them", async () => {
  const used = async (): Promise<number> =>
    valueOf(
      parsePrometheusText(await (await fetch(`${gateway.url}/metrics`)).text()),
      "tensor_wasm_gpu_memory_used_bytes",
      { device: "cpu", tenant: "0" },
    );
  const spinner = await startSpinner();
  await until("memory is used", async () => await used() > 0);
  await spinner.leave();
  await until("no memory is used", async () => await used() === 0);
});

Deno.test("--gpu off: there is no device, for nobody", async () => {
  await using off = await TestGateway.start({
    flags: ["--cells-min", "1", "--cells-max", "1", "--gpu", "off"],
  });
  assert.deepEqual(await (await fetch(`${off.url}/device`)).json(), { kind: "off" });
  await off.deploy("gpu_allocates", GUESTS["gpu_allocates"]);
  const response = await off.invoke("gpu_allocates", { export: "run" });
  assert.equal(await resultOf(response), GPU_CODES.notAvailable);
});
