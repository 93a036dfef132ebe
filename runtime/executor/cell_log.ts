/**
 * CellLog: reads a cell's stdout as guest log lines and keeps the tail of its stderr.
 *
 * Owns the bounded line splitter and the parsing of lines. It does not know calls (cell_process.ts does).
 * Invariant: a cell can make the gateway hold at most one line of `LINE_BYTES_MAX` and `TAIL_BYTES_MAX` of
 * stderr, whatever it prints.
 */
import type { CellLogLine } from "../wire/messages.ts";

/** Longest line of a cell: a guest line of 4 KiB, every byte escaped by JSON, and room for its frame. */
const LINE_BYTES_MAX = 64 * 1024;
const TAIL_BYTES_MAX = 4096;
const NEWLINE = 0x0a;

const decoder = new TextDecoder();

/**
 * Calls `onLine` for each well-formed line until the stream ends.
 *
 * @returns false if the cell printed a line over the bound, which only a cell out of control does
 */
export async function readCellLog(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: CellLogLine) => void,
): Promise<boolean> {
  let partial = new Uint8Array(0);
  for await (const chunk of stream) {
    let bytes: Uint8Array = chunk;
    if (partial.length > 0) {
      const joined = new Uint8Array(partial.length + chunk.length);
      joined.set(partial);
      joined.set(chunk, partial.length);
      bytes = joined;
    }
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      const line = parseLine(bytes.subarray(start, end));
      if (line !== undefined) onLine(line);
      start = end + 1;
    }
    partial = bytes.slice(start);
    if (partial.length > LINE_BYTES_MAX) return false;
  }
  return true;
}

function parseLine(bytes: Uint8Array): CellLogLine | undefined {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    if (typeof value !== "object" || value === null) return undefined;
    const { call, source, level, text } = value as Record<keyof CellLogLine, unknown>;
    if (typeof call !== "number" || typeof text !== "string") return undefined;
    return { call, text, source: String(source), level: String(level) };
  } catch {
    return undefined;
  }
}

/** Reads a stream to its end and returns its last bytes as text. */
export async function readTail(stream: ReadableStream<Uint8Array>): Promise<string> {
  let tail = new Uint8Array(0);
  for await (const chunk of stream) {
    const joined = new Uint8Array(tail.length + chunk.length);
    joined.set(tail);
    joined.set(chunk, tail.length);
    tail = joined.slice(Math.max(0, joined.length - TAIL_BYTES_MAX));
  }
  return decoder.decode(tail);
}
