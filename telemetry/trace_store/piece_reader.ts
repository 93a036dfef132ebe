/**
 * PieceReader: pieces of traces from bytes.
 *
 * The inverse of piece_writer.ts. The bytes may come from a damaged disk: whatever they hold, reading ends with a
 * piece or a PieceFormatError, never beyond the buffer and never in a loop without progress.
 */
import type { AttributeValue } from "../names.ts";
import { LOG_LEVELS } from "../log/log_line.ts";
import type { PlainValue } from "../log/plain_value.ts";
import {
  FLAG_HAS_ROOT,
  KIND_NAMES,
  NAME_FIRST,
  NAME_NONE,
  NAME_WRITTEN_OUT,
  REPEATED_COUNT_MAX,
  REPEATED_LENGTH_MIN,
  SPAN_FLAG,
  TEXT_LENGTH_MAX,
  VALUE,
  VERDICTS,
} from "./piece_format.ts";
import type { PieceSummary, StoredEvent, StoredLine, StoredSpan, TracePiece } from "./trace_piece.ts";

const utf8 = new TextDecoder();
const MICROS = 1000;

/** Bytes that are no piece. */
export class PieceFormatError extends Error {
  override readonly name = "PieceFormatError";
}

/** Reads pieces, one after the other. */
export class PieceReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #texts: readonly string[];
  #at: number;
  #baseMs = 0;
  #remembered: string[] = [];

  constructor(bytes: Uint8Array, texts: readonly string[], at = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#texts = texts;
    this.#at = at;
  }

  /** Where the next piece begins. */
  get position(): number {
    return this.#at;
  }

  /** Whether all is read. */
  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** The summary of the next piece. */
  summary(): PieceSummary {
    const length = this.#varint();
    this.#need(length);
    this.#at += length;
    return this.#readSummary();
  }

  /** The next piece. */
  piece(): TracePiece {
    this.#varint();
    this.#remembered = [];
    this.#baseMs = this.#double();
    const spans = this.#list(() => this.#span());
    const lines = this.#list(() => this.#line());
    return { summary: this.#readSummary(), spans, lines };
  }

  #readSummary(): PieceSummary {
    const traceId = this.#hex();
    const tenant = this.#string();
    const flags = this.#varint();
    const verdict = VERDICTS[this.#varint()] ?? "error";
    const rootName = this.#name();
    const [route, method] = [this.#name(), this.#name()];
    const httpStatus = this.#varint();
    const [functionId, functionName] = [this.#string(), this.#string()];
    return {
      traceId,
      tenant: tenant === "" ? undefined : tenant,
      rootName,
      hasRoot: (flags & FLAG_HAS_ROOT) !== 0,
      route: route === "" ? undefined : route,
      method: method === "" ? undefined : method,
      httpStatus: httpStatus === 0 ? undefined : httpStatus,
      functionId: functionId === "" ? undefined : functionId,
      functionName: functionName === "" ? undefined : functionName,
      verdict,
      startMs: this.#double(),
      durationMs: this.#unsigned() / MICROS,
      spanCount: this.#varint(),
      lineCount: this.#varint(),
      droppedCount: this.#varint(),
      promisedCount: this.#signed(),
    };
  }

  #span(): StoredSpan {
    const flags = this.#varint();
    const spanId = this.#hex();
    const parentSpanId = (flags & SPAN_FLAG.parent) === 0 ? undefined : this.#hex();
    const name = this.#name();
    const scope = this.#name();
    const kind = KIND_NAMES[this.#varint()] ?? "internal";
    const startMs = this.#instant();
    const durationMs = this.#unsigned() / MICROS;
    const failure = (flags & SPAN_FLAG.failed) === 0 ? undefined : this.#string();
    const attributes = this.#values();
    const events = this.#list((): StoredEvent => ({
      name: this.#string(),
      atMs: this.#instant(),
      attributes: this.#values(),
    }));
    return {
      spanId,
      parentSpanId,
      isParentRemote: (flags & SPAN_FLAG.remoteParent) !== 0,
      name,
      scope,
      kind,
      startMs,
      durationMs: (flags & SPAN_FLAG.open) === 0 ? durationMs : undefined,
      failure,
      attributes,
      events,
    };
  }

  #line(): StoredLine {
    const atMs = this.#instant();
    const level = LOG_LEVELS[this.#varint()] ?? "info";
    const target = this.#name();
    const message = this.#name();
    const spanId = this.#hex();
    return { atMs, level, target, message, spanId, fields: this.#values() };
  }

  #values(): Record<string, AttributeValue> {
    // No prototype: a field may be called __proto__.
    const values: Record<string, AttributeValue> = Object.create(null);
    for (;;) {
      const number = this.#varint();
      if (number === NAME_NONE) return values;
      const name = this.#numbered(number);
      values[name] = this.#value() as AttributeValue;
    }
  }

  #value(): AttributeValue | PlainValue {
    const tag = this.#varint();
    switch (tag) {
      case VALUE.text:
        return this.#remember(this.#string());
      case VALUE.repeated: {
        const text = this.#remembered[this.#varint()];
        if (text === undefined) throw new PieceFormatError("A value repeats none before it");
        return text;
      }
      case VALUE.integer:
        return this.#signed();
      case VALUE.double:
        return this.#double();
      case VALUE.yes:
      case VALUE.no:
        return tag === VALUE.yes;
      case VALUE.json:
        return parseJson(this.#string());
      default:
        throw new PieceFormatError(`Value has the tag ${tag}`);
    }
  }

  #remember(text: string): string {
    const isRemembered = text.length >= REPEATED_LENGTH_MIN && text.length <= TEXT_LENGTH_MAX;
    if (isRemembered && this.#remembered.length < REPEATED_COUNT_MAX) this.#remembered.push(text);
    return text;
  }

  #list<T>(read: () => T): T[] {
    const count = this.#varint();
    // Each element takes a byte at least.
    this.#need(count);
    return Array.from({ length: count }, read);
  }

  #name(): string {
    return this.#numbered(this.#varint());
  }

  #numbered(number: number): string {
    if (number === NAME_WRITTEN_OUT) return this.#string();
    const text = this.#texts[number - NAME_FIRST];
    if (text === undefined) throw new PieceFormatError(`No text has the number ${number - NAME_FIRST}`);
    return text;
  }

  #string(): string {
    const length = this.#varint();
    this.#need(length);
    const text = utf8.decode(this.#bytes.subarray(this.#at, this.#at + length));
    this.#at += length;
    return text;
  }

  #hex(): string {
    const length = this.#varint();
    this.#need(length);
    const hex = this.#bytes.subarray(this.#at, this.#at + length).toHex();
    this.#at += length;
    return hex;
  }

  #instant(): number {
    return round(this.#baseMs + this.#signed() / MICROS);
  }

  #signed(): number {
    const value = this.#unsigned();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #varint(): number {
    const value = this.#unsigned();
    if (value > 0xffff_ffff) throw new PieceFormatError("A number is too large");
    return value;
  }

  #unsigned(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 49; factor *= 128) {
      this.#need(1);
      const byte = this.#bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw new PieceFormatError("A number does not end");
  }

  #double(): number {
    this.#need(8);
    const value = this.#view.getFloat64(this.#at, true);
    this.#at += 8;
    return value;
  }

  #need(count: number): void {
    if (this.#at + count > this.#bytes.length) throw new PieceFormatError("Bytes end within a piece");
  }
}

function parseJson(text: string): PlainValue {
  try {
    return JSON.parse(text) as PlainValue;
  } catch {
    throw new PieceFormatError("A value is not JSON");
  }
}

/** Milliseconds with three digits: adding an offset to an epoch leaves noise beyond. */
function round(ms: number): number {
  return Math.round(ms * MICROS) / MICROS;
}
