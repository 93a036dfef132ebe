/**
 * Log lines: an event as one line of text, JSON or for people.
 *
 * Owns the line's own fields, their order and their text. An event's fields come redacted and as text
 * (redactor.ts); it filters and stores nothing. Invariant: a line holds no raw control character, and its own
 * fields cannot be overwritten by an event's.
 */
import { SAMPLED, type SpanIds } from "../trace/ids.ts";
import { valueText } from "./field_text.ts";
import { escapeJson, quoteJson } from "./json_text.ts";
import type { LoggedEvent } from "./log_tap.ts";

/** The levels, from the most talkative to the gravest. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error"] as const;

/** See LOG_LEVELS. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What an event carries besides its name. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes events as lines without their newline. One per process. */
export class LineWriter {
  readonly #service: string;
  #second = -1;
  #secondText = "";
  #millisecond = -1;
  /** `{"timestamp":"` and the time to the millisecond. */
  #opening = "";
  #traceId = "";
  #spanId = "";
  #traceFlags = -1;
  #idsText = "";

  constructor(service: string) {
    this.#service = `,"service":${quoteJson(service)}`;
  }

  /**
   * What every line of an event has between its time and its ids, for whoever keeps it; in one piece, because parts
   * joined by `+` are a rope, which every line would have to go through.
   */
  head(level: LogLevel, target: string, message: string): string {
    const parts = [
      'Z","level":"',
      level,
      '","target":',
      quoteJson(target),
      ',"message":',
      quoteJson(message),
    ];
    return [...parts, this.#service].join("");
  }

  /**
   * An event as one JSON object, fields in the order of the contract.
   *
   * @param head as `head` makes it
   * @param fields `,"name":value` for each, as the redactor has them
   */
  toJson(atMs: number, head: string, ids: SpanIds | undefined, fields: string): string {
    const opening = this.#openingOf(atMs);
    return ids === undefined
      ? opening + head + fields + "}"
      : opening + head + this.#idsOf(ids) + fields + "}";
  }

  /** An event for a terminal: time, level, target, message, fields, trace id. */
  toPretty(event: LoggedEvent): string {
    const { atMs, level, target, message, ids, fields } = event;
    const time = this.#openingOf(atMs).slice(-12);
    let line = `${time} ${level.toUpperCase().padEnd(5)} ${plainText(target)} ${plainText(message)}`;
    for (const name of Object.keys(fields)) line += ` ${plainText(name)}=${valueText(fields[name] ?? null)}`;
    return ids === undefined ? line : `${line} trace_id=${ids.traceId}`;
  }

  /** RFC 3339 in UTC; lines come many in a millisecond, and a date is made once a second. */
  #openingOf(atMs: number): string {
    const millisecond = Math.floor(atMs);
    if (millisecond === this.#millisecond) return this.#opening;
    const second = Math.floor(millisecond / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText = `{"timestamp":"${new Date(second * 1000).toISOString().slice(0, 20)}`;
    }
    this.#millisecond = millisecond;
    this.#opening = this.#secondText + String(millisecond - second * 1000).padStart(3, "0");
    return this.#opening;
  }

  /** Lines of one span often come in a row. The texts alone are remembered: what else ids hold must not live on here. */
  #idsOf({ traceId, spanId, traceFlags }: SpanIds): string {
    if (spanId !== this.#spanId || traceId !== this.#traceId || traceFlags !== this.#traceFlags) {
      this.#traceId = traceId;
      this.#spanId = spanId;
      this.#traceFlags = traceFlags;
      const flags = (traceFlags & SAMPLED) === SAMPLED ? "01" : "00";
      this.#idsText = `,"trace_id":"${traceId}","span_id":"${spanId}","trace_flags":"${flags}"`;
    }
    return this.#idsText;
  }
}

/** Text for a terminal: bare, with control characters escaped. */
function plainText(text: string): string {
  return escapeJson(JSON.stringify(text)).slice(1, -1);
}
