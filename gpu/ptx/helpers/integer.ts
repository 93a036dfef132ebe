/**
 * Integer helpers: division as the hardware does it, and products wider than WebAssembly has.
 *
 * Owns what WebAssembly traps on or lacks: division by zero (all ones), the smallest number by minus one, the
 * high half of a 64-bit product. PTX leaves division by zero unspecified; these are the values that GPUs give.
 * Invariant: none of them traps.
 */
import type { Code } from "../wasm/code.ts";
import type { Helper } from "./mod.ts";

type Width = "i32" | "i64";

function minusOne(code: Code, width: Width): void {
  if (width === "i32") code.i32(-1);
  else code.i64(-1n);
}

function zero(code: Code, width: Width): void {
  if (width === "i32") code.i32(0);
  else code.i64(0n);
}

/** Of two numbers; by zero the quotient is all ones, and the remainder is the dividend. */
function division(width: Width, isRemainder: boolean, otherwise: (code: Code) => void): Helper {
  return {
    params: [width, width],
    results: [width],
    write: (code) => {
      code.get(1);
      code.op(`${width}Eqz`);
      code.if(width);
      if (isRemainder) code.get(0);
      else minusOne(code, width);
      code.else();
      otherwise(code);
      code.end();
    },
  };
}

function unsigned(width: Width, isRemainder: boolean): Helper {
  return division(width, isRemainder, (code) => {
    code.get(0);
    code.get(1);
    code.op(isRemainder ? `${width}RemU` : `${width}DivU`);
  });
}

/** By minus one the quotient wraps and the remainder is 0. */
function signed(width: Width, isRemainder: boolean): Helper {
  return division(width, isRemainder, (code) => {
    code.get(1);
    minusOne(code, width);
    code.op(`${width}Eq`);
    code.if(width);
    zero(code, width);
    if (!isRemainder) {
      code.get(0);
      code.op(`${width}Sub`);
    }
    code.else();
    code.get(0);
    code.get(1);
    code.op(isRemainder ? `${width}RemS` : `${width}DivS`);
    code.end();
  });
}

/** High 64 bits of the unsigned product, by 32-bit halves. */
const mulHiU64: Helper = {
  params: ["i64", "i64"],
  results: ["i64"],
  write: (code) => {
    const [low, cross1, cross2] = [code.local("i64"), code.local("i64"), code.local("i64")];
    const part = (index: number, isHigh: boolean): void => {
      code.get(index);
      if (isHigh) {
        code.i64(32n);
        code.op("i64ShrU");
      } else {
        code.i64(0xffff_ffffn);
        code.op("i64And");
      }
    };
    const product = (highA: boolean, highB: boolean): void => {
      part(0, highA);
      part(1, highB);
      code.op("i64Mul");
    };
    const high = (index: number): void => {
      code.get(index);
      code.i64(32n);
      code.op("i64ShrU");
    };
    product(false, false);
    code.set(low);
    // No sum overflows: a product of halves leaves room for two more halves.
    product(true, false);
    high(low);
    code.op("i64Add");
    code.set(cross1);
    product(false, true);
    code.get(cross1);
    code.i64(0xffff_ffffn);
    code.op("i64And", "i64Add");
    code.set(cross2);
    product(true, true);
    high(cross1);
    code.op("i64Add");
    high(cross2);
    code.op("i64Add");
  },
};

/** Of the signed product: the unsigned one, less each operand where the other is negative. */
const mulHiS64: Helper = {
  params: ["i64", "i64"],
  results: ["i64"],
  write: (code, parts) => {
    code.get(0);
    code.get(1);
    code.call(parts.helper("mulHiU64"));
    for (const [negative, other] of [[0, 1], [1, 0]] as const) {
      code.get(negative);
      code.i64(63n);
      code.op("i64ShrS");
      code.get(other);
      code.op("i64And", "i64Sub");
    }
  },
};

export const INTEGER_HELPERS = {
  divU32: unsigned("i32", false),
  divS32: signed("i32", false),
  remU32: unsigned("i32", true),
  remS32: signed("i32", true),
  divU64: unsigned("i64", false),
  divS64: signed("i64", false),
  remU64: unsigned("i64", true),
  remS64: signed("i64", true),
  mulHiU64,
  mulHiS64,
} as const satisfies Record<string, Helper>;
