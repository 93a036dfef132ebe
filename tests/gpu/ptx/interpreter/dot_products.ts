/**
 * dp4a and dp2a: dot products of bytes.
 *
 * Owns how operands are cut into parts. Invariant: the sum wraps at 32 bits; every product is exact.
 */
import { isSigned } from "./integer.ts";
import { smallStep } from "./lanes.ts";
import type { Site } from "./site.ts";
import type { Step } from "./thread.ts";

/** Part `index` of so many bits, by signedness. */
function part(value: number, index: number, bits: number, signed: boolean): number {
  const shifted = value << (32 - bits * (index + 1));
  return signed ? shifted >> (32 - bits) : shifted >>> (32 - bits);
}

export function dotStep(site: Site): Step {
  const [atype, btype] = site.types;
  if (atype === undefined || btype === undefined) throw site.unknown("needs two types");
  const [aSigned, bSigned] = [isSigned(atype), isSigned(btype)];
  const slots = [site.target(), site.source(1, "b32"), site.source(2, "b32"), site.source(3, "b32")];
  const isHigh = site.has("hi");
  const apply = (a: number, b: number, c: number): number => {
    let sum = c;
    if (site.ins.opcode === "dp4a") {
      for (let each = 0; each < 4; each++) sum += part(a, each, 8, aSigned) * part(b, each, 8, bSigned);
      return sum;
    }
    for (let each = 0; each < 2; each++) {
      sum += part(a, each, 16, aSigned) * part(b, each + (isHigh ? 2 : 0), 8, bSigned);
    }
    return sum;
  };
  return smallStep(site.registers.i32, 1, slots, apply);
}
