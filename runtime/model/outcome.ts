/**
 * Outcome: what running a guest can lead to, as data.
 *
 * Owns the union and the closed list of traps. A guest that traps, exits or exceeds a limit is normal and
 * never an exception on the host. Invariant: an Outcome is plain JSON data and crosses processes unchanged.
 */
import type { TypedValue } from "./module_facts.ts";

/** Why a guest trapped; the text of each is fixed (runtime/cell/trap.ts maps the engine's messages to it). */
export const TRAPS = {
  unreachable: "an unreachable instruction was executed",
  memory_out_of_bounds: "a memory access was out of bounds",
  table_out_of_bounds: "a table access was out of bounds",
  divide_by_zero: "an integer was divided by zero",
  integer_overflow: "an integer operation overflowed",
  invalid_conversion: "a float was not representable as an integer",
  indirect_call_mismatch: "an indirect call had the wrong signature or a null target",
  null_reference: "a null reference was dereferenced",
  illegal_cast: "a reference cast failed",
  array_out_of_bounds: "an array access was out of bounds",
  uncaught_exception: "an exception was not caught",
  stack_overflow: "the call stack was exhausted",
  out_of_memory: "the instance could not be given its memory",
  data_segment_out_of_bounds: "a data or element segment did not fit",
  other: "the engine raised a trap that has no name here",
} as const satisfies Record<string, string>;

/** A name of the trap table. */
export type Trap = keyof typeof TRAPS;

/** A limit that can stop a running guest. */
export type GuestLimit =
  | "deadline_ms"
  | "fuel"
  | "memory_bytes"
  | "heap_bytes"
  | "output_bytes"
  | "stream_bytes"
  | "stream_chunks"
  | "file_bytes";

/** How a call and the failure of its device hang together. */
export type GpuFailure = "gpu_fault" | "gpu_timeout" | "gpu_reset";

/** How one call ended. */
export type Outcome =
  | { readonly type: "returned"; readonly values: readonly TypedValue[] }
  | { readonly type: "exited"; readonly exitCode: number }
  | { readonly type: "trapped"; readonly trap: Trap }
  | { readonly type: "exhausted"; readonly limit: GuestLimit; readonly max: number; readonly actual: number }
  | { readonly type: "cancelled"; readonly by: "client" | "drain" }
  /**
   * Its device failed, and the cell with it: by a kernel that it had under way (or one of those that were, which
   * nobody can tell apart), by one that was not done at its deadline, or by another call. `status` is the name of a
   * CUresult.
   */
  | { readonly type: "gpu_failed"; readonly kind: GpuFailure; readonly status: string }
  | { readonly type: "lost"; readonly reason: string };
