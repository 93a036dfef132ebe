/**
 * Addresses: what `[base+offset]` comes to, and in which space.
 *
 * Owns the arithmetic of address operands. Invariant: sums wrap as wide as the base register is; what a double
 * cannot hold exactly lies outside of every segment anyway.
 */
import { bytesOf, type PtxOperand } from "../../../../gpu/ptx/ast.ts";
import type { AccessSpace } from "./machine.ts";
import type { Site } from "./site.ts";
import type { Thread } from "./thread.ts";

export type AddressOf = (thread: Thread) => number;

const TWO_32 = 2 ** 32;

/** The space that the modifiers name; `generic` without one. */
export function accessSpace(site: Site): AccessSpace {
  for (const word of site.ins.modifiers) {
    switch (word.split("::")[0]) {
      case "global":
      case "const":
      case "shared":
      case "local":
      case "param":
        return word.split("::")[0] as AccessSpace;
    }
  }
  return "generic";
}

/** An address operand as a number in the terms of its space. */
export function addressOf(site: Site, operand: PtxOperand): AddressOf {
  const { scope, registers: { u32, u64 } } = site;
  if (operand.kind === "address" && operand.base.kind === "register") {
    const slot = scope.slotOf(operand.base.register);
    const offset = Number(operand.offset);
    if (bytesOf(scope.typeOf(operand.base.register)) === 4) {
      return (t) => ((u32[(t.base + slot) << 1] as number) + offset) >>> 0;
    }
    return (t) => {
      const at = (t.base + slot) << 1;
      const high = u32[at + 1] as number;
      // Beyond 2^53 a sum of doubles would be rounded, and a negative base could no longer wrap to a small one.
      if (high >= 0x20_0000) {
        return Number(BigInt.asUintN(64, (u64[t.base + slot] as bigint) + BigInt(offset)));
      }
      const sum = high * TWO_32 + (u32[at] as number) + offset;
      return sum < 0 ? sum + 2 ** 64 : sum;
    };
  }
  const slot = fixedSlot(site, operand);
  return (t) => Number(u64[t.base + slot] as bigint);
}

/** The slot with the address of a variable or an absolute one. */
function fixedSlot(site: Site, operand: PtxOperand): number {
  const { scope } = site;
  if (operand.kind === "address") {
    const { base, offset } = operand;
    if (base.kind === "variable") return scope.address(base.variable, offset);
    return scope.constant(offset);
  }
  if (operand.kind === "variable") return scope.address(operand.variable, operand.offset);
  throw site.unknown(`cannot address a ${operand.kind} operand`);
}
