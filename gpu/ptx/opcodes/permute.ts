/**
 * prmt and shf: bytes and bits picked from two registers side by side (PTX ISA 9.7.9.7, 9.7.8.7).
 *
 * Owns the short forms for constant selectors and amounts; variable selectors are a helper's work. Invariant:
 * `b` is the upper of the two registers.
 */
import type { PtxOperand } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import type { Instruction } from "../kernel/ir.ts";
import { operandAt } from "./integer.ts";
import type { OpcodeRow } from "./row.ts";
import { unsupported } from "./row.ts";

/** Selectors of the named modes, by the two lowest bits of the control. */
const MODES: Readonly<Record<string, readonly [number, number, number, number]>> = {
  f4e: [0x3210, 0x4321, 0x5432, 0x6543],
  b4e: [0x5670, 0x6701, 0x7012, 0x0123],
  rc8: [0x0000, 0x1111, 0x2222, 0x3333],
  ecl: [0x3210, 0x3211, 0x3222, 0x3333],
  ecr: [0x0000, 0x1110, 0x2210, 0x3210],
  rc16: [0x1010, 0x3232, 0x1010, 0x3232],
};

function modeOf(i: Instruction): readonly number[] | undefined {
  return i.modifiers[0] === undefined ? undefined : MODES[i.modifiers[0]];
}

function emitPermute(e: Emitter, i: Instruction): void {
  const { code } = e;
  const [target, a, b, c] = [operandAt(i, 0), operandAt(i, 1), operandAt(i, 2), operandAt(i, 3)];
  const mode = modeOf(i);
  if (c.kind === "integer") {
    pushConstantPermute(e, a, b, mode?.[Number(c.value & 3n)] ?? Number(c.value & 0xffffn));
    return e.set(target, "b32");
  }
  e.push(a, "b32");
  e.push(b, "b32");
  if (mode === undefined) e.push(c, "b32");
  else {
    // The four selectors side by side, the control choosing among them.
    code.i64(mode.reduceRight((all, selectors) => all << 16n | BigInt(selectors), 0n));
    e.push(c, "b32");
    code.i32(3);
    code.op("i32And");
    code.i32(4);
    code.op("i32Shl", "i64ExtendI32U", "i64ShrU", "i32WrapI64");
  }
  e.call("prmtB32");
  e.set(target, "b32");
}

/** Bytes that come from one register by the same rotation are taken together. */
function pushConstantPermute(e: Emitter, a: PtxOperand, b: PtxOperand, selectors: number): void {
  const { code } = e;
  const parts = new Map<string, { push: () => void; mask: number }>();
  for (let place = 0; place < 4; place++) {
    const selector = selectors >> 4 * place & 15;
    const source = (selector & 4) === 0 ? a : b;
    const byte = selector & 3;
    const isSign = (selector & 8) !== 0;
    const key = isSign ? `sign ${selector}` : `${selector & 4} ${byte - place & 3}`;
    const push = (): void => {
      e.push(source, "b32");
      if (isSign) {
        if (byte < 3) {
          code.i32(24 - 8 * byte);
          code.op("i32Shl");
        }
        code.i32(31);
        code.op("i32ShrS");
      } else if (byte !== place) {
        code.i32(8 * (byte - place & 3));
        code.op("i32Rotr");
      }
    };
    const part = parts.get(key);
    const mask = 0xff << 8 * place;
    if (part === undefined) parts.set(key, { push, mask });
    else part.mask |= mask;
  }
  [...parts.values()].forEach(({ push, mask }, index) => {
    push();
    if (mask !== -1) {
      code.i32(mask);
      code.op("i32And");
    }
    if (index > 0) code.op("i32Or");
  });
}

function isSame(a: PtxOperand, b: PtxOperand): boolean {
  return a.kind === "register" && b.kind === "register" && a.register === b.register;
}

function checkFunnel({ modifiers, ...i }: Instruction): void {
  const has = (word: string): boolean => modifiers.includes(word);
  if (has("l") === has("r") || has("clamp") === has("wrap")) {
    throw unsupported({ ...i, modifiers }, "expected .l or .r, and .clamp or .wrap");
  }
}

/** The upper half of b:a shifted left, or the lower half of it shifted right. */
function emitFunnel(e: Emitter, i: Instruction): void {
  const { code } = e;
  const [target, a, b, c] = [operandAt(i, 0), operandAt(i, 1), operandAt(i, 2), operandAt(i, 3)];
  const isLeft = i.modifiers.includes("l");
  const isWrapped = i.modifiers.includes("wrap");
  if (isWrapped && isSame(a, b)) {
    e.push(a, "b32");
    e.push(c, "u32");
    code.op(isLeft ? "i32Rotl" : "i32Rotr");
  } else if (c.kind === "integer") {
    const amount = BigInt.asUintN(32, c.value);
    pushFunnel(e, a, b, isLeft, isWrapped ? Number(amount & 31n) : Math.min(Number(amount), 32));
  } else {
    e.push(b, "b32");
    code.op("i64ExtendI32U");
    code.i64(32n);
    code.op("i64Shl");
    e.push(a, "b32");
    code.op("i64ExtendI32U", "i64Or");
    e.push(c, "u32");
    if (isWrapped) {
      code.i32(31);
      code.op("i32And");
    } else {
      code.i32(32);
      e.push(c, "u32");
      code.i32(32);
      code.op("i32LtU", "select");
    }
    code.op("i64ExtendI32U", isLeft ? "i64Shl" : "i64ShrU");
    if (isLeft) {
      code.i64(32n);
      code.op("i64ShrU");
    }
    code.op("i32WrapI64");
  }
  e.set(target, "b32");
}

function pushFunnel(e: Emitter, a: PtxOperand, b: PtxOperand, isLeft: boolean, amount: number): void {
  const { code } = e;
  const right = isLeft ? 32 - amount : amount;
  if (right === 0) return e.push(a, "b32");
  if (right === 32) return e.push(b, "b32");
  e.push(b, "b32");
  code.i32(32 - right);
  code.op("i32Shl");
  e.push(a, "b32");
  code.i32(right);
  code.op("i32ShrU", "i32Or");
}

export const PERMUTE_ROWS: readonly OpcodeRow[] = [
  {
    name: "prmt",
    types: [["b32"]],
    modifiers: Object.keys(MODES),
    operands: [4, 4],
    effect: "pure",
    scalar: emitPermute,
  },
  {
    name: "shf",
    types: [["b32"]],
    modifiers: ["l", "r", "clamp", "wrap"],
    operands: [4, 4],
    effect: "pure",
    check: checkFunnel,
    scalar: emitFunnel,
  },
];
