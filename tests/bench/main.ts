/**
 * `deno task bench`: the invoke path beside bare servers, in one run, interleaved.
 *
 * Prints a table and writes docs/bench/latest.json and latest.md. Needs wrk. Absolute figures belong to the
 * machine; what carries over are the ratios within one run. Options: --seconds N, --rounds N, --connections N,
 * --only WORD (rows whose name has the word).
 */
import { parseArgs } from "node:util";
import { measureColdStarts } from "./cold_start.ts";
import { benchInstrumentation, DEFAULT_OPTIONS } from "./instrument_cost.ts";
import { load, median } from "./load.ts";
import type { Measurement, Target } from "./load.ts";
import { startBare, startGateway } from "./servers.ts";

interface Guest {
  readonly name: string;
  readonly file: string;
  readonly body: { readonly export: string; readonly args: readonly number[] };
}

interface Row {
  readonly guest: string;
  readonly server: string;
  readonly target: Target;
  readonly measurements: Measurement[];
}

const GUESTS: readonly Guest[] = [
  { name: "no-op", file: "noop", body: { export: "run", args: [] } },
  { name: "fib(20)", file: "fib", body: { export: "fib", args: [20] } },
  { name: "1 MiB memory", file: "noop_memory", body: { export: "run", args: [] } },
];

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    connections: { type: "string", default: "16" },
    only: { type: "string", default: "" },
  },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
const connections = Number(values.connections);

function guestPath(file: string): string {
  return new URL(`../guests/build/${file}.wasm`, import.meta.url).pathname;
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

async function deploy(url: string, guest: Guest): Promise<Target> {
  const response = await fetch(`${url}/functions?name=${encodeURIComponent(guest.file)}`, {
    method: "POST",
    headers: { "content-type": "application/wasm" },
    body: await Deno.readFile(guestPath(guest.file)),
  });
  if (!response.ok) throw new Error(`Deploy of ${guest.name} failed: ${await response.text()}`);
  const { id } = await response.json();
  return { url: `${url}/functions/${id}/invoke`, body: JSON.stringify(guest.body) };
}

async function main(): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const dataFolder = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(dataFolder, { recursive: true }));
  const sink = stack.use(await startBare("sink"));
  const gateways = [
    ["gateway, tracing off", { TENSOR_WASM_TRACING: "off" }],
    ["gateway, traced, no exporter", {}],
    ["gateway, traced, OTLP", { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url }],
  ] as const;
  const rows: Row[] = [];
  const echo = stack.use(await startBare("echo"));
  for (const [name, env] of gateways) {
    const server = stack.use(await startGateway(`${dataFolder}/${rows.length}`, env));
    for (const guest of GUESTS) {
      rows.push({
        guest: guest.name,
        server: name,
        target: await deploy(server.url, guest),
        measurements: [],
      });
    }
  }
  for (const guest of GUESTS) {
    const fresh = stack.use(await startBare("fresh", guestPath(guest.file)));
    const body = JSON.stringify(guest.body);
    rows.push({
      guest: guest.name,
      server: "bare, JSON echo",
      target: { url: echo.url, body },
      measurements: [],
    });
    rows.push({
      guest: guest.name,
      server: "bare, fresh instance",
      target: { url: fresh.url, body },
      measurements: [],
    });
  }
  const chosen = rows.filter((row) => `${row.guest} ${row.server}`.includes(values.only))
    .sort((a, b) => a.guest.localeCompare(b.guest) || a.server.localeCompare(b.server));
  for (const row of chosen) await load(row.target, connections, 1);
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round} of ${rounds}`);
    for (const row of chosen) row.measurements.push(await load(row.target, connections, seconds));
  }
  await report(chosen, values.only === "" ? await measureColdStarts() : []);
  if (values.only === "") await benchInstrumentation(DEFAULT_OPTIONS);
}

async function report(
  rows: readonly Row[],
  coldStarts: readonly { name: string; ms: number }[],
): Promise<void> {
  const results = rows.map((row) => ({ guest: row.guest, server: row.server, ...median(row.measurements) }));
  const lines = [
    `Deno ${Deno.version.deno}, V8 ${Deno.version.v8}, ${navigator.hardwareConcurrency} cores, ${Deno.build.arch}; ` +
    `wrk -t1 -c${connections}, ${seconds} s, median of ${rounds} interleaved rounds.`,
    "",
    "| guest | server | requests/s | of bare fresh | p50 ms | p99 ms |",
    "|---|---|--:|--:|--:|--:|",
  ];
  for (const result of results) {
    const bare = results.find((other) =>
      other.guest === result.guest && other.server === "bare, fresh instance"
    );
    const ratio = bare === undefined ? "–" : (result.requestsPerSecond / bare.requestsPerSecond).toFixed(2);
    lines.push(
      `| ${result.guest} | ${result.server} | ${Math.round(result.requestsPerSecond)} | ${ratio} | ` +
        `${result.p50Ms.toFixed(2)} | ${result.p99Ms.toFixed(2)} |`,
    );
  }
  if (coldStarts.length > 0) {
    lines.push("", "| cold start | median ms |", "|---|--:|");
    for (const cold of coldStarts) lines.push(`| ${cold.name} | ${cold.ms.toFixed(2)} |`);
  }
  const text = lines.join("\n");
  say(text);
  const folder = new URL("../../docs/bench/", import.meta.url);
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(new URL("latest.md", folder), `# Last bench\n\nBy \`deno task bench\`. ${text}\n`);
  await Deno.writeTextFile(
    new URL("latest.json", folder),
    JSON.stringify(
      {
        deno: Deno.version,
        cores: navigator.hardwareConcurrency,
        connections,
        seconds,
        rounds,
        results,
        coldStarts,
      },
      null,
      2,
    ) + "\n",
  );
}

await main();
