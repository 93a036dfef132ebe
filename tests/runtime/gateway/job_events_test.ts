/** JobEvents: how they end, heartbeats, the end of the watcher on every way out, and clients that do not read. */
import assert from "node:assert/strict";
import { Answers, PIECE_BYTES_MAX } from "../../../runtime/gateway/answers.ts";
import type { SentBody } from "../../../runtime/gateway/body_end.ts";
import { JobEvents } from "../../../runtime/gateway/job_events.ts";
import { StreamBroken } from "../../../runtime/gateway/stream/stream_body.ts";
import { JobPlace } from "../jobs/job_place.ts";

const HEARTBEAT_MS = 15_000;

interface Followed {
  readonly place: JobPlace;
  readonly id: string;
  readonly reader: ReadableStreamDefaultReader<string>;
  readonly answers: Answers;
  /** How it ended, once it has. */
  readonly ends: readonly SentBody[];
  /** Timers that there were before the stream. */
  readonly timersBefore: number;
}

/** A stream of a job that runs, and whose result is a text, or cannot be read. */
async function follow(place: JobPlace, text: string | Error = "result"): Promise<Followed> {
  const id = await place.submit();
  await place.settled();
  const { clock, jobs } = place;
  const timersBefore = clock.timerCount;
  const { telemetry } = place.telemetry;
  const { tracer } = telemetry;
  const answers = new Answers({ telemetry, clock, limits: place.limits });
  const result = (): Promise<Uint8Array<ArrayBuffer>> =>
    text instanceof Error
      ? Promise.reject(text)
      : Promise.resolve(new TextEncoder().encode(JSON.stringify(text)));
  const { readable, sent } = new JobEvents(jobs.find(id, "7"), { answers, jobs, clock, tracer, result });
  const ends: SentBody[] = [];
  void sent.then((end) => ends.push(end));
  return {
    place,
    id,
    timersBefore,
    answers,
    ends,
    reader: readable.pipeThrough(new TextDecoderStream()).getReader(),
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
  const frames = [
    ...["running", "completed"].map((state) => stateFrame(followed.id, state)),
    ...[": \n\n", ": \n\n", 'event: result\ndata: "result"\n\n'],
  ];
  assert.deepEqual(followed.ends, [{ ending: "finished", chunks: 5, bytes: frames.join("").length }]);
});

Deno.test("a client that leaves takes its watcher and timer with it", async () => {
  await using place = await JobPlace.make({ limits: { jobWatchersMax: 1 } });
  const followed = await follow(place);
  await read(followed);
  assert.deepEqual(followed.ends, []);
  const { id } = followed;
  assert.throws(() => place.jobs.watch(id, "7", { changed: () => {}, closed: () => {} }), {
    code: "capacity_exhausted",
  });
  await followed.reader.cancel();
  assert.deepEqual(followed.ends.map(({ ending }) => ending), ["client_gone"]);
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
  assert.deepEqual(followed.ends.map(({ ending }) => ending), ["drained"]);
});

Deno.test("a result that cannot be read ends a stream with the state, and as a failure", async () => {
  await using place = await JobPlace.make();
  const failure = new Error("disk");
  const followed = await follow(place, failure);
  await read(followed);
  place.runs[0]?.end();
  await place.settled();
  for (let count = 0; count < 2; count++) {
    assert.equal(await read(followed), stateFrame(followed.id, "completed"));
  }
  assert.equal(await read(followed), undefined);
  assert.deepEqual(followed.ends.map((end) => [end.ending, end.failure]), [["failed", failure]]);
});

Deno.test("what is last ends a stream when it was read, or the client has stalled, or the gateway ends", async () => {
  for (const way of ["finished", "client_stalled", "gateway_closed"]) {
    await using place = await JobPlace.make();
    const followed = await follow(place);
    await place.settled();
    place.runs[0]?.end();
    await place.settled();
    // Less than a piece: nothing keeps the server from having it all, but that the client does not read.
    place.clock.advance(place.limits.streamDrainMs - 1);
    await place.settled();
    assert.deepEqual(followed.ends, [], way);
    if (way === "finished") { while (await read(followed) !== undefined); }
    else if (way === "gateway_closed") followed.answers[Symbol.dispose]();
    else place.clock.advance(1000);
    if (way !== "finished") {
      await assert.rejects(async () => {
        while (await read(followed) !== undefined);
      }, StreamBroken);
    }
    assert.deepEqual(followed.ends.map(({ ending }) => ending), [way]);
    assert.deepEqual([followed.answers.heldBytes, place.clock.timerCount], [0, followed.timersBefore]);
  }
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
    assert.deepEqual(followed.ends.map(({ ending }) => ending), [isLeft ? "client_gone" : "finished"]);
  }
});
