/**
 * IR: a kernel as one flat list of checked instructions, calls inlined, ready for analysis and emission.
 *
 * Owns the types that flatten.ts makes and every later pass reads. Registers are numbered over the whole
 * kernel; labels are indices into `instructions`; variables have a place. Invariant: each instruction has a row
 * of the opcode table, and `defs` and `uses` name every register that it writes and reads, its guard included.
 */
import type { PtxFunction, PtxOperand, PtxType, PtxVariable } from "../ast.ts";
import type { OpcodeRow } from "../opcodes/row.ts";

/** An instruction that passed the opcode table's check. */
export interface Instruction {
  readonly line: number;
  readonly guard: { readonly register: number; readonly isNegated: boolean } | undefined;
  readonly row: OpcodeRow;
  /** Types in order of appearance, and the other modifiers. */
  readonly types: readonly PtxType[];
  readonly modifiers: readonly string[];
  readonly operands: readonly PtxOperand[];
  readonly defs: readonly number[];
  readonly uses: readonly number[];
}

/** Where a variable lies. */
export interface Placement {
  readonly space: "global" | "shared" | "local" | "param";
  /** Bytes from the start of: the module's image, the block's shared memory, the thread's frame, the parameters. */
  readonly offset: number;
}

/** What the system keeps of a block's shared memory; cooperative groups have their scratch there. */
export const RESERVED_SHARED_BYTES = 1024;

/** A kernel, flattened. */
export interface Kernel {
  readonly name: string;
  readonly source: PtxFunction;
  readonly registers: readonly PtxType[];
  readonly instructions: readonly Instruction[];
  readonly placements: ReadonlyMap<PtxVariable, Placement>;
  readonly paramBytes: number;
  /** Static shared memory; dynamic shared memory begins here. */
  readonly sharedBytes: number;
  /** Local memory of a thread. */
  readonly localBytes: number;
  readonly usesDynamicShared: boolean;
  /** Where the reserved part of shared memory begins, if the kernel asks; it counts as static. */
  readonly reservedShared?: number | undefined;
}

/** Which WebAssembly type holds a register. */
export function storageOf(type: PtxType): "i32" | "i64" | "f32" | "f64" {
  switch (type) {
    case "f32":
      return "f32";
    case "f64":
      return "f64";
    case "b64":
    case "u64":
    case "s64":
      return "i64";
    default:
      return "i32";
  }
}
