/**
 * `wasi:tensor/host`: staged input in, chunks of output out.
 *
 * Owns the six functions and their codes (guest ABI §2.5 of the reference, plus two of ours). Whether a chunk is
 * gathered or streamed is the context's affair; in a stream an emit waits for the reader. Invariant: an emit is all
 * or nothing.
 */
import { guestBytes } from "../guest_context.ts";
import type { GuestContext, HostFunctions, HostModule } from "../guest_context.ts";

/** Region out of bounds, chunk or total too large. */
const INVALID = -2;

const decoder = new TextDecoder("utf-8", { fatal: true });

function open(context: GuestContext): HostFunctions {
  return {
    "emit-chunk": (pointer: number, length: number): number | Promise<number> => {
      const bytes = length >>> 0 > context.chunkBytesMax ? undefined : guestBytes(context, pointer, length);
      if (bytes === undefined) {
        context.rejectChunk();
        return INVALID;
      }
      const pending = context.writeOutput(bytes);
      return pending === undefined ? 0 : pending.then(() => 0);
    },
    flush: (): number => 0,
    "input-len": (): number => context.input.length,
    "read-input": (pointer: number, length: number): number => readInput(context, 0, pointer, length),
    "read-input-at": (offset: number, pointer: number, length: number): number =>
      readInput(context, offset >>> 0, pointer, length),
    "set-content-type": (pointer: number, length: number): number => {
      const bytes = guestBytes(context, pointer, length);
      if (bytes === undefined) return INVALID;
      try {
        return context.setContentType(decoder.decode(bytes)) ? 0 : INVALID;
      } catch {
        return INVALID;
      }
    },
  };
}

/** Copies input from `offset` on; returns the count, 0 at or past the end. */
function readInput(context: GuestContext, offset: number, pointer: number, length: number): number {
  const target = guestBytes(context, pointer, length);
  if (target === undefined) return INVALID;
  const source = context.input.subarray(offset, offset + target.length);
  target.set(source);
  return source.length;
}

/** The host module. `read-input-at` and `set-content-type` go beyond the reference. */
export const tensorModule: HostModule = {
  names: ["wasi:tensor/host", "wasi:tensor/host@0.1.0"],
  functions: {
    "emit-chunk": { params: ["i32", "i32"], results: ["i32"] },
    flush: { params: [], results: ["i32"] },
    "input-len": { params: [], results: ["i32"] },
    "read-input": { params: ["i32", "i32"], results: ["i32"] },
    "read-input-at": { params: ["i32", "i32", "i32"], results: ["i32"] },
    "set-content-type": { params: ["i32", "i32"], results: ["i32"] },
  },
  suspendingInStreams: ["emit-chunk"],
  open,
};
