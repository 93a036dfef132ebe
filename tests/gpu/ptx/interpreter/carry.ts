/**
 * Carry chains: add.cc, addc, sub.cc, subc, mad.cc, madc.
 *
 * Owns the carry bit. After a subtraction it is the borrow. Invariant: an instruction without `.cc` leaves the
 * bit as it was.
 */
import { bytesOf } from "../../../../gpu/ptx/ast.ts";
import { isSigned } from "./integer.ts";
import type { Site } from "./site.ts";
import type { Step } from "./thread.ts";

export function carryStep(site: Site): Step {
  const { opcode } = site.ins;
  const { u64 } = site.registers;
  const width = 8 * bytesOf(site.type);
  const bits = BigInt(width);
  const takesCarry = opcode.endsWith("c");
  const setsCarry = site.has("cc");
  const isProduct = opcode.startsWith("mad");
  const isDifference = opcode.startsWith("sub");
  const isHigh = site.has("hi");
  const signed = isSigned(site.type);
  const slots = site.ins.operands.map((_, index) => index === 0 ? site.target() : site.source(index));
  const [d = 0, a = 0, b = 0, c = 0] = slots;
  const unsigned = (value: bigint): bigint => BigInt.asUintN(width, value);
  const exact = (value: bigint): bigint => signed ? BigInt.asIntN(width, value) : unsigned(value);
  return (t) => {
    const left = u64[t.base + a] as bigint;
    const right = u64[t.base + b] as bigint;
    const carry = takesCarry ? BigInt(t.carry) : 0n;
    let result: bigint;
    if (isProduct) {
      const product = exact(left) * exact(right);
      const half = isHigh ? product >> bits : product;
      result = unsigned(half) + unsigned(u64[t.base + c] as bigint) + carry;
    } else if (isDifference) {
      result = unsigned(left) - unsigned(right) - carry;
    } else {
      result = unsigned(left) + unsigned(right) + carry;
    }
    u64[t.base + d] = unsigned(result);
    if (setsCarry) t.carry = result < 0n || result >> bits > 0n ? 1 : 0;
  };
}
