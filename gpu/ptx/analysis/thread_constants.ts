/**
 * Constants of a thread: registers whose value can be computed again at any place, instead of being saved.
 *
 * Owns which registers those are: written once, by operations without effect, from constants, parameters and
 * special registers alone. Those that are also the same for a whole block are computed outside of the loop over
 * its threads. Invariant: computing such a register early or twice gives the same value and cannot fail.
 */
import type { PtxOperand } from "../ast.ts";
import type { Cfg } from "./cfg.ts";
import type { Instruction, Kernel } from "../kernel/ir.ts";
import { terminatorDefs } from "./liveness.ts";
import { spaceOf } from "../opcodes/memory.ts";

/** How a register can be had again. */
export interface ThreadConstant {
  readonly instruction: Instruction;
  /** Whether all threads of a block have the same. */
  readonly isUniform: boolean;
  /** Instructions that it takes, those of its operands included. */
  readonly cost: number;
}

/** Most instructions that computing a value of one thread again may take; of a block's, which are done once. */
const THREAD_COST_MAX = 6;
const BLOCK_COST_MAX = 64;

/** Special registers that are the same for a block. */
const UNIFORM_SPECIAL =
  /^(n?ctaid|ntid|nctaid|total_smem_size|dynamic_smem_size|nsmid|smid|gridid|nwarpid|envreg)/;
/** Special registers that change while a thread runs. */
const CHANGING_SPECIAL = /^(clock|globaltimer|pm\d)/;

/** By register. */
export function findThreadConstants(kernel: Kernel, { blocks }: Cfg): Map<number, ThreadConstant> {
  const writes = new Int32Array(kernel.registers.length);
  for (const { instructions, terminator } of blocks) {
    for (const { defs } of instructions) for (const def of defs) writes[def] = (writes[def] ?? 0) + 1;
    // What an exchange gives cannot be had again.
    for (const def of terminatorDefs(terminator)) writes[def] = 2;
  }
  const found = new Map<number, ThreadConstant>();
  // Blocks are in reverse postorder: operands that are written once come before their uses.
  for (const { instructions } of blocks) {
    for (const instruction of instructions) {
      const [def] = instruction.defs;
      if (def === undefined || instruction.defs.length !== 1 || writes[def] !== 1) continue;
      const constant = constantOf(instruction, found);
      if (constant !== undefined) found.set(def, constant);
    }
  }
  return found;
}

function constantOf(
  instruction: Instruction,
  found: ReadonlyMap<number, ThreadConstant>,
): ThreadConstant | undefined {
  const { row, guard, operands } = instruction;
  if (guard !== undefined || !(row.effect === "pure" || isParameterLoad(instruction))) return undefined;
  if (row.name === "$set") return undefined;
  let isUniform = !isOfFrame(instruction);
  let cost = 1;
  for (const operand of operands.slice(1)) {
    const part = partOf(operand, found);
    if (part === undefined) return undefined;
    isUniform &&= part.isUniform;
    cost += part.cost;
  }
  if (cost > (isUniform ? BLOCK_COST_MAX : THREAD_COST_MAX)) return undefined;
  return { instruction, isUniform, cost };
}

/** Whether it asks where the thread's own local memory lies. */
function isOfFrame(instruction: Instruction): boolean {
  const { name } = instruction.row;
  const space = spaceOf(instruction);
  if (name === "cvta") return space === "local";
  return name === "isspacep" && space !== "shared" && space !== "const" && space !== "param";
}

/** A parameter of the kernel at a fixed place. */
function isParameterLoad(instruction: Instruction): boolean {
  const [, address] = instruction.operands;
  return instruction.row.name === "ld" && spaceOf(instruction) === "param" && address?.kind === "address" &&
    address.base.kind === "variable" && instruction.defs.length === 1;
}

function partOf(
  operand: PtxOperand,
  found: ReadonlyMap<number, ThreadConstant>,
): { isUniform: boolean; cost: number } | undefined {
  switch (operand.kind) {
    case "register":
      return found.get(operand.register);
    case "special":
      if (CHANGING_SPECIAL.test(operand.name)) return undefined;
      return { isUniform: UNIFORM_SPECIAL.test(operand.name), cost: 0 };
    case "integer":
    case "float":
    case "variable":
    case "function":
    case "address":
      return { isUniform: true, cost: 0 };
    case "vector": {
      let isUniform = true;
      let cost = 0;
      for (const element of operand.elements) {
        const part = partOf(element, found);
        if (part === undefined) return undefined;
        isUniform &&= part.isUniform;
        cost += part.cost;
      }
      return { isUniform, cost };
    }
    default:
      return undefined;
  }
}
