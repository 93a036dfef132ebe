/** Answers: bodies leave as they are, in pieces if they are large, and give way when their clients do not read. */
import assert from "node:assert/strict";
import { Answers, PIECE_BYTES_MAX } from "../../../runtime/gateway/answers.ts";
import type { SentBody } from "../../../runtime/gateway/body_end.ts";
import type { AnswerBody } from "../../../runtime/gateway/respond.ts";
import { StreamBroken } from "../../../runtime/gateway/stream/stream_body.ts";
import { DEFAULT_LIMITS } from "../../../runtime/model/limits.ts";
import { ManualClock } from "../../support/clock.ts";
import { TestTelemetry } from "../../support/telemetry.ts";

const BYTES = 4 * PIECE_BYTES_MAX;
const TEXT = { "content-type": "text/plain" };
const STALL_MS = 10_000;

class Place implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly telemetry = new TestTelemetry();
  readonly answers = new Answers({
    clock: this.clock,
    telemetry: this.telemetry.telemetry,
    limits: { ...DEFAULT_LIMITS, streamDrainMs: STALL_MS, answersBytesMax: 3 * BYTES },
  });

  /** How answers ended, in that order. */
  readonly ends: SentBody[] = [];

  respond(
    body: string | Uint8Array<ArrayBuffer>,
    head: Omit<AnswerBody, "body"> = { headers: TEXT },
  ): Response {
    return this.answers.respond({ ...head, body }, (sent) => void sent.then((end) => this.ends.push(end)));
  }

  /** A client of a large answer, which reads when it is told to. */
  client(): ReadableStreamDefaultReader<Uint8Array> {
    const { body } = this.respond(new Uint8Array(BYTES));
    assert.ok(body !== null);
    return body.getReader();
  }

  get brokenOff(): unknown[] {
    return this.telemetry.lines.filter(({ message }) => message === "answer.broken_off")
      .map(({ reason, read_bytes: readBytes }) => [reason, readBytes]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.answers[Symbol.dispose]();
    await this.telemetry[Symbol.asyncDispose]();
  }
}

for (const size of [0, 1, PIECE_BYTES_MAX, PIECE_BYTES_MAX + 1, 3 * PIECE_BYTES_MAX - 1]) {
  Deno.test(`an answer of ${size} bytes leaves as it is, and holds nothing then`, async () => {
    await using place = new Place();
    const bytes = Uint8Array.from({ length: size }, (_, index) => index % 251);
    const response = place.respond(bytes, { headers: { "content-type": "image/png" }, status: 202 });
    assert.equal(place.answers.heldBytes, size > PIECE_BYTES_MAX ? size : 0);
    assert.deepEqual([response.status, response.headers.get("content-type")], [202, "image/png"]);
    const length = response.headers.get("content-length");
    assert.equal(length, size > PIECE_BYTES_MAX ? String(size) : null);
    assert.deepEqual(place.ends, []);
    assert.deepEqual(await response.bytes(), bytes);
    assert.equal(place.answers.heldBytes, 0);
    const chunks = Math.ceil(size / PIECE_BYTES_MAX);
    assert.deepEqual(place.ends, chunks > 1 ? [{ ending: "finished", chunks, bytes: size }] : []);
    assert.equal(place.clock.timerCount, 0);
  });
}

Deno.test("text has the length of its bytes", async () => {
  await using place = new Place();
  const text = "ü".repeat(PIECE_BYTES_MAX + 1);
  const response = place.respond(text);
  assert.equal(response.headers.get("content-length"), String(2 * text.length));
  assert.equal(await response.text(), text);
});

Deno.test("a client that leaves takes its answer along", async () => {
  await using place = new Place();
  const client = place.client();
  await client.read();
  await client.cancel();
  assert.equal(place.answers.heldBytes, 0);
  assert.deepEqual(place.ends, [{ ending: "client_gone", chunks: 1, bytes: PIECE_BYTES_MAX }]);
  place.clock.advance(2 * STALL_MS);
  assert.deepEqual([place.brokenOff, place.clock.timerCount], [[], 0]);
});

Deno.test("a client that reads on now and then is served, one that does not is cut off", async () => {
  await using place = new Place();
  const [slow, stalled] = [place.client(), place.client()];
  for (let count = 0; count < 2; count++) {
    place.clock.advance(STALL_MS - 1000);
    assert.equal((await slow.read()).value?.length, PIECE_BYTES_MAX);
  }
  await assert.rejects(stalled.read(), StreamBroken);
  assert.deepEqual(place.brokenOff, [["stalled", 0]]);
  assert.deepEqual(place.ends, [{ ending: "client_stalled", chunks: 0, bytes: 0 }]);
  assert.equal(place.answers.heldBytes, BYTES);
  assert.equal((await slow.read()).value?.length, PIECE_BYTES_MAX);
});

Deno.test("when too much is held, the clients that read slowest give way, but none that just came", async () => {
  await using place = new Place();
  const [quick, slow] = [place.client(), place.client()];
  place.clock.advance(500);
  await quick.read();
  const young = place.client();
  assert.equal(place.answers.heldBytes, 3 * BYTES);
  const younger = place.client();
  assert.equal(place.answers.heldBytes, 4 * BYTES);
  place.clock.advance(500);
  await assert.rejects(slow.read(), StreamBroken);
  for (const client of [quick, young, younger]) assert.equal((await client.read()).done, false);
  assert.deepEqual(place.brokenOff, [["slow", 0]]);
  assert.deepEqual(place.ends, [{ ending: "client_slow", chunks: 0, bytes: 0 }]);
});

Deno.test("a departure that is small gives way to none, as that makes no room, but may not stall", async () => {
  await using place = new Place();
  const ends: string[] = [];
  const small = place.answers.depart(new Uint8Array(PIECE_BYTES_MAX), (ending) => ends.push(ending));
  const clients = Array.from({ length: 3 }, () => place.client());
  place.clock.advance(1000);
  assert.deepEqual([ends, place.ends.map(({ ending }) => ending)], [[], []]);
  await assert.rejects(Promise.race(clients.map((client) => client.closed)), StreamBroken);
  for (const client of clients) await client.read().catch(() => {});
  assert.deepEqual([ends, place.ends.map(({ ending }) => ending)], [[], ["client_slow"]]);
  place.clock.advance(STALL_MS - 1001);
  assert.deepEqual(ends, []);
  place.clock.advance(1001);
  assert.deepEqual(ends, ["client_stalled"]);
  small[Symbol.dispose]();
});

Deno.test("a body that many read is held once, until the last of them has gone", async () => {
  await using place = new Place();
  const bytes = new Uint8Array(2 * BYTES);
  const clients = Array.from({ length: 3 }, () => place.respond(bytes).body?.getReader());
  assert.equal(place.answers.heldBytes, bytes.length);
  place.clock.advance(2000);
  for (const client of clients) {
    assert.equal(place.answers.heldBytes, bytes.length);
    assert.equal((await client?.read())?.done, false);
    await client?.cancel();
  }
  assert.deepEqual([place.answers.heldBytes, place.brokenOff], [0, []]);
});

Deno.test("an answer that is alone is served however large it is", async () => {
  await using place = new Place();
  const response = place.respond(new Uint8Array(4 * BYTES));
  assert.equal((await response.bytes()).length, 4 * BYTES);
});

Deno.test("the end of the gateway breaks off what there is", async () => {
  await using place = new Place();
  const client = place.client();
  place.answers[Symbol.dispose]();
  await assert.rejects(client.read(), StreamBroken);
  assert.deepEqual([place.answers.heldBytes, place.clock.timerCount, place.brokenOff], [0, 0, []]);
  assert.deepEqual(place.ends, [{ ending: "gateway_closed", chunks: 0, bytes: 0 }]);
});
