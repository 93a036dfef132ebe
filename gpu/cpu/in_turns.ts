/**
 * Compiling in turns: the compiler's work on the thread of somebody who has others to serve.
 *
 * Owns how often the pacer is asked while a kernel is compiled. It compiles nothing. Invariant: work that takes
 * less than a turn is done at once, without a promise.
 */
import type { Pacer } from "../device.ts";
import { GpuError } from "../gpu_error.ts";
import type { Turns } from "../ptx/turns.ts";

/** How long compiling goes on before the pacer is asked. */
const TURN_MS = 1;

/** Does the work, asking the pacer now and then. @throws GpuError LAUNCH_TIMEOUT when it says stop */
export function inTurns<T>(work: Turns<T>, pacer: Pacer): T | Promise<T> {
  let startMs = performance.now();
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (performance.now() - startMs < TURN_MS) continue;
    const verdict = pacer.tick(0);
    if (verdict instanceof Promise) return goOn(work, pacer, verdict);
    refuseStopped(verdict);
    startMs = performance.now();
  }
}

async function goOn<T>(work: Turns<T>, pacer: Pacer, verdict: Promise<number>): Promise<T> {
  refuseStopped(await verdict);
  return await inTurns(work, pacer);
}

function refuseStopped(verdict: number): void {
  if (verdict >= 0) return;
  throw new GpuError("loadModule", "CUDA_ERROR_LAUNCH_TIMEOUT", "stopped while a kernel was compiled");
}
