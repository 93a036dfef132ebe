/**
 * `deno task bench:telemetry`: what tracing, logs and their export cost a call, in one run, interleaved.
 *
 * Prints a table and writes docs/bench/telemetry.md. Needs wrk. Every row is a gateway of its own that serves the
 * same no-op guest; besides requests per second, which other work on the machine disturbs, the processor's time
 * that the gateway took for each request is read from /proc. Options: --seconds N, --rounds N, --connections N,
 * --only WORD (rows whose name has the word; the first row is always there).
 */
import { parseArgs } from "node:util";
import { load, type Measurement, type Target } from "./load.ts";
import { type BenchServer, startBare, startGateway } from "./servers.ts";

/** Jiffies of /proc, as every Linux of today has them. */
const TICK_US = 10_000;
const GUEST = new URL("../guests/build/noop.wasm", import.meta.url);

interface Sample extends Measurement {
  readonly userUs: number;
  readonly systemUs: number;
}

interface Row {
  readonly name: string;
  readonly server: BenchServer;
  readonly target: Target;
  readonly samples: Sample[];
}

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "5" },
    connections: { type: "string", default: "16" },
    warmup: { type: "string", default: "8" },
    only: { type: "string", default: "" },
  },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
const connections = Number(values.connections);

/** What each row's gateway is told, beside its own data folder. */
function configurations(endpoint: string): readonly (readonly [string, Record<string, string>])[] {
  const noStore = { TENSOR_WASM_TRACE_STORE_BYTES_MAX: "0" };
  const otlp = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint };
  const traces = { ...noStore, ...otlp, OTEL_LOGS_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none" };
  const tenth = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.1" };
  return [
    ["tracing off", { TENSOR_WASM_TRACING: "off" }],
    ["tracing and log off", { TENSOR_WASM_TRACING: "off", TENSOR_WASM_LOG: "off" }],
    ["ids only", noStore],
    ["ids and the trace store", {}],
    ["a tenth of the traces exported", { ...traces, ...tenth }],
    ["all traces exported", traces],
    ["all traces, log records and metrics exported", { ...noStore, ...otlp }],
    ["all exported, gzip", { ...noStore, ...otlp, OTEL_EXPORTER_OTLP_COMPRESSION: "gzip" }],
    ["all exported, and the trace store", otlp],
  ];
}

async function deploy(url: string): Promise<Target> {
  const response = await fetch(`${url}/functions?name=noop`, {
    method: "POST",
    headers: { "content-type": "application/wasm" },
    body: await Deno.readFile(GUEST),
  });
  if (!response.ok) throw new Error(`Deploy failed: ${await response.text()}`);
  const { id } = await response.json();
  return { url: `${url}/functions/${id}/invoke`, body: JSON.stringify({ export: "run", args: [] }) };
}

/** User and system time of a process so far, in microseconds: fields 14 and 15 of proc(5)'s stat. */
function cpuOf(pid: number): { readonly userUs: number; readonly systemUs: number } {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1]?.split(" ") ?? [];
  return { userUs: Number(fields[11]) * TICK_US, systemUs: Number(fields[12]) * TICK_US };
}

async function measure(row: Row): Promise<Sample> {
  const before = cpuOf(row.server.pid);
  const measurement = await load(row.target, connections, seconds);
  const after = cpuOf(row.server.pid);
  const requests = measurement.requestsPerSecond * seconds;
  return {
    ...measurement,
    userUs: (after.userUs - before.userUs) / requests,
    systemUs: (after.systemUs - before.systemUs) / requests,
  };
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
}

function least(numbers: readonly number[]): number {
  return Math.min(...numbers);
}

function report(rows: readonly Row[]): string {
  const lines = [
    `Deno ${Deno.version.deno}, V8 ${Deno.version.v8}, ${navigator.hardwareConcurrency} cores, ${Deno.build.arch}; ` +
    `wrk -t1 -c${connections}, ${seconds} s, ${rounds} interleaved rounds after ${values.warmup} s each; medians, of the ` +
    "ratio those within each round. CPU is that of the gateway's process for a request, the least of the rounds: " +
    "what other work on the machine adds is in it too. Load of the machine at the end: " +
    Deno.loadavg().map((load) => load.toFixed(1)).join(", ") + ".",
    "",
    "| gateway | requests/s | of tracing off | CPU µs | of tracing off | p50 ms | p99 ms |",
    "|---|--:|--:|--:|--:|--:|--:|",
  ];
  const [first] = rows;
  const cpu = (sample: Sample): number => sample.userUs + sample.systemUs;
  const leastCpu = (row: Row | undefined): number => least(row?.samples.map(cpu) ?? []);
  for (const row of rows) {
    const { name, samples } = row;
    const of = (pick: (sample: Sample) => number): number => median(samples.map(pick));
    const ratio = median(
      samples.map((sample, round) =>
        sample.requestsPerSecond / (first?.samples[round]?.requestsPerSecond ?? NaN)
      ),
    );
    const cells = [
      name,
      String(Math.round(of((sample) => sample.requestsPerSecond))),
      ratio.toFixed(2),
      leastCpu(row).toFixed(1),
      (leastCpu(row) / leastCpu(first)).toFixed(2),
      of((sample) => sample.p50Ms).toFixed(2),
      of((sample) => sample.p99Ms).toFixed(2),
    ];
    lines.push(`| ${cells.join(" | ")} |`);
  }
  return lines.join("\n");
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

async function main(): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const dataFolder = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(dataFolder, { recursive: true }));
  const sink = stack.use(await startBare("sink"));
  const rows: Row[] = [];
  for (const [name, env] of configurations(sink.url)) {
    if (rows.length > 0 && !name.includes(values.only)) continue;
    const server = stack.use(await startGateway(`${dataFolder}/${rows.length}`, env));
    rows.push({ name, server, target: await deploy(server.url), samples: [] });
  }
  for (const row of rows) await load(row.target, connections, Number(values.warmup));
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round} of ${rounds}`);
    for (const row of rows) row.samples.push(await measure(row));
  }
  const text = report(rows);
  say(text);
  if (values.only !== "") return;
  const page = new URL("../../docs/bench/telemetry.md", import.meta.url);
  await Deno.writeTextFile(
    page,
    `# What telemetry costs a call\n\nBy \`deno task bench:telemetry\`. ${text}\n`,
  );
}

await main();
