/**
 * Pointers: which registers are kept without the base of device addresses.
 *
 * Owns the choice. Every access takes DEVICE_BASE from its address, so that a null pointer lies outside of the
 * memory; for a register that mostly makes addresses the base is taken off once, where its value comes from, and
 * put on again by whatever else reads it. Invariant: a chosen register is 64 bits wide, and the code that writes
 * it can always take the base off.
 */
import type { PtxOperand } from "../ast.ts";
import type { Cfg } from "./cfg.ts";
import type { Instruction, Kernel } from "../kernel/ir.ts";
import { storageOf } from "../kernel/ir.ts";
import { terminatorDefs, terminatorUses } from "./liveness.ts";
import { spaceOf } from "../opcodes/memory.ts";

/** Opcodes through which an address passes without the base being needed. */
const CARRIERS = new Set(["add", "sub", "mad", "mov", "cvta"]);

/** Registers to keep without the base. */
export function choosePointers(kernel: Kernel, { blocks }: Cfg): Set<number> {
  const writers = new Map<number, Instruction[]>();
  const wanted: number[] = [];
  const refused = new Set<number>();
  for (const { instructions, terminator } of blocks) {
    for (const instruction of instructions) {
      for (const def of instruction.defs) {
        const known = writers.get(def);
        if (known === undefined) writers.set(def, [instruction]);
        else known.push(instruction);
      }
      for (const operand of instruction.operands) {
        if (operand.kind === "address" && operand.base.kind === "register" && isGeneric(instruction)) {
          wanted.push(operand.base.register);
        }
      }
    }
    // What lanes exchange lies in memory as it is.
    for (const register of terminatorUses(terminator)) refused.add(register);
    for (const register of terminatorDefs(terminator)) refused.add(register);
  }
  const chosen = new Set<number>();
  const visit = (start: number): void => {
    const pending = [start];
    for (let register = pending.pop(); register !== undefined; register = pending.pop()) {
      if (chosen.has(register) || refused.has(register)) continue;
      if (storageOf(kernel.registers[register] ?? "b32") !== "i64") continue;
      const sources = writers.get(register) ?? [];
      const next = sources.map((source) => addressOperand(source, writers));
      // A write that no address goes through has the base taken off on the spot.
      chosen.add(register);
      for (const found of next) if (found !== undefined) pending.push(found);
    }
  };
  for (const register of wanted) visit(register);
  return chosen;
}

function isGeneric(instruction: Instruction): boolean {
  const space = spaceOf(instruction);
  return space !== "shared" && space !== "local";
}

/** The register among the operands of a carrier that holds the address, if it can be told. */
function addressOperand(
  instruction: Instruction,
  writers: ReadonlyMap<number, readonly Instruction[]>,
): number | undefined {
  const { row, operands } = instruction;
  if (!CARRIERS.has(row.name) || !/64$/.test(instruction.types[0] ?? "") && row.name !== "mad") {
    return undefined;
  }
  switch (row.name) {
    case "add": {
      const [, a, b] = operands;
      const [left, right] = [origin(a, writers), origin(b, writers)];
      if (left === right) return undefined;
      return registerOf(left > right ? a : b);
    }
    case "sub":
      return registerOf(operands[1]);
    case "mad":
      return registerOf(operands[3]);
    case "mov":
      return registerOf(operands[1]);
    default:
      return spaceOf(instruction) === "shared" || spaceOf(instruction) === "local"
        ? undefined
        : registerOf(operands[1]);
  }
}

function registerOf(operand: PtxOperand | undefined): number | undefined {
  return operand?.kind === "register" ? operand.register : undefined;
}

/** How likely an operand is an address: 2 by where it comes from, 1 if it may be, 0 if it is an offset. */
function origin(
  operand: PtxOperand | undefined,
  writers: ReadonlyMap<number, readonly Instruction[]>,
): number {
  const register = registerOf(operand);
  if (register === undefined) return 0;
  let likely = 0;
  const seen = new Set<number>();
  const pending = [register];
  // A bounded look back; a wrong guess costs time, not correctness.
  for (let steps = 0; steps < 64; steps++) {
    const at = pending.pop();
    if (at === undefined) break;
    if (seen.has(at)) continue;
    seen.add(at);
    for (const { row, operands } of writers.get(at) ?? []) {
      if (row.name === "cvta" || row.effect === "read") return 2;
      if (row.name === "add" || row.name === "sub" || row.name === "mov") {
        for (const part of operands.slice(1)) {
          const next = registerOf(part);
          if (next !== undefined) pending.push(next);
        }
        if (operands.some(({ kind }) => kind === "variable")) return 2;
      } else if (row.name === "mad" || row.name === "selp") likely = Math.max(likely, 1);
    }
  }
  return likely;
}
