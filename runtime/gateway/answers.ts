/**
 * Answers: large bodies that are whole, on their way to clients, and the memory that they hold meanwhile.
 *
 * Owns the bytes of all of them together, and who gives way when those are too many: clients that read slowly. Small
 * bodies are the server's from the start. It makes no body. Invariants: a body leaves as it is or is broken off, is
 * counted out once and its end told once; one whose client has read nothing for `streamDrainMs` is broken off; over
 * `answersBytesMax` those are of which least was read for their age, so that clients who do not read cannot fill the
 * memory together.
 */
import type { Gauge, Logger, SpanIds, Telemetry } from "../../telemetry/mod.ts";
import type { Clock } from "../model/clock.ts";
import type { Limits } from "../model/limits.ts";
import type { BrokenOff, SentBody } from "./body_end.ts";
import type { AnswerBody } from "./respond.ts";
import { StreamBroken } from "./stream/stream_body.ts";

/** Up to this size a body is handed to the server whole, and so are the pieces of a larger one. */
export const PIECE_BYTES_MAX = 64 * 1024;

/** How often the clients are looked at, and how long one has before it is judged. */
const LOOK_MS = 1_000;

/** What an answers room works with. */
export interface AnswersParts {
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly limits: Limits;
}

/** A body on its way. */
export interface Departure extends Disposable {
  /** The next piece; undefined at the end. */
  next(): Uint8Array<ArrayBuffer> | undefined;
}

interface Reading {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly beganMs: number;
  readBytes: number;
  readMs: number;
  readonly ids: SpanIds | undefined;
  readonly breakOff: (ending: BrokenOff) => void;
}

/** The large answers of a gateway. */
export class Answers implements Disposable {
  readonly #parts: AnswersParts;
  readonly #log: Logger;
  readonly #held: Gauge;
  readonly #readings = new Set<Reading>();
  /** How many read each body: one that many have is in memory once. */
  readonly #readers = new Map<Uint8Array<ArrayBuffer>, number>();
  #heldBytes = 0;
  #cancelLook: (() => void) | undefined;

  constructor(parts: AnswersParts) {
    const { metrics } = parts.telemetry;
    this.#parts = parts;
    this.#log = parts.telemetry.log("tensor_wasm_api");
    this.#held = metrics.gauge("tensor_wasm_answers_held_bytes", {});
    for (const reason of ["slow", "stalled"]) {
      metrics.counter("tensor_wasm_answers_broken_off_total", { reason });
    }
  }

  /** Bytes of the answers that have not left. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * The response with that body, under the active span.
   *
   * @param follow given the end of a large body; a small one is over when its head leaves
   */
  respond(
    { body, headers, status = 200 }: AnswerBody,
    follow: (sent: Promise<SentBody>) => void,
  ): Response {
    if (body.length <= PIECE_BYTES_MAX) return new Response(body, { status, headers });
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    const sent = Promise.withResolvers<SentBody>();
    follow(sent.promise);
    return new Response(this.#readable(bytes, sent.resolve), {
      status,
      headers: { ...headers, "content-length": String(bytes.length) },
    });
  }

  /**
   * Has a body leave by pieces, under the active span, until the departure is disposed. One that is given for many
   * counts once.
   *
   * @param breakOff called at most once, when its client gives way
   */
  depart(body: Uint8Array<ArrayBuffer>, breakOff: (ending: BrokenOff) => void): Departure {
    const nowMs = this.#parts.clock.nowMs();
    const ids = this.#parts.telemetry.tracer.activeIds();
    const reading: Reading = {
      ...{ body, beganMs: nowMs, readBytes: 0, readMs: nowMs, ids },
      breakOff,
    };
    this.#enter(reading);
    this.#makeRoom(nowMs);
    this.#cancelLook ??= this.#parts.clock.after(LOOK_MS, () => this.#look());
    return {
      next: () => {
        if (reading.readBytes === body.length) return undefined;
        const piece = body.subarray(reading.readBytes, reading.readBytes + PIECE_BYTES_MAX);
        reading.readBytes += piece.length;
        reading.readMs = this.#parts.clock.nowMs();
        return piece;
      },
      [Symbol.dispose]: () => this.#leave(reading),
    };
  }

  /** Breaks off what there still is: the gateway ends. */
  [Symbol.dispose](): void {
    for (const reading of [...this.#readings]) {
      this.#leave(reading);
      reading.breakOff("gateway_closed");
    }
  }

  #readable(
    body: Uint8Array<ArrayBuffer>,
    end: (sent: SentBody) => void,
  ): ReadableStream<Uint8Array<ArrayBuffer>> {
    let departure: Departure | undefined;
    let chunks = 0;
    let bytes = 0;
    return new ReadableStream({
      start: (controller) => {
        departure = this.depart(body, (ending) => {
          end({ ending, chunks, bytes });
          controller.error(new StreamBroken(ending));
        });
      },
      pull: (controller) => {
        const piece = departure?.next();
        if (piece !== undefined) {
          chunks++;
          bytes += piece.length;
          return controller.enqueue(piece);
        }
        departure?.[Symbol.dispose]();
        controller.close();
        end({ ending: "finished", chunks, bytes });
      },
      cancel: () => {
        departure?.[Symbol.dispose]();
        end({ ending: "client_gone", chunks, bytes });
      },
    }, { highWaterMark: 0 });
  }

  #look(): void {
    const { clock, limits } = this.#parts;
    const nowMs = clock.nowMs();
    for (const reading of [...this.#readings]) {
      if (nowMs - reading.readMs >= limits.streamDrainMs) this.#breakOff(reading, "stalled");
    }
    this.#makeRoom(nowMs);
    this.#cancelLook = this.#readings.size === 0 ? undefined : clock.after(LOOK_MS, () => this.#look());
  }

  /** Breaks off the slowest, as long as there are too many bytes and one that has had time to read. */
  #makeRoom(nowMs: number): void {
    while (this.#heldBytes > this.#parts.limits.answersBytesMax) {
      let slowest: Reading | undefined;
      let lowestRate = Infinity;
      for (const reading of this.#readings) {
        const ageMs = nowMs - reading.beganMs;
        const rate = reading.readBytes / ageMs;
        // A small one, the end of a job's events, would make no room.
        if (reading.body.length <= PIECE_BYTES_MAX || ageMs < LOOK_MS || rate >= lowestRate) continue;
        slowest = reading;
        lowestRate = rate;
      }
      if (slowest === undefined) return;
      this.#breakOff(slowest, "slow");
    }
  }

  #breakOff(reading: Reading, reason: "slow" | "stalled"): void {
    this.#leave(reading);
    this.#parts.telemetry.metrics.counter("tensor_wasm_answers_broken_off_total", { reason }).inc();
    const { body, readBytes, ids } = reading;
    this.#log.warn("answer.broken_off", { reason, bytes: body.length, read_bytes: readBytes }, ids);
    reading.breakOff(`client_${reason}`);
  }

  #stopLooking(): void {
    this.#cancelLook?.();
    this.#cancelLook = undefined;
  }

  #enter(reading: Reading): void {
    const { body } = reading;
    const readers = this.#readers.get(body) ?? 0;
    this.#readings.add(reading);
    this.#readers.set(body, readers + 1);
    if (readers === 0) this.#count(body.length);
  }

  #leave(reading: Reading): void {
    if (!this.#readings.delete(reading)) return;
    if (this.#readings.size === 0) this.#stopLooking();
    const { body } = reading;
    const readers = (this.#readers.get(body) ?? 1) - 1;
    if (readers > 0) return void this.#readers.set(body, readers);
    this.#readers.delete(body);
    this.#count(-body.length);
  }

  #count(difference: number): void {
    this.#heldBytes += difference;
    this.#held.set(this.#heldBytes);
  }
}
