/** jobEvents(): heartbeats, the end of the watcher on every way out, and clients that do not read. */
import assert from "node:assert/strict";
import { Answers, PIECE_BYTES_MAX } from "../../../runtime/gateway/answers.ts";
import { jobEvents } from "../../../runtime/gateway/job_events.ts";
import { JobPlace } from "../jobs/job_place.ts";

const HEARTBEAT_MS = 15_000;

interface Followed {
  readonly place: JobPlace;
  readonly id: string;
  readonly reader: ReadableStreamDefaultReader<string>;
  readonly answers: Answers;
  /** Timers that there were before the stream. */
  readonly timersBefore: number;
}

/** A stream of a job that runs, and whose result is a text. */
async function follow(place: JobPlace, text = "result"): Promise<Followed> {
  const id = await place.submit();
  await place.settled();
  const { clock, jobs } = place;
  const timersBefore = clock.timerCount;
  const { telemetry } = place.telemetry;
  const { tracer } = telemetry;
  const answers = new Answers({ telemetry, clock, limits: place.limits });
  const result = (): Promise<Uint8Array<ArrayBuffer>> =>
    Promise.resolve(new TextEncoder().encode(JSON.stringify(text)));
  const stream = jobEvents(jobs.find(id, "7"), { answers, jobs, clock, tracer, result }) as ReadableStream<
    Uint8Array<ArrayBuffer>
  >;
  return {
    place,
    id,
    timersBefore,
    answers,
    reader: stream.pipeThrough(new TextDecoderStream()).getReader(),
  };
}

async function read({ reader }: Followed): Promise<string | undefined> {
  const { value, done } = await reader.read();
  return done ? undefined : value;
}

function stateFrame(id: string, state: string): string {
  return `event: state\ndata: {"id":"${id}","state":"${state}","attempt":1}\n\n`;
}

Deno.test("a stream has heartbeats while nothing happens, and ends after the result without a timer", async () => {
  await using place = await JobPlace.make({ limits: { jobWatchersMax: 1 } });
  const followed = await follow(place);
  assert.equal(await read(followed), stateFrame(followed.id, "running"));
  for (let count = 0; count < 2; count++) {
    place.clock.advance(HEARTBEAT_MS);
    assert.equal(await read(followed), ": \n\n");
  }
  place.runs[0]?.end();
  await place.settled();
  assert.equal(await read(followed), stateFrame(followed.id, "completed"));
  assert.equal(await read(followed), 'event: result\ndata: "result"\n\n');
  assert.equal(await read(followed), undefined);
  assert.equal(place.clock.timerCount, followed.timersBefore);
});

Deno.test("a client that leaves takes its watcher and timer with it", async () => {
  await using place = await JobPlace.make({ limits: { jobWatchersMax: 1 } });
  const followed = await follow(place);
  await read(followed);
  const { id } = followed;
  assert.throws(() => place.jobs.watch(id, "7", { changed: () => {}, closed: () => {} }), {
    code: "capacity_exhausted",
  });
  await followed.reader.cancel();
  place.jobs.watch(id, "7", { changed: () => {}, closed: () => {} })();
  assert.equal(place.clock.timerCount, followed.timersBefore);
});

Deno.test("a drain ends a stream without a result", async () => {
  await using place = await JobPlace.make();
  const followed = await follow(place);
  await read(followed);
  place.jobs.endWatches();
  assert.equal(await read(followed), ": the gateway is shutting down\n\n");
  assert.equal(await read(followed), undefined);
});

Deno.test("heartbeats are not queued for a client that does not read", async () => {
  await using place = await JobPlace.make();
  const followed = await follow(place);
  for (let count = 0; count < 1_000; count++) place.clock.advance(HEARTBEAT_MS);
  await place.settled();
  place.runs[0]?.end();
  await place.settled();
  let frames = 0;
  let last: string | undefined;
  for (let frame = await read(followed); frame !== undefined; frame = await read(followed)) {
    frames++;
    last = frame;
  }
  assert.ok(frames < 100, `${frames} frames`);
  // Whatever it missed, it has the result.
  assert.equal(last, 'event: result\ndata: "result"\n\n');
});

Deno.test("a long result comes in pieces, as the client reads, and holds nothing when it is read or left", async () => {
  for (const isLeft of [false, true]) {
    await using place = await JobPlace.make();
    const text = "r".repeat(3 * PIECE_BYTES_MAX);
    const followed = await follow(place, text);
    await read(followed);
    place.runs[0]?.end();
    await place.settled();
    assert.equal(await read(followed), stateFrame(followed.id, "completed"));
    assert.equal(followed.answers.heldBytes, text.length + 2);
    let frame = await read(followed);
    if (isLeft) await followed.reader.cancel();
    for (let piece = await read(followed); piece !== undefined; piece = await read(followed)) frame += piece;
    if (!isLeft) assert.equal(frame, `event: result\ndata: "${text}"\n\n`);
    assert.equal(followed.answers.heldBytes, 0);
  }
});
