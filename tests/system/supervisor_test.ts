/**
 * The supervisor from outside: cells that hang, die, crash again and again, or grow, and what callers notice.
 *
 * Crashes are simulated by signals, since no guest is known that can crash its cell. Nothing here is timed but the
 * ping that is not answered.
 */
import assert from "node:assert/strict";
import { readResidentBytes } from "../../runtime/executor/resident_bytes.ts";
import { QUARANTINE } from "../../runtime/executor/quarantine.ts";
import { assertProblem } from "../flow/problem.ts";
import { parsePrometheusText, valueOf } from "../flow/prometheus_text.ts";
import { awaitTrace } from "../support/await_trace.ts";
import { Collector } from "../support/collector.ts";
import { type LogLine, TestGateway } from "../support/gateway.ts";
import { buildSpanTree } from "../support/span_tree.ts";
import { until } from "./program.ts";

const SPAWN = "tensor_wasm_exec::executor::spawn_instance";
const MIB = 1024 * 1024;
const [ONE_CELL, TWO_CELLS] = [
  ["--cells-min", "1", "--cells-max", "1"],
  ["--cells-min", "2", "--cells-max", "2"],
] as const;

/** The value of a metric's series with these labels. */
async function metric(
  gateway: TestGateway,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  return valueOf(parsePrometheusText(text), name, labels);
}

async function untilUsed(gateway: TestGateway, slots: number): Promise<void> {
  await until(
    `${slots} slots are used`,
    async () => await metric(gateway, "tensor_wasm_cell_slots", { state: "used" }) === slots,
  );
}

/** The cells for calls that are alive, by the log; others examine modules. */
function livingCells(gateway: TestGateway): number[] {
  const pids = (message: string): number[] =>
    gateway.lines.filter((line) => line.message === message && line["pool"] === "calls")
      .map((line) => Number(line["pid"]));
  const ended = new Set(pids("cell.ended"));
  return pids("cell.started").filter((pid) => !ended.has(pid));
}

/** Waits until so many cells for calls live. */
async function cells(gateway: TestGateway, count: number): Promise<number[]> {
  await until(`${count} cells live`, () => livingCells(gateway).length === count);
  return livingCells(gateway);
}

async function ended(gateway: TestGateway, pid: number): Promise<LogLine> {
  return await gateway.line((line) => line.message === "cell.ended" && line["pid"] === pid);
}

async function assertSlept(response: Response, ms: number): Promise<void> {
  const text = await response.text();
  assert.equal(response.status, 200, text);
  assert.equal(JSON.parse(text).output, `slept ${ms} ms\n`);
}

Deno.test("a cell that hangs is killed and replaced", async () => {
  await using gateway = await TestGateway.start({ flags: [...ONE_CELL, "--ping-timeout-ms", "2000"] });
  const [pid = 0] = await cells(gateway, 1);
  await gateway.deploy("sleep");
  const inside = gateway.invoke("sleep", { argv: ["20000"] });
  await untilUsed(gateway, 1);
  Deno.kill(pid, "SIGSTOP");
  await assertProblem(await inside, { status: 502, kind: "cell_lost", message: /died: unresponsive$/ });
  assert.equal((await ended(gateway, pid))["reason"], "unresponsive");
  await assertSlept(await gateway.invoke("sleep", { argv: ["1"] }), 1);
  assert.equal(
    await metric(gateway, "tensor_wasm_cell_kills_total", { reason: "unresponsive" }),
    1,
  );
});

/** All calls are to be inside together, however long it takes until the last one is. */
const INSIDE_MS = 4000;

Deno.test("kill -9 fails the calls inside alone, and those that may be retried not even visibly", async () => {
  await using collector = new Collector();
  await using gateway = await TestGateway.start({
    flags: TWO_CELLS,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_BSP_SCHEDULE_DELAY: "50" },
  });
  const [pid = 0] = await cells(gateway, 2);
  await gateway.deploy("sleep");
  const call = (isIdempotent: boolean): Promise<Response> =>
    gateway.invoke("sleep", { argv: [String(INSIDE_MS)] }, {
      "x-tensorwasm-idempotent": String(isIdempotent),
    });
  // A call goes to the cell that has the fewest, so each cell gets some of either kind.
  const kinds = [false, false, true, true, false, false, true, true];
  const calls: Promise<Response>[] = [];
  for (const [index, isIdempotent] of kinds.entries()) {
    calls.push(call(isIdempotent));
    await untilUsed(gateway, index + 1);
  }
  Deno.kill(pid, "SIGKILL");
  const attempts: number[] = [];
  for (const [index, response] of (await Promise.all(calls)).entries()) {
    const traceId = response.headers.get("x-trace-id") ?? "";
    if (response.status === 200) await assertSlept(response, INSIDE_MS);
    else {
      assert.equal(kinds[index], false, "a call that may be retried was not answered");
      await assertProblem(response, { status: 502, kind: "cell_lost", message: /died: cell_sigkill$/ });
    }
    const spans = await awaitTrace(collector, traceId);
    buildSpanTree(spans);
    attempts.push(spans.filter((span) => span.name === SPAWN).length);
  }
  // Two of either kind were in each cell.
  const lost = await metric(gateway, "tensor_wasm_guest_calls_total", { tenant: "0", outcome: "lost" });
  assert.equal(lost, 2);
  assert.deepEqual(attempts.toSorted(), [1, 1, 1, 1, 1, 1, 2, 2]);
  assert.equal(await metric(gateway, "tensor_wasm_call_retries_total"), 2);
});

/** A call that is inside a cell while the cell crashes. */
async function crash(gateway: TestGateway, pid: number, guest: string): Promise<void> {
  const inside = gateway.invoke(guest, { argv: ["20000"] });
  await until(
    "the call is inside",
    async () => await metric(gateway, "tensor_wasm_cell_slots", { state: "used" }) > 0,
  );
  Deno.kill(pid, "SIGABRT");
  await assertProblem(await inside, { status: 502, kind: "cell_lost", message: /died: cell_sigabrt$/ });
}

Deno.test("a module that crashes its cells runs alone, and then not at all, while others run on", async () => {
  await using gateway = await TestGateway.start({ flags: [...ONE_CELL, "--calls-per-cell-max", "4"] });
  for (const guest of ["sleep", "args_env"]) await gateway.deploy(guest);
  for (let strike = 1; strike <= QUARANTINE.strikesMax; strike++) {
    const [pid = 0] = await cells(gateway, 1);
    await crash(gateway, pid, "sleep");
    await ended(gateway, pid);
    if (strike < QUARANTINE.strikesMax) await assertRunsAlone(gateway);
  }
  const refused = await gateway.invoke("sleep", { argv: ["1"] });
  const retryAfter = Number(refused.headers.get("retry-after"));
  await assertProblem(refused, {
    status: 503,
    kind: "module_quarantined",
    message: /strikesMax is 3, got 3$/,
  });
  assert.ok(retryAfter > 0 && retryAfter <= QUARANTINE.shortestMs / 1000, String(retryAfter));
  // The same bytes under another name are the same module.
  await gateway.deploy("other", await Deno.readFile(new URL("../guests/build/sleep.wasm", import.meta.url)));
  await assertProblem(await gateway.invoke("other"), { status: 503, kind: "module_quarantined" });
  const other = await gateway.invoke("args_env", { argv: ["x"] });
  assert.equal(other.status, 200, await other.text());
});

/** Calls that sleep until so many slots are used; then their clients leave. */
async function sleepUntilUsed(gateway: TestGateway, callsCount: number, slots: number): Promise<void> {
  const client = new AbortController();
  const calls = Array.from(
    { length: callsCount },
    () =>
      fetch(`${gateway.url}/functions/sleep/invoke?argv=20000`, { method: "POST", signal: client.signal }),
  );
  await untilUsed(gateway, slots);
  client.abort();
  for (const call of calls) await assert.rejects(call);
  await untilUsed(gateway, 0);
}

/** A suspect has all slots of its cell, so that nobody else is inside when it crashes again. */
async function assertRunsAlone(gateway: TestGateway): Promise<void> {
  await sleepUntilUsed(gateway, 1, 4);
  await assertSlept(await gateway.invoke("sleep", { argv: ["1"] }), 1);
}

Deno.test("of two modules in a cell that crashed neither is refused, and the harmless one is cleared", async () => {
  await using gateway = await TestGateway.start({ flags: ONE_CELL });
  const [pid = 0] = await cells(gateway, 1);
  for (const guest of ["sleep", "spin", "fib"]) await gateway.deploy(guest);
  const spinning = gateway.invoke("spin", { export: "run" });
  await untilUsed(gateway, 1);
  const sleeping = gateway.invoke("sleep", { argv: ["20000"] });
  await untilUsed(gateway, 2);
  Deno.kill(pid, "SIGABRT");
  for (const response of await Promise.all([spinning, sleeping])) {
    await assertProblem(response, { status: 502, kind: "cell_lost" });
  }
  assert.equal(await metric(gateway, "tensor_wasm_modules_suspected"), 2);
  for (let count = 0; count < QUARANTINE.callsToClear; count++) {
    await assertSlept(await gateway.invoke("sleep", { argv: ["1"] }), 1);
  }
  // Cleared, though remembered: it shares the cell again.
  await sleepUntilUsed(gateway, 2, 2);
});

/** All of them are to be inside at a time, however long the last takes to get there. */
const SLEEP_MS = 10_000;

Deno.test("a cell that has grown over its bound takes no more calls, and ends when those it has are done", async () => {
  await using gateway = await TestGateway.start({
    flags: [
      ...[...ONE_CELL, "--cell-memory-bytes-max", String(128 * MIB)],
      ...["--memory-bytes-max", String(32 * MIB), "--heap-bytes-max", String(64 * MIB)],
    ],
  });
  const [pid = 0] = await cells(gateway, 1);
  await gateway.deploy("sleep");
  const call = (input: Uint8Array<ArrayBuffer>): Promise<Response> =>
    fetch(`${gateway.url}/functions/sleep/invoke?argv=${SLEEP_MS}`, { method: "POST", body: input });
  // Input that no guest reads is memory that no guest pays for. A little at a time: far over the bound it is killed.
  const calls: Promise<Response>[] = [];
  const addCall = async (): Promise<void> => {
    assert.ok(calls.length < 16, "it never grows");
    calls.push(call(new Uint8Array(12 * MIB).fill(calls.length + 1)));
    await untilUsed(gateway, calls.length);
  };
  const retirement = (): LogLine | undefined => gateway.lines.find((line) => line.message === "cell.retired");
  // Some of what it has while an input arrives is gone a moment later.
  await until("it is retired", async () => {
    if (retirement() === undefined && (await readResidentBytes(pid) ?? 0) < 132 * MIB) await addCall();
    return retirement() !== undefined;
  });
  const retired = retirement() ?? assert.fail("it was retired");
  assert.deepEqual([retired["pid"], retired["reason"]], [pid, "memory"]);
  // Those inside are not disturbed, and newcomers have another cell at once.
  const newcomer = await gateway.invoke("sleep", { argv: ["1"] });
  await assertSlept(newcomer, 1);
  for (const response of await Promise.all(calls)) {
    assert.deepEqual([response.status, await response.text()], [200, `slept ${SLEEP_MS} ms\n`]);
  }
  assert.equal((await ended(gateway, pid))["reason"], "memory");
  assert.equal(await metric(gateway, "tensor_wasm_cell_retirements_total", { reason: "memory" }), 1);
});
