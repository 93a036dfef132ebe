/**
 * Log lines: an event as one line of text, JSON or for people.
 *
 * Owns the fields of the line, their order and their text. Values come redacted (plain_value.ts); it filters and
 * stores nothing. Invariant: a line holds no raw control character, and its own fields cannot be overwritten
 * by an event's.
 */
import { SAMPLED, type SpanIds } from "../trace/ids.ts";
import { escapeJson, quoteJson } from "./json_text.ts";
import type { LoggedEvent } from "./log_tap.ts";
import type { PlainFields, PlainValue } from "./plain_value.ts";

/** The levels, from the most talkative to the gravest. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error"] as const;

/** See LOG_LEVELS. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What an event carries besides its name. */
export type LogFields = Readonly<Record<string, unknown>>;

/** An event as it was logged: values of any kind, not yet redacted. */
export interface LogEvent {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly level: LogLevel;
  readonly target: string;
  readonly message: string;
  readonly ids: SpanIds | undefined;
  readonly fields: LogFields | undefined;
}

/** Most names that are remembered; they come from our code, but what others log may bring any. */
const NAMES_MAX = 2048;

/** Names that only the line itself may use. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  "timestamp",
  "level",
  "target",
  "message",
  "service",
  "trace_id",
  "span_id",
  "trace_flags",
]);

/** Writes events as lines without their newline. One per process; it remembers names. */
export class LineWriter {
  readonly #service: string;
  readonly #names = new Map<string, string>();
  readonly #messages = new Map<string, string>();
  #second = -1;
  #secondText = "";

  constructor(service: string) {
    this.#service = `,"service":${quoteJson(service)}`;
  }

  /** The event as one JSON object, fields in the order of the contract. */
  toJson(event: LoggedEvent): string {
    let line = `{"timestamp":"${this.#timestamp(event.atMs)}","level":"${event.level}","target":${
      this.#quoteShort(event.target)
    },"message":${this.#quoteShort(event.message)}${this.#service}`;
    const { ids, fields } = event;
    if (ids !== undefined) {
      line += `,"trace_id":"${ids.traceId}","span_id":"${ids.spanId}","trace_flags":"${flagsText(ids)}"`;
    }
    return line + this.#fields(fields) + "}";
  }

  /** The event for a terminal: time, level, target, message, fields, trace id. */
  toPretty(event: LoggedEvent): string {
    const { ids, fields } = event;
    const time = this.#timestamp(event.atMs).slice(11, 23);
    let line = `${time} ${event.level.toUpperCase().padEnd(5)} ${plainText(event.target)} ${
      plainText(event.message)
    }`;
    for (const name of Object.keys(fields)) line += ` ${plainText(name)}=${valueText(fields[name] ?? null)}`;
    return ids === undefined ? line : `${line} trace_id=${ids.traceId}`;
  }

  #fields(fields: PlainFields): string {
    let json = "";
    for (const name of Object.keys(fields)) json += this.#name(name) + valueText(fields[name] ?? null);
    return json;
  }

  /** `,"name":` as an event's own field. */
  #name(name: string): string {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const made = `,${quoteJson(OWN_FIELDS.has(name) ? `field.${name}` : name)}:`;
    if (this.#names.size < NAMES_MAX) this.#names.set(name, made);
    return made;
  }

  /** Event names and targets recur; a guest's text comes this way too and is not worth remembering. */
  #quoteShort(text: string): string {
    const known = this.#messages.get(text);
    if (known !== undefined) return known;
    const made = quoteJson(text);
    if (text.length <= 64 && this.#messages.size < NAMES_MAX) this.#messages.set(text, made);
    return made;
  }

  /** RFC 3339 in UTC with milliseconds; the part down to the second is made once a second. */
  #timestamp(atMs: number): string {
    const second = Math.floor(atMs / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText = new Date(second * 1000).toISOString().slice(0, 20);
    }
    const ms = Math.floor(atMs - second * 1000);
    return `${this.#secondText}${ms < 10 ? "00" : ms < 100 ? "0" : ""}${ms}Z`;
  }
}

function flagsText(ids: SpanIds): string {
  return (ids.traceFlags & SAMPLED) === SAMPLED ? "01" : "00";
}

function valueText(value: PlainValue): string {
  if (typeof value === "string") return quoteJson(value);
  return typeof value === "object" && value !== null ? escapeJson(JSON.stringify(value)) : String(value);
}

/** Text for a terminal: bare, with control characters escaped. */
function plainText(text: string): string {
  return escapeJson(JSON.stringify(text)).slice(1, -1);
}
