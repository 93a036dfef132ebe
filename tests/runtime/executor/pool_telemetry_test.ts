import assert from "node:assert/strict";
import type { PoolObserver } from "../../../runtime/executor/cell_pool.ts";
import { observePool } from "../../../runtime/executor/pool_telemetry.ts";
import { TenantTable } from "../../../runtime/executor/tenant_series.ts";
import { ManualClock } from "../../support/clock.ts";
import { type LogLine, TestTelemetry } from "../../support/telemetry.ts";
import { FakeCell } from "./pool_setup.ts";

function observe({ telemetry }: TestTelemetry): PoolObserver {
  const options = { metrics: telemetry.metrics, clock: new ManualClock(), device: "cpu" };
  return observePool(telemetry, "calls", new TenantTable({ ...options, tenantsMax: 10, idleMs: 1000 }));
}

function ended(reason: string): FakeCell {
  const cell = new FakeCell(1);
  cell.kill(reason);
  return cell;
}

function shown(line: LogLine | undefined): unknown[] {
  return ["message", "level", "target", "pool", "reason", "trace_id"].map((name) => line?.[name]);
}

Deno.test("observePool() counts starts, and starts that failed", async () => {
  await using test = new TestTelemetry();
  const observer = observe(test);
  observer.cellStarted(new FakeCell(1), 12.3);
  observer.cellFailedToStart(new Error("no processes left"));
  observer.cellFailedToStart(new Error("no processes left"));
  assert.equal(await test.metric("tensor_wasm_cell_starts_total"), 1);
  assert.equal(await test.metric("tensor_wasm_cell_start_failures_total"), 2);
  const [started, failed] = test.lines;
  assert.deepEqual([started?.["message"], started?.["start_ms"]], ["cell.started", 12]);
  assert.deepEqual([failed?.["message"], failed?.["level"]], ["cell.start_failed", "error"]);
});

for (const reason of ["protocol_violation", "log_overflow"]) {
  Deno.test(`observePool() counts the end by ${reason} as a kill and as a violation`, async () => {
    await using test = new TestTelemetry();
    const observer = observe(test);
    const violations = `{kind="${reason}"}`;
    assert.equal(await test.metric("tensor_wasm_isolation_violations_total", violations), 0);
    observer.cellEnded(ended(reason));
    assert.equal(await test.metric("tensor_wasm_isolation_violations_total", violations), 1);
    assert.equal(await test.metric("tensor_wasm_cell_kills_total", `{reason="${reason}"}`), 1);
    assert.deepEqual(shown(test.lines[0]), [
      ...["cell.ended", "warn", "tensor_wasm_exec", "calls", reason],
      undefined,
    ]);
  });
}

for (const reason of ["closed", "idle", "evicted", "turn"]) {
  Deno.test(`observePool() does not count the end by ${reason}, which is in order`, async () => {
    await using test = new TestTelemetry();
    observe(test).cellEnded(ended(reason));
    assert.equal(await test.metric("tensor_wasm_cell_kills_total", `{reason="${reason}"}`), undefined);
    assert.deepEqual(shown(test.lines[0]).slice(0, 2), ["cell.ended", "info"]);
  });
}

Deno.test("observePool(): lines of cells have no ids, whichever request they come up in; those of calls do", async () => {
  await using test = new TestTelemetry();
  const observer = observe(test);
  const { tracer } = test.telemetry;
  using span = tracer.startSpan("cli ", { command: "x" }, { parent: null });
  tracer.withSpan(span, () => {
    observer.cellStarted(new FakeCell(1), 1);
    observer.cellRetired?.(new FakeCell(1), "memory");
    observer.cellEnded(ended("cell_sigkill"));
    observer.shed?.("capacity", "7");
  });
  assert.deepEqual(test.lines.map((line) => [line["message"], line["trace_id"]]), [
    ["cell.started", undefined],
    ["cell.retired", undefined],
    ["cell.ended", undefined],
    ["call.shed", span.ids?.traceId],
  ]);
  assert.equal(await test.metric("tensor_wasm_cell_retirements_total", '{reason="memory"}'), 1);
});

Deno.test("observePool(): a refused call is its own exemplar, and a displaced one is nobody's", async () => {
  await using test = new TestTelemetry();
  const observer = observe(test);
  const { metrics, tracer } = test.telemetry;
  using span = tracer.startSpan("cli ", { command: "x" }, { parent: null });
  tracer.withSpan(span, () => {
    for (const kind of ["capacity", "tenant", "displaced"] as const) observer.shed?.(kind, "7");
  });
  const { body } = await metrics.text("openmetrics");
  const lines = body.split("\n").filter((line) => /^tensor_wasm_calls_shed_total.*tenant="7"/.test(line));
  assert.deepEqual(
    lines.map((line) => [/kind="(\w+)"/.exec(line)?.[1], line.includes(span.ids?.traceId ?? "none")]),
    [["capacity", true], ["tenant", true], ["displaced", false]],
  );
});
