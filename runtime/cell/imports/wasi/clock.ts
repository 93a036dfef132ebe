/**
 * Clocks as a guest sees them.
 *
 * Owns the four clocks of preview1 and their unit, nanoseconds. CPU time is what the scheduler counts: the
 * time in which the call had the cell's thread. Invariant: no clock of one call ever goes back.
 */
import { systemClock } from "../../../model/clock.ts";
import type { WasiCall } from "./call.ts";
import { ERRNO, WasiRefusal } from "./errno.ts";
import { viewAt } from "./guest_memory.ts";

/** `$clockid` of preview1. */
export const CLOCK = { realtime: 0, monotonic: 1, processCpuTime: 2, threadCpuTime: 3 } as const;

const NS_PER_MS = 1_000_000;
/** What every clock promises: a double holds the milliseconds since the epoch to a quarter of this. */
const RESOLUTION_NS = 1_000n;

/** Milliseconds with a fraction to whole nanoseconds. */
export function toNs(timeMs: number): bigint {
  const wholeMs = Math.floor(timeMs);
  return BigInt(wholeMs) * 1_000_000n + BigInt(Math.floor((timeMs - wholeMs) * NS_PER_MS));
}

/** The instant for file times: the real-time clock, in nanoseconds since the epoch. */
export function realtimeNs(): bigint {
  return toNs(systemClock.nowMs());
}

/** A clock's time in milliseconds; refuses with `inval` for a clock that preview1 does not define. */
export function clockMs(call: WasiCall, id: number): number {
  switch (id) {
    case CLOCK.realtime:
      return systemClock.nowMs();
    case CLOCK.monotonic:
      return performance.now();
    case CLOCK.processCpuTime:
    case CLOCK.threadCpuTime:
      return call.context.cpuMs();
    default:
      throw new WasiRefusal(ERRNO.inval);
  }
}

/** `clock_res_get`. */
export function clockResGet(call: WasiCall, id: number, resultPointer: number): void {
  clockMs(call, id);
  viewAt(call.context, resultPointer, 8).setBigUint64(0, RESOLUTION_NS, true);
}

/** `clock_time_get`; every answer is fresh, so the lag that the guest would accept does not matter. */
export function clockTimeGet(call: WasiCall, id: number, _precisionNs: bigint, resultPointer: number): void {
  viewAt(call.context, resultPointer, 8).setBigUint64(0, toNs(clockMs(call, id)), true);
}
