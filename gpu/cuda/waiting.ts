/**
 * Waiting: until the device is done, without holding up who else runs on this thread.
 *
 * Owns how often the driver is asked: at once for a moment, then at every turn of the event loop, then by timers
 * that grow longer. Times are not measured on hardware. It knows no stream. Invariant: whoever waits is asked
 * between two questions whether it may go on, and never waits longer than it may.
 */
import type { Pacer } from "../device.ts";

/** A short kernel and its copy are done within this: a promise would take longer. */
const SPIN_MS = 0.02;
/** As long as turns of the event loop are taken, whatever else they find to do. */
const TURNS_MS = 2;
/** First and longest pause after that. A timer of this Deno takes 1 ms at least. */
const PAUSE_FIRST_MS = 1;
const PAUSE_MAX_MS = 8;

/** How a wait ended. */
export type WaitEnd = "done" | "stopped";

/**
 * Waits until something is done: at once where it is or soon will be, with a promise otherwise.
 *
 * @param isDone asked again and again; what it throws ends the wait
 */
export function waitUntil(isDone: () => boolean, pacer: Pacer): "done" | Promise<WaitEnd> {
  return isDoneWithin(isDone, SPIN_MS) ? "done" : waitOn(isDone, pacer);
}

/** Asks without a pause, for so long. */
export function isDoneWithin(isDone: () => boolean, durationMs: number): boolean {
  if (isDone()) return true;
  const startMs = performance.now();
  do {
    if (isDone()) return true;
  } while (performance.now() - startMs < durationMs);
  return false;
}

async function waitOn(isDone: () => boolean, pacer: Pacer): Promise<WaitEnd> {
  const startMs = performance.now();
  using turns = new Turns();
  let pauseMs = PAUSE_FIRST_MS;
  for (;;) {
    // Time on the device is no fuel: the deadline bounds it.
    const granted = pacer.tick(0);
    if ((typeof granted === "number" ? granted : await granted) < 0) return "stopped";
    if (isDone()) return "done";
    if (performance.now() - startMs < TURNS_MS) {
      await pacer.wait(turns.next());
    } else {
      await pacer.wait(pause(pauseMs));
      pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS);
    }
    if (isDone()) return "done";
  }
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** Turns of the event loop: a message to itself takes a tenth of what the shortest timer does. */
class Turns implements Disposable {
  #channel: MessageChannel | undefined;
  #resolve: (() => void) | undefined;

  next(): Promise<void> {
    const { port2 } = this.#channel ??= this.#open();
    return new Promise((resolve) => {
      this.#resolve = resolve;
      port2.postMessage(0);
    });
  }

  [Symbol.dispose](): void {
    this.#channel?.port1.close();
    this.#channel?.port2.close();
  }

  #open(): MessageChannel {
    const channel = new MessageChannel();
    channel.port1.onmessage = (): void => this.#resolve?.();
    return channel;
  }
}
