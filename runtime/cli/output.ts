/**
 * Output: whole writes to stdout and stderr.
 *
 * Invariant: what was handed over is written before the call returns, so no line is torn or lost on exit.
 */

/** Writes all bytes to stdout. A closed pipe is not an error: nobody is reading. */
export function writeStdout(bytes: Uint8Array): void {
  try {
    for (let offset = 0; offset < bytes.length;) offset += Deno.stdout.writeSync(bytes.subarray(offset));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** Writes a line to stderr. */
export function writeStderrLine(text: string): void {
  const bytes = new TextEncoder().encode(`${text}\n`);
  for (let offset = 0; offset < bytes.length;) offset += Deno.stderr.writeSync(bytes.subarray(offset));
}
