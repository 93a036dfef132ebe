/** GPU spans as recordCellSpans() makes them of a cell's records: their place, their attributes, their errors. */
import assert from "node:assert/strict";
import { recordCellSpans } from "../../../runtime/executor/hops.ts";
import type { HopContext } from "../../../runtime/executor/hops.ts";
import type { Invocation } from "../../../runtime/model/invocation.ts";
import { NO_USAGE } from "../../../runtime/model/usage.ts";
import type { CellSpan, GpuReport, GpuSpan, ResultMeta } from "../../../runtime/wire/messages.ts";
import { SPANS } from "../../../telemetry/mod.ts";
import type { DecodedSpan } from "../../support/collector.ts";
import { TestTelemetry } from "../../support/telemetry.ts";

const HOPS: readonly CellSpan[] = [
  { hop: "initialize", startUs: 100, endUs: 200 },
  { hop: "call", startUs: 200, endUs: 900 },
  { hop: "terminate", startUs: 900, endUs: 950 },
  { hop: "spawn", startUs: 0, endUs: 950 },
];

const LAUNCH: GpuSpan & { type: "launch" } = {
  type: "launch",
  startUs: 300,
  endUs: 500,
  kernel: "saxpy",
  grid: [1, 2, 3],
  block: [4, 5, 6],
  sharedBytes: 7,
  bytesIn: 8,
  bytesOut: 9,
  dispatch: { startUs: 350, endUs: 450, deviceTimeUs: 90.5 },
};

function reportOf(spans: readonly GpuSpan[], launchCount = 0): GpuReport {
  return {
    spans,
    launchCount,
    launchUs: 3000,
    launchUsMax: 2500,
    deviceUs: 0,
    dispatches: { counts: [], sumSeconds: 0 },
    compiles: { counts: [], sumSeconds: 0 },
    loads: { compiled: 0, cached: 0, failed: 0 },
    failures: {},
  };
}

async function record(gpu: GpuReport | undefined, spans: readonly CellSpan[] = HOPS): Promise<DecodedSpan[]> {
  await using telemetry = new TestTelemetry();
  const { tracer } = telemetry.telemetry;
  const root = tracer.startSpan("invoke.run", { tenant: "0", function_id: "f", wasm_bytes_len: 1 });
  const context: HopContext = {
    telemetry: telemetry.telemetry,
    invocation: {
      tenant: "0",
      export: "run",
      args: [],
      function: { moduleBytes: 1 },
    } as unknown as Invocation,
    instanceId: "i",
    parent: root.ids,
    spawn: tracer.allotIds(root.ids),
    startedAtMs: performance.now(),
    initialize: true,
    device: "cpu",
  };
  const meta: ResultMeta = {
    startedAtMs: 0,
    outcome: { type: "returned", values: [] },
    spans,
    logLines: 0,
    usage: NO_USAGE,
    ...(gpu === undefined ? {} : { gpu }),
  };
  recordCellSpans(context, meta);
  root.end();
  return [...await telemetry.spans()];
}

function one(spans: readonly DecodedSpan[], name: string): DecodedSpan {
  const [span, ...others] = spans.filter((each) => each.name === name);
  assert.ok(span && others.length === 0, name);
  return span;
}

Deno.test("a launch is below its export, its dispatch below it, with every attribute", async () => {
  const spans = await record(reportOf([LAUNCH], 3));
  const [launch, dispatch] = [one(spans, "wasi_cuda.launch"), one(spans, "wasi_cuda.dispatch")];
  const call = spans.find(({ attributes }) => attributes["export"] === "run");
  assert.equal(launch.parentSpanId, call?.spanId);
  assert.equal(dispatch.parentSpanId, launch.spanId);
  assert.deepEqual({ ...launch.attributes }, {
    instance: "i",
    kernel: "saxpy",
    ...{ grid_x: 1, grid_y: 2, grid_z: 3, block_x: 4, block_y: 5, block_z: 6 },
    ...{ shared_mem: 7, device: "cpu", bytes_in: 8, bytes_out: 9, target: "tensor-wasm-wasi-gpu" },
  });
  assert.deepEqual({ ...dispatch.attributes }, {
    instance: "i",
    device_time_us: 90.5,
    target: "tensor-wasm-wasi-gpu",
  });
  assert.deepEqual(
    ["gpu.launches", "gpu.launch_ms_mean", "gpu.launch_ms_max"].map((name) => call?.attributes[name]),
    [3, 1, 2.5],
  );
});

Deno.test("what a start function did is below the instance, what _initialize did below that", async () => {
  const load = { type: "load", ptxBytes: 1, entryBytes: 2, cached: true } as const;
  const spans = await record(reportOf([
    { ...load, startUs: 10, endUs: 20 },
    { type: "sync", startUs: 110, endUs: 120 },
  ]));
  const [loaded, sync] = [one(spans, "wasi_cuda.load_ptx"), one(spans, "wasi_cuda.sync")];
  assert.equal(loaded.parentSpanId, one(spans, "tensor_wasm_exec::executor::spawn_instance").spanId);
  const initialize = spans.find(({ attributes }) => attributes["export"] === "_initialize");
  assert.equal(sync.parentSpanId, initialize?.spanId);
  assert.deepEqual(
    ["ptx_bytes", "entry_bytes", "cached", "device"].map((name) => loaded.attributes[name]),
    [1, 2, true, "cpu"],
  );
});

Deno.test("what failed has its reason as an error, and an unknown kernel is unknown", async () => {
  const { kernel: _kernel, dispatch: _dispatch, ...refused } = LAUNCH;
  const spans = await record(reportOf([{ ...refused, reason: "invalid_kernel" }]));
  const launch = one(spans, "wasi_cuda.launch");
  assert.deepEqual([launch.status.code, launch.status.message], [2, "invalid_kernel"]);
  assert.equal(launch.attributes["kernel"], "unknown");
  assert.ok(!spans.some(({ name }) => name === "wasi_cuda.dispatch"));
});

Deno.test("without a device there is nothing of it, and no attribute of launches", async () => {
  const spans = await record(undefined);
  assert.ok(!spans.some(({ name }) => name.startsWith("wasi_cuda.")));
  for (const { attributes } of spans) assert.ok(!("gpu.launches" in attributes));
});

Deno.test("every GPU span has all that the vocabulary requires", async () => {
  const load = { type: "load", ptxBytes: 1, entryBytes: 2, cached: false } as const;
  const spans = await record(reportOf([
    { ...load, startUs: 210, endUs: 220, reason: "CUDA_ERROR_INVALID_PTX" },
    LAUNCH,
    { type: "sync", startUs: 600, endUs: 700 },
  ]));
  for (
    const name of ["wasi_cuda.load_ptx", "wasi_cuda.launch", "wasi_cuda.dispatch", "wasi_cuda.sync"] as const
  ) {
    const span = one(spans, name);
    assert.equal(span.scope, SPANS[name].scope);
    for (const attribute of SPANS[name].required) {
      assert.ok(attribute in span.attributes, `${name} ${attribute}`);
    }
  }
});
