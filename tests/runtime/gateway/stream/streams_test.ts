import assert from "node:assert/strict";
import { Streams } from "../../../../runtime/gateway/stream/streams.ts";
import type { StreamPlace } from "../../../../runtime/gateway/stream/streams.ts";
import { RuntimeFault } from "../../../../runtime/model/fault.ts";
import { TestTelemetry } from "../../../support/telemetry.ts";

function isFault(code: string, message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof RuntimeFault && error.code === code && message.test(error.message);
}

Deno.test("Streams lets in as many as there are places, and says how many those are", async () => {
  await using started = new TestTelemetry();
  const streams = new Streams(2, started.telemetry.metrics);
  using _first = streams.enter("1");
  using _second = streams.enter("2");
  assert.throws(() => streams.enter("3"), isFault("capacity_exhausted", /streamsMax is 2, got 3/));
  assert.equal(await started.metric("tensor_wasm_streams_active"), 2);
});

Deno.test("Streams gives a tenant a place while it has fewer than are free", async () => {
  await using started = new TestTelemetry();
  const streams = new Streams(8, started.telemetry.metrics);
  const places: StreamPlace[] = [];
  for (let index = 0; index < 4; index++) places.push(streams.enter("1"));
  assert.throws(() => streams.enter("1"), isFault("tenant_capacity_exhausted", /is 4, got 5/));
  for (let index = 0; index < 2; index++) places.push(streams.enter("2"));
  assert.throws(() => streams.enter("2"), isFault("tenant_capacity_exhausted", /is 2, got 3/));
  places.pop()?.[Symbol.dispose]();
  places.push(streams.enter("2"));
  assert.equal(places.length, 6);
});

Deno.test("Streams counts a place out once", async () => {
  await using started = new TestTelemetry();
  const streams = new Streams(4, started.telemetry.metrics);
  const place = streams.enter("1");
  place[Symbol.dispose]();
  place[Symbol.dispose]();
  assert.equal(await started.metric("tensor_wasm_streams_active"), 0);
});

Deno.test("Streams.abort() breaks off what there is and waits until it has left", async () => {
  await using started = new TestTelemetry();
  const streams = new Streams(4, started.telemetry.metrics);
  const places = [streams.enter("1"), streams.enter("2")];
  const aborted: number[] = [];
  for (const [index, place] of places.entries()) place.onAbort = () => aborted.push(index);
  let isOver = false;
  const over = streams.abort().then(() => isOver = true);
  assert.deepEqual(aborted, [0, 1]);
  places[0]?.[Symbol.dispose]();
  await Promise.resolve();
  assert.equal(isOver, false);
  places[1]?.[Symbol.dispose]();
  await over;
  await streams.abort();
});
