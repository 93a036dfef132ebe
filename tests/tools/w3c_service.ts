/**
 * A service for the public conformance suite of W3C Trace Context: takes a POST with `[{url, arguments}]` and posts
 * each `arguments` to its `url`, with the context that this project's tracer reads and writes.
 *
 * `deno task w3c:service` serves it on 127.0.0.1:5000 (`--port N`); the suite is then run with
 * `http://127.0.0.1:5000/test` as its endpoint. For tests only: it calls whatever it is told to. Invariant: every
 * header it sends comes from Tracer.extract and Tracer.inject alone.
 */
import { DEFAULT_TELEMETRY_CONFIG, startTelemetry } from "../../telemetry/mod.ts";
import type { Tracer } from "../../telemetry/mod.ts";

/** One call that the service is told to make. */
interface Order {
  readonly url: string;
  readonly arguments: unknown;
}

/** The handler of the service. */
export function makeW3cService(tracer: Tracer): (request: Request) => Promise<Response> {
  return async (request) => {
    const remote = tracer.extract(request.headers);
    const orders: readonly Order[] = await request.json();
    using span = tracer.startSpan("http.request", {
      method: request.method,
      uri: new URL(request.url).pathname,
      version: "HTTP/1.1",
      traceparent: remote.traceparent,
    }, { remote });
    await tracer.withSpan(span, () => Promise.all(orders.map((order) => call(tracer, order))));
    return new Response(null, { status: 200 });
  };
}

/** Each call is a span of its own, a child of the active one. */
async function call(tracer: Tracer, order: Order): Promise<void> {
  const headers = new Headers({ "content-type": "application/json" });
  tracer.inject(headers, tracer.allotIds(tracer.activeIds()));
  const response = await fetch(order.url, {
    method: "POST",
    headers,
    body: JSON.stringify(order.arguments),
  });
  await response.body?.cancel();
}

if (import.meta.main) {
  const [flag, value] = Deno.args;
  const port = flag === "--port" ? Number(value) : 5000;
  const { tracer } = startTelemetry(DEFAULT_TELEMETRY_CONFIG, {
    write: (bytes) => void Deno.stdout.writeSync(bytes),
  });
  const service = makeW3cService(tracer);
  Deno.serve({ hostname: "127.0.0.1", port }, service);
}
