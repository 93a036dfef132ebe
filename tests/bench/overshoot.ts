/**
 * `deno run --allow-all tests/bench/overshoot.ts`: how long past its deadline a guest that never ends still runs.
 *
 * Keeps a number of spinning guests running, each with a deadline of 50 to 500 ms by chance, and measures the
 * overshoot twice: by the end of the call's span, and by the arrival of the answer at the client. Aim on a quiet
 * machine: p99 of at most 5 ms with 50 guests. Options: --guests N, --calls N, --seed N, --cells N, --tenants N.
 */
import { parseArgs } from "node:util";
import { Samples } from "../chaos/samples.ts";
import { makeRandom } from "../runtime/store/random.ts";
import { Collector } from "../support/collector.ts";
import { readGuest } from "../support/guests.ts";
import { startGateway } from "./servers.ts";

const DEADLINE_MS_MIN = 50;
const DEADLINE_MS_MAX = 500;
const CALL_SPAN = "tensor_wasm_exec::executor::call_export_with_args";
const EXPORT_MS_MAX = 2_000;
const WARM_UP_ROUNDS = 3;

const { values } = parseArgs({
  options: {
    guests: { type: "string", default: "50" },
    calls: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    cells: { type: "string", default: "2" },
    tenants: { type: "string", default: "5" },
  },
});

interface Call {
  readonly traceId: string;
  readonly deadlineMs: number;
  readonly clientMs: number;
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

async function deploy(url: string, tenant: string): Promise<string> {
  const response = await fetch(`${url}/functions?name=spin`, {
    method: "POST",
    headers: { "content-type": "application/wasm", "x-tensorwasm-tenant": tenant },
    body: readGuest("spin"),
  });
  if (!response.ok) throw new Error(`Deploy failed: ${await response.text()}`);
  return (await response.json()).id;
}

async function spin(url: string, tenant: string, id: string, deadlineMs: number): Promise<Call> {
  const startMs = performance.now();
  const response = await fetch(`${url}/functions/${id}/invoke`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-tensorwasm-tenant": tenant,
      "x-tensorwasm-deadline-ms": String(deadlineMs),
    },
    body: '{"export":"run"}',
  });
  const clientMs = performance.now() - startMs;
  const text = await response.text();
  if (response.status !== 504) throw new Error(`Answered ${response.status}: ${text}`);
  return { traceId: response.headers.get("x-trace-id") ?? "", deadlineMs, clientMs };
}

/** From the deadline, which counts from the request's arrival, to the end of the call's span. */
function spanOvershootMs(collector: Collector): (call: Call) => number | undefined {
  const byTrace = Map.groupBy(collector.spans, (span) => span.traceId);
  return ({ traceId, deadlineMs }) => {
    const spans = byTrace.get(traceId) ?? [];
    const root = spans.find((span) => span.name === "http.request");
    const call = spans.find((span) => span.name === CALL_SPAN);
    if (root === undefined || call === undefined) return undefined;
    return Number(call.endNanos - root.startNanos) / 1e6 - deadlineMs;
  };
}

async function main(): Promise<void> {
  const [guests, calls, tenants] = [values.guests, values.calls, values.tenants].map(Number) as [
    number,
    number,
    number,
  ];
  const random = makeRandom(Number(values.seed));
  await using stack = new AsyncDisposableStack();
  const dataFolder = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(dataFolder, { recursive: true }));
  const collector = stack.use(new Collector());
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, TENSOR_WASM_LOG: "warn" };
  const cells = ["--cells-min", values.cells, "--cells-max", values.cells];
  const { url } = stack.use(await startGateway(dataFolder, env, cells));
  const names = Array.from({ length: tenants }, (_, index) => String(index + 1));
  const ids = await Promise.all(names.map((tenant) => deploy(url, tenant)));
  const done: Call[] = [];
  // The first calls meet a gateway and cells whose code is not optimised yet.
  const warmUp = WARM_UP_ROUNDS * guests;
  let left = warmUp + calls;
  const loop = async (guest: number): Promise<void> => {
    const which = guest % tenants;
    while (left-- > 0) {
      const deadlineMs = DEADLINE_MS_MIN + Math.round(random() * (DEADLINE_MS_MAX - DEADLINE_MS_MIN));
      done.push(await spin(url, names[which] ?? "", ids[which] ?? "", deadlineMs));
    }
  };
  await Promise.all(Array.from({ length: guests }, (_, guest) => loop(guest)));
  await new Promise((resolve) => setTimeout(resolve, EXPORT_MS_MAX));
  report(done.slice(warmUp), spanOvershootMs(collector));
}

function report(done: readonly Call[], overshootOf: (call: Call) => number | undefined): void {
  const [bySpan, byClient] = [new Samples(), new Samples()];
  let neverBegan = 0;
  for (const call of done) {
    byClient.add(call.clientMs - call.deadlineMs);
    const overshootMs = overshootOf(call);
    if (overshootMs === undefined) neverBegan++;
    else bySpan.add(overshootMs);
  }
  say(
    `Deno ${Deno.version.deno}, ${navigator.hardwareConcurrency} cores, load ${
      Deno.loadavg()[0]?.toFixed(1)
    }; ` +
      `${values.guests} spinning guests at a time in ${values.cells} cells, ${done.length} calls, ` +
      `deadlines of ${DEADLINE_MS_MIN} to ${DEADLINE_MS_MAX} ms.`,
  );
  say("");
  say("| past the deadline | p50 ms | p99 ms | max ms | calls |");
  say("|---|--:|--:|--:|--:|");
  for (const [name, samples] of [["end of the span", bySpan], ["answer at the client", byClient]] as const) {
    const { count, p50, p99, max } = samples.summary();
    say(`| ${name} | ${p50.toFixed(2)} | ${p99.toFixed(2)} | ${max.toFixed(2)} | ${count} |`);
  }
  if (neverBegan > 0) say(`\n${neverBegan} calls never got a cell, or their trace did not arrive.`);
}

await main();
