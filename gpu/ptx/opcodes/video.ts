/**
 * Rows of video instructions: vadd, vsub, vabsdiff, vmin, vmax, vset on words, and of those and vavrg on two or
 * four parts of a word (PTX ISA 9.7.16, 9.7.17).
 *
 * Owns the forms without selectors of bytes and halves, which are the ones that compilers write. Types of
 * operands give the signedness of parts, that of the result what it saturates to. Invariant: a part is computed
 * exactly, then saturated or cut to its width, then added to the others if `.add` asks for it.
 */
import type { PtxOperand, PtxType } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import { Formula } from "../helpers/formula.ts";
import type { Value } from "../helpers/formula.ts";
import type { Instruction } from "../kernel/ir.ts";
import { operandAt, typeAt } from "./integer.ts";
import type { OpcodeRow } from "./row.ts";
import { TYPES, unsupported } from "./row.ts";

const COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge"] as const;
const NAMES = ["add", "sub", "absdiff", "min", "max", "set", "avrg"] as const;
type VideoName = typeof NAMES[number];

/** What an opcode's name says: the operation, and parts of a word. */
interface Video {
  readonly name: VideoName;
  readonly parts: 1 | 2 | 4;
}

function videoOf(i: Instruction): Video {
  const last = i.row.name.at(-1);
  const parts = last === "2" ? 2 : last === "4" ? 4 : 1;
  const word = parts === 1 ? i.row.name.slice(1) : i.row.name.slice(1, -1);
  const name = NAMES.find((each) => each === word);
  if (name === undefined) throw unsupported(i, "an operation");
  return { name, parts };
}

/** Types of the result and the operands. vset names no type of the result: it is 0 or 1. */
function typesOf(i: Instruction, name: VideoName): readonly [d: PtxType, a: PtxType, b: PtxType] {
  if (name === "set") return ["u32", typeAt(i, 0), typeAt(i, 1)];
  return [typeAt(i, 0), typeAt(i, 1), typeAt(i, 2)];
}

/** A value held between two bounds. */
function clamp(f: Formula, value: Value, low: bigint, high: bigint): Value {
  const raised = f.let(value);
  raised.set(raised.lt(low).select(f.constant(raised.type, low), raised));
  return raised.gt(high).select(f.constant(raised.type, high), raised);
}

function operate(f: Formula, i: Instruction, name: VideoName, a: Value, b: Value): Value {
  switch (name) {
    case "add":
      return a.add(b);
    case "sub":
      return a.sub(b);
    case "absdiff":
      return a.gt(b).select(a.sub(b), b.sub(a));
    case "min":
      return a.lt(b).select(a, b);
    case "max":
      return a.gt(b).select(a, b);
    case "avrg": {
      // Halves go away from zero.
      const sum = f.let(a.add(b));
      return sum.add(sum.ge(0)).shrS(1);
    }
    case "set": {
      const comparison = COMPARISONS.find((word) => i.modifiers.includes(word));
      if (comparison === undefined) throw unsupported(i, "expected a comparison");
      const truth = a[comparison](b);
      return a.type === "i64" ? truth.extendU() : truth;
    }
  }
}

function emitVideo(e: Emitter, i: Instruction): void {
  const f = new Formula(e.code, e.parts);
  const video = videoOf(i);
  (video.parts === 1 ? scalar(f, e, i, video.name) : packed(f, e, i, video)).push();
  f.release();
  e.set(operandAt(i, 0), "b32");
}

/** One word: in 64 bits nothing overflows. */
function scalar(f: Formula, e: Emitter, i: Instruction, name: VideoName): Value {
  const [d, a, b] = typesOf(i, name);
  const wide = (operand: PtxOperand, type: PtxType): Value => {
    const value = f.value("i32", () => e.push(operand, "b32"));
    return f.let(type === "s32" ? value.extendS() : value.extendU());
  };
  const result = operate(f, i, name, wide(operandAt(i, 1), a), wide(operandAt(i, 2), b));
  const isSigned = d === "s32";
  const [low, high] = isSigned ? [-0x8000_0000n, 0x7fff_ffffn] : [0n, 0xffff_ffffn];
  const word = f.let((i.modifiers.includes("sat") ? clamp(f, result, low, high) : result).wrap());
  const third = i.operands[3];
  if (third === undefined) return word;
  const c = f.let(f.value("i32", () => e.push(third, "b32")));
  if (i.modifiers.includes("add")) return word.add(c);
  const isLess = isSigned ? word.lt(c) : word.ltU(c);
  return i.modifiers.includes("min") ? isLess.select(word, c) : isLess.select(c, word);
}

/** Two or four parts; their results side by side, or their sum and the third operand. */
function packed(f: Formula, e: Emitter, i: Instruction, { name, parts }: Video): Value {
  const bits = 32 / parts;
  const [d, a, b] = typesOf(i, name);
  const [left, right] = [1, 2].map((index) =>
    f.let(f.value("i32", () => e.push(operandAt(i, index), "b32")))
  );
  const part = (word: Value | undefined, index: number, type: PtxType): Value => {
    if (word === undefined) return f.i32(0);
    const top = word.shl(32 - bits * (index + 1));
    return f.let(type === "s32" ? top.shrS(32 - bits) : top.shrU(32 - bits));
  };
  const isSigned = d === "s32";
  const half = 1n << BigInt(bits - 1);
  const [low, high] = isSigned ? [-half, half - 1n] : [0n, 2n * half - 1n];
  const isSum = i.modifiers.includes("add");
  const results = Array.from({ length: parts }, (_, index) => {
    const exact = operate(f, i, name, part(left, index, a), part(right, index, b));
    if (i.modifiers.includes("sat")) return f.let(clamp(f, exact, low, high));
    const top = exact.shl(32 - bits);
    return f.let(isSum && isSigned ? top.shrS(32 - bits) : top.shrU(32 - bits));
  });
  const third = i.operands[3];
  if (isSum) {
    const start = third === undefined ? f.i32(0) : f.value("i32", () => e.push(third, "b32"));
    return results.reduce((sum, each) => sum.add(each), start);
  }
  return results.map((each, index) => each.and(2 ** bits - 1).shl(bits * index)).reduce((word, each) =>
    word.or(each)
  );
}

function checkVideo(i: Instruction): void {
  const { name, parts } = videoOf(i);
  const seconds = i.modifiers.filter((word) => word === "add" || word === "min" || word === "max");
  const comparisons = i.modifiers.filter((word) => (COMPARISONS as readonly string[]).includes(word));
  if (comparisons.length !== (name === "set" ? 1 : 0)) throw unsupported(i, "a comparison goes with vset");
  if (seconds.length > 1 || (parts > 1 && seconds.some((word) => word !== "add"))) {
    throw unsupported(i, `.${seconds.join(".")}`);
  }
  // With parts the third operand is what parts that are masked out keep; here none is.
  if (parts === 1 && (seconds.length === 1) !== (i.operands.length === 4)) {
    throw unsupported(i, "a third operand goes with .add, .min or .max");
  }
}

export const VIDEO_ROWS: readonly OpcodeRow[] = NAMES.flatMap((name) =>
  (name === "avrg" ? ["2", "4"] : ["", "2", "4"]).map((parts): OpcodeRow => ({
    name: `v${name}${parts}`,
    types: name === "set" ? [TYPES.int32, TYPES.int32] : [TYPES.int32, TYPES.int32, TYPES.int32],
    modifiers: ["sat", "add", "min", "max", ...COMPARISONS],
    operands: [3, 4],
    effect: "pure",
    check: checkVideo,
    scalar: emitVideo,
  }))
);
