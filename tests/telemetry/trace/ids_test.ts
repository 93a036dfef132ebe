import assert from "node:assert/strict";
import { makeChildIds, makeRootIds, PooledIdGenerator } from "../../../telemetry/trace/ids.ts";
import { LocalTrace } from "../../../telemetry/trace/local_trace.ts";

Deno.test("PooledIdGenerator makes ids of the right form", () => {
  const generator = new PooledIdGenerator();
  for (let count = 0; count < 3000; count++) {
    assert.match(generator.generateTraceId(), /^[0-9a-f]{32}$/);
    assert.match(generator.generateSpanId(), /^[0-9a-f]{16}$/);
  }
});

Deno.test("PooledIdGenerator repeats none of 100,000 span ids", () => {
  const generator = new PooledIdGenerator();
  const ids = new Set(Array.from({ length: 100_000 }, () => generator.generateSpanId()));
  assert.equal(ids.size, 100_000);
});

Deno.test("PooledIdGenerator uses every digit in every place", () => {
  const generator = new PooledIdGenerator();
  const places = Array.from({ length: 16 }, () => new Set<string>());
  for (let count = 0; count < 2000; count++) {
    for (const [place, digit] of [...generator.generateSpanId()].entries()) places[place]?.add(digit);
  }
  assert.deepEqual(places.map((digits) => digits.size), Array.from({ length: 16 }, () => 16));
});

Deno.test("makeChildIds() hands on trace, baggage and flags, with a span id of its own", () => {
  const generator = new PooledIdGenerator();
  const local = new LocalTrace("a".repeat(32), 1);
  const root = makeRootIds(generator, "a".repeat(32), 1, "k=v", local);
  const child = makeChildIds(generator, root, root.traceFlags, local);
  assert.equal(child.traceId, root.traceId);
  assert.notEqual(child.spanId, root.spanId);
  assert.equal(child.traceFlags, 1);
  assert.equal(child.baggage, "k=v");
  assert.equal(child.isRemote, false);
  assert.equal(child.local, local);
});
