/**
 * GuestLog: a call's stdout, stderr and log calls as lines on the cell's own stdout.
 *
 * Owns line splitting, the bounds on number and length of lines, and the notices that name what the bounds
 * suppressed. It does not know trace ids: the gateway joins them by the call's number.
 * Invariant: a line is written synchronously and whole, so that it survives whatever happens to the cell
 * next; bytes that are not UTF-8 text are never logged, only counted.
 */
import type { Limits } from "../model/limits.ts";
import type { CellLogLine } from "../wire/messages.ts";
import type { GuestLogLevel, GuestLogSource } from "./guest_context.ts";

interface Stream {
  /** The line that has no newline yet, as much of it as can be logged. */
  partial: Uint8Array;
  /** All of its bytes. */
  partialBytes: number;
  /** Set once the stream was seen to carry something that is not text. */
  binary: boolean;
  binaryBytes: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lossyDecoder = new TextDecoder("utf-8", { ignoreBOM: true });
const NEWLINE = 0x0a;
/** Longest character of UTF-8. */
const CHARACTER_BYTES_MAX = 4;
const NOTHING = new Uint8Array(0);

/** The log of one call. */
export class GuestLog {
  readonly #callId: number;
  readonly #limits: Limits;
  readonly #writeLines: (bytes: Uint8Array) => void;
  readonly #streams = new Map<GuestLogSource, Stream>();
  #linesAccepted = 0;
  #linesSuppressed = 0;
  #linesWritten = 0;

  /** `writeLines` writes whole lines, newline included, before it returns. */
  constructor(callId: number, limits: Limits, writeLines: (bytes: Uint8Array) => void) {
    this.#callId = callId;
    this.#limits = limits;
    this.#writeLines = writeLines;
  }

  /** Takes bytes of one source; complete lines are written at once, the rest waits for its newline. */
  write(source: GuestLogSource, level: GuestLogLevel, bytes: Uint8Array): void {
    if (source === "log") {
      if (this.#admit()) this.#emit([this.#line(source, level, lossyDecoder.decode(this.#cut(bytes)))]);
      return;
    }
    let stream = this.#streams.get(source);
    if (stream === undefined) {
      stream = { partial: NOTHING, partialBytes: 0, binary: false, binaryBytes: 0 };
      this.#streams.set(source, stream);
    }
    this.#split(stream, source, level, bytes);
  }

  /** Writes unfinished lines and notices; returns the number of lines written for this call. */
  finish(): number {
    const lines: (string | undefined)[] = [];
    for (const [source, stream] of this.#streams) {
      const level = source === "stderr" ? "warn" : "info";
      if (stream.partialBytes > 0 && !stream.binary) {
        lines.push(this.#text(stream, source, level, stream.partial, stream.partialBytes));
      }
      if (stream.binary) {
        lines.push(this.#notice(`${source} is not text: ${stream.binaryBytes} bytes not logged`));
      }
    }
    this.#emit(lines);
    if (this.#linesSuppressed > 0) {
      const max = this.#limits.guestLogLinesMax;
      this.#emit([
        this.#notice(`${this.#linesSuppressed} lines suppressed: guestLogLinesMax is ${max}`),
      ]);
    }
    return this.#linesWritten;
  }

  #split(stream: Stream, source: GuestLogSource, level: GuestLogLevel, bytes: Uint8Array): void {
    const lines: (string | undefined)[] = [];
    let start = 0;
    while (!stream.binary && !this.#isFull) {
      if (stream.partialBytes === 0) start = skipEmptyLines(bytes, start);
      const end = bytes.indexOf(NEWLINE, start);
      if (end < 0) break;
      const line = this.#extend(stream, bytes.subarray(start, end));
      const lineBytes = stream.partialBytes + end - start;
      stream.partial = NOTHING;
      stream.partialBytes = 0;
      lines.push(this.#text(stream, source, level, line, lineBytes));
      start = end + 1;
    }
    const rest = bytes.subarray(start);
    if (stream.binary) {
      stream.binaryBytes += rest.length;
    } else if (this.#isFull) {
      this.#count(stream, rest);
    } else if (rest.length > 0) {
      const partial = this.#extend(stream, rest);
      // Kept beyond this call, so copied: the guest's memory changes.
      stream.partial = stream.partial === NOTHING ? partial.slice() : partial;
      stream.partialBytes += rest.length;
    }
    this.#emit(lines);
  }

  /** Counts lines that will not be written, byte by byte: a guest may write millions of them at once. */
  #count(stream: Stream, bytes: Uint8Array): void {
    let lineBytes = stream.partialBytes;
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] !== NEWLINE) {
        lineBytes++;
        continue;
      }
      if (lineBytes > 0) this.#linesSuppressed++;
      lineBytes = 0;
    }
    stream.partialBytes = lineBytes;
  }

  /**
   * The unfinished line and what comes after it, as much as can be logged: neither a guest that never ends its line
   * nor one that writes all of its memory as one costs the cell any.
   */
  #extend({ partial }: Stream, piece: Uint8Array): Uint8Array {
    const room = Math.max(0, this.#limits.guestLogLineBytesMax + CHARACTER_BYTES_MAX - partial.length);
    const kept = piece.subarray(0, room);
    return partial.length === 0 ? kept : kept.length === 0 ? partial : join(partial, kept);
  }

  /**
   * The line for `bytes` of a stream, of `byteCount` that it had, or undefined where a bound or the bytes themselves
   * forbid it.
   */
  #text(
    stream: Stream,
    source: GuestLogSource,
    level: GuestLogLevel,
    bytes: Uint8Array,
    byteCount: number,
  ): string | undefined {
    if (byteCount === 0 || !this.#admit()) return undefined;
    const cut = this.#cut(bytes);
    if (isText(cut)) return this.#line(source, level, lossyDecoder.decode(cut));
    this.#linesAccepted--;
    stream.binary = true;
    stream.binaryBytes += byteCount + 1;
    return undefined;
  }

  get #isFull(): boolean {
    return this.#linesAccepted >= this.#limits.guestLogLinesMax;
  }

  /** Counts one line against the bound; false if it must be suppressed. */
  #admit(): boolean {
    if (this.#isFull) {
      this.#linesSuppressed++;
      return false;
    }
    this.#linesAccepted++;
    return true;
  }

  /** At most `guestLogLineBytesMax` bytes, cut before a character rather than inside one. */
  #cut(bytes: Uint8Array): Uint8Array {
    const max = this.#limits.guestLogLineBytesMax;
    if (bytes.length <= max) return bytes;
    let end = max;
    // Not further than a character is long: bytes that look like parts of one need not be.
    while (end > max - CHARACTER_BYTES_MAX && isContinuation(bytes[end])) end--;
    return bytes.subarray(0, end);
  }

  #notice(text: string): string {
    return this.#line("notice", "warn", text);
  }

  #line(source: string, level: string, text: string): string {
    const line: CellLogLine = { call: this.#callId, source, level, text };
    return JSON.stringify(line) + "\n";
  }

  #emit(lines: readonly (string | undefined)[]): void {
    const present = lines.filter((line) => line !== undefined);
    if (present.length === 0) return;
    this.#linesWritten += present.length;
    this.#writeLines(encoder.encode(present.join("")));
  }
}

function skipEmptyLines(bytes: Uint8Array, start: number): number {
  let at = start;
  while (bytes[at] === NEWLINE) at++;
  return at;
}

function isContinuation(byte = 0): boolean {
  return (byte & 0xc0) === 0x80;
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

/** Text is UTF-8 without NUL. A cut may end inside a character only where `#cut` could not tell. */
function isText(bytes: Uint8Array): boolean {
  if (bytes.includes(0)) return false;
  try {
    decoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}
