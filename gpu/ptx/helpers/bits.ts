/**
 * Bit helpers: fields at places that are known only when the kernel runs, byte permutation, reversal (PTX ISA
 * 9.7.1).
 *
 * Owns what bfe, bfi, prmt, brev and fns do with variable operands; constant ones are emitted in place by
 * opcodes/bit_fields.ts and permute.ts. Invariant: amounts beyond the width do what PTX says, never what
 * WebAssembly's shifts would.
 */
import type { Code } from "../wasm/code.ts";
import type { Helper } from "./mod.ts";

/** Pushes a local's low byte, as an i64. */
function lowByte(code: Code, local: number): void {
  code.get(local);
  code.i32(255);
  code.op("i32And", "i64ExtendI32U");
}

/** (a, position, length): computed in 64 bits, so that a position past a 32-bit value finds its extension. */
function extract(type: "u32" | "s32" | "u64" | "s64"): Helper {
  const isSigned = type.startsWith("s");
  const is32 = type.endsWith("32");
  const value = is32 ? "i32" : "i64";
  return {
    params: [value, "i32", "i32"],
    results: [value],
    write: (code) => {
      const [position, length, field] = [code.local("i64"), code.local("i64"), code.local("i64")];
      lowByte(code, 1);
      code.set(position);
      lowByte(code, 2);
      code.set(length);
      code.get(0);
      if (is32) code.op(isSigned ? "i64ExtendI32S" : "i64ExtendI32U");
      code.set(field);
      // Past the width there is nothing, or only sign.
      if (isSigned) {
        code.get(field);
        code.get(position);
        code.i64(63n);
        code.get(position);
        code.i64(64n);
        code.op("i64LtU", "select", "i64ShrS");
      } else {
        code.get(field);
        code.get(position);
        code.op("i64ShrU");
        code.i64(0n);
        code.get(position);
        code.i64(64n);
        code.op("i64LtU", "select");
      }
      code.set(field);
      cut(code, field, length, isSigned);
      if (is32) code.op("i32WrapI64");
    },
  };
}

/** Pushes the low `length` bits of a value, all of them from 64 on. */
function cut(code: Code, value: number, length: number, isSigned: boolean): void {
  code.i64(0n);
  code.get(value);
  code.i64(64n);
  code.get(length);
  code.op("i64Sub", "i64Shl");
  code.i64(64n);
  code.get(length);
  code.op("i64Sub", isSigned ? "i64ShrS" : "i64ShrU");
  code.get(value);
  code.get(length);
  code.i64(64n);
  code.op("i64LtU", "select");
  code.get(length);
  code.op("i64Eqz", "select");
}

/** (a, b, position, length): the low bits of a put into b. */
function insert(width: 32 | 64): Helper {
  const value = width === 32 ? "i32" : "i64";
  return {
    params: [value, value, "i32", "i32"],
    results: [value],
    write: (code) => {
      const [position, mask] = [code.local("i64"), code.local("i64")];
      const wide = (local: number): void => {
        code.get(local);
        if (width === 32) code.op("i64ExtendI32U");
      };
      lowByte(code, 2);
      code.tee(position);
      code.i64(63n);
      code.op("i64GtU");
      code.if();
      code.get(1);
      code.op("return");
      code.end();
      code.i64(1n);
      lowByte(code, 3);
      code.op("i64Shl");
      code.i64(1n);
      code.op("i64Sub");
      code.i64(-1n);
      lowByte(code, 3);
      code.i64(64n);
      code.op("i64LtU", "select");
      code.get(position);
      code.op("i64Shl");
      code.set(mask);
      wide(0);
      code.get(position);
      code.op("i64Shl");
      wide(1);
      code.op("i64Xor");
      code.get(mask);
      code.op("i64And");
      wide(1);
      code.op("i64Xor");
      if (width === 32) code.op("i32WrapI64");
    },
  };
}

/** (a, b, selectors): four of the bytes of b:a; bit 3 of a selector takes the byte's sign instead. */
const prmtB32: Helper = {
  params: ["i32", "i32", "i32"],
  results: ["i32"],
  write: (code) => {
    const [both, byte, selector] = [code.local("i64"), code.local("i32"), code.local("i32")];
    code.get(1);
    code.op("i64ExtendI32U");
    code.i64(32n);
    code.op("i64Shl");
    code.get(0);
    code.op("i64ExtendI32U", "i64Or");
    code.set(both);
    for (let place = 0; place < 4; place++) {
      code.get(2);
      code.i32(4 * place);
      code.op("i32ShrU");
      code.set(selector);
      code.get(both);
      code.get(selector);
      code.i32(7);
      code.op("i32And");
      code.i32(3);
      code.op("i32Shl", "i64ExtendI32U", "i64ShrU", "i32WrapI64", "i32Extend8S");
      code.tee(byte);
      code.i32(7);
      code.op("i32ShrS");
      code.get(byte);
      code.get(selector);
      code.i32(8);
      code.op("i32And", "select");
      code.i32(255);
      code.op("i32And");
      code.i32(8 * place);
      code.op("i32Shl");
      if (place > 0) code.op("i32Or");
    }
  },
};

/** Neighbouring bits, pairs, nibbles change places; then the bytes do, by two rotations. */
const brevB32: Helper = {
  params: ["i32"],
  results: ["i32"],
  write: (code) => {
    for (const [shift, mask] of [[1, 0x5555_5555], [2, 0x3333_3333], [4, 0x0f0f_0f0f]] as const) {
      code.get(0);
      code.i32(shift);
      code.op("i32ShrU");
      code.i32(mask);
      code.op("i32And");
      code.get(0);
      code.i32(mask);
      code.op("i32And");
      code.i32(shift);
      code.op("i32Shl", "i32Or");
      code.set(0);
    }
    for (const [rotation, mask] of [[8, 0x00ff_00ff], [24, 0xff00_ff00]] as const) {
      code.get(0);
      code.i32(rotation);
      code.op("i32Rotl");
      code.i32(mask);
      code.op("i32And");
    }
    code.op("i32Or");
  },
};

const brevB64: Helper = {
  params: ["i64"],
  results: ["i64"],
  write: (code, parts) => {
    code.get(0);
    code.op("i32WrapI64");
    code.call(parts.helper("brevB32"));
    code.op("i64ExtendI32U");
    code.i64(32n);
    code.op("i64Shl");
    code.get(0);
    code.i64(32n);
    code.op("i64ShrU", "i32WrapI64");
    code.call(parts.helper("brevB32"));
    code.op("i64ExtendI32U", "i64Or");
  },
};

/** (mask, base, offset): the |offset|-th set bit from base on, in offset's direction; all ones if there is none. */
const fnsB32: Helper = {
  params: ["i32", "i32", "i32"],
  results: ["i32"],
  write: (code) => {
    const [left, step] = [code.local("i32"), code.local("i32")];
    // Offset 0 asks for the bit at base itself: one step and no more.
    code.i32(1);
    code.i32(-1);
    code.get(2);
    code.i32(0);
    code.op("i32GeS", "select");
    code.set(step);
    code.get(2);
    code.get(step);
    code.op("i32Mul");
    code.set(left);
    const loop = code.loop();
    code.get(1);
    code.i32(31);
    code.op("i32GtU");
    code.if();
    code.i32(-1);
    code.op("return");
    code.end();
    code.get(0);
    code.get(1);
    code.op("i32ShrU");
    code.i32(1);
    code.op("i32And");
    code.if();
    code.get(left);
    code.i32(1);
    code.op("i32LeU");
    code.if();
    code.get(1);
    code.op("return");
    code.end();
    code.get(left);
    code.i32(1);
    code.op("i32Sub");
    code.set(left);
    code.end();
    code.get(1);
    code.get(step);
    code.op("i32Add");
    code.set(1);
    code.get(2);
    code.brIf(loop);
    code.end();
    code.i32(-1);
  },
};

export const BIT_HELPERS = {
  bfeU32: extract("u32"),
  bfeS32: extract("s32"),
  bfeU64: extract("u64"),
  bfeS64: extract("s64"),
  bfiB32: insert(32),
  bfiB64: insert(64),
  prmtB32,
  brevB32,
  brevB64,
  fnsB32,
} as const satisfies Record<string, Helper>;
