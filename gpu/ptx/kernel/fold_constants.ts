/**
 * Constants of gathered instructions: registers that only ever hold a number become that number.
 *
 * Owns the replacement for warp-wide operations and barriers, whose masks, lanes and counts compilers put into
 * registers first. As numbers they need not be saved for every lane, and the exchange is written for them.
 * Everything else is left to the engine. Invariant: an operand is replaced only by what the register holds
 * wherever it is read.
 */
import type { PtxOperand } from "../ast.ts";
import { bytesOf } from "../ast.ts";
import type { Instruction, Kernel } from "./ir.ts";
import { PtxError } from "../ptx_error.ts";

/** The kernel with such operands as constants. */
export function foldConstants(kernel: Kernel): Kernel {
  const constants = findConstants(kernel);
  if (constants.size === 0) return kernel;
  const instructions = kernel.instructions.map((instruction) =>
    instruction.row.effect === "warp" || instruction.row.effect === "barrier"
      ? withConstants(instruction, constants)
      : instruction
  );
  return { ...kernel, instructions };
}

/** Registers that one `mov` of a number writes and nothing else does. */
function findConstants({ instructions, registers }: Kernel): Map<number, bigint> {
  const writes = new Int32Array(registers.length);
  for (const { defs } of instructions) for (const def of defs) writes[def] = (writes[def] ?? 0) + 1;
  const constants = new Map<number, bigint>();
  for (const { row, guard, defs, operands } of instructions) {
    const [def] = defs;
    const [, source] = operands;
    if (row.name !== "mov" || guard !== undefined || def === undefined || writes[def] !== 1) continue;
    const type = registers[def] ?? "b32";
    if (source?.kind !== "integer" || /^(f|pred)/.test(type)) continue;
    constants.set(def, BigInt.asUintN(8 * bytesOf(type), source.value));
  }
  return constants;
}

function withConstants(instruction: Instruction, constants: ReadonlyMap<number, bigint>): Instruction {
  const replaced = new Set<number>();
  const operands = instruction.operands.map((operand): PtxOperand => {
    const value = operand.kind === "register" ? constants.get(operand.register) : undefined;
    if (operand.kind !== "register" || value === undefined || instruction.defs.includes(operand.register)) {
      return operand;
    }
    replaced.add(operand.register);
    return { kind: "integer", value };
  });
  if (replaced.size === 0) return instruction;
  const folded = { ...instruction, operands, uses: instruction.uses.filter((use) => !replaced.has(use)) };
  return isAccepted(folded) ? folded : instruction;
}

/** A number that the row does not take, such as a barrier that does not exist, is an error where it is executed. */
function isAccepted(instruction: Instruction): boolean {
  try {
    instruction.row.check?.(instruction);
    return true;
  } catch (error) {
    if (error instanceof PtxError) return false;
    throw error;
  }
}
