/**
 * Video instructions: vadd, vsub, vabsdiff, vmin, vmax, vavrg, vset on words, pairs and quads of parts.
 *
 * Owns the forms without selectors and masks, which are those that compilers emit. Operand types give the
 * signedness of parts, the destination type that of the result. Invariant: a part is computed exactly, then
 * saturated (`.sat`) or cut to its width, then, with `.add`, summed up with the others.
 */
import { isSigned } from "./integer.ts";
import { smallStep } from "./lanes.ts";
import type { Site } from "./site.ts";
import type { Step } from "./thread.ts";

type Operate = (a: number, b: number) => number;

const COMPARISONS: Readonly<Record<string, Operate>> = {
  eq: (a, b) => Number(a === b),
  ne: (a, b) => Number(a !== b),
  lt: (a, b) => Number(a < b),
  le: (a, b) => Number(a <= b),
  gt: (a, b) => Number(a > b),
  ge: (a, b) => Number(a >= b),
};

function operationOf(site: Site): Operate {
  const name = site.ins.opcode.slice(1).replace(/[24]$/, "");
  switch (name) {
    case "add":
      return (a, b) => a + b;
    case "sub":
      return (a, b) => a - b;
    case "absdiff":
      return (a, b) => Math.abs(a - b);
    case "min":
      return Math.min;
    case "max":
      return Math.max;
    case "avrg":
      // Halves go away from zero.
      return (a, b) => (a + b < 0 ? Math.ceil((a + b - 1) / 2) : Math.floor((a + b + 1) / 2));
    case "set": {
      const compare = COMPARISONS[site.oneOf(Object.keys(COMPARISONS)) ?? ""];
      if (compare !== undefined) return compare;
      break;
    }
  }
  throw site.unknown();
}

export function videoStep(site: Site): Step {
  const parts = /[24]$/.test(site.ins.opcode) ? Number(site.ins.opcode.at(-1)) : 1;
  const bits = 32 / parts;
  // `vset` names no destination type: its results are 0 and 1.
  const types = site.types;
  const [dtype, atype, btype] = types.length === 2 ? ["u32" as const, ...types] : types;
  if (dtype === undefined || atype === undefined || btype === undefined) {
    throw site.unknown("needs its types");
  }
  const operate = operationOf(site);
  const part = (value: number, index: number, signed: boolean): number => {
    const shifted = value << (32 - bits * (index + 1));
    return signed ? shifted >> (32 - bits) : shifted >>> (32 - bits);
  };
  const isResultSigned = isSigned(dtype);
  const lowest = isResultSigned ? -(2 ** (bits - 1)) : 0;
  const highest = isResultSigned ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  const finish = (value: number): number => {
    if (site.has("sat")) return Math.min(Math.max(value, lowest), highest);
    return part(Number(BigInt.asIntN(32, BigInt(value))), 0, isResultSigned);
  };
  const second = parts === 1 ? site.oneOf(["add", "min", "max"]) : undefined;
  const isSum = parts > 1 && site.has("add");
  const apply = (a: number, b: number, c: number): number => {
    const results = Array.from({ length: parts }, (_, index) => {
      return finish(operate(part(a, index, isSigned(atype)), part(b, index, isSigned(btype))));
    });
    if (isSum) return results.reduce((sum, each) => sum + each, c);
    if (parts === 1) {
      const [result = 0] = results;
      const third = isResultSigned ? c : c >>> 0;
      if (second === "add") return result + c;
      if (second === "min") return Math.min(result, third);
      return second === "max" ? Math.max(result, third) : result;
    }
    return results.reduce((word, each, index) => word | ((each & (2 ** bits - 1)) << (bits * index)), 0);
  };
  const c = site.count > 3 ? site.source(3, "b32") : site.scope.constant(0n);
  return smallStep(
    site.registers.i32,
    1,
    [site.target(), site.source(1, "b32"), site.source(2, "b32"), c],
    apply,
  );
}
