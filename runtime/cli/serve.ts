/**
 * `serve`: runs the gateway until SIGINT or SIGTERM, then drains it.
 *
 * Owns signals, the data folder's creation being the store's. The first line on stdout says where it
 * listens. Invariant: the first signal drains; another one, once a second has passed, ends the process at once.
 */
import type { RuntimeConfig } from "../config.ts";
import { createRuntime } from "../runtime.ts";
import { writeStdout } from "./output.ts";

/** Exit code of a process that a second signal ended: 128 + SIGINT, as shells have it. */
const EXIT_INTERRUPTED = 130;

/** Serves; resolves with the exit code when drained. */
export async function serve(config: RuntimeConfig, exit: (code: number) => never): Promise<number> {
  // Log lines of the start wait until the address is printed: the first line of stdout is for scripts.
  const early: Uint8Array[] = [];
  let isListening = false;
  const writeLog = (bytes: Uint8Array): void => {
    if (isListening) writeStdout(bytes);
    else early.push(bytes.slice());
  };
  try {
    await using runtime = await createRuntime({ config, writeLog });
    const { hostname, port } = runtime.listen();
    const host = hostname.includes(":") ? `[${hostname}]` : hostname;
    writeStdout(new TextEncoder().encode(`listening on http://${host}:${port}\n`));
    isListening = true;
    for (const bytes of early.splice(0)) writeStdout(bytes);
    await signalled(exit);
    await runtime.drain();
  } catch (error) {
    isListening = true;
    for (const bytes of early.splice(0)) writeStdout(bytes);
    throw error;
  }
  return 0;
}

/** A terminal signals the whole group and launchers forward what they get: one wish arrives twice. */
const SAME_WISH_MS = 1_000;

function signalled(exit: (code: number) => never): Promise<void> {
  return new Promise((resolve) => {
    let firstAtMs: number | undefined;
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.addSignalListener(signal, () => {
        firstAtMs ??= performance.now();
        if (performance.now() - firstAtMs > SAME_WISH_MS) exit(EXIT_INTERRUPTED);
        resolve();
      });
    }
  });
}
