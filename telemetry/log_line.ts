/**
 * Log lines: an event as one line of text, JSON or for people.
 *
 * Owns the fields of the line and how any value at all is written. It filters and stores nothing. Invariant: a
 * line never fails to be made, holds no raw control character and no field that redaction denies, and its
 * own fields cannot be overwritten by an event's.
 */
import { SAMPLED, type SpanIds } from "./ids.ts";
import { escapeJson, quoteJson } from "./json_text.ts";
import { judgeField, mayLog, type Verdict } from "./redact.ts";

/** The levels, from the most talkative to the gravest. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error"] as const;

/** See LOG_LEVELS. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What an event carries besides its name. */
export type LogFields = Readonly<Record<string, unknown>>;

/** An event to be written. */
export interface LogEvent {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly level: LogLevel;
  readonly target: string;
  readonly message: string;
  readonly ids: SpanIds | undefined;
  readonly fields: LogFields | undefined;
}

/** Longest text of a value, in UTF-16 units. */
const TEXT_LENGTH_MAX = 16 * 1024;
const DEPTH_MAX = 8;
/** Most elements of a list or fields of an object that are written. */
const ELEMENTS_MAX = 100;
/** Most names that are remembered; names come from our code, but an object in a field may bring any. */
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

/** How a field's name is written, and whether it may be. */
interface FieldName {
  readonly verdict: Verdict;
  /** `,"name":` as an event's own field. */
  readonly json: string;
}

/** Writes events as lines without their newline. One per process; it remembers names. */
export class LineWriter {
  readonly #service: string;
  readonly #names = new Map<string, FieldName>();
  readonly #messages = new Map<string, string>();
  #second = -1;
  #secondText = "";

  constructor(service: string) {
    this.#service = `,"service":${quoteJson(service)}`;
  }

  /** The event as one JSON object, fields in the order of the contract. */
  toJson(event: LogEvent): string {
    let line = `{"timestamp":"${this.#timestamp(event.atMs)}","level":"${event.level}","target":${
      this.#quoteShort(event.target)
    },"message":${this.#quoteShort(event.message)}${this.#service}`;
    const { ids, fields } = event;
    if (ids !== undefined) {
      line += `,"trace_id":"${ids.traceId}","span_id":"${ids.spanId}","trace_flags":"${flagsText(ids)}"`;
    }
    if (fields !== undefined) line += this.#fields(fields);
    return line + "}";
  }

  /** The event for a terminal: time, level, target, message, fields, trace id. */
  toPretty(event: LogEvent): string {
    const { ids, fields } = event;
    const time = this.#timestamp(event.atMs).slice(11, 23);
    let line = `${time} ${event.level.toUpperCase().padEnd(5)} ${plainText(event.target)} ${
      plainText(event.message)
    }`;
    for (const name of fields === undefined ? [] : Object.keys(fields)) {
      const value = readField(fields ?? {}, name);
      if (value === undefined || !mayLog(this.#name(name).verdict, value)) continue;
      const json = this.#value(value, 1, []);
      if (json !== undefined) line += ` ${plainText(name)}=${json}`;
    }
    return ids === undefined ? line : `${line} trace_id=${ids.traceId}`;
  }

  #fields(fields: LogFields): string {
    let json = "";
    for (const name of Object.keys(fields)) {
      const value = readField(fields, name);
      if (value === undefined) continue;
      const known = this.#name(name);
      if (known.verdict !== "keep" && !mayLog(known.verdict, value)) continue;
      if (typeof value === "string") json += known.json + this.#text(value);
      else if (typeof value === "number" && Number.isFinite(value)) json += known.json + value;
      else {
        const text = this.#value(value, 1, []);
        if (text !== undefined) json += known.json + text;
      }
    }
    return json;
  }

  #text(text: string): string {
    if (text.length <= TEXT_LENGTH_MAX) return quoteJson(text);
    const left = text.length - TEXT_LENGTH_MAX;
    return quoteJson(`${text.slice(0, TEXT_LENGTH_MAX)}… (${left} more)`);
  }

  /** Any value as JSON, or undefined where there is nothing to write. `outer` are the objects around it. */
  #value(value: unknown, depth: number, outer: readonly object[]): string | undefined {
    switch (typeof value) {
      case "string":
        return this.#text(value);
      case "number":
        return Number.isFinite(value) ? String(value) : `"${value}"`;
      case "boolean":
        return String(value);
      case "bigint":
        return `"${value}"`;
      case "object":
        return value === null ? "null" : this.#guarded(value, depth, outer);
      default:
        return undefined;
    }
  }

  /** A proxy or getter that throws is not the log's to feel. */
  #guarded(value: object, depth: number, outer: readonly object[]): string {
    try {
      return this.#object(value, depth, outer);
    } catch {
      return '"[unreadable]"';
    }
  }

  #object(value: object, depth: number, outer: readonly object[]): string {
    if (outer.includes(value)) return '"[circular]"';
    if (depth > DEPTH_MAX) return '"[too deep]"';
    const around = [...outer, value];
    if (value instanceof Date) {
      return quoteJson(Number.isNaN(value.getTime()) ? "invalid" : value.toISOString());
    }
    if (ArrayBuffer.isView(value)) return `"[${value.byteLength} bytes]"`;
    if (Array.isArray(value) || value instanceof Set) return this.#list([...value], depth, around);
    if (value instanceof Map) return this.#list([...value.keys()], depth, around);
    return this.#record(value instanceof Error ? toErrorRecord(value) : value, depth, around);
  }

  #list(values: readonly unknown[], depth: number, outer: readonly object[]): string {
    const parts = values.slice(0, ELEMENTS_MAX).map((value) =>
      this.#value(value, depth + 1, outer) ?? "null"
    );
    if (values.length > ELEMENTS_MAX) parts.push(`"… (${values.length - ELEMENTS_MAX} more)"`);
    return `[${parts.join(",")}]`;
  }

  #record(value: object, depth: number, outer: readonly object[]): string {
    const parts: string[] = [];
    for (const name of Object.keys(value).slice(0, ELEMENTS_MAX)) {
      const member = readField(value, name);
      if (!mayLog(this.#name(name).verdict, member)) continue;
      const json = this.#value(member, depth + 1, outer);
      if (json !== undefined) parts.push(`${quoteJson(name)}:${json}`);
    }
    return `{${parts.join(",")}}`;
  }

  #name(name: string): FieldName {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const own = OWN_FIELDS.has(name) ? `field.${name}` : name;
    const made = { verdict: judgeField(name), json: `,${quoteJson(own)}:` };
    if (this.#names.size < NAMES_MAX) this.#names.set(name, made);
    return made;
  }

  /** Event names and targets recur; a guest's text comes this way too and is not worth remembering. */
  #quoteShort(text: string): string {
    const known = this.#messages.get(text);
    if (known !== undefined) return known;
    const made = this.#text(text);
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

/** A field's value; a getter that throws is not the log's to feel. */
function readField(value: object, name: string): unknown {
  try {
    return (value as Record<string, unknown>)[name];
  } catch {
    return "[unreadable]";
  }
}

/** An error's own fields are not enumerable; those that were added to it are kept. */
function toErrorRecord(error: Error): object {
  const { name, message, stack, cause } = error;
  return Object.assign({ name, message }, error, { stack, cause });
}

/** Text for a terminal: bare, with control characters escaped. */
function plainText(text: string): string {
  return escapeJson(JSON.stringify(text)).slice(1, -1);
}
