import assert from "node:assert/strict";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { DEFAULT_TELEMETRY_CONFIG, TelemetryConfigError } from "../../../telemetry/mod.ts";
import { BufferPool } from "../../../telemetry/export/buffer_pool.ts";
import { ExportThread } from "../../../telemetry/export/export_thread.ts";
import type { OtlpConfig } from "../../../telemetry/export/otlp_sender.ts";
import { getSpanKindRow } from "../../../telemetry/trace/span_kind.ts";
import { SpanRecord } from "../../../telemetry/trace/span_record.ts";
import { Collector } from "../../support/collector.ts";
import { encodeSpans } from "../../support/span_recorder.ts";

const NO_LEAKS = { sanitizeOps: true, sanitizeResources: true } as const;
const NEVER = new AbortController().signal;
const resource = resourceFromAttributes({});

function aBatch(): Uint8Array<ArrayBuffer> {
  const owner = { resource, nowMs: () => 0, started: (): void => {}, finish: (): void => {} };
  const ids = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 };
  const span = new SpanRecord(owner, getSpanKindRow("wasi_cuda.sync"), ids, undefined, 0, { instance: 1 });
  span.end(1);
  return encodeSpans(resource, [span]);
}

function configOf(collector: Collector, more: Partial<OtlpConfig> = {}): OtlpConfig {
  return { ...DEFAULT_TELEMETRY_CONFIG.tracing.otlp, url: collector.url, ...more };
}

Deno.test(
  "ExportThread sends for several senders, moves their batches, and ends with the last",
  NO_LEAKS,
  async () => {
    await using first = new Collector();
    await using second = new Collector();
    const thread = new ExportThread("test/1");
    const senders = [thread.open(configOf(first)), thread.open(configOf(second, { compression: "gzip" }))];
    const batch = aBatch();
    const results = await Promise.all([
      senders[0]?.send(batch, 1, NEVER),
      senders[1]?.send(aBatch(), 1, NEVER),
      senders[0]?.send(aBatch(), 1, NEVER),
    ]);
    assert.deepEqual(results, Array(3).fill({ acceptedCount: 1 }));
    assert.equal(batch.byteLength, 0);
    assert.deepEqual([first.spans.length, second.spans.length], [2, 1]);
    assert.equal(first.requests[0]?.headers.get("user-agent"), "test/1");
    for (const sender of senders) sender.close();
  },
);

Deno.test("ExportThread gives buffers of sent batches back, whatever became of them", NO_LEAKS, async () => {
  await using collector = new Collector();
  const buffers = new BufferPool();
  const sender = new ExportThread("test/1", buffers).open(configOf(collector));
  for (const mode of [{ type: "accept" }, { type: "refuse", status: 400 }] as const) {
    collector.mode = mode;
    const batch = buffers.take(70 * 1024);
    batch.fill(0);
    // One field that nobody knows, as long as there is room.
    const length = batch.byteLength - 4;
    batch.set([0x7a, length & 0x7f | 0x80, length >> 7 & 0x7f | 0x80, length >> 14]);
    const { acceptedCount } = await sender.send(batch, 1, NEVER);
    assert.equal(acceptedCount, mode.type === "accept" ? 1 : 0);
    assert.equal(batch.byteLength, 0);
    assert.equal(buffers.bytes, 128 * 1024);
  }
  sender.close();
});

Deno.test("ExportThread tells what the collector says", NO_LEAKS, async () => {
  await using collector = new Collector();
  const sender = new ExportThread("test/1").open(configOf(collector));
  collector.mode = { type: "refuse", status: 400 };
  const reason = "the collector answered 400";
  assert.deepEqual(await sender.send(aBatch(), 1, NEVER), { acceptedCount: 0, reason });
  collector.mode = { type: "accept" };
  assert.deepEqual(await sender.send(aBatch(), 1, NEVER), { acceptedCount: 1 });
  sender.close();
});

Deno.test(
  "ExportThread settles at once when it is aborted, also before it has started",
  NO_LEAKS,
  async () => {
    await using collector = new Collector();
    collector.mode = { type: "hang" };
    const sender = new ExportThread("test/1").open(configOf(collector));
    const abort = new AbortController();
    const sent = [sender.send(aBatch(), 1, abort.signal), sender.send(aBatch(), 1, abort.signal)];
    abort.abort();
    sent.push(sender.send(aBatch(), 1, abort.signal));
    const closed = { acceptedCount: 0, reason: "telemetry was closed first" };
    assert.deepEqual(await Promise.all(sent), [closed, closed, closed]);
    sender.close();
  },
);

Deno.test("ExportThread that is closed settles what is on the wire", NO_LEAKS, async () => {
  await using collector = new Collector();
  collector.mode = { type: "hang" };
  const sender = new ExportThread("test/1").open(configOf(collector));
  const sent = sender.send(aBatch(), 1, NEVER);
  sender.close();
  assert.equal((await sent).acceptedCount, 0);
});

Deno.test(
  "ExportThread.open() refuses files that cannot be used, and reload() reads them again",
  NO_LEAKS,
  async () => {
    await using collector = new Collector();
    const folder = await Deno.makeTempDir();
    const headersFile = `${folder}/headers`;
    const thread = new ExportThread("test/1");
    assert.throws(() => thread.open(configOf(collector, { headersFile })), TelemetryConfigError);
    await Deno.writeTextFile(headersFile, "x-team=one");
    const sender = thread.open(configOf(collector, { headersFile }));
    await sender.reload?.();
    await sender.send(aBatch(), 1, NEVER);
    await Deno.writeTextFile(headersFile, "x-team=two");
    await sender.reload?.();
    await sender.send(aBatch(), 1, NEVER);
    sender.close();
    assert.deepEqual(collector.requests.map(({ headers }) => headers.get("x-team")), ["one", "two"]);
    await Deno.remove(folder, { recursive: true });
  },
);
