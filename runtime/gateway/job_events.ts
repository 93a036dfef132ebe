/**
 * Events of a job as Server-Sent Events (HTML, "Server-sent events"): its state now, each change, its result.
 *
 * Owns the frames and the life of one stream. Who is told what and when is the room of jobs's; what is last of a
 * stream is a departure among the answers. Invariants: the stream ends after the result, when the client leaves or does
 * not read what is last, or when the gateway drains; it says once how, and leaves no watcher then; a client that does
 * not read holds a few hundred bytes: heartbeats are not queued for it, and of a long result one piece.
 */
import type { Tracer } from "../../telemetry/mod.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { Clock } from "../model/clock.ts";
import { isFinal } from "../model/job.ts";
import type { JobRecord } from "../model/job.ts";
import { PIECE_BYTES_MAX } from "./answers.ts";
import type { Answers, Departure } from "./answers.ts";
import type { SentBody } from "./body_end.ts";
import { StreamBroken } from "./stream/stream_body.ts";

/** How often a comment is sent, so that proxies keep the connection. */
const HEARTBEAT_MS = 15_000;
/** Most frames that wait for a client. A job makes few; what is over is a client that does not read. */
const FRAMES_MAX = 64;
/** A piece of a long result counts as so many frames as it has room for. */
const FRAME_BYTES = PIECE_BYTES_MAX / FRAMES_MAX;

const RESULT_BEGIN = "event: result\ndata: ";
const FRAME_END = "\n\n";
const HEARTBEAT = ": \n\n";
const SHUTTING_DOWN = ": the gateway is shutting down\n\n";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

type Controller = ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
/** What the end will be, once the client has read what is last. */
type MeantEnd = Pick<SentBody, "ending" | "failure">;

/** What a stream works with. */
export interface JobEventsParts {
  readonly jobs: Jobs;
  readonly clock: Clock;
  readonly tracer: Tracer;
  readonly answers: Answers;
  /** The JSON of a job that has ended, with its result. */
  readonly result: (job: JobRecord) => Promise<Uint8Array<ArrayBuffer>>;
}

/** The stream of a job that the caller has found. */
export class JobEvents {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Resolves when the last frame was handed on, or none will be any more. */
  readonly sent: Promise<SentBody>;
  readonly #parts: JobEventsParts;
  readonly #sent = Promise.withResolvers<SentBody>();
  #isOpen = true;
  /** What the client knows of the job. */
  #told: string;
  #unwatch = (): void => {};
  #cancelBeat = (): void => {};
  #departure: Departure | undefined;
  #meantEnd: MeantEnd = { ending: "finished" };
  /** What is still to come after the departure. */
  #tail = "";
  #chunks = 0;
  #bytes = 0;

  /** @throws RuntimeFault `tenant_capacity_exhausted`, `capacity_exhausted` when too many wait */
  constructor(job: JobRecord, parts: JobEventsParts) {
    const { tracer } = parts;
    this.#parts = parts;
    this.#told = stateJson(job);
    this.sent = this.#sent.promise;
    // Callbacks of streams and timers come in the context of whoever causes them, not of this request.
    this.readable = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => this.#start(controller, job),
      pull: tracer.bind((controller: Controller) => this.#pull(controller)),
      cancel: tracer.bind(() => this.#leave()),
    }, { highWaterMark: FRAMES_MAX, size: (bytes) => Math.max(1, bytes.length / FRAME_BYTES) });
  }

  #start(controller: Controller, job: JobRecord): void {
    const { jobs, tracer } = this.#parts;
    if (!isFinal(job.state)) {
      this.#unwatch = jobs.watch(job.id, job.tenant, {
        changed: tracer.bind((now: JobRecord) => this.#change(controller, now)),
        closed: tracer.bind(() =>
          this.#depart(controller, encoder.encode(SHUTTING_DOWN), { ending: "drained" })
        ),
      });
    }
    this.#beatLater(controller);
    this.#send(controller, encoder.encode(event("state", this.#told)));
    if (isFinal(job.state)) this.#finish(controller, job);
  }

  #change(controller: Controller, now: JobRecord): void {
    const json = stateJson(now);
    // What the first event told may have become durable, and so be told of, only now.
    if (this.#isOpen && hasRoom(controller) && json !== this.#told) {
      this.#send(controller, encoder.encode(event("state", json)));
    }
    this.#told = json;
    if (isFinal(now.state)) this.#finish(controller, now);
  }

  #finish(controller: Controller, ended: JobRecord): void {
    const { tracer, result } = this.#parts;
    result(ended).then(
      tracer.bind((json) => this.#tellResult(controller, json)),
      tracer.bind((failure: unknown) => {
        const state = encoder.encode(event("state", stateJson(ended)));
        this.#depart(controller, state, { ending: "failed", failure });
      }),
    );
  }

  /** A long result is not copied: many may read it, and it is in memory once. */
  #tellResult(controller: Controller, json: Uint8Array<ArrayBuffer>): void {
    const end: MeantEnd = { ending: "finished" };
    if (json.length <= PIECE_BYTES_MAX) {
      const frame = encoder.encode(`${RESULT_BEGIN}${decoder.decode(json)}${FRAME_END}`);
      return this.#depart(controller, frame, end);
    }
    if (!this.#isOpen) return;
    this.#send(controller, encoder.encode(RESULT_BEGIN));
    this.#tail = FRAME_END;
    this.#depart(controller, json, end);
  }

  /** What is last leaves by pieces, which are pulled. */
  #depart(controller: Controller, body: Uint8Array<ArrayBuffer>, end: MeantEnd): void {
    if (!this.#isOpen) return;
    this.#stop();
    this.#meantEnd = end;
    this.#departure = this.#parts.answers.depart(body, (ending) => {
      this.#settle({ ending });
      controller.error(new StreamBroken(ending));
    });
    const piece = this.#departure.next();
    if (piece !== undefined) this.#send(controller, piece);
  }

  #pull(controller: Controller): void {
    if (this.#departure === undefined) return;
    const piece = this.#departure.next();
    if (piece !== undefined) return this.#send(controller, piece);
    if (this.#tail !== "") {
      const tail = encoder.encode(this.#tail);
      this.#tail = "";
      return this.#send(controller, tail);
    }
    // It is called for room as well; the end is when everything was read.
    if (controller.desiredSize !== FRAMES_MAX) return;
    this.#departure[Symbol.dispose]();
    controller.close();
    this.#settle(this.#meantEnd);
  }

  #leave(): void {
    this.#stop();
    this.#departure?.[Symbol.dispose]();
    this.#settle({ ending: "client_gone" });
  }

  #beatLater(controller: Controller): void {
    const { clock, tracer } = this.#parts;
    this.#cancelBeat = clock.after(
      HEARTBEAT_MS,
      tracer.bind(() => {
        if (hasRoom(controller)) this.#send(controller, encoder.encode(HEARTBEAT));
        this.#beatLater(controller);
      }),
    );
  }

  #stop(): void {
    this.#isOpen = false;
    this.#unwatch();
    this.#cancelBeat();
  }

  #send(controller: Controller, bytes: Uint8Array<ArrayBuffer>): void {
    this.#chunks++;
    this.#bytes += bytes.length;
    controller.enqueue(bytes);
  }

  #settle(end: MeantEnd): void {
    this.#sent.resolve({ ...end, chunks: this.#chunks, bytes: this.#bytes });
  }
}

function hasRoom(controller: Controller): boolean {
  return (controller.desiredSize ?? 0) > 0;
}

function event(name: string, json: string): string {
  return `event: ${name}\ndata: ${json}\n\n`;
}

function stateJson({ id, state, attempt }: JobRecord): string {
  return JSON.stringify({ id, state, attempt });
}
