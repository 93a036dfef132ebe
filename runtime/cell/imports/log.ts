/**
 * `tensor_wasm:log/host@0.1.0`: log lines and span events from a guest, under the trace of its call.
 *
 * Owns the two functions and their codes. Invariant: neither ever stops the guest; what the limits suppress
 * is counted in the call's log.
 */
import { guestLogLevel } from "../call_context.ts";
import { guestBytes } from "../guest_context.ts";
import type { GuestContext, HostFunctions, HostModule } from "../guest_context.ts";

/** Region out of bounds. */
const INVALID_POINTER = -2;

const decoder = new TextDecoder();

function open(context: GuestContext): HostFunctions {
  return {
    log: (level: number, pointer: number, length: number): number => {
      const bytes = guestBytes(context, pointer, length);
      if (bytes === undefined) return INVALID_POINTER;
      context.writeLog("log", guestLogLevel(level), bytes);
      return 0;
    },
    "span-event": (pointer: number, length: number): number => {
      const bytes = guestBytes(context, pointer, length);
      if (bytes === undefined) return INVALID_POINTER;
      context.addSpanEvent(decoder.decode(bytes.subarray(0, 1024)));
      return 0;
    },
  };
}

/** The host module. Levels: 0 trace, 1 debug, 2 info, 3 warn, 4 error; any other number is info. */
export const logModule: HostModule = {
  names: ["tensor_wasm:log/host@0.1.0"],
  functions: {
    log: { params: ["i32", "i32", "i32"], results: ["i32"] },
    "span-event": { params: ["i32", "i32"], results: ["i32"] },
  },
  open,
};
