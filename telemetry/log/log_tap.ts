/**
 * Log taps: who else receives the log's events beside the output.
 *
 * Owns the shape of an event as it is handed on and the fan-out. It neither filters nor redacts: log.ts does
 * that before. Invariant: a tap that throws or is slow to be closed is never felt by who logs; with no tap,
 * an event costs one comparison here.
 */
import type { SpanIds } from "../trace/ids.ts";
import type { LogLevel } from "./log_line.ts";
import type { PlainFields } from "./plain_value.ts";

/**
 * An event that passed the filter, after redaction: plain data, shared by all taps and not to be changed. It
 * may be kept, sent or stored as it is; nothing in it refers to objects of who logged it.
 */
export interface LoggedEvent {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly level: LogLevel;
  readonly target: string;
  /** The event's name, as in `request.received`. */
  readonly message: string;
  /** The span that the event belongs to; undefined for what belongs to no request. */
  readonly ids: SpanIds | undefined;
  /** JSON data only, denied fields gone, texts bounded. */
  readonly fields: PlainFields;
}

/** Receives events, synchronously and in order: it has to be cheap, to queue in bounded memory, and not to log. */
export type LogTap = (event: LoggedEvent) => void;

/** The taps of a log. */
export class LogTaps {
  #taps: readonly LogTap[] = [];
  readonly #onFailure: (error: unknown) => void;

  /** `onFailure` is told of the first failure of each tap. */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** Adds a tap; disposing of the result takes it away. */
  add(tap: LogTap): Disposable {
    let hasFailed = false;
    const guarded: LogTap = (event) => {
      try {
        tap(event);
      } catch (error) {
        if (hasFailed) return;
        hasFailed = true;
        this.#onFailure(error);
      }
    };
    this.#taps = [...this.#taps, guarded];
    return {
      [Symbol.dispose]: (): void => {
        this.#taps = this.#taps.filter((known) => known !== guarded);
      },
    };
  }

  /** Hands an event to all taps. */
  emit(event: LoggedEvent): void {
    for (const tap of this.#taps) tap(event);
  }
}
