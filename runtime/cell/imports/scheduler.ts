/**
 * `wasi:scheduler/host@0.1.0`: how much time a guest has left.
 *
 * Owns the two functions (guest ABI §2.6 of the reference). `yield` lets other calls of the cell run, if any
 * wait, and answers how near the deadline is. Invariant: 0xFFFFFFFF, the word for unbounded, is never
 * returned: every call has a deadline.
 */
import type { GuestContext, HostFunctions, HostModule } from "../guest_context.ts";

/** Within this of the deadline `yield` answers "approaching" (reference §2.6, absolute deadlines). */
const APPROACHING_MS = 50;
/** Largest finite answer: one below the word for unbounded. */
const REMAINING_MS_MAX = 0xffff_fffe;

function open(context: GuestContext): HostFunctions {
  const nearness = (): number => {
    const remainingMs = context.deadlineRemainingMs();
    return remainingMs <= 0 ? 2 : remainingMs <= APPROACHING_MS ? 1 : 0;
  };
  return {
    yield: (): number | Promise<number> => context.checkpoint(true)?.then(nearness) ?? nearness(),
    // The engine wraps to i32, so the unsigned word reaches the guest unchanged.
    "deadline-remaining-ms": (): number =>
      Math.min(Math.floor(context.deadlineRemainingMs()), REMAINING_MS_MAX),
  };
}

/** The host module. */
export const schedulerModule: HostModule = {
  names: ["wasi:scheduler/host@0.1.0"],
  functions: {
    yield: { params: [], results: ["i32"] },
    "deadline-remaining-ms": { params: [], results: ["i32"] },
  },
  suspending: ["yield"],
  open,
};
