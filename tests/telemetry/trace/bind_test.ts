import assert from "node:assert/strict";
import { NULL_TRACER } from "../../../telemetry/mod.ts";
import { TestTelemetry } from "../../support/telemetry.ts";

const REQUEST = { method: "GET", uri: "/", version: "HTTP/1.1", traceparent: "unknown" };

Deno.test("Tracer.bind() runs a callback with the span that was active, whoever calls it", async () => {
  await using started = new TestTelemetry();
  const { tracer } = started.telemetry;
  const [mine, other] = [
    tracer.startSpan("http.request", REQUEST),
    tracer.startSpan("http.request", REQUEST),
  ];
  const bound = tracer.withSpan(mine, () => tracer.bind(() => tracer.activeIds()));
  assert.equal(bound(), mine.ids);
  assert.equal(tracer.withSpan(other, bound), mine.ids);
  assert.equal(tracer.withSpan(other, () => (bound(), tracer.activeIds())), other.ids);
});

Deno.test("Tracer.bind() hands on this, arguments, result and error", async () => {
  await using started = new TestTelemetry();
  const bound = started.telemetry.tracer.bind(
    function (this: { readonly base: number }, more: number): number {
      if (more < 0) throw new RangeError("negative");
      return this.base + more;
    },
  );
  assert.equal(bound.call({ base: 40 }, 2), 42);
  assert.throws(() => bound.call({ base: 40 }, -1), RangeError);
});

Deno.test("Tracer.bind() keeps the context over what a bound callback awaits", async () => {
  await using started = new TestTelemetry();
  const { tracer } = started.telemetry;
  const span = tracer.startSpan("http.request", REQUEST);
  const bound = tracer.withSpan(span, () =>
    tracer.bind(async () => {
      await Promise.resolve();
      return tracer.activeIds();
    }));
  assert.equal(await bound(), span.ids);
});

Deno.test("Tracer.bind() outside of any span runs outside of any", async () => {
  await using started = new TestTelemetry();
  const { tracer } = started.telemetry;
  const bound = tracer.bind(() => tracer.activeIds());
  assert.equal(tracer.withSpan(tracer.startSpan("http.request", REQUEST), bound), undefined);
});

Deno.test("with tracing off bind() is the callback itself", () => {
  const callback = (): number => 1;
  assert.equal(NULL_TRACER.bind(callback), callback);
});
