/**
 * ScopedBatch: records of one signal, encoded as they come, gathered by scope.
 *
 * Owns the frame that ExportTraceServiceRequest and ExportLogsServiceRequest have in common: one resource,
 * then for each scope its records. It knows no record: the caller writes it. Invariant: a record is in the
 * batch whole or not at all.
 */
import { FIRST, OtlpWriter, SECOND } from "./otlp_writer.ts";
import { ProtoWriter } from "./proto_writer.ts";

const SCOPE_BYTES_START = 16 * 1024;
/** Most scopes whose buffers are kept for the next batch. */
const SCOPES_MAX = 64;

/** A batch under construction. */
export class ScopedBatch {
  readonly #resource: Uint8Array;
  readonly #textLengthMax: number;
  readonly #scopes = new Map<string, OtlpWriter>();
  readonly #frame = new ProtoWriter(64 * 1024);
  #lastScope = "";
  #lastWriter: OtlpWriter | undefined;
  #bytes = 0;

  constructor(resource: Readonly<Record<string, unknown>>, textLengthMax: number) {
    const writer = new OtlpWriter(512, textLengthMax);
    writer.resource(resource);
    this.#resource = writer.take();
    this.#textLengthMax = textLengthMax;
  }

  /** Bytes of the records so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a record of `scope`, written by `write` into the writer it is given, without its tag. */
  add<T>(scope: string, record: T, write: (writer: OtlpWriter, record: T) => void): void {
    const writer = this.#writerOf(scope);
    const { length } = writer;
    try {
      // ScopeSpans.spans and ScopeLogs.log_records both are field 2.
      writer.varint(SECOND);
      const message = writer.begin();
      write(writer, record);
      writer.end(message);
    } catch (error) {
      writer.rewind(length);
      throw error;
    }
    this.#bytes += writer.length - length;
  }

  /** The request so far; the next record begins a new one. */
  take(): Uint8Array<ArrayBuffer> {
    let length = this.#resource.length;
    for (const writer of this.#scopes.values()) length += framedLength(writer.length);
    const frame = this.#frame;
    frame.varint(FIRST);
    frame.varint(length);
    frame.raw(this.#resource);
    for (const writer of this.#scopes.values()) {
      if (writer.length === 0) continue;
      frame.varint(SECOND);
      frame.varint(writer.length);
      frame.raw(writer.view());
      writer.rewind();
    }
    if (this.#scopes.size > SCOPES_MAX) this.#scopes.clear();
    this.#lastWriter = undefined;
    this.#bytes = 0;
    return frame.take();
  }

  #writerOf(scope: string): OtlpWriter {
    // Spans of a request and lines of a target often come in a row.
    if (this.#lastWriter !== undefined && this.#lastScope === scope) return this.#lastWriter;
    let writer = this.#scopes.get(scope);
    if (writer === undefined) {
      writer = new OtlpWriter(SCOPE_BYTES_START, this.#textLengthMax);
      this.#scopes.set(scope, writer);
    }
    if (writer.length === 0) writer.scope(scope);
    this.#lastScope = scope;
    this.#lastWriter = writer;
    return writer;
  }
}

/** Bytes of a message with its tag and length; an empty one is left out. */
function framedLength(length: number): number {
  if (length === 0) return 0;
  return 1 + (length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : 4) + length;
}
