/**
 * Events of a job as Server-Sent Events (HTML, "Server-sent events"): its state now, each change, its result.
 *
 * Owns the frames and the life of one stream. Who is told what and when is the room of jobs's. Invariants: the
 * stream ends after the result, when the client leaves, or when the gateway drains, and leaves no watcher then; a
 * client that does not read holds a few hundred bytes: heartbeats are not queued for it, and of a long result one
 * piece.
 */
import type { Tracer } from "../../telemetry/mod.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { Clock } from "../model/clock.ts";
import { isFinal } from "../model/job.ts";
import type { JobRecord } from "../model/job.ts";
import { PIECE_BYTES_MAX } from "./answers.ts";
import type { Answers, Departure } from "./answers.ts";

/** How often a comment is sent, so that proxies keep the connection. */
const HEARTBEAT_MS = 15_000;
/** Most frames that wait for a client. A job makes few; what is over is a client that does not read. */
const FRAMES_MAX = 64;
/** A piece of a long result counts as so many frames as it has room for. */
const FRAME_BYTES = PIECE_BYTES_MAX / FRAMES_MAX;

const RESULT_BEGIN = "event: result\ndata: ";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a stream works with. */
export interface JobEventsParts {
  readonly jobs: Jobs;
  readonly clock: Clock;
  readonly tracer: Tracer;
  readonly answers: Answers;
  /** The JSON of a job that has ended, with its result. */
  readonly result: (job: JobRecord) => Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * The stream of a job that the caller has found.
 *
 * @throws RuntimeFault `tenant_capacity_exhausted`, `capacity_exhausted` when too many wait
 */
export function jobEvents(
  job: JobRecord,
  { answers, jobs, clock, tracer, result }: JobEventsParts,
): ReadableStream {
  // Callbacks of streams and timers come in the context of whoever causes them, not of this request.
  const bind = <Args extends unknown[]>(fn: (...args: Args) => void): (...args: Args) => void =>
    tracer.bind(fn);
  let stop = (): void => {};
  let departure: Departure | undefined;
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      const send = (frame: string): void => controller.enqueue(encoder.encode(frame));
      /** A long result leaves by pieces, which are pulled. */
      const depart = (json: Uint8Array<ArrayBuffer>): void => {
        if (!isOpen) return;
        stop();
        departure = answers.depart(json, (error) => controller.error(error));
        send(RESULT_BEGIN);
      };
      const hasRoom = (): boolean => (controller.desiredSize ?? 0) > 0;
      let isOpen = true;
      let told = stateJson(job);
      const close = (frame: string): void => {
        if (!isOpen) return;
        stop();
        send(frame);
        controller.close();
      };
      const finish = (ended: JobRecord): void => {
        result(ended).then(
          bind((json) =>
            json.length > PIECE_BYTES_MAX ? depart(json) : close(`${RESULT_BEGIN}${decoder.decode(json)}\n\n`)
          ),
          () => close(event("state", stateJson(ended))),
        );
      };
      const beat = bind((): void => {
        if (hasRoom()) send(": \n\n");
        cancelBeat = clock.after(HEARTBEAT_MS, beat);
      });
      const unwatch = isFinal(job.state) ? (): void => {} : jobs.watch(job.id, job.tenant, {
        changed: bind((now: JobRecord): void => {
          const json = stateJson(now);
          // What the first event told may have become durable, and so be told of, only now.
          if (isOpen && hasRoom() && json !== told) send(event("state", json));
          told = json;
          if (isFinal(now.state)) finish(now);
        }),
        closed: bind((): void => close(": the gateway is shutting down\n\n")),
      });
      let cancelBeat = clock.after(HEARTBEAT_MS, beat);
      stop = (): void => {
        isOpen = false;
        unwatch();
        cancelBeat();
      };
      send(event("state", told));
      if (isFinal(job.state)) finish(job);
    },
    pull: (controller) => {
      if (departure === undefined) return;
      const piece = departure.next();
      if (piece !== undefined) return controller.enqueue(piece);
      departure[Symbol.dispose]();
      controller.enqueue(encoder.encode("\n\n"));
      controller.close();
    },
    cancel: bind((): void => {
      stop();
      departure?.[Symbol.dispose]();
    }),
  }, { highWaterMark: FRAMES_MAX, size: (bytes) => Math.max(1, bytes.length / FRAME_BYTES) });
}

function event(name: string, json: string): string {
  return `event: ${name}\ndata: ${json}\n\n`;
}

function stateJson({ id, state, attempt }: JobRecord): string {
  return JSON.stringify({ id, state, attempt });
}
