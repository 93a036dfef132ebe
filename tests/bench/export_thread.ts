/**
 * export_thread: what sending spans takes of the thread that makes them, on it and beside it.
 *
 * Prints microseconds of processor time per span, the least of some rounds: of the calling thread, read from
 * /proc/self/schedstat, and of the whole process. The numbers of docs/decisions/0014-export-thread.md come from
 * here. Run: `deno run -A tests/bench/export_thread.ts`.
 */
import process from "node:process";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { SpanEncoder } from "../../telemetry/export/otlp_spans.ts";
import { getSpanKindRow } from "../../telemetry/trace/span_kind.ts";
import { SpanRecord } from "../../telemetry/trace/span_record.ts";
import { type Bytes, COMPRESSIONS, post } from "./export_worker.ts";
import { startBare } from "./servers.ts";

const BATCHES = 40;
const BATCH_SPANS = 512;
const ROUNDS = 2;
const CONCURRENT = 4;

/** Nanoseconds that this thread has run. */
function threadNanos(): number {
  return Number(Deno.readTextFileSync("/proc/self/schedstat").split(" ")[0]);
}

function makeSpans(): SpanRecord[] {
  const resource = resourceFromAttributes({ "service.name": "bench" });
  const owner = { resource, nowMs: () => 1000, started: (): void => {}, finish: (): void => {} };
  return Array.from({ length: BATCH_SPANS }, (_, index) => {
    const traceId = crypto.randomUUID().replaceAll("-", "");
    const ids = { traceId, spanId: traceId.slice(16), traceFlags: 1 };
    const attributes = { instance: index, export: "run", args_len: 2, fuel: 1234, outcome: "ok" };
    const name = "tensor_wasm_exec::executor::call_export_with_args";
    const span = new SpanRecord(owner, getSpanKindRow(name), ids, ids, 1000, attributes);
    span.end(1001);
    return span;
  });
}

interface Cost {
  readonly thread: number;
  readonly process: number;
}

async function measure(send: (batch: Bytes) => Promise<void>, spans: readonly SpanRecord[]): Promise<Cost> {
  const encoder = new SpanEncoder(resourceFromAttributes({ "service.name": "bench" }));
  const [threadBefore, processBefore] = [threadNanos(), process.cpuUsage()];
  const sending = new Set<Promise<void>>();
  for (let batch = 0; batch < BATCHES; batch++) {
    for (const span of spans) encoder.add(span);
    const sent: Promise<void> = send(encoder.take()).then(() => void sending.delete(sent));
    sending.add(sent);
    if (sending.size >= CONCURRENT) await Promise.race(sending);
  }
  await Promise.all(sending);
  const used = process.cpuUsage(processBefore);
  const count = BATCHES * BATCH_SPANS;
  return {
    thread: (threadNanos() - threadBefore) / 1000 / count,
    process: (used.user + used.system) / count,
  };
}

/** Sends through a worker, which gets the batch's buffer. */
function viaWorker(url: string, compression: string): { send(batch: Bytes): Promise<void>; end(): void } {
  const worker = new Worker(new URL("./export_worker.ts", import.meta.url), {
    type: "module",
    name: JSON.stringify({ url, compression }),
  });
  const waiting: (() => void)[] = [];
  worker.onmessage = (): void => waiting.shift()?.();
  return {
    send: (batch) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push(resolve);
      worker.postMessage(batch, [batch.buffer]);
      return promise;
    },
    end: () => worker.terminate(),
  };
}

async function main(): Promise<void> {
  await using sink = await startBare("sink");
  const spans = makeSpans();
  const ways: { readonly name: string; send(batch: Bytes): Promise<void>; end(): void }[] = [
    { name: "encoded only", send: () => Promise.resolve(), end: () => {} },
  ];
  for (const [compression, compress] of Object.entries(COMPRESSIONS)) {
    const send = async (batch: Bytes): Promise<void> => await post(sink.url, await compress(batch));
    ways.push({ name: `on the thread, ${compression}`, send, end: () => {} });
    ways.push({ name: `in a worker, ${compression}`, ...viaWorker(sink.url, compression) });
  }
  const best = new Map<string, Cost>();
  for (let round = 0; round <= ROUNDS; round++) {
    for (const { name, send } of ways) {
      const cost = await measure(send, spans);
      const known = best.get(name);
      // The first round warms up.
      if (round > 0 && (known === undefined || cost.thread < known.thread)) best.set(name, cost);
    }
  }
  for (const { end } of ways) end();
  for (const [name, cost] of best) {
    const line = `${name.padEnd(44)} ${cost.thread.toFixed(3)} thread, ${cost.process.toFixed(3)} process\n`;
    Deno.stdout.writeSync(new TextEncoder().encode(line));
  }
}

await main();
