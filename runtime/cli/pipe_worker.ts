/**
 * The thread that writes to stdout, where a reader may stop reading.
 *
 * It is started by stdout_pipe.ts, never imported. It gets pieces of whole lines and writes them in order, each
 * line or group of lines in one write of at most PIPE_BUF bytes, which a pipe takes whole or not at all (POSIX,
 * write): whenever this process ends, a reader finds no half of such a line. Invariant: the counter of pieces
 * goes up only when a piece has been written or can never be.
 */
import { DONE_INDEX, FAILED_INDEX, type OutputPiece } from "./stdout_pipe.ts";

/** Linux's PIPE_BUF. */
const WHOLE_BYTES_MAX = 4096;
const NEWLINE = 0x0a;

/** What a worker's global scope has, which the types of a window lack. */
const scope = globalThis as unknown as { onmessage: ((event: MessageEvent<OutputPiece>) => void) | null };

scope.onmessage = ({ data }): void => {
  const state = new Int32Array(data.state);
  try {
    if (Atomics.load(state, FAILED_INDEX) === 0) writeLines(data.bytes);
  } catch {
    // Nobody reads any more, and nobody will.
    Atomics.store(state, FAILED_INDEX, 1);
  }
  Atomics.add(state, DONE_INDEX, 1);
  Atomics.notify(state, DONE_INDEX);
};

function writeLines(bytes: Uint8Array): void {
  for (let start = 0; start < bytes.length;) {
    const end = endOfWrite(bytes, start);
    for (let offset = start; offset < end;) offset += Deno.stdout.writeSync(bytes.subarray(offset, end));
    start = end;
  }
}

/** The end of the last line that fits into one write, or of the first where that does not. */
function endOfWrite(bytes: Uint8Array, start: number): number {
  if (bytes.length - start <= WHOLE_BYTES_MAX) return bytes.length;
  const last = bytes.lastIndexOf(NEWLINE, start + WHOLE_BYTES_MAX - 1);
  if (last >= start) return last + 1;
  const first = bytes.indexOf(NEWLINE, start);
  return first < 0 ? bytes.length : first + 1;
}
