/**
 * fns, bmsk and szext: instructions about positions in a mask.
 *
 * Owns their semantics. Invariant: as in bits.ts, nothing is undefined.
 */
import { isSigned } from "./integer.ts";
import { smallStep } from "./lanes.ts";
import type { Site } from "./site.ts";
import type { Step } from "./thread.ts";

/** Position of the n-th set bit of `mask` from `base` on, upwards for positive n, downwards for negative. */
function findNthSet(mask: number, base: number, n: number): number {
  const isSet = (bit: number): boolean => ((mask >>> bit) & 1) === 1;
  const start = base & 31;
  if (n === 0) return isSet(start) ? start : -1;
  const direction = n > 0 ? 1 : -1;
  let left = Math.abs(n);
  for (let bit = start; bit >= 0 && bit < 32; bit += direction) {
    if (isSet(bit) && --left === 0) return bit;
  }
  return -1;
}

export function findNthStep(site: Site): Step {
  const slots = [site.target(), site.source(1, "b32"), site.source(2, "b32"), site.source(3, "s32")];
  return smallStep(site.registers.i32, 1, slots, findNthSet);
}

/** `bmsk`: `b` ones from bit `a` on; `.wrap` takes both modulo 32, `.clamp` limits them to 32. */
export function maskStep(site: Site): Step {
  const isWrapped = site.has("wrap");
  const slots = [site.target(), site.source(1, "b32"), site.source(2, "b32")];
  return smallStep(site.registers.u32, 1, slots, (a: number, b: number): number => {
    const start = isWrapped ? a & 31 : Math.min(a, 32);
    const length = isWrapped ? b & 31 : Math.min(b, 32);
    return Number(BigInt.asUintN(32, ((1n << BigInt(length)) - 1n) << BigInt(start)));
  });
}

/** `szext`: the low `b` bits of `a`, sign- or zero-extended; `.wrap` takes b modulo 32, `.clamp` limits it. */
export function extendStep(site: Site): Step {
  const signed = isSigned(site.type);
  const isWrapped = site.has("wrap");
  const { i32, u32 } = site.registers;
  const [d, a, b] = [site.target(), site.source(1), site.source(2, "u32")];
  return (t) => {
    const amount = u32[(t.base + b) << 1] as number;
    const length = isWrapped ? amount & 31 : Math.min(amount, 32);
    const value = BigInt(u32[(t.base + a) << 1] as number);
    const result = signed ? BigInt.asIntN(length, value) : BigInt.asUintN(length, value);
    i32[(t.base + d) << 1] = Number(BigInt.asIntN(32, result));
  };
}
