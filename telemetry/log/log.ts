/**
 * Log: loggers by target, from the call to the buffered line.
 *
 * Owns the way of an event from our loggers to the line, straight, because a request pays for it; whatever else in
 * the process logs through LogTape comes out in the same form. Invariant: every line that is written inside a span
 * carries its ids; levels are decided by one LogFilter, because LogTape's own would let a parent swallow what a
 * child was asked to show.
 */
import { configureSync, type LogLevel as TapeLevel, type LogRecord, resetSync } from "@logtape/logtape";
import type { SpanIds } from "../trace/ids.ts";
import type { LineBuffer } from "./line_buffer.ts";
import { type LogFilter, rankOf, type SpanChains, type TargetFilter } from "./log_filter.ts";
import { type LineWriter, LOG_LEVELS, type LogFields, type LogLevel } from "./log_line.ts";
import { type LoggedEvent, type LogTap, LogTaps } from "./log_tap.ts";
import { safeText } from "./plain_value.ts";
import { NO_FIELDS, Redactor } from "./redactor.ts";

/** Writes events of one target. `ids` default to those of the active span. */
export interface Logger {
  /** Whether such an event may be written, depending on its fields; to save the making of costly ones. */
  enabled(level: LogLevel, ids?: SpanIds): boolean;
  trace(message: string, fields?: LogFields, ids?: SpanIds): void;
  debug(message: string, fields?: LogFields, ids?: SpanIds): void;
  info(message: string, fields?: LogFields, ids?: SpanIds): void;
  warn(message: string, fields?: LogFields, ids?: SpanIds): void;
  error(message: string, fields?: LogFields, ids?: SpanIds): void;
}

/** What the log is made of. */
export interface LogParts {
  readonly filter: LogFilter;
  readonly format: "json" | "pretty";
  readonly writer: LineWriter;
  readonly buffer: LineBuffer;
  readonly nowMs: () => number;
  readonly activeIds: () => SpanIds | undefined;
  /** The enclosing spans, for a filter that asks for them. */
  readonly spans?: SpanChains | undefined;
  /** Called for each line. */
  readonly onLine: (hasTrace: boolean) => void;
}

const SINK = "line";
/** LogTape copies each record for sinks that keep it; this tells it that ours does not. It saves 2 µs a line. */
const IMMEDIATE = Symbol.for("LogTape.sinkSnapshotPolicy.immediate");
/** Longest message and target; ours are short, those of others may be anything. */
const NAME_LENGTH_MAX = 1024;
/** Most events of one target and level that are remembered; their names are in our code, so there are few. */
const EVENTS_MAX = 256;
/** The target of the log's own lines. */
const OWN_TARGET = "tensor-wasm-telemetry";

const FROM_TAPE: Readonly<Record<TapeLevel, LogLevel>> = {
  trace: "trace",
  debug: "debug",
  info: "info",
  warning: "warn",
  error: "error",
  fatal: "error",
};

/** What is the same in all lines of an event. */
interface EventHead {
  readonly level: LogLevel;
  readonly target: string;
  /** The event's name, without credentials. */
  readonly message: string;
  /** As LineWriter.head makes it. */
  readonly json: string;
}

type WriteEvent = (
  atMs: number,
  head: EventHead,
  ids: SpanIds | undefined,
  fields: LogFields | undefined,
) => void;

class TargetLogger implements Logger {
  readonly #target: string;
  readonly #filter: TargetFilter;
  readonly #rankMin: number;
  readonly #parts: LogParts;
  readonly #write: WriteEvent;
  /** By rank and name: looking through a name for secrets costs more than looking it up. */
  readonly #heads = LOG_LEVELS.map(() => new Map<string, EventHead>());

  constructor(target: string, parts: LogParts, write: WriteEvent) {
    this.#target = safeText(target, NAME_LENGTH_MAX);
    this.#write = write;
    this.#filter = parts.filter.forTarget(target, parts.spans);
    this.#rankMin = this.#filter.rankMin;
    this.#parts = parts;
  }

  enabled(level: LogLevel, ids?: SpanIds): boolean {
    const rank = rankOf(level);
    return rank >= this.#rankMin && this.#filter.mayAdmit(rank, ids ?? this.#parts.activeIds());
  }

  trace(message: string, fields?: LogFields, ids?: SpanIds): void {
    if (this.#rankMin <= 0) this.#emit(0, message, fields, ids);
  }

  debug(message: string, fields?: LogFields, ids?: SpanIds): void {
    if (this.#rankMin <= 1) this.#emit(1, message, fields, ids);
  }

  info(message: string, fields?: LogFields, ids?: SpanIds): void {
    if (this.#rankMin <= 2) this.#emit(2, message, fields, ids);
  }

  warn(message: string, fields?: LogFields, ids?: SpanIds): void {
    if (this.#rankMin <= 3) this.#emit(3, message, fields, ids);
  }

  error(message: string, fields?: LogFields, ids?: SpanIds): void {
    if (this.#rankMin <= 4) this.#emit(4, message, fields, ids);
  }

  #emit(
    rank: number,
    message: string,
    fields: LogFields | undefined,
    givenIds: SpanIds | undefined,
  ): void {
    const { nowMs, activeIds } = this.#parts;
    const ids = givenIds ?? activeIds();
    if (rank < this.#filter.rankAlways && !this.#filter.admits(rank, fields, ids)) return;
    this.#write(nowMs(), this.#heads[rank]?.get(message) ?? this.#makeHead(rank, message), ids, fields);
  }

  #makeHead(rank: number, message: string): EventHead {
    const head = makeHead(this.#parts.writer, LOG_LEVELS[rank] ?? "error", this.#target, message);
    const heads = this.#heads[rank];
    if (heads !== undefined && message.length <= 64 && heads.size < EVENTS_MAX) heads.set(message, head);
    return head;
  }
}

function makeHead(writer: LineWriter, level: LogLevel, target: string, name: string): EventHead {
  const message = safeText(name, NAME_LENGTH_MAX);
  return { level, target, message, json: writer.head(level, target, message) };
}

/** The log of the process. LogTape's configuration is global, so there is one at a time. */
export class Log {
  readonly #parts: LogParts;
  readonly #loggers = new Map<string, Logger>();
  readonly #processLoggers = new Map<string, Logger>();
  readonly #redactor = new Redactor();
  #closed = false;
  readonly #taps = new LogTaps((error) => this.processLogger(OWN_TARGET).error("log.tap_failed", { error }));

  /** @throws ConfigError of LogTape when it is configured already */
  constructor(parts: LogParts) {
    this.#parts = parts;
    const sink = Object.assign((record: LogRecord): void => this.#sink(record), { [IMMEDIATE]: true });
    configureSync({
      sinks: { [SINK]: sink },
      loggers: [
        { category: [], lowestLevel: "trace", sinks: [SINK] },
        { category: ["logtape", "meta"], lowestLevel: "warning", sinks: [SINK], parentSinks: "override" },
      ],
    });
  }

  /** The logger of a target; the same one each time. Targets are names in our code, so there are few. */
  logger(target: string): Logger {
    return this.#find(this.#loggers, target, this.#parts);
  }

  /**
   * The logger of a target for what is the process's own affair. Timers and events come back in the context of
   * whichever request set them up; a line of such a logger does not get its ids.
   */
  processLogger(target: string): Logger {
    return this.#find(this.#processLoggers, target, { ...this.#parts, activeIds: () => undefined });
  }

  /** Lets `tap` receive every event that is written, until the result is disposed of. */
  tap(tap: LogTap): Disposable {
    return this.#taps.add(tap);
  }

  /** Takes LogTape's configuration back. */
  close(): void {
    this.#closed = true;
    resetSync();
    this.#loggers.clear();
    this.#processLoggers.clear();
  }

  #find(loggers: Map<string, Logger>, target: string, parts: LogParts): Logger {
    const known = loggers.get(target);
    if (known !== undefined) return known;
    const made = new TargetLogger(target, parts, this.#write);
    loggers.set(target, made);
    return made;
  }

  #sink(record: LogRecord): void {
    const { writer, filter, spans, activeIds } = this.#parts;
    const level = FROM_TAPE[record.level];
    const target = safeText(record.category.join("."), NAME_LENGTH_MAX);
    const ids = activeIds();
    if (!filter.forTarget(target, spans).admits(rankOf(level), record.properties, ids)) return;
    const { rawMessage } = record;
    // The template stays unfilled: a value in it would escape redaction, and it is among the fields anyway.
    const message = typeof rawMessage === "string" ? rawMessage : rawMessage.join("{}");
    this.#write(record.timestamp, makeHead(writer, level, target, message), ids, record.properties);
  }

  readonly #write: WriteEvent = (atMs, head, ids, given) => {
    if (this.#closed) return;
    const { buffer, writer, format, onLine } = this.#parts;
    if (buffer.droppedCount > 0 && buffer.hasRoom) this.#writeDropped(atMs);
    const { plain, json } = given === undefined ? NO_FIELDS : this.#redactor.redact(given);
    const { level, target, message } = head;
    const event: LoggedEvent = { atMs, level, target, message, ids, fields: plain };
    buffer.push(format === "json" ? writer.toJson(atMs, head.json, ids, json) : writer.toPretty(event));
    onLine(ids !== undefined);
    this.#taps.emit(event);
  };

  #writeDropped(atMs: number): void {
    const head = makeHead(this.#parts.writer, "warn", OWN_TARGET, "log.lines_dropped");
    this.#write(atMs, head, undefined, { count: this.#parts.buffer.takeDroppedCount() });
  }
}
