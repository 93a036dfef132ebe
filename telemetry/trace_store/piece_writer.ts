/**
 * PieceWriter: pieces of traces as bytes, one after the other in one buffer.
 *
 * Owns the encoding; piece_reader.ts is its inverse. It runs once for each request, which is why it makes no
 * object and looks nothing up that it can count. Invariant: a piece can be read by itself with the texts of the
 * string table; text from callers is cut, so that one span has a bounded size.
 */
import { SpanKind } from "@opentelemetry/api";
import { ProtoWriter } from "../export/proto_writer.ts";
import type { LocalTrace } from "../trace/local_trace.ts";
import { LOG_LEVELS } from "../log/log_line.ts";
import type { LoggedEvent } from "../log/log_tap.ts";
import type { PlainValue } from "../log/plain_value.ts";
import type { AttributeValue } from "../names.ts";
import type { SpanRecord } from "../trace/span_record.ts";
import { judgeSpans, type Verdict } from "../trace/trace_verdict.ts";
import {
  FLAG_HAS_ROOT,
  KIND_NAMES,
  NAME_FIRST,
  NAME_NONE,
  NAME_WRITTEN_OUT,
  promisesOf,
  REPEATED_COUNT_MAX,
  REPEATED_LENGTH_MIN,
  SPAN_FLAG,
  TEXT_LENGTH_MAX,
  VALUE,
  VERDICTS,
} from "./piece_format.ts";
import { StringTable } from "./string_table.ts";

const BUFFER_BYTES_START = 64 * 1024;
const MICROS = 1000;

/** What is written as one piece. */
export interface PieceContent {
  readonly local: LocalTrace;
  readonly spans: readonly SpanRecord[];
  readonly lines: readonly LoggedEvent[];
  readonly droppedCount: number;
}

/** Writes pieces. */
export class PieceWriter {
  readonly strings = new StringTable();
  readonly #writer = new ProtoWriter(BUFFER_BYTES_START);
  #baseMs = 0;
  /** Longer texts of this piece: ids and paths stand in it several times. */
  readonly #written: string[] = [];
  #writtenCount = 0;
  readonly #writeAttribute = (name: string, value: AttributeValue): void => {
    if (name === "target") return;
    this.#name(name);
    this.#value(value);
  };

  /** Bytes written and not taken. */
  get length(): number {
    return this.#writer.length;
  }

  /** Appends a piece; answers how what it is of went. */
  write(content: PieceContent): Verdict {
    const { local, spans, lines } = content;
    const writer = this.#writer;
    const last = spans.at(-1);
    // A job that has begun before its request ended is in the same piece, and may outlast it.
    const outer = last === local.root ? last : spans.find((span) => span === local.root) ?? last;
    this.#baseMs = outer?.startMs ?? lines[0]?.atMs ?? 0;
    this.#writtenCount = 0;
    const body = writer.begin();
    writer.double(this.#baseMs);
    writer.varint(spans.length);
    for (const span of spans) this.#span(span);
    writer.varint(lines.length);
    for (const line of lines) this.#line(line);
    writer.end(body);
    const verdict = judgeSpans(spans);
    this.#summary(content, outer, verdict);
    return verdict;
  }

  /** A copy of what stands between two positions. */
  copy(from: number, to: number): Uint8Array<ArrayBuffer> {
    return this.#writer.view().slice(from, to);
  }

  /** All that was written, as `copy` makes it; the writer is empty afterwards. */
  take(copy: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes.slice()): Uint8Array {
    const taken = copy(this.#writer.view());
    this.#writer.rewind();
    return taken;
  }

  #span(span: SpanRecord): void {
    const writer = this.#writer;
    const { ids, parentIds, failure, timedEvents, row } = span;
    const flags = (parentIds === undefined ? 0 : SPAN_FLAG.parent) |
      (parentIds?.isRemote === true ? SPAN_FLAG.remoteParent : 0) |
      (failure === undefined ? 0 : SPAN_FLAG.failed) |
      (span.ended ? 0 : SPAN_FLAG.open);
    writer.varint(flags);
    writer.hex(ids.spanId);
    if (parentIds !== undefined) writer.hex(parentIds.spanId);
    this.#name(span.name);
    this.#name(row.scope.name);
    writer.varint(KIND_NAMES.indexOf(kindName(row.kind)));
    this.#instant(span.startMs);
    writer.int64(Math.max(0, Math.round((span.endMs - span.startMs) * MICROS)));
    if (failure !== undefined) this.#text(failure);
    span.visitAttributes(this.#writeAttribute);
    writer.varint(NAME_NONE);
    writer.varint(timedEvents.length);
    for (const event of timedEvents) {
      this.#text(event.name);
      this.#instant(event.atMs);
      for (const [name, value] of Object.entries(event.attributes ?? {})) {
        writer.varint(NAME_WRITTEN_OUT);
        this.#text(name);
        this.#value(value);
      }
      writer.varint(NAME_NONE);
    }
  }

  #line(line: LoggedEvent): void {
    const writer = this.#writer;
    this.#instant(line.atMs);
    writer.varint(LOG_LEVELS.indexOf(line.level));
    this.#name(line.target);
    this.#name(line.message);
    writer.hex(line.ids?.spanId ?? "");
    for (const name of Object.keys(line.fields)) {
      this.#name(name);
      this.#value(line.fields[name] ?? null);
    }
    writer.varint(NAME_NONE);
  }

  #summary(
    { local, spans, lines, droppedCount }: PieceContent,
    outer: SpanRecord | undefined,
    verdict: Verdict,
  ): void {
    const writer = this.#writer;
    const facts = new CallFacts(spans, outer);
    let startMs = outer?.startMs ?? this.#baseMs;
    let endMs = outer?.endMs ?? lines.at(-1)?.atMs ?? startMs;
    for (const span of spans) {
      if (span.startMs < startMs) startMs = span.startMs;
      if (span.endMs > endMs) endMs = span.endMs;
    }
    writer.hex(local.traceId);
    this.#text(local.tenant ?? "");
    writer.varint(outer !== undefined && local.root === outer ? FLAG_HAS_ROOT : 0);
    writer.varint(VERDICTS.indexOf(verdict));
    this.#name(outer?.name ?? "");
    // Templates and methods are few, so they are names.
    this.#name(facts.route);
    this.#name(facts.method);
    writer.varint(facts.status);
    this.#text(facts.functionId);
    this.#text(facts.functionName);
    writer.double(startMs);
    writer.int64(Math.max(0, Math.round((endMs - startMs) * MICROS)));
    writer.varint(spans.length);
    writer.varint(lines.length);
    writer.varint(droppedCount);
    this.#signed(promisesOf(spans));
  }

  #name(text: string): void {
    const number = this.strings.number(text);
    if (number >= 0) return this.#writer.varint(number + NAME_FIRST);
    this.#writer.varint(NAME_WRITTEN_OUT);
    this.#text(text);
  }

  #value(value: AttributeValue | PlainValue): void {
    const writer = this.#writer;
    if (typeof value === "string") {
      this.#textValue(value);
    } else if (typeof value === "number") {
      const isWhole = Number.isSafeInteger(value) && Math.abs(value) < 2 ** 51 && !Object.is(value, -0);
      writer.varint(isWhole ? VALUE.integer : VALUE.double);
      if (isWhole) this.#signed(value);
      else writer.double(value);
    } else if (typeof value === "boolean") {
      writer.varint(value ? VALUE.yes : VALUE.no);
    } else {
      writer.varint(VALUE.json);
      const json = JSON.stringify(value);
      writer.string(json.length > TEXT_LENGTH_MAX * 4 ? '"…"' : json);
    }
  }

  /** Text, or the number of the same text before it in this piece. */
  #textValue(text: string): void {
    const writer = this.#writer;
    if (text.length >= REPEATED_LENGTH_MIN) {
      const written = this.#written;
      for (let index = 0; index < this.#writtenCount; index++) {
        if (written[index] !== text) continue;
        writer.varint(VALUE.repeated);
        writer.varint(index);
        return;
      }
      if (this.#writtenCount < REPEATED_COUNT_MAX && text.length <= TEXT_LENGTH_MAX) {
        written[this.#writtenCount++] = text;
      }
    }
    writer.varint(VALUE.text);
    this.#text(text);
  }

  #text(text: string): void {
    this.#writer.string(text.length > TEXT_LENGTH_MAX ? text.slice(0, TEXT_LENGTH_MAX) + "…" : text);
  }

  #instant(ms: number): void {
    this.#signed(Math.round((ms - this.#baseMs) * MICROS));
  }

  /** Small numbers of either sign in few bytes: 0, -1, 1, -2 … */
  #signed(value: number): void {
    this.#writer.int64(value >= 0 ? 2 * value : -2 * value - 1);
  }
}

/** What a list shows of the call that spans are of. */
class CallFacts {
  route = "";
  method = "";
  status = 0;
  functionId = "";
  functionName = "";

  constructor(spans: readonly SpanRecord[], outer: SpanRecord | undefined) {
    if (outer !== undefined && outer.row.kind === SpanKind.SERVER) {
      this.route = textOf(outer.findAttribute("http.route"));
      this.method = textOf(outer.findAttribute("method"));
      const status = outer.findAttribute("http.response.status_code");
      if (typeof status === "number") this.status = status;
    }
    for (let index = spans.length - 1; index >= 0; index--) {
      const span = spans[index];
      const id = span?.findAttribute("function_id");
      if (span === undefined || typeof id !== "string") continue;
      this.functionId ||= id;
      this.functionName = textOf(span.findAttribute("name"));
      if (this.functionName !== "") return;
    }
  }
}

function textOf(value: AttributeValue | undefined): string {
  return typeof value === "string" ? value : "";
}

function kindName(kind: SpanKind): (typeof KIND_NAMES)[number] {
  return kind === SpanKind.SERVER ? "server" : kind === SpanKind.CONSUMER ? "consumer" : "internal";
}
