/**
 * logs: log lines per second, from the logger's call to the file or the reader, in one run.
 *
 * Runs the product's own telemetry and outputs; nothing is replaced. Each row logs LINES lines as requests do
 * (two of three inside an active span, one with ids of its own), ends when the output has them all, and counts
 * and parses what arrived. Prints the best of ROUNDS, by the clock and by CPU time of the whole process: on a
 * machine that others use, only the second says something. Run: `deno task bench:logs`.
 */
import process from "node:process";
import { LogFile } from "../../runtime/cli/log_file.ts";
import { PipeOutput } from "../../runtime/cli/pipe_output.ts";
import {
  DEFAULT_TELEMETRY_CONFIG,
  type LogOutput,
  startTelemetry,
  type Telemetry,
} from "../../telemetry/mod.ts";

const LINES = 150_000;
const ROUNDS = 3;
const FUNCTION_ID = "0d9f8f34-7c1e-4b7a-9a52-0123456789ab";
/** What the process that feeds a reader is told apart by. */
const CHILD_FLAG = "--to-stdout";

interface Row {
  readonly name: string;
  readonly filter?: string;
  /** Whether the lines go to the embedded trace store as well. */
  readonly isStored?: boolean;
  /** Logs three lines. */
  readonly log: (telemetry: Telemetry, index: number) => void;
}

function logRequest(telemetry: Telemetry, index: number): void {
  const { tracer } = telemetry;
  const log = telemetry.log("tensor_wasm_api");
  const span = tracer.startSpan("cli ", { command: "request" }, { parent: null });
  tracer.withSpan(span, () => {
    log.info("request.received", { method: "POST", uri: `/functions/${FUNCTION_ID}/invoke` });
    log.info("request.completed", {
      method: "POST",
      route: "/functions/{id}/invoke",
      status: 200,
      duration_ms: index % 1000 / 8,
    });
  });
  telemetry.log("guest").info("guest.stdout", {
    tenant: "7",
    function_id: FUNCTION_ID,
    line: "a guest says something of middling length, as guests do",
  }, span.ids);
  span.end();
}

/** One for all: V8 takes longer to make the text of a stack than everything else here. */
const FAILURE = new Error("what went wrong, at some length", { cause: { code: "ECONNRESET", attempt: 2 } });

function logFailures(telemetry: Telemetry): void {
  const log = telemetry.log("tensor_wasm_exec");
  for (let line = 0; line < 3; line++) log.error("cell.start_failed", { pool: "calls", error: FAILURE });
}

const ROWS: readonly Row[] = [
  { name: "requests and guest lines", log: logRequest },
  {
    name: "the same, a filter with spans and a pattern",
    filter: "info,[cli request{command=req.*}]=debug",
    log: logRequest,
  },
  { name: "the same, kept in the trace store with their spans", isStored: true, log: logRequest },
  { name: "errors with stack and cause, redacted at depth", log: logFailures },
];

/** What a row took until the output had all lines. */
interface Took {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** Logs a row's lines. */
async function measure(row: Row, output: LogOutput): Promise<Took> {
  const base = DEFAULT_TELEMETRY_CONFIG;
  const config = {
    ...base,
    log: { ...base.log, filter: row.filter ?? "info" },
    traces: row.isStored === true ? base.traces : { ...base.traces, bytesMax: 0 },
  };
  await using telemetry = startTelemetry(config, output);
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  for (let index = 0; index < LINES / 3; index++) {
    row.log(telemetry, index);
    if (index % 1000 !== 0) continue;
    // As a server does, give others a turn now and then; and a slow reader time, or lines would be dropped.
    await new Promise((resolve) => setTimeout(resolve, 0));
    output.settle?.(10_000);
  }
  telemetry.flushLog(10_000);
  const cpu = process.cpuUsage(startCpu);
  return { wallMs: performance.now() - startMs, cpuMs: (cpu.user + cpu.system) / 1000 };
}

/** For scale: the same number of lines by nothing but JSON.stringify, written 64 KiB at a time. */
function measureBare(output: LogOutput): Took {
  const utf8 = new TextEncoder();
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  let text = "";
  for (let index = 0; index < LINES; index++) {
    const line = {
      timestamp: new Date().toISOString(),
      level: "info",
      target: "tensor_wasm_api",
      message: "request.completed",
      service: "tensor-wasm",
      trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
      span_id: "00f067aa0ba902b7",
      trace_flags: "01",
      method: "POST",
      route: "/functions/{id}/invoke",
      status: 200,
      duration_ms: index % 1000 / 8,
    };
    text += JSON.stringify(line) + "\n";
    if (text.length < 65_536 && index < LINES - 1) continue;
    output.write(utf8.encode(text));
    text = "";
  }
  const cpu = process.cpuUsage(startCpu);
  return { wallMs: performance.now() - startMs, cpuMs: (cpu.user + cpu.system) / 1000 };
}

/** Lines of a file, each of which has to parse. */
async function countLines(path: string): Promise<number> {
  const lines = (await Deno.readTextFile(path)).split("\n").slice(0, -1);
  for (const line of lines) JSON.parse(line);
  return lines.length;
}

async function toFile(folder: string, log: (file: LogFile) => Took | Promise<Took>): Promise<Took> {
  const path = `${folder}/log`;
  using file = new LogFile(path);
  const took = await log(file);
  const count = await countLines(path);
  if (count !== LINES) throw new Error(`${count} of ${LINES} lines arrived`);
  await Deno.remove(path);
  return took;
}

/** In a process of its own, whose stdout this one reads. */
async function toReader(folder: string): Promise<Took> {
  const path = `${folder}/read`;
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", "--no-check", import.meta.filename ?? "", CHILD_FLAG],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [stderr] = await Promise.all([child.stderr.text(), child.stdout.pipeTo(file.writable), child.status]);
  const count = await countLines(path);
  if (count !== LINES * ROUNDS) throw new Error(`reader: ${count} of ${LINES * ROUNDS} lines: ${stderr}`);
  return JSON.parse(stderr);
}

async function print(name: string, run: () => Promise<Took>, rounds = ROUNDS): Promise<void> {
  let wall = 0;
  let cpu = 0;
  for (let round = 0; round < rounds; round++) {
    const took = await run();
    wall = Math.max(wall, LINES / took.wallMs * 1000);
    cpu = Math.max(cpu, LINES / took.cpuMs * 1000);
  }
  write(`${name.padEnd(64)}${wall.toFixed(0).padStart(12)}${cpu.toFixed(0).padStart(12)}\n`);
}

function write(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

async function main(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tensor-wasm-bench-" });
  try {
    write(`${"lines".padEnd(64)}  a second  a CPU second\n`);
    await print("for scale: JSON.stringify to a file", () => toFile(folder, measureBare));
    for (const row of ROWS) {
      await print(`to a file: ${row.name}`, () => toFile(folder, (file) => measure(row, file)));
    }
    await print("to a reader of stdout: requests and guest lines", () => toReader(folder), 1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (Deno.args.includes(CHILD_FLAG)) {
  using pipe = new PipeOutput();
  const [row] = ROWS;
  let took: Took | undefined;
  for (let round = 0; round < ROUNDS && row !== undefined; round++) took = await measure(row, pipe);
  Deno.stderr.writeSync(new TextEncoder().encode(JSON.stringify(took)));
} else if (import.meta.main) await main();
