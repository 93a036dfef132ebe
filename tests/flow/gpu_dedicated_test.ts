/**
 * Guests of `wasi:cuda/host` on a GPU, through HTTP: in dedicated cells of their tenants, over a stand-in for the
 * driver (tests/gpu/cuda/fake_cuda.c). What a kernel that misbehaves costs its own tenant, and nobody else.
 */
import assert from "node:assert/strict";
import { GPU_CODES } from "../../gpu/mod.ts";
import { BASIC_PTX, FAULTS_PTX } from "../contract/gpu_kernels.ts";
import { addingGuest } from "../support/adding_guest.ts";
import { awaitTrace } from "../support/await_trace.ts";
import { Collector } from "../support/collector.ts";
import { CUDA_CALLS, cudaGuest, launchingGuest, PRINTED } from "../support/cuda_guest.ts";
import { FakeCuda } from "../support/fake_cuda.ts";
import { TestGateway } from "../support/gateway.ts";
import type { LogLine } from "../support/gateway.ts";
import { assertGolden } from "../support/golden.ts";
import { buildSpanTree, normalizeSpanTree, walkSpans } from "../support/span_tree.ts";
import type { SpanNode } from "../support/span_tree.ts";
import { assertNested } from "./call_trace.ts";
import { assertTraceId } from "./problem.ts";
import { parsePrometheusText, valueOf } from "./prometheus_text.ts";

const TENANT = "x-tensorwasm-tenant";
const DEADLINE = "x-tensorwasm-deadline-ms";

/** Says that it runs, then asks the device for its kind until it is stopped; it has no kernel under way. */
const ASKING = `${CUDA_CALLS.load(BASIC_PTX, "nothing")} ${CUDA_CALLS.print}
  (loop $again (drop (call $wasi_cuda_device_query (i32.const 0))) (br $again)) (i32.const 0)`;

/** Says so when its kernel has been launched, and waits for it. */
const SPINNING = `${CUDA_CALLS.load(FAULTS_PTX, "spin")} (drop ${CUDA_CALLS.launch(0)}) ${CUDA_CALLS.print}
  ${CUDA_CALLS.sync}`;

const GUESTS: Readonly<Record<string, Uint8Array<ArrayBuffer>>> = {
  adds: addingGuest(),
  traps: launchingGuest("trap_now", FAULTS_PTX),
  spins: cudaGuest(SPINNING, { ptx: FAULTS_PTX, entry: "spin", prints: true }),
  asks: cudaGuest(ASKING, { ptx: BASIC_PTX, entry: "nothing", prints: true }),
  allocates: cudaGuest(`(i32.wrap_i64 (call $wasi_cuda_alloc (i64.const 65536)))`),
};

const fake = await FakeCuda.build({ deviceCount: 2 });
let collector: Collector;
let gateway: TestGateway;

function test(name: string, run: (library: FakeCuda) => Promise<void>): void {
  const skipped = fake === undefined ? " (skipped: no gcc)" : "";
  Deno.test({
    name: `gpu cells: ${name}${skipped}`,
    ignore: fake === undefined,
    fn: () => run(fake ?? assert.fail()),
  });
}

Deno.test.beforeAll(async () => {
  if (fake === undefined) return;
  collector = new Collector();
  gateway = await TestGateway.start({
    flags: ["--cells-min", "1", "--cells-max", "1", "--gpu", "cuda", "--gpu-driver", fake.path],
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_BSP_SCHEDULE_DELAY: "50",
      TENSOR_WASM_TENANT_LIMITS: '{"70":{"gpuTenantMemoryBytesMax":65535}}',
    },
  });
});
Deno.test.afterAll(async () => {
  if (fake === undefined) return;
  await gateway[Symbol.asyncDispose]();
  await collector[Symbol.asyncDispose]();
  await fake[Symbol.asyncDispose]();
});

const deployed = new Set<string>();

/** Sees to it that a tenant has guests. */
async function deploy(tenant: number, ...guests: readonly string[]): Promise<void> {
  for (const guest of guests) {
    const key = `${tenant} ${guest}`;
    if (deployed.has(key)) continue;
    await gateway.deploy(guest, GUESTS[guest], { [TENANT]: String(tenant) });
    deployed.add(key);
  }
}

/** Calls a guest as a tenant, which has it from its first call on. */
async function call(guest: string, tenant: number, headers: Record<string, string> = {}): Promise<Response> {
  await deploy(tenant, guest);
  return await gateway.invoke(guest, { export: "run" }, { [TENANT]: String(tenant), ...headers });
}

async function resultOf(response: Response): Promise<unknown> {
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text).result[0];
}

async function kindOf(response: Response): Promise<string> {
  return `${response.status} ${(await response.json()).error.kind}`;
}

async function treeOf(response: Response): Promise<SpanNode> {
  const tree = buildSpanTree(await awaitTrace(collector, assertTraceId(response)));
  assertNested(tree);
  return tree;
}

/** Which device a tenant's cell has depends on how many cells others have just then. */
async function goldenOf(name: string, response: Response): Promise<SpanNode> {
  const tree = await treeOf(response);
  const text = normalizeSpanTree(tree).replaceAll(/device=cuda:[01]/g, "device=cuda:<index>");
  await assertGolden(`spans/${name}.txt`, text);
  return tree;
}

function cellLines(event: string, tenant: number): LogLine[] {
  return gateway.lines.filter((line) => line.message === event && line["tenant"] === String(tenant));
}

/** The line of a tenant's first cell, which may be written after the answer of a call in it. */
function cellStarted(tenant: number): Promise<LogLine> {
  return gateway.line((line) => line.message === "cell.started" && line["tenant"] === String(tenant));
}

/** Resolves when the guest of a call with this trace id has said that it runs, so often. */
async function runningOf(traceId: string, times = 1): Promise<void> {
  let count = 0;
  await gateway.line((line) => line["line"] === PRINTED && line.trace_id === traceId && ++count === times);
}

/** The line of a tenant's cell, one of several in time, that has ended. */
function cellEnded(tenant: number): Promise<LogLine> {
  return gateway.line((line) => line.message === "cell.ended" && line["tenant"] === String(tenant));
}

function traceOf(digit: string): { readonly traceId: string; readonly headers: { traceparent: string } } {
  const traceId = digit.repeat(32);
  return { traceId, headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` } };
}

test("a call runs in a cell of its tenant, and its trace shows the device", async () => {
  const response = await call("adds", 1);
  const tree = await goldenOf("gpu_dedicated_call", response.clone());
  const devices = [...walkSpans(tree)].map(({ attributes }) => attributes["device"]).filter(Boolean);
  assert.deepEqual(devices, ["cuda:0", "cuda:0", "cuda:0", "cuda:0"]);
  assert.equal(await resultOf(response), 300);
  const started = await cellStarted(1);
  assert.deepEqual([started["pool"], started["device"]], ["gpu", "cuda:0"]);
  assert.equal(await resultOf(await call("adds", 1)), 300);
  assert.equal(cellLines("cell.started", 1).length, 1);
});

test("another tenant has a cell of its own, on the other device; plain guests stay in shared cells", async () => {
  assert.equal(await resultOf(await call("adds", 2)), 300);
  const own = await cellStarted(2);
  assert.equal(own["device"], "cuda:1");
  assert.notEqual(own["pid"], (await cellStarted(1))["pid"]);
  await gateway.deploy("fib", undefined, { [TENANT]: "3" });
  await (await gateway.invoke("fib", { export: "fib", args: [5] }, { [TENANT]: "3" })).body?.cancel();
  assert.equal(cellLines("cell.started", 3).length, 0);
});

test("GET /device says which there are, and how many cells have each", async () => {
  const body = await (await fetch(`${gateway.url}/device`)).json();
  assert.deepEqual([body.kind, body.index, body.driver_version], ["cuda", 0, "13.0"]);
  const devices = body.devices as Record<string, unknown>[];
  assert.deepEqual(devices.map(({ index, name, cells, cells_max }) => [index, name, cells, cells_max]), [
    [0, "Fake GPU 0", 1, 16],
    [1, "Fake GPU 1", 1, 16],
  ]);
  assert.match(String(devices[1]?.["uuid"]), /^GPU-a1a1a1a1-a1a1-a1a1-a1a1-a1a1a1a1a1a1$/);
  assert.equal(body.limits.tenant_memory_bytes_max, 8 * 1024 ** 3);
  assert.equal((await fetch(`${gateway.url}/readyz`)).status, 200);
});

test("a kernel that fails: its call is gpu_fault, others of the tenant gpu_reset, all traces whole", async () => {
  const { traceId, headers } = traceOf("a");
  await deploy(4, "traps");
  const beside = call("asks", 4, headers);
  await runningOf(traceId);
  const other = await call("adds", 2);
  const failed = await call("traps", 4);
  assert.equal(await resultOf(other), 300);
  await goldenOf("gpu_dedicated_fault", failed.clone());
  assert.equal(await kindOf(failed), "500 gpu_fault");
  const reset = await beside;
  await goldenOf("gpu_dedicated_reset", reset.clone());
  assert.equal(await kindOf(reset), "502 gpu_reset");
  assert.equal(await resultOf(await call("adds", 4)), 300);
  assert.equal((await cellEnded(4))["reason"], "gpu_fault");
  assert.deepEqual(cellLines("cell.ended", 2), []);
});

test("while one tenant's kernels fail again and again, another loses no call", async () => {
  const isDone = { honest: false };
  const failures: string[] = [];
  const failing = (async () => {
    while (!isDone.honest) failures.push(await kindOf(await call("traps", 14)));
  })();
  for (let round = 0; round < 40; round++) {
    const two = await Promise.all([call("adds", 1), call("adds", 2)]);
    for (const response of two) assert.equal(await resultOf(response), 300);
  }
  isDone.honest = true;
  await failing;
  assert.deepEqual(new Set(failures), new Set(["500 gpu_fault"]));
  for (const tenant of [1, 2]) assert.deepEqual(cellLines("cell.ended", tenant), []);
});

test("a call that lost its device to another, and may, runs again in a fresh cell", async () => {
  const { traceId, headers } = traceOf("b");
  await deploy(5, "traps");
  const beside = call("asks", 5, { ...headers, "x-tensorwasm-idempotent": "true" });
  await runningOf(traceId);
  assert.equal(await kindOf(await call("traps", 5)), "500 gpu_fault");
  await runningOf(traceId, 2);
  // It would ask for ever; twice is all that it is run.
  const first = await cellStarted(5);
  const second = await gateway.line((line) =>
    line.message === "cell.started" && line["tenant"] === "5" && line["pid"] !== first["pid"]
  );
  Deno.kill(Number(second["pid"]), "SIGKILL");
  const again = await beside;
  assert.equal(await kindOf(again.clone()), "502 cell_lost");
  const run = [...walkSpans(await treeOf(again))].find(({ name }) => name === "invoke.run");
  assert.equal(run?.attributes["attempt"], 2);
  assert.equal(cellLines("cell.started", 5).length, 2);
  assert.equal(await resultOf(await call("adds", 5)), 300);
});

test("a kernel that does not end: gpu_timeout at the deadline, and the next calls have a fresh cell", async () => {
  await deploy(6, "spins");
  assert.equal(await resultOf(await call("adds", 6)), 300);
  const hung = await call("spins", 6, { [DEADLINE]: "3000" });
  // Before anything else: its kernel still runs, and none of them may run twice.
  const next = await Promise.all([1, 2, 3].map(() => call("adds", 6)));
  const colds = [];
  for (const response of next) {
    const run = [...walkSpans(await treeOf(response.clone()))].find(({ name }) => name === "invoke.run");
    colds.push(run?.attributes["cold"]);
    assert.equal(await resultOf(response), 300);
  }
  // The old cell had the module.
  assert.deepEqual(colds.sort(), [false, false, true]);
  await goldenOf("gpu_dedicated_timeout", hung.clone());
  assert.equal(await kindOf(hung), "504 gpu_timeout");
  assert.equal((await cellEnded(6))["reason"], "gpu_timeout");
});

test("a kernel whose client has left lingers, and its neighbours go on", async () => {
  const controller = new AbortController();
  const { traceId, headers } = traceOf("c");
  await deploy(7, "spins");
  assert.equal(await resultOf(await call("adds", 7)), 300);
  const left = fetch(`${gateway.url}/functions/spins/invoke?export=run`, {
    method: "POST",
    headers: { [TENANT]: "7", ...headers },
    body: "",
    signal: controller.signal,
  });
  await runningOf(traceId);
  controller.abort();
  await assert.rejects(left);
  await gateway.line((line) => line.message === "request.completed" && line.trace_id === traceId);
  assert.equal(await resultOf(await call("adds", 7)), 300);
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(await resultOf(await call("adds", 7)), 300);
  assert.deepEqual(cellLines("cell.ended", 7), []);
});

test("a driver that compiles for long is waited for, up to the call's deadline and a little more", async (library) => {
  await library.set({ deviceCount: 2, jitDelayUs: 700_000 });
  assert.equal(await resultOf(await call("adds", 8)), 300);
  await library.set({ deviceCount: 2, jitDelayUs: 20_000_000 });
  // Compiles nothing: its cell is there, and as it was told to be.
  await resultOf(await call("allocates", 9));
  await library.set({ deviceCount: 2 });
  const { traceId, headers } = traceOf("e");
  await deploy(9, "adds");
  const running = call("adds", 9, { [DEADLINE]: "1000", ...headers });
  await gateway.line((line) => line.message === "request.received" && line.trace_id === traceId);
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  // Its deadline has passed, and nobody knows yet what becomes of its cell: this one does not come to it.
  const next = call("adds", 9);
  const held = await running;
  assert.equal(await kindOf(held.clone()), "504 gpu_timeout");
  await treeOf(held);
  assert.equal(await resultOf(await next), 300);
  assert.equal((await cellEnded(9))["reason"], "overdue");
});

test("a cell that is killed from outside: cell_lost, and the next call has another", async () => {
  const { traceId, headers } = traceOf("d");
  assert.equal(await resultOf(await call("adds", 10)), 300);
  const running = call("asks", 10, headers);
  await runningOf(traceId);
  Deno.kill(Number((await cellStarted(10))["pid"]), "SIGKILL");
  assert.equal(await kindOf(await running), "502 cell_lost");
  assert.equal(await resultOf(await call("adds", 10)), 300);
});

test("device memory of a tenant is bounded over all of its calls", async () => {
  assert.equal(await resultOf(await call("allocates", 70)), GPU_CODES.quotaExceeded);
  assert.notEqual(await resultOf(await call("allocates", 1)), GPU_CODES.quotaExceeded);
});

test("metrics: kernels by device, cells that were killed by reason", async () => {
  const series = parsePrometheusText(await (await fetch(`${gateway.url}/metrics`)).text());
  const adds = valueOf(series, "tensor_wasm_kernel_dispatches_total", { device: "cuda", tenant: "1" });
  assert.ok(adds > 0 && adds % 3 === 0, `${adds}`);
  const faults = valueOf(series, "tensor_wasm_cell_kills_total", { reason: "gpu_fault" });
  assert.ok(faults >= 3, `${faults}`);
  // One of all the calls that a failure has ended counts it.
  const failed = { device: "cuda", status: "CUDA_ERROR_LAUNCH_FAILED" };
  assert.equal(valueOf(series, "tensor_wasm_kernel_errors_total", failed), faults);
  assert.ok(valueOf(series, "tensor_wasm_cell_kills_total", { reason: "gpu_timeout" }) >= 1);
});

test("an orderly end leaves nothing open on the device, and no process", async (library) => {
  const pids = gateway.lines.filter((line) => line.message === "cell.started").map((line) => line["pid"]);
  await gateway[Symbol.asyncDispose]();
  const report = await library.report();
  // Tenants 1, 2, 4, 5, 6, 8, 9, 10 and 70 at least; that of 7 has a kernel that does not end.
  assert.ok(report.length >= 9, report.join("\n"));
  const open = report.filter((line) => line !== "open: nothing; wrong: nothing; cache: off");
  assert.ok(open.length <= 1, open.join("\n"));
  for (const line of open) assert.match(line, /^open: context 1 .*; wrong: nothing; cache: off$/);
  for (const pid of pids) await assert.rejects(Deno.stat(`/proc/${pid}`), Deno.errors.NotFound);
});
