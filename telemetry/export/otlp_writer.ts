/**
 * OtlpWriter: the messages that all three signals of OTLP share.
 *
 * Owns opentelemetry/proto/common/v1/common.proto and resource/v1/resource.proto: values, attributes, scope,
 * resource; and the limits on them. It knows no signal (otlp_spans.ts, otlp_logs.ts, otlp_metrics.ts do).
 * Invariant: any value at all is written as something, because one odd value must not cost a batch.
 */
import { FIXED64, LENGTH_DELIMITED, ProtoWriter, tagOf, VARINT } from "./proto_writer.ts";

/** Longest text of an attribute, in UTF-16 units, unless configured; some of it comes from callers. */
export const TEXT_LENGTH_MAX = 4096;
/** Deepest nesting of a value; what is below is left out. */
const DEPTH_MAX = 8;

/** Field numbers 1 and 2 with a length, which most small messages consist of. */
export const FIRST = tagOf(1, LENGTH_DELIMITED);
export const SECOND = tagOf(2, LENGTH_DELIMITED);

const VALUE = {
  string: FIRST,
  bool: tagOf(2, VARINT),
  int: tagOf(3, VARINT),
  double: tagOf(4, FIXED64),
  array: tagOf(5, LENGTH_DELIMITED),
  map: tagOf(6, LENGTH_DELIMITED),
} as const;

/** Writes OTLP's common messages. */
export class OtlpWriter extends ProtoWriter {
  readonly #textLengthMax: number;

  constructor(bytesStart: number, textLengthMax = TEXT_LENGTH_MAX) {
    super(bytesStart);
    this.#textLengthMax = textLengthMax;
  }

  /** A KeyValue, without its tag. */
  keyValue(name: string, value: unknown): void {
    const message = this.begin();
    this.text(FIRST, name);
    this.varint(SECOND);
    this.anyValue(value);
    this.end(message);
  }

  /** An AnyValue, without its tag; an integer that a number holds exactly is one, any other is a double. */
  anyValue(value: unknown, depth = 1): void {
    const message = this.begin();
    if (typeof value === "string") {
      this.varint(VALUE.string);
      this.string(cut(value, this.#textLengthMax));
    } else if (typeof value === "number") {
      if (Number.isSafeInteger(value)) {
        this.varint(VALUE.int);
        this.int64(value);
      } else {
        this.varint(VALUE.double);
        this.double(value);
      }
    } else if (typeof value === "boolean") {
      this.varint(VALUE.bool);
      this.varint(value ? 1 : 0);
    } else if (typeof value === "object" && value !== null && depth < DEPTH_MAX) {
      this.#nested(value, depth);
    } else {
      this.varint(VALUE.string);
      this.string(cut(String(value), this.#textLengthMax));
    }
    this.end(message);
  }

  /** Text that is no attribute's, such as a name, with its tag; the configured limit is not for it. */
  text(tag: number, text: string): void {
    this.varint(tag);
    this.string(cut(text, TEXT_LENGTH_MAX));
  }

  /** An AnyValue that is a text of any length, such as a log record's body, without its tag. */
  body(text: string): void {
    const message = this.begin();
    this.text(VALUE.string, text);
    this.end(message);
  }

  /** An id of lower-case hex digits, with its tag. */
  id(tag: number, digits: string): void {
    this.varint(tag);
    this.hex(digits);
  }

  /** Milliseconds since the epoch, with its tag. */
  instant(tag: number, ms: number): void {
    this.varint(tag);
    this.nanos(ms);
  }

  /** A Resource, with its tag: field 1 in the message of each signal. */
  resource(attributes: Readonly<Record<string, unknown>>): void {
    this.varint(FIRST);
    const message = this.begin();
    for (const [name, value] of Object.entries(attributes)) {
      this.varint(FIRST);
      this.keyValue(name, value);
    }
    this.end(message);
  }

  /** An InstrumentationScope, with its tag: field 1 in the scope's message of each signal. */
  scope(name: string): void {
    this.varint(FIRST);
    const message = this.begin();
    this.text(FIRST, name);
    this.end(message);
  }

  #nested(value: object, depth: number): void {
    const isList = Array.isArray(value);
    this.varint(isList ? VALUE.array : VALUE.map);
    const message = this.begin();
    if (isList) {
      for (const member of value) {
        this.varint(FIRST);
        this.anyValue(member, depth + 1);
      }
    } else {
      for (const [name, member] of Object.entries(value)) {
        this.varint(FIRST);
        const pair = this.begin();
        this.text(FIRST, name);
        this.varint(SECOND);
        this.anyValue(member, depth + 1);
        this.end(pair);
      }
    }
    this.end(message);
  }
}

function cut(text: string, lengthMax: number): string {
  return text.length > lengthMax ? text.slice(0, lengthMax) : text;
}
