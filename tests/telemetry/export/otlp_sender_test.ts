import assert from "node:assert/strict";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { type OtlpConfig, OtlpSender } from "../../../telemetry/export/otlp_sender.ts";
import type { SendResult } from "../../../telemetry/export/sender.ts";
import { getSpanKindRow } from "../../../telemetry/trace/span_kind.ts";
import { SpanRecord } from "../../../telemetry/trace/span_record.ts";
import { Collector, type CollectorMode } from "../../support/collector.ts";
import { encodeSpans } from "../../support/span_recorder.ts";

const NO_LEAKS = { sanitizeOps: true, sanitizeResources: true } as const;
const IDS = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 };
const NEVER = new AbortController().signal;
/** Less than the shortest pause before a second attempt, so there is none, and all there is for the first. */
const ONE_ATTEMPT_MS = 124;
const resource = resourceFromAttributes({});

/** An encoded batch. */
function spans(count: number): Uint8Array<ArrayBuffer> {
  const owner = { resource, nowMs: () => 0, finish: (): void => {} };
  const batch = Array.from({ length: count }, () => {
    const span = new SpanRecord(owner, getSpanKindRow("wasi_cuda.sync"), IDS, undefined, 0, { instance: 1 });
    span.end(1);
    return span;
  });
  return encodeSpans(resource, batch);
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
  const sender = new OtlpSender({ ...base, ...config }, "test/1");
  try {
    const { acceptedCount, reason } = await sender.send(spans(3), 3, signal);
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
  const sender = new OtlpSender(config, "test/1");
  assert.deepEqual(await sender.send(spans(3), 3, NEVER), { acceptedCount: 3 });
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
  const sender = new OtlpSender(config, "test/1");
  assert.deepEqual(await sender.send(spans(100), 100, NEVER), { acceptedCount: 100 });
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
  const sent = await send({ type: "refuse", status: 503 }, { timeoutMs: ONE_ATTEMPT_MS });
  assert.equal(sent.acceptedCount, 0);
  assert.ok(sent.requestCount <= 1, `${sent.requestCount} requests`);
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
  // It would come back in an hour.
  const mode = { type: "refuse", status: 503, retryAfter: "3600" } as const;
  const sent = send(mode, { timeoutMs: 2 ** 31 - 1 }, abort.signal);
  setTimeout(() => abort.abort(), 30);
  assert.equal((await sent).acceptedCount, 0);
});

Deno.test("OtlpSender.send() does not reach a collector that is down", NO_LEAKS, async () => {
  const away = { url: "http://127.0.0.1:1/v1/traces", timeoutMs: ONE_ATTEMPT_MS };
  const sent = await send({ type: "accept" }, away);
  assert.deepEqual(sent, { acceptedCount: 0, reason: "the collector is not reachable", requestCount: 0 });
});

/** A server that answers with what it is given; `hits` counts requests. */
class OddServer implements AsyncDisposable {
  hits = 0;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(answer: () => Response) {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      this.hits += 1;
      await request.arrayBuffer();
      return answer();
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/v1/traces`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

async function sendTo(url: string, timeoutMs = 5000): Promise<SendResult> {
  const headers = { "x-honeycomb-team": "hush" };
  const sender = new OtlpSender({ url, headers, timeoutMs, compression: "none" }, "test/1");
  try {
    return await sender.send(spans(3), 3, NEVER);
  } finally {
    sender.close();
  }
}

Deno.test("OtlpSender does not follow a redirect, so keys stay where they were sent", async () => {
  await using other = new OddServer(() => new Response());
  await using server = new OddServer(() =>
    new Response(null, { status: 307, headers: { location: other.url } })
  );
  assert.deepEqual(await sendTo(server.url), { acceptedCount: 0, reason: "the collector answered 307" });
  assert.deepEqual([server.hits, other.hits], [1, 0]);
});

Deno.test("OtlpSender takes a 200 with garbage as an acceptance", async () => {
  await using server = new OddServer(() => new Response(new Uint8Array(1000).fill(0xff)));
  assert.deepEqual(await sendTo(server.url), { acceptedCount: 3 });
});

Deno.test("OtlpSender reads no more of an endless answer than a little", async () => {
  let chunkCount = 0;
  await using server = new OddServer(() =>
    new Response(
      new ReadableStream({
        pull(controller): void {
          chunkCount += 1;
          controller.enqueue(new Uint8Array(16 * 1024));
        },
      }),
    )
  );
  assert.deepEqual(await sendTo(server.url), { acceptedCount: 3 });
  // What is above the limit was under way already.
  assert.ok(chunkCount < 1000, `${chunkCount} chunks of 16 KiB were sent`);
});

Deno.test("OtlpSender gives up on an answer whose body never ends", async () => {
  await using server = new OddServer(() => new Response(new ReadableStream({ start(): void {} })));
  const reason = "the collector did not answer in time";
  assert.deepEqual(await sendTo(server.url, 100), { acceptedCount: 0, reason });
});

Deno.test("OtlpSender takes an answer with a malformed Retry-After as one without", async () => {
  const headers = { "retry-after": "soon" };
  await using server = new OddServer(() => new Response(null, { status: 503, headers }));
  assert.equal((await sendTo(server.url, ONE_ATTEMPT_MS)).acceptedCount, 0);
  // Taken for "at once", it would have come back.
  assert.ok(server.hits <= 1, `${server.hits} requests`);
});

const ANSWERS: readonly (readonly [what: string, body: readonly number[], acceptedCount: number])[] = [
  ["that rejects one and says why", [0x0a, 0x05, 0x08, 0x01, 0x12, 0x01, 0x78], 2],
  ["that says why before it says how many", [0x0a, 0x05, 0x12, 0x01, 0x78, 0x08, 0x02], 1],
  ["that rejects more than was sent", [0x0a, 0x03, 0x08, 0xff, 0x7f], 0],
  ["that only warns", [0x0a, 0x03, 0x12, 0x01, 0x78], 3],
  ["whose length is beyond its end", [0x0a, 0x7f, 0x08, 0x01], 3],
  ["that ends in the middle of a number", [0x0a, 0x02, 0x08, 0x80], 3],
  ["with a field of another version before", [0x10, 0x07, 0x0a, 0x02, 0x08, 0x01], 2],
];

for (const [what, body, acceptedCount] of ANSWERS) {
  Deno.test(`OtlpSender reads an answer ${what}`, async () => {
    await using server = new OddServer(() => new Response(new Uint8Array(body)));
    assert.equal((await sendTo(server.url)).acceptedCount, acceptedCount);
  });
}
