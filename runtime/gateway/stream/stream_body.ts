/**
 * StreamBody: the body of a streamed response, pulled out of an outbox by the server as fast as the client reads.
 *
 * Owns the way from chunks to the response, its last bytes, and everything that can break it off: a guest that
 * failed, a client that left or stalls, the end of the gateway. It runs nothing. Invariants: it ends exactly once,
 * and says how; what it hands on is no further ahead of the client than one piece; its callbacks, which the server
 * calls outside of any request, run in the context in which it was made.
 */
import type { Tracer } from "../../../telemetry/mod.ts";
import type { Clock } from "../../model/clock.ts";
import type { Ending } from "../body_end.ts";
import type { Framing, StreamEnd } from "./framing.ts";
import type { Outbox } from "./outbox.ts";

/** Chunks are joined up to this size; a larger one goes alone. */
const PIECE_BYTES_MAX = 64 * 1024;
/** An idle stream of events sends a comment as often: proxies close what is silent for a minute. */
const KEEP_ALIVE_MS = 15_000;

/** How such a body ended. */
type StreamEnding = Exclude<Ending, "client_slow" | "drained">;

/** What breaks a response off. It was told already when it is thrown: nobody has to report it again. */
export class StreamBroken extends Error {
  override readonly name = "StreamBroken";
}

/** What a body is made of. */
export interface StreamBodyParts {
  readonly outbox: Outbox;
  readonly framing: Framing;
  /** Resolves when the call has ended and its last chunk is in the outbox. */
  readonly ended: Promise<StreamEnd>;
  /** Called when the client has left, unless everything was sent. */
  readonly onLeave: () => void;
  /** How long the client may take to read what is left when the call has ended. */
  readonly drainMs: number;
  readonly clock: Clock;
  readonly tracer: Tracer;
}

type Controller = ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;

/** The body of one response. */
export class StreamBody {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Resolves when the last byte was handed on, or none will be any more. */
  readonly done: Promise<StreamEnding>;
  readonly #parts: StreamBodyParts;
  readonly #done = Promise.withResolvers<StreamEnding>();
  #ending: StreamEnding | undefined;
  #cancelTimer: (() => void) | undefined;
  #controller: Controller | undefined;

  constructor(parts: StreamBodyParts) {
    this.#parts = parts;
    this.done = this.#done.promise;
    const { tracer, clock, drainMs, ended } = parts;
    this.readable = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      pull: tracer.bind((controller: Controller) => this.#pull(controller)),
      cancel: tracer.bind(() => this.#leave()),
    }, { highWaterMark: 0 });
    void ended.then(() => {
      if (this.#ending === undefined) {
        this.#cancelTimer = clock.after(drainMs, tracer.bind(() => this.abort("client_stalled")));
      }
    });
  }

  /** Breaks the response off, if it has not ended. */
  abort(ending: StreamEnding): void {
    if (this.#settle(ending)) this.#controller?.error(new StreamBroken(ending));
  }

  async #pull(controller: Controller): Promise<void> {
    const { outbox, framing, ended } = this.#parts;
    for (;;) {
      if (!outbox.isReadable && !await this.#wait()) return controller.enqueue(framing.keepAlive);
      if (this.#ending !== undefined) return;
      const chunks = outbox.read(PIECE_BYTES_MAX);
      if (chunks.length === 0) break;
      const bytes = framing.chunks(chunks);
      if (bytes.length > 0) return controller.enqueue(bytes);
    }
    const end = await ended;
    if (this.#ending !== undefined) return;
    const last = framing.end(end);
    if (last === undefined) return this.abort("failed");
    if (last.length > 0) controller.enqueue(last);
    controller.close();
    this.#settle(end.problem === undefined ? "finished" : "failed");
  }

  /** True when there is something to read, or the body has ended; false when it is time for a sign of life. */
  async #wait(): Promise<boolean> {
    const { outbox, framing, clock } = this.#parts;
    if (framing.keepAlive.length === 0) return await outbox.readable().then(() => true);
    const idle = Promise.withResolvers<boolean>();
    const cancelTimer = clock.after(KEEP_ALIVE_MS, () => idle.resolve(false));
    const isReadable = await Promise.race([outbox.readable().then(() => true), idle.promise]);
    cancelTimer();
    return isReadable || this.#ending !== undefined;
  }

  #leave(): void {
    if (this.#settle("client_gone")) this.#parts.onLeave();
  }

  #settle(ending: StreamEnding): boolean {
    if (this.#ending !== undefined) return false;
    this.#ending = ending;
    this.#cancelTimer?.();
    this.#parts.outbox.discard();
    this.#done.resolve(ending);
    return true;
  }
}
