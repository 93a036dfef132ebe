/**
 * The thread that writes to an output that may make it wait: a stdout that somebody reads, a named pipe.
 *
 * It is started by pipe_output.ts, never imported. It gets pieces of whole lines and writes them in order, each
 * line or group of lines in one write of at most PIPE_BUF bytes, which a pipe takes whole or not at all (POSIX,
 * write): whenever this process ends, a reader finds no half of such a line. Invariant: the counter of pieces
 * goes up only when a piece has been written or can never be, and then its lines are counted as lost.
 */
import { DONE_INDEX, FAILED_INDEX, LOST_INDEX, type PipeMessage } from "./pipe_output.ts";

/** Linux's PIPE_BUF. */
const WHOLE_BYTES_MAX = 4096;
const NEWLINE = 0x0a;
/** Between two attempts on an output that somebody has set not to wait. */
const RETRY_MS = 5;

/** What a worker's global scope has, which the types of a window lack. */
const scope = globalThis as unknown as { onmessage: ((event: MessageEvent<PipeMessage>) => void) | null };
const never = new Int32Array(new SharedArrayBuffer(4));

/** What is written to; a named pipe is opened with the first piece, because that waits for a reader. */
let file: Pick<Deno.FsFile, "writeSync" | "close"> | undefined;

scope.onmessage = ({ data }): void => {
  const state = new Int32Array(data.state);
  if (data.bytes === undefined) return beginAnew(state);
  let at = 0;
  try {
    if (Atomics.load(state, FAILED_INDEX) === 0) {
      file ??= data.path === "" ? Deno.stdout : Deno.openSync(data.path, { append: true });
      while (at < data.bytes.length) at = writeLines(file, data.bytes, at);
    }
  } catch {
    // Nobody reads any more, and nobody will until it is told to begin anew.
    closeFile();
    Atomics.store(state, FAILED_INDEX, 1);
  }
  Atomics.add(state, LOST_INDEX, countLines(data.bytes, at));
  Atomics.add(state, DONE_INDEX, 1);
  Atomics.notify(state, DONE_INDEX);
};

function beginAnew(state: Int32Array): void {
  closeFile();
  Atomics.store(state, FAILED_INDEX, 0);
}

function closeFile(): void {
  if (file !== Deno.stdout) file?.close();
  file = undefined;
}

/** Writes the lines that fit into one write; returns where the rest begins. */
function writeLines(file: Pick<Deno.FsFile, "writeSync">, bytes: Uint8Array, start: number): number {
  const end = endOfWrite(bytes, start);
  for (let offset = start; offset < end;) {
    try {
      offset += file.writeSync(bytes.subarray(offset, end));
    } catch (error) {
      // Whoever shares this pipe or terminal may have set it not to wait; then we do.
      if (!(error instanceof Deno.errors.WouldBlock || error instanceof Deno.errors.Interrupted)) throw error;
      Atomics.wait(never, 0, 0, RETRY_MS);
    }
  }
  return end;
}

/** The end of the last line that fits into one write, or of the first where that does not. */
function endOfWrite(bytes: Uint8Array, start: number): number {
  if (bytes.length - start <= WHOLE_BYTES_MAX) return bytes.length;
  const last = bytes.lastIndexOf(NEWLINE, start + WHOLE_BYTES_MAX - 1);
  if (last >= start) return last + 1;
  const first = bytes.indexOf(NEWLINE, start);
  return first < 0 ? bytes.length : first + 1;
}

function countLines(bytes: Uint8Array, start: number): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE, start); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}
