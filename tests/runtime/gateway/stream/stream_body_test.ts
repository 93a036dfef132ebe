import assert from "node:assert/strict";
import { EventFraming, OctetFraming } from "../../../../runtime/gateway/stream/framing.ts";
import type { Framing, StreamEnd } from "../../../../runtime/gateway/stream/framing.ts";
import { Outbox } from "../../../../runtime/gateway/stream/outbox.ts";
import { StreamBody, StreamBroken } from "../../../../runtime/gateway/stream/stream_body.ts";
import { NULL_TRACER } from "../../../../telemetry/mod.ts";
import { ManualClock } from "../../../support/clock.ts";
import { parseEvents } from "../../../support/event_stream.ts";

const OK: StreamEnd = {
  result: "ok",
  usage: { fuel: 0, yields: 0, cpuUs: 0, memoryBytes: 0 },
  chunks: 0,
  bytes: 0,
  traceId: undefined,
};
const FAILED: StreamEnd = {
  ...OK,
  problem: { status: 500, kind: "wasmtime", message: "Guest trapped", retryAfterSeconds: undefined },
};
const DRAIN_MS = 5_000;

class Made {
  readonly clock = new ManualClock();
  readonly outbox = new Outbox(100_000, { arrived: () => {}, held: () => {} });
  readonly body: StreamBody;
  left = 0;
  readonly #ended = Promise.withResolvers<StreamEnd>();

  constructor(framing: Framing = new OctetFraming()) {
    this.body = new StreamBody({
      outbox: this.outbox,
      framing,
      ended: this.#ended.promise,
      onLeave: () => this.left++,
      drainMs: DRAIN_MS,
      clock: this.clock,
      tracer: NULL_TRACER,
    });
  }

  write(text: string): void {
    assert.ok(this.outbox.take(new TextEncoder().encode(text), undefined));
  }

  end(end: StreamEnd): void {
    this.outbox.end();
    this.#ended.resolve(end);
  }
}

/** Lets promises settle; nothing here needs time. */
async function settle(): Promise<void> {
  for (let round = 0; round < 20; round++) await Promise.resolve();
}

Deno.test("a body is the chunks, and finished when the call has and all is read", async () => {
  const made = new Made();
  made.write("one ");
  made.write("two ");
  const text = new Response(made.body.readable).text();
  await settle();
  made.write("three");
  made.end(OK);
  assert.equal(await text, "one two three");
  assert.equal(await made.body.done, "finished");
  assert.equal(made.clock.timerCount, 0);
  assert.equal(made.left, 0);
});

Deno.test("octets of a call that failed are broken off after what it wrote", async () => {
  const made = new Made();
  made.write("before");
  made.end(FAILED);
  const reader = made.body.readable.getReader();
  assert.equal(new TextDecoder().decode((await reader.read()).value), "before");
  await assert.rejects(reader.read(), StreamBroken);
  assert.equal(await made.body.done, "failed");
  assert.equal(made.clock.timerCount, 0);
});

Deno.test("events of a call that failed end with an error, and the body ends well", async () => {
  const made = new Made(new EventFraming(false));
  made.write("before");
  made.end(FAILED);
  const events = parseEvents(await new Response(made.body.readable).text());
  assert.deepEqual(events.map(({ type }) => type), ["chunk", "error"]);
  assert.equal(await made.body.done, "failed");
});

Deno.test("a body hands on no more than it is asked for", async () => {
  const made = new Made();
  for (let index = 0; index < 3; index++) made.write("x".repeat(30_000));
  const reader = made.body.readable.getReader();
  await settle();
  await reader.read();
  await settle();
  // Of 90,000 bytes one piece of two chunks has left.
  assert.deepEqual(made.outbox.read(100_000).map(({ length }) => length), [30_000]);
});

Deno.test("a client that leaves is told of once, and what there is for it is dropped", async () => {
  const made = new Made();
  made.write("never read");
  await made.body.readable.cancel();
  assert.equal(await made.body.done, "client_gone");
  assert.equal(made.left, 1);
  assert.deepEqual(made.outbox.read(100), []);
  made.end(FAILED);
  await settle();
  assert.equal(made.clock.timerCount, 0);
});

Deno.test("a client that leaves while the body waits for a chunk leaves no timer behind", async () => {
  const made = new Made(new EventFraming(false));
  const reader = made.body.readable.getReader();
  void reader.read();
  await settle();
  assert.equal(made.clock.timerCount, 1);
  await reader.cancel();
  await settle();
  assert.equal(made.clock.timerCount, 0);
  assert.equal(await made.body.done, "client_gone");
});

Deno.test("a client that does not read the rest in time is cut off", async () => {
  const made = new Made();
  made.write("never read");
  made.end(OK);
  await settle();
  made.clock.advance(DRAIN_MS - 1);
  const reader = made.body.readable.getReader();
  made.clock.advance(1);
  assert.equal(await made.body.done, "client_stalled");
  await assert.rejects(reader.read(), StreamBroken);
  assert.equal(made.left, 0);
});

Deno.test("a client may stall for as long as the call runs: the deadline is the call's affair", async () => {
  const made = new Made();
  made.write("late");
  await settle();
  made.clock.advance(100 * DRAIN_MS);
  made.end(OK);
  assert.equal(await new Response(made.body.readable).text(), "late");
  assert.equal(await made.body.done, "finished");
});

Deno.test("idle events are kept alive by comments; octets cannot be", async () => {
  const made = new Made(new EventFraming(false));
  const reader = made.body.readable.getReader();
  const first = reader.read();
  await settle();
  made.clock.advance(15_000);
  assert.equal(new TextDecoder().decode((await first).value), ":\n\n");
  const second = reader.read();
  await settle();
  made.write("chunk");
  assert.match(new TextDecoder().decode((await second).value), /^event: chunk\n/);
  assert.equal(made.clock.timerCount, 0);
  const octets = new Made();
  void octets.body.readable.getReader().read();
  await settle();
  assert.equal(octets.clock.timerCount, 0);
});

Deno.test("abort() breaks a body off, once", async () => {
  const made = new Made();
  const reading = made.body.readable.getReader().read();
  made.body.abort("gateway_closed");
  made.body.abort("client_stalled");
  await assert.rejects(reading, StreamBroken);
  assert.equal(await made.body.done, "gateway_closed");
});

Deno.test("a body that has ended cannot be aborted", async () => {
  const made = new Made();
  made.end(OK);
  assert.equal(await new Response(made.body.readable).text(), "");
  made.body.abort("gateway_closed");
  assert.equal(await made.body.done, "finished");
});
