import assert from "node:assert/strict";
import fc from "fast-check";
import { EventFraming, negotiateFraming, OctetFraming } from "../../../../runtime/gateway/stream/framing.ts";
import type { Framing, StreamEnd } from "../../../../runtime/gateway/stream/framing.ts";
import { bytesOf, parseEvents } from "../../../support/event_stream.ts";
import type { StreamEvent } from "../../../support/event_stream.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const END: StreamEnd = {
  result: "ok",
  usage: { fuel: 1, yields: 2, cpuUs: 3, memoryBytes: 4 },
  chunks: 5,
  bytes: 6,
  traceId: TRACE,
};
const FAILED: StreamEnd = {
  ...END,
  problem: { status: 504, kind: "invoke_timeout", message: "Too late", retryAfterSeconds: undefined },
};

/** Frames chunks that are read `perRead` at a time. */
function framed(framing: Framing, chunks: readonly Uint8Array<ArrayBuffer>[], perRead: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < chunks.length; at += perRead) {
    parts.push(framing.chunks(chunks.slice(at, at + perRead)));
  }
  parts.push(framing.end(END) ?? assert.fail("a success has an end"));
  return parts;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

function eventsOf(framing: Framing, chunks: readonly Uint8Array<ArrayBuffer>[], perRead = 1): StreamEvent[] {
  return parseEvents(
    new TextDecoder("utf-8", { fatal: true }).decode(joined(framed(framing, chunks, perRead))),
  );
}

function chunksOf(...texts: readonly string[]): Uint8Array<ArrayBuffer>[] {
  return texts.map((text) => new TextEncoder().encode(text));
}

/** Bytes that are often text, and text that is often cut within a character. */
const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.string({ unit: "binary", maxLength: 30 }).map((text) => new TextEncoder().encode(text)),
  fc.array(fc.constantFrom("\n", "\r", ":", " ", "\0", "\ufeff", "data", "é", "€", "😀"), { maxLength: 20 })
    .map((texts) => new TextEncoder().encode(texts.join(""))),
);
const anyCuts = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 8 });

function cut(bytes: Uint8Array, cuts: readonly number[]): Uint8Array<ArrayBuffer>[] {
  const ends = [...new Set([...cuts, bytes.length])].filter((end) => end <= bytes.length).sort((a, b) =>
    a - b
  );
  return ends.map((end, index) => bytes.slice(ends[index - 1] ?? 0, end));
}

for (
  const [name, make] of [
    ["text", (): Framing => new EventFraming(false)],
    ["base64", (): Framing => new EventFraming(true)],
  ] as const
) {
  Deno.test(`events with ${name} give back any bytes, cut anywhere`, () => {
    fc.assert(fc.property(anyBytes, anyCuts, fc.integer({ min: 1, max: 4 }), (bytes, cuts, perRead) => {
      const events = eventsOf(make(), cut(bytes, cuts), perRead);
      assert.deepEqual(bytesOf(events), Uint8Array.from(bytes));
      assert.equal(events.at(-1)?.type, "done");
      assert.equal(events.filter(({ type }) => type === "done").length, 1);
    }));
  });
}

Deno.test("octets are any bytes, and nothing else", () => {
  fc.assert(fc.property(anyBytes, anyCuts, fc.integer({ min: 1, max: 4 }), (bytes, cuts, perRead) => {
    assert.deepEqual(joined(framed(new OctetFraming(), cut(bytes, cuts), perRead)), Uint8Array.from(bytes));
  }));
});

Deno.test("a chunk of text is an event, whatever lines it has", () => {
  const chunks = chunksOf("one", "two\nthree\n", " : \0", "");
  assert.deepEqual(eventsOf(new EventFraming(false), chunks).slice(0, -1), [
    { type: "chunk", data: "one" },
    { type: "chunk", data: "two\nthree\n" },
    { type: "chunk", data: " : \0" },
    { type: "chunk", data: "" },
  ]);
});

Deno.test("a character that a chunk ends within comes with the next", () => {
  const bytes = new TextEncoder().encode("a😀b");
  const events = eventsOf(new EventFraming(false), [bytes.slice(0, 2), bytes.slice(2, 4), bytes.slice(4)]);
  assert.deepEqual(events.slice(0, -1), [{ type: "chunk", data: "a" }, { type: "chunk", data: "😀b" }]);
});

Deno.test("a character that never ends is there in base64, before the end", () => {
  const [first, second, end] = eventsOf(new EventFraming(false), [new Uint8Array([0x61, 0xf0, 0x9f])]);
  assert.deepEqual(first, { type: "chunk", data: "a" });
  assert.deepEqual(second, { type: "chunk_b64", data: "8J8=" });
  assert.equal(end?.type, "done");
});

Deno.test("what an event cannot hold, or is no text, is in base64", () => {
  for (const bytes of [[0x0d], [0x61, 0x0d, 0x0a], [0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80]]) {
    const [event] = eventsOf(new EventFraming(false), [new Uint8Array(bytes)]);
    assert.deepEqual(event, { type: "chunk_b64", data: new Uint8Array(bytes).toBase64() });
  }
});

Deno.test("the end of a success says what it returned, what it used and its trace", () => {
  const [event] = eventsOf(new EventFraming(false), []);
  assert.equal(event?.type, "done");
  assert.deepEqual(JSON.parse(event.data), {
    status: "ok",
    result: "ok",
    chunks: 5,
    bytes: 6,
    usage: { fuel: 1, yields: 2, cpu_us: 3, memory_bytes: 4 },
    trace_id: TRACE,
  });
});

Deno.test("the end of a failure has the envelope of errors, and what the reference says of it", () => {
  const end = new EventFraming(false).end(FAILED) ?? assert.fail("events have an end");
  const [event] = parseEvents(new TextDecoder().decode(end));
  assert.equal(event?.type, "error");
  assert.deepEqual(JSON.parse(event.data), {
    status: 504,
    reason: "deadline_elapsed",
    message: "Too late",
    error: { kind: "invoke_timeout", message: "Too late", trace_id: TRACE },
    chunks: 5,
    bytes: 6,
    usage: { fuel: 1, yields: 2, cpu_us: 3, memory_bytes: 4 },
  });
});

Deno.test("octets have no room for a failure", () => {
  assert.equal(new OctetFraming().end(FAILED), undefined);
  assert.equal(new OctetFraming().end(END)?.length, 0);
});

Deno.test("the sign of life is a comment, which a reader of events does not see", () => {
  assert.deepEqual(parseEvents(new TextDecoder().decode(new EventFraming(false).keepAlive)), []);
  assert.equal(new OctetFraming().keepAlive.length, 0);
});

Deno.test("negotiateFraming() takes events wherever they stand in Accept, else octets", () => {
  for (const accept of ["text/event-stream", "a/b, Text/Event-Stream;q=0.5", " text/event-stream ,*/*"]) {
    assert.ok(negotiateFraming(accept) instanceof EventFraming, accept);
  }
  for (const accept of [undefined, "", "*/*", "text/*", "text/event-streams", "application/octet-stream"]) {
    assert.ok(negotiateFraming(accept) instanceof OctetFraming, accept);
  }
  const framing = negotiateFraming("text/event-stream; data=base64");
  assert.deepEqual(eventsOf(framing, chunksOf("text"))[0], { type: "chunk_b64", data: btoa("text") });
});

Deno.test("the content type of octets is the guest's, of events their own", () => {
  assert.equal(new OctetFraming().headers(undefined)["content-type"], "application/octet-stream");
  assert.equal(new OctetFraming().headers("image/png")["content-type"], "image/png");
  assert.deepEqual(new EventFraming(false).headers(), { "content-type": "text/event-stream" });
});
