/**
 * Rules for vectors: every SIMD instruction that touches no memory, relaxed ones included.
 *
 * Owns the opcodes behind 0xfd by the shape of their operands (core specification, "Vector instructions").
 * Relaxed instructions are given operands on which all their allowed results agree. Float lanes that are NaN
 * are made zero. Invariant: each rule leaves one value of its type.
 */
import type { Body, Rule } from "./body.ts";
import type { Type } from "./value_type.ts";

type Range = readonly [first: number, last: number];

function numbersIn(ranges: readonly Range[]): number[] {
  return ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
}

const INTEGER_UNARY = numbersIn([
  [77, 77],
  [96, 98],
  [124, 129],
  [135, 138],
  [160, 161],
  [167, 170],
  [192, 193],
  [199, 202],
  [248, 249],
  [252, 253],
]);
const INTEGER_BINARY = numbersIn([
  [14, 14],
  [35, 76],
  [78, 81],
  [101, 102],
  [110, 115],
  [118, 121],
  [123, 123],
  [130, 130],
  [133, 134],
  [142, 147],
  [149, 153],
  [155, 159],
  [174, 174],
  [177, 177],
  [181, 186],
  [188, 191],
  [206, 206],
  [209, 209],
  [213, 223],
]);
const SHIFTS = numbersIn([[107, 109], [139, 141], [171, 173], [203, 205]]);
const TO_I32 = numbersIn([
  [83, 83],
  [99, 100],
  [131, 132],
  [163, 164],
  [195, 196],
]);
const F32_UNARY = numbersIn([[94, 94], [103, 106], [224, 225], [227, 227], [250, 251]]);
const F64_UNARY = numbersIn([[95, 95], [116, 117], [122, 122], [148, 148], [236, 237], [239, 239], [
  254,
  255,
]]);
const F32_BINARY = numbersIn([[228, 235]]);
const F64_BINARY = numbersIn([[240, 247]]);

/** Splats by operand, with the lane instructions of the same shape: [extract, replace, lanes]. */
const SPLATS: readonly (readonly [opcode: number, lane: Type])[] = [
  [15, "i32"],
  [16, "i32"],
  [17, "i32"],
  [18, "i64"],
  [19, "f32"],
  [20, "f64"],
];
const EXTRACTS: readonly (readonly [opcode: number, lane: Type, lanes: number])[] = [
  [21, "i32", 16],
  [22, "i32", 16],
  [24, "i32", 8],
  [25, "i32", 8],
  [27, "i32", 4],
  [29, "i64", 2],
  [31, "f32", 4],
  [33, "f64", 2],
];
const REPLACES: readonly (readonly [opcode: number, lane: Type, lanes: number])[] = [
  [23, "i32", 16],
  [26, "i32", 8],
  [28, "i32", 4],
  [30, "i64", 2],
  [32, "f32", 4],
  [34, "f64", 2],
];

function vector(body: Body, opcode: number): void {
  body.op(0xfd);
  body.u(opcode);
}

/** Makes NaN lanes zero; `equal` is the opcode of the lane-wise comparison. */
function cleanLanes(body: Body, equal: number): void {
  const local = body.freshLocal("v128");
  body.op(0x22);
  body.u(local);
  body.op(0x20);
  body.u(local);
  vector(body, equal);
  body.op(0x20);
  body.u(local);
  vector(body, 78);
}

const constantRule: Rule = (body) => {
  vector(body, 12);
  body.op(...Array.from({ length: 16 }, () => body.choices.below(4) * body.choices.below(86)));
};

function operation(opcodes: readonly number[], operands: readonly Type[], equal?: number): Rule {
  return (body, depth) => {
    body.values(operands, depth);
    vector(body, body.choices.pick(opcodes));
    if (equal !== undefined) cleanLanes(body, equal);
  };
}

const F32_EQUAL = 65;
const F64_EQUAL = 71;

const relaxed: readonly Rule[] = [
  // Swizzle: indices below 16.
  (body, depth) => {
    body.value("v128", depth);
    body.value("v128", depth);
    vector(body, 12);
    body.op(...Array<number>(16).fill(15));
    vector(body, 78);
    vector(body, 0x100);
  },
  // Truncations of integers that were converted, so in range: the sign bit is cleared first.
  (body, depth) => {
    body.value("v128", depth);
    vector(body, 12);
    body.op(...[0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0]);
    vector(body, 78);
    const [convert, truncate] = body.choices.pick([[250, 0x101], [251, 0x102], [254, 0x103], [255, 0x104]]);
    vector(body, convert ?? 0);
    vector(body, truncate ?? 0);
  },
  // Multiply-add of zeros and a value that is no NaN: fused or not, nothing is rounded.
  (body, depth) => {
    const [opcode, equal] = body.choices.pick([[0x105, 65], [0x106, 65], [0x107, 71], [0x108, 71]]);
    for (let times = 0; times < 2; times++) {
      vector(body, 12);
      body.op(...Array<number>(16).fill(0));
    }
    body.value("v128", depth);
    vector(body, opcode ?? 0);
    cleanLanes(body, equal ?? 0);
  },
  // Lane select by a mask whose lanes are all ones or all zeros in every width.
  (body, depth) => {
    body.values(["v128", "v128", "v128"], depth);
    body.value("v128", depth);
    vector(body, 214);
    vector(body, body.choices.between(0x109, 0x10c));
  },
  // Dot products of lanes of seven bits.
  (body, depth) => {
    for (let times = 0; times < 2; times++) {
      body.value("v128", depth);
      vector(body, 12);
      body.op(...Array<number>(16).fill(0x3f));
      vector(body, 78);
    }
    const adds = body.choices.oneIn(2);
    if (adds) body.value("v128", depth);
    vector(body, adds ? 0x113 : 0x112);
  },
];

/** The rules that leave a vector. */
export const VECTOR_RULES: readonly Rule[] = [
  constantRule,
  operation(INTEGER_UNARY, ["v128"]),
  operation(INTEGER_BINARY, ["v128", "v128"]),
  operation(INTEGER_BINARY, ["v128", "v128"]),
  operation(SHIFTS, ["v128", "i32"]),
  operation(F32_UNARY, ["v128"], F32_EQUAL),
  operation(F64_UNARY, ["v128"], F64_EQUAL),
  operation(F32_BINARY, ["v128", "v128"], F32_EQUAL),
  operation(F64_BINARY, ["v128", "v128"], F64_EQUAL),
  operation([82], ["v128", "v128", "v128"]),
  (body, depth) => {
    const [opcode, lane] = body.choices.pick(SPLATS);
    body.value(lane, depth);
    vector(body, opcode);
  },
  (body, depth) => {
    const [opcode, lane, lanes] = body.choices.pick(REPLACES);
    body.values(["v128", lane], depth);
    vector(body, opcode);
    body.op(body.choices.below(lanes));
  },
  (body, depth) => {
    body.values(["v128", "v128"], depth);
    vector(body, 13);
    body.op(...Array.from({ length: 16 }, () => body.choices.below(32)));
  },
  (body, depth) => body.choices.pick(relaxed)(body, depth),
];

/** The rules that leave a number taken out of a vector. */
export function laneRules(type: Type): Rule[] {
  const extracts = EXTRACTS.filter(([, lane]) => lane === type);
  const rules: Rule[] = extracts.length === 0 ? [] : [(body, depth) => {
    const [opcode, , lanes] = body.choices.pick(extracts);
    body.value("v128", depth);
    vector(body, opcode);
    body.op(body.choices.below(lanes));
  }];
  if (type === "i32") rules.push(operation(TO_I32, ["v128"]));
  return rules;
}
