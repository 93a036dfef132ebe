/**
 * ScopedBatch: records of one signal, encoded as they come, gathered by scope.
 *
 * Owns the frame that ExportTraceServiceRequest and ExportLogsServiceRequest have in common: one resource,
 * then for each scope its records. It knows no record: the caller writes it. Invariant: a record is in the
 * batch whole or not at all.
 */
import type { BufferPool } from "./buffer_pool.ts";
import { FIRST, OtlpWriter, SECOND } from "./otlp_writer.ts";

const SCOPE_BYTES_START = 16 * 1024;
/** Most scopes whose buffers are kept for the next batch. */
const SCOPES_MAX = 64;

/** A batch under construction. */
export class ScopedBatch {
  readonly #resource: Uint8Array;
  readonly #textLengthMax: number;
  readonly #buffers: BufferPool;
  readonly #scopes = new Map<string, OtlpWriter>();
  #lastScope = "";
  #lastWriter: OtlpWriter | undefined;
  #bytes = 0;

  /** `buffers` is where the requests are made; whoever has sent one may give its buffer back. */
  constructor(
    resource: Readonly<Record<string, unknown>>,
    textLengthMax: number,
    buffers: BufferPool,
  ) {
    // Resource attributes are exempt from limits (OpenTelemetry, "Attribute Limits"): a cut service.name is another.
    const writer = new OtlpWriter(512, Infinity);
    writer.resource(resource);
    this.#resource = writer.take();
    this.#textLengthMax = textLengthMax;
    this.#buffers = buffers;
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
    for (const writer of this.#scopes.values()) {
      if (writer.length > 0) length += headLength(writer.length) + writer.length;
    }
    const request = this.#buffers.take(headLength(length) + length);
    let at = putHead(request, 0, FIRST, length);
    request.set(this.#resource, at);
    at += this.#resource.length;
    for (const writer of this.#scopes.values()) {
      if (writer.length === 0) continue;
      at = putHead(request, at, SECOND, writer.length);
      request.set(writer.view(), at);
      at += writer.length;
      writer.rewind();
    }
    if (this.#scopes.size > SCOPES_MAX) this.#scopes.clear();
    this.#lastWriter = undefined;
    this.#bytes = 0;
    return request;
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

/** Bytes of a message's tag and length. */
function headLength(length: number): number {
  return 1 +
    (length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : length < 0x1000_0000 ? 4 : 5);
}

/** Writes a message's tag and length; returns where its content begins. */
function putHead(bytes: Uint8Array, start: number, tag: number, length: number): number {
  let at = start;
  bytes[at++] = tag;
  let rest = length;
  for (; rest > 0x7f; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
  bytes[at++] = rest;
  return at;
}
