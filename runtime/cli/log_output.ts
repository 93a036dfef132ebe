/**
 * Log output: where the log lines of this process go.
 *
 * Owns the choice between a file, the log file or a stdout that is one (written in place: a file takes what it is
 * given), and anything that may make its writer wait: any other stdout, a named pipe, a device (written by a
 * thread). Invariant: nothing that a reader does or leaves undone makes the gateway wait.
 */
import { fstatSync } from "node:fs";
import type { LogOutput } from "../runtime.ts";
import { LogFile } from "./log_file.ts";
import { PipeOutput } from "./pipe_output.ts";

const STDOUT = 1;

/** Opens the output; `logFile` is empty for stdout. @throws Error when the file cannot be opened */
export function openLogOutput(logFile: string): LogOutput & Disposable {
  if (logFile !== "") return mayWait(logFile) ? new PipeOutput(logFile) : new LogFile(logFile);
  return isFile(STDOUT) ? FILE_STDOUT : new PipeOutput();
}

const FILE_STDOUT: LogOutput & Disposable = Object.freeze({
  write: (bytes: Uint8Array): number => Deno.stdout.writeSync(bytes),
  [Symbol.dispose]: (): void => {},
});

/** Whether what is there already is neither a file nor a folder; a folder's error is the log file's. */
function mayWait(path: string): boolean {
  try {
    const { isFile, isDirectory } = Deno.statSync(path);
    return !isFile && !isDirectory;
  } catch {
    return false;
  }
}

function isFile(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isFile();
  } catch {
    // It is closed, or of no kind that is known here.
    return false;
  }
}
