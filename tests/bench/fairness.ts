/**
 * `deno run --allow-all tests/bench/fairness.ts`: what a tenant's short call costs in time while another tenant
 * keeps a thousand calls in flight.
 *
 * Measures the latency of B's call alone, beside A's spinning guests, and beside A's short calls, in one run and
 * one gateway. Load comes from a process of its own. Options: --flight N, --calls N, --cells N.
 */
import { parseArgs } from "node:util";
import { Samples } from "../chaos/samples.ts";
import { readGuest } from "../support/guests.ts";
import { type BenchServer, startGateway } from "./servers.ts";

const { values } = parseArgs({
  options: {
    flight: { type: "string", default: "1000" },
    calls: { type: "string", default: "200" },
    cells: { type: "string", default: "2" },
    /** Of the process that makes A's load. */
    load: { type: "string" },
    guest: { type: "string", default: "spin" },
  },
});

const A = { "content-type": "application/json", "x-tensorwasm-tenant": "1" };
const B = { "content-type": "application/json", "x-tensorwasm-tenant": "2" };
/** How long A's load may take to fill the line. */
const FILL_MS = 2_000;
const PAUSE_MS = 5;
/** Deadlines of A's spinning guests: long enough that they hold their slots, short enough that some always end. */
const SPIN_DEADLINE_MS = 2_000;
const BODIES: Readonly<Record<string, string>> = {
  spin: '{"export":"run"}',
  fib: '{"export":"fib","args":[20]}',
};

interface Row {
  readonly name: string;
  readonly latency: Samples;
  readonly refusedCount: number;
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

async function deploy(url: string, guest: string, headers: Record<string, string>): Promise<void> {
  const response = await fetch(`${url}/functions?name=${guest}`, {
    method: "POST",
    headers: { ...headers, "content-type": "application/wasm" },
    body: readGuest(guest),
  });
  if (!response.ok) throw new Error(`Deploy failed: ${await response.text()}`);
  await response.body?.cancel();
}

/** B's call, one after the other. */
async function measure(url: string, name: string): Promise<Row> {
  const latency = new Samples();
  let refusedCount = 0;
  for (let call = 0; call < Number(values.calls); call++) {
    const startMs = performance.now();
    const response = await fetch(`${url}/functions/fib/invoke`, {
      method: "POST",
      headers: B,
      body: BODIES["fib"] ?? "",
    });
    await response.text();
    if (response.status === 200) latency.add(performance.now() - startMs);
    else refusedCount++;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return { name, latency, refusedCount };
}

/** Keeps A's calls in flight until it is killed. */
async function makeLoad(url: string, guest: string): Promise<void> {
  const loop = async (): Promise<void> => {
    for (;;) {
      const response = await fetch(`${url}/functions/${guest}/invoke`, {
        method: "POST",
        headers: guest === "spin" ? { ...A, "x-tensorwasm-deadline-ms": String(SPIN_DEADLINE_MS) } : A,
        body: BODIES[guest] ?? "",
      });
      await response.text();
      // A client that is refused comes back, but not at once.
      if (response.status === 429 || response.status === 503) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  };
  await Promise.all(Array.from({ length: Number(values.flight) }, loop));
}

async function measureBeside(gateway: BenchServer, guest: string, name: string): Promise<Row> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--allow-all", "--no-check", new URL(import.meta.url).pathname],
      ...["--load", gateway.url, "--guest", guest, "--flight", values.flight],
    ],
    stdin: "null",
    stderr: "null",
  }).spawn();
  await new Promise((resolve) => setTimeout(resolve, FILL_MS));
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  const used = /^tensor_wasm_cell_slots\{state="used"\} (\d+)/m.exec(metrics)?.[1];
  const depth = /^tensor_wasm_queue_depth (\d+)/m.exec(metrics)?.[1];
  const row = await measure(gateway.url, `${name} (${used} run, ${depth} wait)`);
  child.kill("SIGKILL");
  await child.status;
  return row;
}

async function main(): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const dataFolder = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(dataFolder, { recursive: true }));
  const cells = ["--cells-min", values.cells, "--cells-max", values.cells];
  const gateway = stack.use(await startGateway(dataFolder, { TENSOR_WASM_LOG: "warn" }, cells));
  for (const guest of ["spin", "fib"]) await deploy(gateway.url, guest, A);
  await deploy(gateway.url, "fib", B);
  await measure(gateway.url, "warm-up");
  const rows = [await measure(gateway.url, "B alone")];
  for (const [guest, name] of [["spin", "spinning guests"], ["fib", "short calls"]] as const) {
    say(`beside ${name}`);
    rows.push(await measureBeside(gateway, guest, `beside ${values.flight} ${name} of A`));
  }
  report(rows);
}

function report(rows: readonly Row[]): void {
  const alone = rows[0]?.latency.summary();
  say(
    `Deno ${Deno.version.deno}, ${navigator.hardwareConcurrency} cores, load ${
      Deno.loadavg()[0]?.toFixed(1)
    }; ` +
      `${values.cells} cells; B calls fib(20) ${values.calls} times, one after the other.`,
  );
  say("");
  say("| B's call | p50 ms | p99 ms | max ms | p50 of alone | p99 of alone | refused |");
  say("|---|--:|--:|--:|--:|--:|--:|");
  for (const { name, latency, refusedCount } of rows) {
    const { p50, p99, max } = latency.summary();
    const ratios = [p50 / (alone?.p50 ?? NaN), p99 / (alone?.p99 ?? NaN)].map((ratio) => ratio.toFixed(1));
    say(
      `| ${name} | ${p50.toFixed(2)} | ${p99.toFixed(2)} | ${max.toFixed(2)} | ×${
        ratios.join(" | ×")
      } | ${refusedCount} |`,
    );
  }
}

if (values.load === undefined) await main();
else await makeLoad(values.load, values.guest);
