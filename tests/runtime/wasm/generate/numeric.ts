/**
 * Rules for numbers: constants, and every integer and float instruction.
 *
 * Owns the scalar opcodes with their types (core specification, binary format, "Numeric instructions"). Floats
 * that arithmetic may turn into a NaN are made the one canonical NaN, whose bits the specification leaves open
 * otherwise. Division and truncation trap seldom. Invariant: each rule leaves one value of its type.
 */
import type { Body, Rule } from "./body.ts";
import type { Type } from "./value_type.ts";

interface Operation {
  readonly opcode: number;
  readonly params: readonly Type[];
  readonly result: Type;
}

function row(first: number, last: number, params: readonly Type[], result: Type): Operation[] {
  return Array.from({ length: last - first + 1 }, (_, index) => ({ opcode: first + index, params, result }));
}

const OPERATIONS: readonly Operation[] = [
  ...row(0x45, 0x45, ["i32"], "i32"),
  ...row(0x46, 0x4f, ["i32", "i32"], "i32"),
  ...row(0x50, 0x50, ["i64"], "i32"),
  ...row(0x51, 0x5a, ["i64", "i64"], "i32"),
  ...row(0x5b, 0x60, ["f32", "f32"], "i32"),
  ...row(0x61, 0x66, ["f64", "f64"], "i32"),
  ...row(0x67, 0x69, ["i32"], "i32"),
  ...row(0x6a, 0x78, ["i32", "i32"], "i32"),
  ...row(0x79, 0x7b, ["i64"], "i64"),
  ...row(0x7c, 0x8a, ["i64", "i64"], "i64"),
  ...row(0x8b, 0x91, ["f32"], "f32"),
  ...row(0x92, 0x98, ["f32", "f32"], "f32"),
  ...row(0x99, 0x9f, ["f64"], "f64"),
  ...row(0xa0, 0xa6, ["f64", "f64"], "f64"),
  ...row(0xa7, 0xa7, ["i64"], "i32"),
  ...row(0xa8, 0xa9, ["f32"], "i32"),
  ...row(0xaa, 0xab, ["f64"], "i32"),
  ...row(0xac, 0xad, ["i32"], "i64"),
  ...row(0xae, 0xaf, ["f32"], "i64"),
  ...row(0xb0, 0xb1, ["f64"], "i64"),
  ...row(0xb2, 0xb3, ["i32"], "f32"),
  ...row(0xb4, 0xb5, ["i64"], "f32"),
  ...row(0xb6, 0xb6, ["f64"], "f32"),
  ...row(0xb7, 0xb8, ["i32"], "f64"),
  ...row(0xb9, 0xba, ["i64"], "f64"),
  ...row(0xbb, 0xbb, ["f32"], "f64"),
  ...row(0xbc, 0xbc, ["f32"], "i32"),
  ...row(0xbd, 0xbd, ["f64"], "i64"),
  ...row(0xbe, 0xbe, ["i32"], "f32"),
  ...row(0xbf, 0xbf, ["i64"], "f64"),
  ...row(0xc0, 0xc1, ["i32"], "i32"),
  ...row(0xc2, 0xc4, ["i64"], "i64"),
];

/** Operand of the saturating truncations 0xfc 0 to 7. */
const SATURATING: readonly (readonly [Type, Type])[] = [
  ["f32", "i32"],
  ["f32", "i32"],
  ["f64", "i32"],
  ["f64", "i32"],
  ["f32", "i64"],
  ["f32", "i64"],
  ["f64", "i64"],
  ["f64", "i64"],
];

const I32_VALUES = [0, 1, 2, -1, 3, 7, 64, 127, 128, 255, 65535, 65536, 0x7fff_ffff, -0x8000_0000];
const F64_VALUES = [0, 1, -1, 0.5, -0, 3.75, 1e9, -1e9, 2 ** 31, -(2 ** 63), 1e300, Infinity, -Infinity, NaN];

/** A constant of a number type: one value. */
export function constant(body: Body, type: Type): void {
  const { choices } = body;
  switch (type) {
    case "i32":
      return body.i32(choices.oneIn(3) ? choices.bits() : choices.pick(I32_VALUES));
    case "i64":
      return body.i64(
        choices.oneIn(3)
          ? BigInt(choices.bits()) * BigInt(choices.bits() + 1)
          : BigInt(choices.pick(I32_VALUES)),
      );
    case "f32":
      return floatConstant(body, 0x43, 4);
    default:
      return floatConstant(body, 0x44, 8);
  }
}

function floatConstant(body: Body, opcode: number, size: number): void {
  const view = new DataView(new ArrayBuffer(8));
  const value = body.choices.pick(F64_VALUES);
  if (size === 4) view.setFloat32(0, value, true);
  else view.setFloat64(0, value, true);
  body.op(opcode, ...new Uint8Array(view.buffer, 0, size));
}

/** Replaces any NaN on top of the stack by the canonical one. */
export function canonical(body: Body, type: Type): void {
  if (type !== "f32" && type !== "f64") return;
  const local = body.freshLocal(type);
  body.op(0x22);
  body.u(local);
  body.op(...(type === "f32" ? [0x43, 0, 0, 0xc0, 0x7f] : [0x44, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f]));
  body.op(0x20);
  body.u(local);
  body.op(0x20);
  body.u(local);
  body.op(type === "f32" ? 0x5b : 0x61, 0x1b);
}

/** The rules that leave a number of a type. */
export function numericRules(type: Type): Rule[] {
  const operations = OPERATIONS.filter((operation) => operation.result === type);
  const saturating = SATURATING.flatMap(([from, to], index) => to === type ? [{ from, index }] : []);
  const plain: Rule = (body, depth) => operate(body, depth, body.choices.pick(operations));
  const rules: Rule[] = [(body) => constant(body, type), plain, plain, plain];
  if (saturating.length > 0) {
    rules.push((body, depth) => {
      const { from, index } = body.choices.pick(saturating);
      body.value(from, depth);
      body.op(0xfc);
      body.u(index);
    });
  }
  return rules;
}

function operate(body: Body, depth: number, operation: Operation): void {
  const { opcode, params, result } = operation;
  const isTruncation = opcode >= 0xa8 && opcode <= 0xb1 && opcode !== 0xac && opcode !== 0xad;
  if (isTruncation && !body.choices.oneIn(30)) return constant(body, result);
  body.values(params, depth);
  if (isDivision(opcode) && !body.choices.oneIn(20)) makeDivisor(body, result);
  body.op(opcode);
  // Of the float operations only abs, neg, copysign and reinterpretations keep the bits of a NaN.
  const keepsBits = [0x8b, 0x8c, 0x98, 0x99, 0x9a, 0xa6, 0xbe, 0xbf].includes(opcode);
  if (!keepsBits) canonical(body, result);
}

function isDivision(opcode: number): boolean {
  return opcode >= 0x6d && opcode <= 0x70 || opcode >= 0x7f && opcode <= 0x82;
}

/** A divisor that is neither 0 nor -1: its low bits are masked and its lowest bit is set. */
function makeDivisor(body: Body, type: Type): void {
  if (type === "i32") {
    body.i32(0xffff);
    body.op(0x71);
    body.i32(1);
    body.op(0x72);
  } else {
    body.i64(0xffffn);
    body.op(0x83);
    body.i64(1n);
    body.op(0x84);
  }
}
