/**
 * LogFile: a file that log lines are appended to, and that can be rotated.
 *
 * Owns the open file and its reopening under the same path. Invariant: no line is torn between two files: what
 * belongs to a line that was begun in the old file never reaches the new one. Where a new one cannot be opened, the
 * old one is written on, and each write tries again: the folder may come back.
 */
import type { LogOutput } from "../runtime.ts";

const NEWLINE = 0x0a;
/** Readable by the owner and the group: log lines name tenants. */
const MODE = 0o640;

/** An open log file. */
export class LogFile implements LogOutput, Disposable {
  readonly #path: string;
  #file: Deno.FsFile;
  /** True when the disk filled up in the middle of a line. */
  #isWithinLine = false;
  #skipsLine = false;
  /** True after a reopening that failed. */
  #isLate = false;

  /** @throws Error naming the path and the reason when it cannot be opened for appending */
  constructor(path: string) {
    this.#path = path;
    this.#file = openForAppending(path);
  }

  readonly write = (bytes: Uint8Array): number => {
    if (this.#isLate) this.#reopenLate();
    if (this.#skipsLine) {
      const end = bytes.indexOf(NEWLINE);
      this.#skipsLine = end < 0;
      return end < 0 ? bytes.length : end + 1;
    }
    const written = this.#file.writeSync(bytes);
    if (written > 0) this.#isWithinLine = bytes[written - 1] !== NEWLINE;
    return written;
  };

  readonly reopen = (): void => {
    this.#isLate = true;
    const file = openForAppending(this.#path);
    this.#isLate = false;
    this.#file.close();
    this.#file = file;
    this.#skipsLine ||= this.#isWithinLine;
    this.#isWithinLine = false;
  };

  #reopenLate(): void {
    try {
      this.reopen();
    } catch {
      // Not yet; the log has told of it.
    }
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

function openForAppending(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { append: true, create: true, mode: MODE });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot open the log file ${path}: ${reason}`, { cause: error });
  }
}
