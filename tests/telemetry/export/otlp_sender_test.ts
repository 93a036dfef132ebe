import assert from "node:assert/strict";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { type OtlpConfig, OtlpSender } from "../../../telemetry/export/otlp_sender.ts";
import { getSpanKindRow } from "../../../telemetry/span_kind.ts";
import { SpanRecord } from "../../../telemetry/span_record.ts";
import { Collector, type CollectorMode } from "../../support/collector.ts";

const NO_LEAKS = { sanitizeOps: true, sanitizeResources: true } as const;
const IDS = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 };
const NEVER = new AbortController().signal;
const resource = resourceFromAttributes({});

function spans(count: number): SpanRecord[] {
  const owner = { resource, nowMs: () => 0, finish: (): void => {} };
  return Array.from({ length: count }, () => {
    const span = new SpanRecord(owner, getSpanKindRow("wasi_cuda.sync"), IDS, undefined, 0, { instance: 1 });
    span.end(1);
    return span;
  });
}

interface Sent {
  readonly acceptedCount: number;
  readonly reason: string | undefined;
  readonly requestCount: number;
}

async function send(mode: CollectorMode, config: Partial<OtlpConfig> = {}, signal = NEVER): Promise<Sent> {
  await using collector = new Collector();
  collector.mode = mode;
  const base = { url: collector.url, headers: {}, timeoutMs: 5000, compression: "none" } as const;
  const sender = new OtlpSender({ ...base, ...config }, resource, "test/1");
  try {
    const { acceptedCount, reason } = await sender.send(spans(3), signal);
    return { acceptedCount, reason, requestCount: collector.requests.length };
  } finally {
    sender.close();
  }
}

Deno.test("OtlpSender.send() posts protobuf with its headers", NO_LEAKS, async () => {
  await using collector = new Collector();
  const headers = { "x-honeycomb-team": "k", "content-type": "text/plain" };
  const config = {
    url: `${collector.endpoint}/some/path`,
    headers,
    timeoutMs: 5000,
    compression: "none",
  } as const;
  const sender = new OtlpSender(config, resource, "test/1");
  assert.deepEqual(await sender.send(spans(3), NEVER), { acceptedCount: 3 });
  sender.close();
  const [request] = collector.requests;
  assert.equal(request?.path, "/some/path");
  assert.equal(request?.headers.get("content-type"), "application/x-protobuf");
  assert.equal(request?.headers.get("x-honeycomb-team"), "k");
  assert.equal(request?.headers.get("user-agent"), "test/1");
  assert.equal(collector.spans.length, 3);
});

Deno.test("OtlpSender.send() compresses when asked", NO_LEAKS, async () => {
  await using collector = new Collector();
  const config = { url: collector.url, headers: {}, timeoutMs: 5000, compression: "gzip" } as const;
  const sender = new OtlpSender(config, resource, "test/1");
  assert.deepEqual(await sender.send(spans(100), NEVER), { acceptedCount: 100 });
  sender.close();
  const [request] = collector.requests;
  assert.equal(request?.headers.get("content-encoding"), "gzip");
  assert.equal(collector.spans.length, 100);
  assert.ok((request?.bytesCount ?? Infinity) < 2000);
});

for (const status of [429, 502, 503, 504]) {
  Deno.test(`OtlpSender.send() tries again after ${status}`, NO_LEAKS, async () => {
    const sent = await send({ type: "refuse_first", count: 2, status, retryAfter: "0" });
    assert.deepEqual(sent, { acceptedCount: 3, reason: undefined, requestCount: 3 });
  });
}

for (const status of [400, 401, 404, 413, 500, 302]) {
  Deno.test(`OtlpSender.send() does not try again after ${status}`, NO_LEAKS, async () => {
    const sent = await send({ type: "refuse", status });
    assert.equal(sent.acceptedCount, 0);
    assert.equal(sent.requestCount, 1);
    assert.equal(sent.reason, `the collector answered ${status}`);
  });
}

Deno.test(
  "OtlpSender.send() gives up at once when Retry-After is beyond its deadline",
  NO_LEAKS,
  async () => {
    const sent = await send({ type: "refuse", status: 429, retryAfter: "60" });
    assert.deepEqual(sent, { acceptedCount: 0, reason: "the collector answered 429", requestCount: 1 });
  },
);

Deno.test("OtlpSender.send() takes a date for Retry-After", NO_LEAKS, async () => {
  const retryAfter = new Date(Date.now() + 3_600_000).toUTCString();
  const sent = await send({ type: "refuse", status: 503, retryAfter });
  assert.equal(sent.requestCount, 1);
});

Deno.test("OtlpSender.send() tries at most six times", NO_LEAKS, async () => {
  const sent = await send({ type: "refuse", status: 503, retryAfter: "0" });
  assert.deepEqual(sent, { acceptedCount: 0, reason: "the collector answered 503", requestCount: 6 });
});

Deno.test("OtlpSender.send() backs off without Retry-After until its deadline", NO_LEAKS, async () => {
  const startMs = performance.now();
  const sent = await send({ type: "refuse", status: 503 }, { timeoutMs: 100 });
  assert.equal(sent.requestCount, 1);
  assert.ok(performance.now() - startMs < 1000);
});

Deno.test("OtlpSender.send() gives up on a collector that hangs", NO_LEAKS, async () => {
  const sent = await send({ type: "hang" }, { timeoutMs: 30 });
  assert.equal(sent.acceptedCount, 0);
  assert.equal(sent.reason, "the collector did not answer in time");
});

Deno.test("OtlpSender.send() counts what a partial success rejects", NO_LEAKS, async () => {
  const sent = await send({ type: "partial", rejectedCount: 2 });
  assert.deepEqual(sent, {
    acceptedCount: 1,
    reason: "the collector rejected a part of a batch",
    requestCount: 1,
  });
});

Deno.test("OtlpSender.send() settles at once when it is aborted", NO_LEAKS, async () => {
  const abort = new AbortController();
  const sent = send({ type: "hang" }, {}, abort.signal);
  setTimeout(() => abort.abort(), 10);
  assert.equal((await sent).acceptedCount, 0);
});

Deno.test("OtlpSender.send() settles at once when it is aborted between two attempts", NO_LEAKS, async () => {
  const abort = new AbortController();
  const startMs = performance.now();
  const sent = send({ type: "refuse", status: 503, retryAfter: "4" }, {}, abort.signal);
  setTimeout(() => abort.abort(), 30);
  assert.equal((await sent).acceptedCount, 0);
  assert.ok(performance.now() - startMs < 2000);
});

Deno.test("OtlpSender.send() does not reach a collector that is down", NO_LEAKS, async () => {
  const sent = await send({ type: "accept" }, { url: "http://127.0.0.1:1/v1/traces", timeoutMs: 20 });
  assert.deepEqual(sent, { acceptedCount: 0, reason: "the collector is not reachable", requestCount: 0 });
});
