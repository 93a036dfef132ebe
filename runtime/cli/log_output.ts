/**
 * Log output: where the log lines of this process go.
 *
 * Owns the choice between a log file, a stdout that is a file (written in place: a file takes what it is given)
 * and any other stdout (written by a thread). Invariant: nothing that a reader of stdout does or leaves undone
 * makes the gateway wait.
 */
import { fstatSync } from "node:fs";
import type { LogOutput } from "../runtime.ts";
import { LogFile } from "./log_file.ts";
import { StdoutPipe } from "./stdout_pipe.ts";

const STDOUT = 1;

/** Opens the output; `logFile` is empty for stdout. @throws Error when the file cannot be opened */
export function openLogOutput(logFile: string): LogOutput & Disposable {
  if (logFile !== "") return new LogFile(logFile);
  return isFile(STDOUT) ? FILE_STDOUT : new StdoutPipe();
}

const FILE_STDOUT: LogOutput & Disposable = Object.freeze({
  write: (bytes: Uint8Array): number => Deno.stdout.writeSync(bytes),
  [Symbol.dispose]: (): void => {},
});

function isFile(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isFile();
  } catch {
    // It is closed, or of no kind that is known here.
    return false;
  }
}
