/**
 * `serve`: runs the gateway until SIGINT or SIGTERM, then drains it.
 *
 * Owns signals and the ways out of the process, the data folder's creation being the store's. The first line
 * on stdout says where it listens. Invariants: the first signal drains, also while the gateway starts; another one,
 * once a second has passed, ends the process at once, and so does a drain that is stuck, as on a disk that hangs; on
 * every way out the log lines so far are handed out first.
 */
import type { RuntimeConfig } from "../config.ts";
import { createRuntime, type LogOutput, type Runtime } from "../runtime.ts";
import { openLogOutput } from "./log_output.ts";
import { writeStdout } from "./output.ts";

/** Exit code of a process that a second signal ended: 128 + SIGINT, as shells have it. */
const EXIT_INTERRUPTED = 130;
const EXIT_FAILURE = 1;
/** How long lines may take to leave when the process must end at once. */
const LAST_LINES_MS = 1_000;
/** A terminal signals the whole group and launchers forward what they get: one wish arrives twice. */
const SAME_WISH_MS = 1_000;

/** What the end takes beyond the drain's own times, at most: answers, cells, exports, the store. */
const LAST_STEPS_MS_MAX = 10_000;

/** Ends the process. */
type Exit = (code: number) => never;

/** Serves; resolves with the exit code when drained. */
export async function serve(config: RuntimeConfig, exit: Exit): Promise<number> {
  using stack = new DisposableStack();
  const early = new EarlyLines(stack.use(openLogOutput(config.logFile)));
  const wish = new EndWish(exit, stack);
  try {
    await using runtime = await createRuntime({ config, output: early });
    stack.use(watchFailures(runtime, exit));
    wish.flushLog = () => runtime.flushLog(LAST_LINES_MS);
    if (!wish.isThere) {
      const { hostname, port } = runtime.listen();
      const host = hostname.includes(":") ? `[${hostname}]` : hostname;
      writeStdout(new TextEncoder().encode(`listening on http://${host}:${port}\n`));
    }
    early.release();
    // Of a gateway in a terminal a hang-up is the end, as ever; anybody else asks for rotation.
    if (config.logFile !== "" || !Deno.stdout.isTerminal()) {
      listen("SIGHUP", () => void runtime.reload(), stack);
    }
    await wish.made;
    stack.use(endIfStuck(runtime, config.drainDelayMs + config.drainTimeoutMs + LAST_STEPS_MS_MAX, exit));
    await runtime.drain();
  } finally {
    early.release();
    early.settle?.(LAST_LINES_MS);
  }
  return 0;
}

/** Holds the lines of the start until the address is printed: the first line of stdout is for scripts. */
class EarlyLines implements LogOutput {
  readonly #output: LogOutput;
  #held: Uint8Array[] | undefined = [];
  readonly settle?: (timeoutMs: number) => void;
  readonly reopen?: () => void;
  readonly isGone?: () => boolean;
  readonly takeLostCount?: () => number;

  constructor(output: LogOutput) {
    this.#output = output;
    if (output.settle !== undefined) this.settle = output.settle;
    if (output.reopen !== undefined) this.reopen = output.reopen;
    if (output.isGone !== undefined) this.isGone = output.isGone;
    if (output.takeLostCount !== undefined) this.takeLostCount = output.takeLostCount;
  }

  readonly write = (bytes: Uint8Array): number | void => {
    if (this.#held === undefined) return this.#output.write(bytes);
    this.#held.push(bytes.slice());
  };

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const bytes of held) this.#writeAll(bytes);
  }

  #writeAll(bytes: Uint8Array): void {
    try {
      for (let rest = bytes; rest.length > 0;) {
        const written = this.#output.write(rest) ?? rest.length;
        if (written <= 0) return;
        rest = rest.subarray(written);
      }
    } catch {
      // A disk that is full at the start; the gateway serves without these few lines.
    }
  }
}

/** Errors that nobody caught end the process, but not before they are in the log. */
function watchFailures(runtime: Runtime, exit: Exit): Disposable {
  const fail = async (event: Event, error: unknown): Promise<void> => {
    event.preventDefault();
    await runtime.fail(error, LAST_LINES_MS);
    exit(EXIT_FAILURE);
  };
  const onError = (event: ErrorEvent): void => void fail(event, event.error);
  const onRejection = (event: PromiseRejectionEvent): void => void fail(event, event.reason);
  const onUnload = (): void => runtime.flushLog(LAST_LINES_MS);
  addEventListener("error", onError);
  addEventListener("unhandledrejection", onRejection);
  // Whoever calls Deno.exit comes by here.
  addEventListener("unload", onUnload);
  return {
    [Symbol.dispose]: (): void => {
      removeEventListener("error", onError);
      removeEventListener("unhandledrejection", onRejection);
      removeEventListener("unload", onUnload);
    },
  };
}

/** The wish of whoever started the process that it end. */
class EndWish {
  /** Resolves with the first signal. */
  readonly made: Promise<void>;
  /** Hands out the lines so far, once there can be some. */
  flushLog: () => void = () => {};
  #firstAtMs: number | undefined;

  constructor(exit: Exit, stack: DisposableStack) {
    const made = Promise.withResolvers<void>();
    this.made = made.promise;
    const end = (): void => {
      this.#firstAtMs ??= performance.now();
      if (performance.now() - this.#firstAtMs <= SAME_WISH_MS) return made.resolve();
      this.flushLog();
      exit(EXIT_INTERRUPTED);
    };
    listen("SIGINT", end, stack);
    listen("SIGTERM", end, stack);
  }

  get isThere(): boolean {
    return this.#firstAtMs !== undefined;
  }
}

/** Ends the process if it is not over by then. */
function endIfStuck(runtime: Runtime, timeoutMs: number, exit: Exit): Disposable {
  const timer = setTimeout(() => {
    const error = new Error(`The drain did not end in ${timeoutMs} ms`);
    void runtime.fail(error, LAST_LINES_MS).finally(() => exit(EXIT_FAILURE));
  }, timeoutMs);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

function listen(signal: Deno.Signal, handler: () => void, stack: DisposableStack): void {
  Deno.addSignalListener(signal, handler);
  stack.defer(() => Deno.removeSignalListener(signal, handler));
}
