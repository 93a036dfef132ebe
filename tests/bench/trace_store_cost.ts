/**
 * trace_store_cost: what the trace store takes of the thread that serves, for each call.
 *
 * Makes the spans and log lines of synchronous calls as the gateway does, with the store off, in memory, and with
 * its files, and prints microseconds of CPU time of the process for each call, the best of five interleaved
 * rounds; then the bytes of a trace, and for comparison a row in SQLite for each call. Run: `deno run -A --no-check
 * tests/bench/trace_store_cost.ts`. The numbers of docs/decisions/ on the trace store come from here.
 */
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { TraceFiles } from "../../runtime/store/embedded/trace_files.ts";
import { DEFAULT_TELEMETRY_CONFIG, startTelemetry, type Telemetry } from "../../telemetry/mod.ts";

const ROUNDS = 5;
const CALLS = 40_000;
const FUNCTION_ID = "0d9f8f34-7c1e-4b7a-9a52-0123456789ab";
const utf8 = new TextEncoder();

function print(name: string, value: number, unit: string): void {
  Deno.stdout.writeSync(utf8.encode(`${name.padEnd(58)}${value.toFixed(2).padStart(9)} ${unit}\n`));
}

function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** One call as the gateway traces it: six spans, two lines. */
function call(telemetry: Telemetry, tenant: string): void {
  const { tracer } = telemetry;
  const log = telemetry.log("tensor_wasm_api");
  const root = tracer.startSpan("http.request", {
    method: "POST",
    uri: `/functions/${FUNCTION_ID}/invoke`,
    version: "HTTP/1.1",
    traceparent: "unknown",
    "http.request.method": "POST",
    "url.path": `/functions/${FUNCTION_ID}/invoke`,
    request_id: crypto.randomUUID(),
  }, { parent: null });
  tracer.setTenant(root.ids, tenant);
  log.info("request.received", { method: "POST", uri: `/functions/${FUNCTION_ID}/invoke` }, root.ids);
  const attributes = { function_id: FUNCTION_ID, tenant };
  const invoke = tracer.startSpan("http.invoke_function", attributes, { parent: root.ids });
  invoke.setAttribute("name", "add");
  const run = tracer.startSpan("invoke.run", { ...attributes, wasm_bytes_len: 142 }, { parent: invoke.ids });
  const spawn = tracer.allotIds(run.ids);
  const instance = crypto.randomUUID();
  const times = {
    startMs: performance.timeOrigin + performance.now(),
    endMs: performance.timeOrigin + performance.now(),
  };
  tracer.recordSpan({
    name: "tensor_wasm_exec::executor::call_export_with_args",
    ids: tracer.allotIds(spawn),
    parentSpanId: spawn?.spanId,
    ...times,
    attributes: {
      instance,
      export: "add",
      args_len: 2,
      outcome: "returned",
      fuel: 12,
      yields: 0,
      cpu_us: 31,
      memory_bytes: 0,
    },
  });
  tracer.recordSpan({
    name: "tensor_wasm_exec::executor::terminate",
    ids: tracer.allotIds(spawn),
    parentSpanId: spawn?.spanId,
    ...times,
    attributes: { instance, reason: "returned" },
  });
  tracer.recordSpan({
    name: "tensor_wasm_exec::executor::spawn_instance",
    ids: spawn,
    parentSpanId: run.ids?.spanId,
    ...times,
    attributes: { tenant, instance_id: instance, wasm_bytes: 142 },
  });
  run.setAttribute("queue_ms", 0.12).setAttribute("cold", false).end();
  invoke.end();
  root.setAttribute("http.route", "/functions/:id/invoke").setAttribute("http.response.status_code", 200);
  log.info("request.completed", {
    method: "POST",
    route: "/functions/:id/invoke",
    status: 200,
    duration_ms: 0.51,
  }, root.ids);
  root.end();
}

interface Row {
  readonly name: string;
  readonly bytesMax: number;
  readonly withFiles?: boolean;
  /** Whose the call is that has a number; one tenant's by default. */
  readonly tenantOf?: (count: number) => number;
}

async function measure({ bytesMax, withFiles, tenantOf }: Row): Promise<{ micros: number; bytes: number }> {
  const base = DEFAULT_TELEMETRY_CONFIG;
  const config = { ...base, traces: { ...base.traces, bytesMax, writeBytesPerSecondMax: 2 ** 30 } };
  const folder = await Deno.makeTempDir();
  const telemetry = startTelemetry(config, { write: () => {} });
  if (withFiles === true) await telemetry.traces?.keepIn(await TraceFiles.open(folder, bytesMax));
  const startMicros = cpuMicros();
  for (let count = 0; count < CALLS; count++) {
    call(telemetry, String(tenantOf?.(count) ?? 7));
    if (count % 1000 === 999) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const micros = (cpuMicros() - startMicros) / CALLS;
  const bytes = (telemetry.traces?.ring.byteCount ?? 0) / Math.max(1, telemetry.traces?.ring.traceCount ?? 1);
  await telemetry[Symbol.asyncDispose]();
  await Deno.remove(folder, { recursive: true });
  return { micros, bytes };
}

/** What a row of the same size costs, a thousand to a transaction, in WAL mode without syncing. */
async function measureSqlite(rowBytes: number): Promise<number> {
  const folder = await Deno.makeTempDir();
  const database = new DatabaseSync(`${folder}/traces.sqlite`);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
  database.exec("CREATE TABLE traces (trace_id BLOB, tenant TEXT, at REAL, piece BLOB)");
  database.exec("CREATE INDEX by_id ON traces (trace_id)");
  const insert = database.prepare("INSERT INTO traces VALUES (?, ?, ?, ?)");
  const startMicros = cpuMicros();
  for (let count = 0; count < CALLS; count++) {
    if (count % 1000 === 0) database.exec("BEGIN");
    insert.run(crypto.getRandomValues(new Uint8Array(16)), "7", count, new Uint8Array(rowBytes));
    if (count % 1000 === 999) database.exec("COMMIT");
  }
  const micros = (cpuMicros() - startMicros) / CALLS;
  database.close();
  await Deno.remove(folder, { recursive: true });
  return micros;
}

const MIB = 1024 * 1024;
const FULL_BYTES = 4 * MIB;
const TENANTS_COUNT = 1_000;
const rows: readonly Row[] = [
  { name: "spans and lines, no store", bytesMax: 0 },
  { name: "store in memory", bytesMax: 64 * MIB },
  { name: "full store", bytesMax: FULL_BYTES },
  { name: "full store, 1,000 tenants", bytesMax: FULL_BYTES, tenantOf: (count) => count % TENANTS_COUNT },
  {
    name: "full store, a flood and 1,000 quiet tenants",
    bytesMax: FULL_BYTES,
    tenantOf: (count) => count % 20 === 0 ? count / 20 % TENANTS_COUNT : TENANTS_COUNT,
  },
  { name: "store with its files", bytesMax: 64 * MIB, withFiles: true },
];
const best = new Map<string, number>();
let traceBytes = 0;
for (let round = -1; round < ROUNDS; round++) {
  for (const row of rows) {
    const { micros, bytes } = await measure(row);
    if (round >= 0) best.set(row.name, Math.min(best.get(row.name) ?? Infinity, micros));
    if (bytes > 0) traceBytes = bytes;
  }
}
for (const [name, micros] of best) print(name, micros, "us a call");
print("bytes of a trace", traceBytes, "bytes");
print("a row in SQLite for each", await measureSqlite(Math.round(traceBytes)), "us a call");
