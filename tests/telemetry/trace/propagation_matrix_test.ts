/**
 * Every way in which work leaves the call stack in this Deno, and the context with it: after each, a log line has the
 * span's ids and a new span is its child. What loses the context by itself is bound (Tracer.bind); which that is, the
 * table says. The gateway has no WebSocket route and no Worker; they are here because the table is to be whole.
 */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { setImmediate } from "node:timers";
import type { Span, Telemetry } from "../../../telemetry/mod.ts";
import { Collector } from "../../support/collector.ts";
import { TestTelemetry } from "../../support/telemetry.ts";
import { bound, type Boundary, carried, serveOnce, sleep } from "./boundary.ts";
import { LANGUAGE_BOUNDARIES } from "./language_boundaries.ts";
import { PLATFORM_BOUNDARIES } from "./platform_boundaries.ts";
import { STREAM_BOUNDARIES } from "./stream_boundaries.ts";

const MATRIX: readonly Boundary[] = [
  carried("await", async (callback) => {
    await Promise.resolve();
    callback();
  }),
  carried("a promise that is resolved elsewhere", async (callback, elsewhere) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const crossed = promise.then(callback);
    elsewhere(resolve);
    await crossed;
  }),
  carried("setTimeout", async (callback) => {
    await new Promise<void>((resolve) => setTimeout(() => (callback(), resolve()), 1));
  }),
  carried("setInterval", async (callback) => {
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => (clearInterval(timer), callback(), resolve()), 1);
    });
  }),
  carried(
    "setImmediate",
    (callback) => new Promise<void>((resolve) => setImmediate(() => (callback(), resolve()))),
  ),
  carried(
    "queueMicrotask",
    (callback) => new Promise<void>((done) => queueMicrotask(() => (callback(), done()))),
  ),
  carried("files and digests", async (callback) => {
    await crypto.subtle.digest("SHA-256", await Deno.readFile(new URL(import.meta.url)));
    callback();
  }),
  carried("a socket", async (callback) => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const accepted = listener.accept();
    using client = await Deno.connect({ hostname: "127.0.0.1", port: (listener.addr as Deno.NetAddr).port });
    using server = await accepted;
    const read = server.read(new Uint8Array(1));
    await client.write(new Uint8Array(1));
    await read;
    callback();
  }),
  bound("an event that is dispatched elsewhere", (callback, elsewhere) => {
    const target = new EventTarget();
    target.addEventListener("crossed", callback);
    elsewhere(() => target.dispatchEvent(new Event("crossed")));
  }),
  bound("an emitter that emits elsewhere", (callback, elsewhere) => {
    const emitter = new EventEmitter();
    emitter.on("crossed", callback);
    elsewhere(() => void emitter.emit("crossed"));
  }),
  bound("a signal that is aborted elsewhere", (callback, elsewhere) => {
    const controller = new AbortController();
    controller.signal.addEventListener("abort", callback);
    elsewhere(() => controller.abort());
  }),
  bound("AbortSignal.timeout()", async (callback) => {
    const signal = AbortSignal.timeout(1);
    signal.addEventListener("abort", callback);
    while (!signal.aborted) await sleep(1);
  }),
  carried("a message port whose handler was set here", async (callback, elsewhere) => {
    const { port1, port2 } = new MessageChannel();
    await new Promise<void>((resolve) => {
      port1.onmessage = () => (callback(), resolve());
      elsewhere(() => port2.postMessage(null));
    });
    port1.close();
  }),
  carried("a worker's message whose handler was set here", async (callback) => {
    const worker = new Worker("data:text/javascript,postMessage(null)", { type: "module" });
    await new Promise<void>((resolve) => worker.onmessage = () => (callback(), resolve()));
    worker.terminate();
  }),
  carried("an idle stream that is pulled elsewhere", async (callback, elsewhere) => {
    const stream = new ReadableStream({ pull: callback }, { highWaterMark: 0 });
    elsewhere(() => void stream.getReader().read().catch(() => {}));
    await sleep(0);
  }),
  bound("a stream that is cancelled elsewhere", async (callback, elsewhere) => {
    const stream = new ReadableStream({ cancel: callback }, { highWaterMark: 0 });
    elsewhere(() => void stream.cancel());
    await sleep(0);
  }),
];

/** As the others, but the callback is made by a request's handler, and called by the server. */
const SERVED: readonly Boundary[] = [
  carried("a request's body", async (callback) => {
    await serveOnce(async (request) => {
      for await (const _ of request.body ?? []);
      return new Response();
    }, (url) => fetch(url, { method: "POST", body: "body" }).then((response) => response.body?.cancel()));
    callback();
  }),
  bound("a response's body, pulled under back-pressure", async (callback) => {
    let left = 200;
    await serveOnce(() =>
      new Response(
        new ReadableStream({
          pull: (controller) => {
            if (left-- > 0) return controller.enqueue(new Uint8Array(65_536));
            callback();
            controller.close();
          },
        }, { highWaterMark: 0 }),
      ), async (url) => {
      // A slow reader: the server has to wait, and pulls when its socket says so.
      for await (const _ of (await fetch(url)).body ?? []) if (left % 40 === 0) await sleep(1);
    });
  }),
  bound("a response's body, cancelled because the client left", async (callback) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    await serveOnce(() =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
          cancel: () => (callback(), resolve()),
        }, { highWaterMark: 0 }),
      ), async (url) => {
      await (await fetch(url)).body?.cancel();
      await promise;
    });
  }),
  bound("a server's WebSocket", async (callback) => {
    const closed = Promise.withResolvers<void>();
    await serveOnce((request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = () => (callback(), socket.close());
      socket.onclose = () => closed.resolve();
      return response;
    }, async (url) => {
      const client = new WebSocket(url.replace("http", "ws"));
      client.onopen = () => client.send("message");
      await closed.promise;
    });
  }),
];

const BOUNDARIES = [
  ...MATRIX,
  ...SERVED,
  ...LANGUAGE_BOUNDARIES,
  ...PLATFORM_BOUNDARIES,
  ...STREAM_BOUNDARIES,
];

function newSpan({ tracer }: Telemetry): Span<"http.request"> {
  const attributes = { method: "GET", uri: "/", version: "HTTP/1.1", traceparent: "unknown" };
  return tracer.startSpan("http.request", attributes, { parent: null });
}

for (const { name, isBound, cross } of BOUNDARIES) {
  Deno.test(`the context crosses ${name}${isBound ? ", bound" : ""}`, async () => {
    await using started = new TestTelemetry();
    const { telemetry } = started;
    const { tracer } = telemetry;
    const [mine, other] = [newSpan(telemetry), newSpan(telemetry)];
    let crossings = 0;
    await tracer.withSpan(mine, async () => {
      const callback = (): void => {
        crossings++;
        telemetry.log("matrix").info("crossed");
        tracer.startSpan("http.invoke_function", { function_id: "f", tenant: "0" }).end();
      };
      await cross(isBound ? tracer.bind(callback) : callback, (work) => tracer.withSpan(other, work));
    });
    mine.end();
    other.end();
    assert.ok(crossings > 0, "the callback was called");
    const lines = started.lines.filter(({ message }) => message === "crossed");
    assert.equal(lines.length, crossings);
    for (const line of lines) {
      assert.equal(line["trace_id"], mine.ids?.traceId);
      assert.equal(line["span_id"], mine.ids?.spanId);
    }
    const children = (await started.spans()).filter((span) => span.name === "http.invoke_function");
    assert.equal(children.length, crossings);
    for (const child of children) assert.equal(child.parentSpanId, mine.ids?.spanId);
    assert.equal(await started.metric("tensor_wasm_log_lines_total", '{has_trace="false"}') ?? 0, 0);
  });
}

for (const { name, isBound, cross } of BOUNDARIES) {
  if (!isBound) continue;
  Deno.test(`the context is lost, or another's, over ${name} that is not bound`, async () => {
    await using started = new TestTelemetry();
    const { tracer } = started.telemetry;
    const [mine, other] = [newSpan(started.telemetry), newSpan(started.telemetry)];
    const seen: unknown[] = [];
    await tracer.withSpan(mine, async () => {
      await cross(() => seen.push(tracer.activeIds()), (work) => tracer.withSpan(other, work));
    });
    assert.ok(seen.length > 0);
    assert.ok(!seen.includes(mine.ids), "this Deno keeps the context here: it need not be bound");
  });
}

Deno.test("the exporter's own requests carry no context and make no spans, whoever has them sent", async () => {
  await using collector = new Collector();
  const otlp = { url: collector.url, headers: {}, timeoutMs: 5_000, compression: "none" } as const;
  await using started = new TestTelemetry({ tracing: { exporter: "otlp", otlp }, sender: null });
  const { tracer } = started.telemetry;
  const span = newSpan(started.telemetry);
  await tracer.withSpan(span, async () => {
    tracer.startSpan("http.invoke_function", { function_id: "f", tenant: "0" }).end();
    await started.telemetry.flush(5_000);
  });
  span.end();
  await started.telemetry.flush(5_000);
  assert.ok(collector.requests.length >= 2);
  for (const { headers } of collector.requests) {
    for (const name of ["traceparent", "tracestate", "baggage"]) assert.equal(headers.get(name), null);
  }
  assert.deepEqual(collector.spans.map(({ name }) => name).sort(), ["http.invoke_function", "http.request"]);
});
