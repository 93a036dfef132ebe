/**
 * log_rows: one row of the bench of log lines, in a process of its own; logs.ts starts it and prints.
 *
 * Runs the product's own telemetry and outputs, of this checkout or another; nothing is replaced. Logs LINES lines a
 * round as requests do, gives others a turn now and then as a server does, and ends when the output has them all.
 * What arrived in a file is counted and parsed. Prints a round a line on stderr.
 */
import process from "node:process";
import type { LogOutput, Telemetry, TelemetryConfig } from "../../telemetry/mod.ts";

/** Lines of a round. */
export const LINES = 60_000;
/** Traces that the store keeps by default; here each has three lines. */
const DEFAULT_STORE_TRACES = 100_000;
const FUNCTION_ID = "0d9f8f34-7c1e-4b7a-9a52-0123456789ab";

/** What a round took until the output had all lines. */
export interface Took {
  readonly wallMs: number;
  /** Of the process: its loop, the threads of the engine, and the one that writes to a reader. */
  readonly cpuMs: number;
  /** Of the thread that requests run on. */
  readonly loopMs: number;
}

/** A row. */
export interface LogRow {
  readonly name: string;
  /** Rounds that are not measured: the engine's, and those that fill the store. */
  readonly warmUpRounds?: number;
  /** Whether lines go to stdout, which whoever started this reads. */
  readonly isRead?: boolean;
  readonly config?: (base: TelemetryConfig, collector: string) => TelemetryConfig;
  /** Logs three lines. */
  readonly log: (telemetry: Telemetry, index: number) => void;
}

function logLines(telemetry: Telemetry, index: number, ids = telemetry.tracer.activeIds()): void {
  const log = telemetry.log("tensor_wasm_api");
  log.info("request.received", { method: "POST", uri: `/functions/${FUNCTION_ID}/invoke` }, ids);
  log.info("request.completed", {
    method: "POST",
    route: "/functions/:id/invoke",
    status: 200,
    duration_ms: index % 1000 / 8,
    tenant: "7",
  }, ids);
}

function logGuest(telemetry: Telemetry, ids: ReturnType<Telemetry["tracer"]["activeIds"]>): void {
  telemetry.log("guest").info("guest.stdout", {
    tenant: "7",
    function_id: FUNCTION_ID,
    line: "a guest says something of middling length, as guests do",
  }, ids);
}

function logRequest(telemetry: Telemetry, index: number): void {
  const { tracer } = telemetry;
  const span = tracer.startSpan("cli ", { command: "request" }, { parent: null });
  tracer.withSpan(span, () => logLines(telemetry, index));
  logGuest(telemetry, span.ids);
  span.end();
}

/** The ids of a trace that somebody else made: nothing but lines is made here. */
const IDS = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", traceFlags: 1 };

function logAlone(telemetry: Telemetry, index: number): void {
  logLines(telemetry, index, IDS);
  logGuest(telemetry, IDS);
}

/** One for all: V8 takes longer to make the text of a stack than everything else here. */
const FAILURE = new Error("what went wrong, at some length", { cause: { code: "ECONNRESET", attempt: 2 } });

function logFailures(telemetry: Telemetry): void {
  const log = telemetry.log("tensor_wasm_exec");
  for (let line = 0; line < 3; line++) log.error("cell.start_failed", { pool: "calls", error: FAILURE });
}

function withoutStore(base: TelemetryConfig): TelemetryConfig {
  return { ...base, traces: { ...base.traces, bytesMax: 0 } };
}

function withFilter(base: TelemetryConfig): TelemetryConfig {
  const filter = "info,[cli request{command=req.*}]=debug";
  return { ...withoutStore(base), log: { ...base.log, filter } };
}

function withCollector(base: TelemetryConfig, url: string): TelemetryConfig {
  const { logExport } = base;
  const otlp = { ...logExport.otlp, url: `${url}/v1/logs` };
  return { ...withoutStore(base), logExport: { ...logExport, exporter: "otlp", otlp } };
}

/** All rows, by the word that they are asked for by. */
export const LOG_ROWS: ReadonlyMap<string, LogRow> = new Map<string, LogRow>([
  ["default", {
    name: "default settings: requests (a span each), guest lines, full trace store",
    warmUpRounds: Math.ceil(DEFAULT_STORE_TRACES * 3 / LINES) + 1,
    log: logRequest,
  }],
  ["no-store", { name: "without the trace store", config: withoutStore, log: logRequest }],
  ["alone", { name: "lines alone, without spans and store", config: withoutStore, log: logAlone }],
  ["otlp", { name: "lines alone, and their records to a collector", config: withCollector, log: logAlone }],
  ["filter", {
    name: "without the store, a filter with spans and a pattern",
    config: withFilter,
    log: logRequest,
  }],
  ["errors", {
    name: "errors with stack and cause, redacted at depth",
    config: withoutStore,
    log: logFailures,
  }],
  ["read", {
    name: "without the store, to a reader of stdout",
    config: withoutStore,
    isRead: true,
    log: logRequest,
  }],
]);

/** Time on the processor of the thread that began this process, in milliseconds: proc(5), schedstat. */
function loopMs(): number {
  return Number(Deno.readTextFileSync(`/proc/self/task/${Deno.pid}/schedstat`).split(" ")[0]) / 1e6;
}

async function measure(row: LogRow, telemetry: Telemetry, output: LogOutput): Promise<Took> {
  const [startMs, startLoopMs, startCpu] = [performance.now(), loopMs(), process.cpuUsage()];
  for (let index = 0; index < LINES / 3; index++) {
    row.log(telemetry, index);
    if (index % 1000 !== 0) continue;
    await new Promise((resolve) => setTimeout(resolve, 0));
    // A slow reader gets time, or lines would be dropped.
    output.settle?.(10_000);
  }
  telemetry.flushLog(10_000);
  const cpu = process.cpuUsage(startCpu);
  return {
    wallMs: performance.now() - startMs,
    cpuMs: (cpu.user + cpu.system) / 1000,
    loopMs: loopMs() - startLoopMs,
  };
}

/** For scale: the same number of lines by nothing but JSON.stringify, written 64 KiB at a time. */
export function measureBare(path: string): Took {
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  const utf8 = new TextEncoder();
  const [startMs, startLoopMs, startCpu] = [performance.now(), loopMs(), process.cpuUsage()];
  let text = "";
  for (let index = 0; index < LINES; index++) {
    const line = {
      timestamp: new Date().toISOString(),
      ...{ level: "info", target: "tensor_wasm_api", message: "request.completed", service: "tensor-wasm" },
      ...{ trace_id: IDS.traceId, span_id: IDS.spanId, trace_flags: "01" },
      ...{ method: "POST", route: "/functions/:id/invoke", status: 200, duration_ms: index % 1000 / 8 },
    };
    text += JSON.stringify(line) + "\n";
    if (text.length < 65_536 && index < LINES - 1) continue;
    file.writeSync(utf8.encode(text));
    text = "";
  }
  const cpu = process.cpuUsage(startCpu);
  return {
    wallMs: performance.now() - startMs,
    cpuMs: (cpu.user + cpu.system) / 1000,
    loopMs: loopMs() - startLoopMs,
  };
}

/** Lines of a file, each of which has to parse. */
export async function countLines(path: string): Promise<number> {
  const lines = (await Deno.readTextFile(path)).split("\n").slice(0, -1);
  for (const line of lines) JSON.parse(line);
  return lines.length;
}

async function openOutput(row: LogRow, root: string, path: string): Promise<LogOutput & Disposable> {
  const { openLogOutput }: typeof import("../../runtime/cli/log_output.ts") = await import(
    `${root}/runtime/cli/log_output.ts`
  );
  return openLogOutput(row.isRead === true ? "" : path);
}

/** Runs a row: its name, the checkout, the log file, the rounds, the collector. */
async function run(
  [word = "", root = "", path = "", rounds = "1", collector = ""]: readonly string[],
): Promise<void> {
  const row = LOG_ROWS.get(word);
  if (row === undefined) throw new Error(`No row is called ${word}`);
  const mod: typeof import("../../telemetry/mod.ts") = await import(`${root}/telemetry/mod.ts`);
  const base = mod.DEFAULT_TELEMETRY_CONFIG;
  using output = await openOutput(row, root, path);
  await using telemetry = mod.startTelemetry(row.config?.(base, collector) ?? base, output);
  const { warmUpRounds = 1 } = row;
  for (let round = -warmUpRounds; round < Number(rounds); round++) {
    const took = await measure(row, telemetry, output);
    if (round >= 0) Deno.stderr.writeSync(new TextEncoder().encode(`${JSON.stringify(took)}\n`));
    if (row.isRead === true) continue;
    const count = await countLines(path);
    if (count !== LINES) throw new Error(`${count} of ${LINES} lines arrived`);
    await Deno.truncate(path);
  }
}

if (import.meta.main) await run(Deno.args);
