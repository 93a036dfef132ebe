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
import type { LineWriter, LogEvent, LogFields, LogLevel } from "./log_line.ts";
import { type LoggedEvent, type LogTap, LogTaps } from "./log_tap.ts";
import { type PlainFields, Redactor, safeText } from "./plain_value.ts";

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
const NO_FIELDS: PlainFields = Object.freeze({});
/** Longest message and target; ours are short, those of others may be anything. */
const NAME_LENGTH_MAX = 1024;
/** Most names of events that are remembered; names come from our code, but others may log anything. */
const NAMES_MAX = 2048;
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

class TargetLogger implements Logger {
  readonly #target: string;
  readonly #filter: TargetFilter;
  readonly #rankMin: number;
  readonly #parts: LogParts;
  readonly #write: (event: LogEvent) => void;

  constructor(target: string, parts: LogParts, write: (event: LogEvent) => void) {
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
    if (this.#rankMin <= 0) this.#emit(0, "trace", message, fields, ids);
  }

  debug(message: string, fields?: LogFields, ids?: SpanIds): void {
    if (this.#rankMin <= 1) this.#emit(1, "debug", message, fields, ids);
  }

  info(message: string, fields?: LogFields, ids?: SpanIds): void {
    if (this.#rankMin <= 2) this.#emit(2, "info", message, fields, ids);
  }

  warn(message: string, fields?: LogFields, ids?: SpanIds): void {
    if (this.#rankMin <= 3) this.#emit(3, "warn", message, fields, ids);
  }

  error(message: string, fields?: LogFields, ids?: SpanIds): void {
    if (this.#rankMin <= 4) this.#emit(4, "error", message, fields, ids);
  }

  #emit(
    rank: number,
    level: LogLevel,
    message: string,
    fields: LogFields | undefined,
    givenIds: SpanIds | undefined,
  ): void {
    const { nowMs, activeIds } = this.#parts;
    const ids = givenIds ?? activeIds();
    if (rank < this.#filter.rankAlways && !this.#filter.admits(rank, fields, ids)) return;
    this.#write({ atMs: nowMs(), level, target: this.#target, message, ids, fields });
  }
}

/** The log of the process. LogTape's configuration is global, so there is one at a time. */
export class Log {
  readonly #parts: LogParts;
  readonly #loggers = new Map<string, Logger>();
  readonly #processLoggers = new Map<string, Logger>();
  readonly #redactor = new Redactor();
  readonly #names = new Map<string, string>();
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
    const made = new TargetLogger(target, parts, (event) => this.#write(event));
    loggers.set(target, made);
    return made;
  }

  #sink(record: LogRecord): void {
    const event = this.#fromForeign(record);
    const filter = this.#parts.filter.forTarget(event.target, this.#parts.spans);
    if (filter.admits(rankOf(event.level), event.fields, event.ids)) this.#write(event);
  }

  #write(event: LogEvent): void {
    if (this.#closed) return;
    const { buffer, writer, format, onLine } = this.#parts;
    if (buffer.droppedCount > 0 && buffer.hasRoom) this.#writeDropped(event.atMs);
    const { atMs, level, target, message, ids, fields } = event;
    const logged: LoggedEvent = {
      atMs,
      level,
      target,
      message: this.#safeName(message),
      ids,
      fields: fields === undefined ? NO_FIELDS : this.#redactor.fields(fields),
    };
    buffer.push(format === "json" ? writer.toJson(logged) : writer.toPretty(logged));
    onLine(ids !== undefined);
    this.#taps.emit(logged);
  }

  /** Names of events recur, and looking through one for secrets costs more than looking it up. */
  #safeName(message: string): string {
    const known = this.#names.get(message);
    if (known !== undefined) return known;
    const made = safeText(message, NAME_LENGTH_MAX);
    if (message.length <= 64 && this.#names.size < NAMES_MAX) this.#names.set(message, made);
    return made;
  }

  #writeDropped(atMs: number): void {
    const fields = { count: this.#parts.buffer.takeDroppedCount() };
    this.#write({
      atMs,
      level: "warn",
      target: OWN_TARGET,
      message: "log.lines_dropped",
      ids: undefined,
      fields,
    });
  }

  /** The template stays unfilled: a value in it would escape redaction, and it is among the fields anyway. */
  #fromForeign(record: LogRecord): LogEvent {
    const { rawMessage } = record;
    return {
      atMs: record.timestamp,
      level: FROM_TAPE[record.level],
      target: safeText(record.category.join("."), NAME_LENGTH_MAX),
      message: typeof rawMessage === "string" ? rawMessage : rawMessage.join("{}"),
      ids: this.#parts.activeIds(),
      fields: record.properties,
    };
  }
}
