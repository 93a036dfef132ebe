/**
 * The opcode table: every opcode that is understood, by name.
 *
 * Owns the list alone; rows are in files by topic. Invariant: a name is in it once. An opcode that is not in it
 * is refused at load.
 */
import type { PtxInstruction } from "../ast.ts";
import { APPROXIMATE_ROWS } from "./approximate.ts";
import { ARITHMETIC_ROWS } from "./arithmetic.ts";
import { ASYNC_COPY_ROWS } from "./async_copy.ts";
import { ATOMIC_ROWS } from "./atomic.ts";
import { BARRIER_ROWS } from "./barrier.ts";
import { BIT_ROWS } from "./bits.ts";
import { COMPARE_ROWS } from "./compare.ts";
import { CONTROL_ROWS } from "./control.ts";
import { CONVERT_ROWS } from "./convert.ts";
import { FP8_ROWS, isFp8 } from "./convert_fp8.ts";
import { FLOAT_ROWS } from "./float_rows.ts";
import { MATRIX_ROWS } from "./matrix.ts";
import { LOCKSTEP_ROWS, lockstepRow } from "./lockstep.ts";
import { MBARRIER_ROWS } from "./mbarrier.ts";
import { MEMORY_ROWS } from "./memory.ts";
import type { OpcodeRow } from "./row.ts";
import { WARP_ROWS } from "./warp.ts";
import { WINDOW_ROWS } from "./window.ts";

/** Every row; those whose names begin with `$` are of our own making. */
export const OPCODE_ROWS: readonly OpcodeRow[] = [
  ...ARITHMETIC_ROWS,
  ...FLOAT_ROWS,
  ...APPROXIMATE_ROWS,
  ...COMPARE_ROWS,
  ...CONVERT_ROWS,
  ...FP8_ROWS,
  ...MEMORY_ROWS,
  ...LOCKSTEP_ROWS,
  ...WINDOW_ROWS,
  ...CONTROL_ROWS,
  ...WARP_ROWS,
  ...BARRIER_ROWS,
  ...MBARRIER_ROWS,
  ...ATOMIC_ROWS,
  ...ASYNC_COPY_ROWS,
  ...BIT_ROWS,
  ...MATRIX_ROWS,
];

const BY_NAME: ReadonlyMap<string, OpcodeRow> = new Map(OPCODE_ROWS.map((row) => [row.name, row]));

/** The row of an opcode. */
export function findRow(name: string): OpcodeRow | undefined {
  return BY_NAME.get(name);
}

/**
 * The row of an instruction. The barrier opcodes are told apart by a modifier: gathering a block, only
 * announcing oneself, gathering a warp, or asking a barrier object; conversions of eight-bit floats by their names.
 */
export function rowOf({ opcode, modifiers }: PtxInstruction): OpcodeRow | undefined {
  if (opcode === "mbarrier" && modifiers.some((word) => word === "test_wait" || word === "try_wait")) {
    return findRow("mbarrier.wait");
  }
  const together = lockstepRow(opcode, modifiers);
  if (together !== undefined) return findRow(together);
  if (opcode === "cvt" && isFp8(modifiers)) return findRow("cvt.fp8");
  if (opcode !== "bar" && opcode !== "barrier") return findRow(opcode);
  if (modifiers.includes("warp")) return findRow("bar.warp");
  return findRow(modifiers.includes("arrive") ? "bar.arrive" : opcode);
}
