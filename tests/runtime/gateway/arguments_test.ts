import assert from "node:assert/strict";
import { parseArgumentList, resultToJson, typeArguments } from "../../../runtime/gateway/arguments.ts";
import { DEFAULT_LIMITS } from "../../../runtime/model/limits.ts";
import type { TypedValue } from "../../../runtime/model/module_facts.ts";
import type { ValueType } from "../../../runtime/model/value_type.ts";

function typed(json: string, ...params: ValueType[]): TypedValue[] {
  return typeArguments(parseArgumentList(json) as unknown[], { params, results: [] }, DEFAULT_LIMITS);
}

const ACCEPTED: readonly (readonly [json: string, type: ValueType, value: number | string])[] = [
  ["[7]", "i32", 7],
  ["[-2147483648]", "i32", -2147483648],
  ["[4294967295]", "i32", -1],
  ['["12"]', "i32", 12],
  ["[true]", "i32", 1],
  ["[false]", "i32", 0],
  ["[1]", "i64", "1"],
  ["[1e3]", "i64", "1000"],
  ["[9007199254740993]", "i64", "9007199254740993"],
  ["[-9223372036854775808]", "i64", "-9223372036854775808"],
  ["[18446744073709551615]", "i64", "18446744073709551615"],
  ['["9223372036854775807"]', "i64", "9223372036854775807"],
  ["[1]", "f32", 1],
  ["[0.5]", "f32", 0.5],
  ["[1e3]", "f64", 1000],
  ['["2.5"]', "f64", 2.5],
  ['["NaN"]', "f64", "NaN"],
  ['["-Infinity"]', "f32", "-Infinity"],
  ["[-0.0]", "f64", "-0"],
];

for (const [json, type, value] of ACCEPTED) {
  Deno.test(`typeArguments() takes ${json} as ${type}`, () => {
    assert.deepEqual(typed(json, type), [{ type, value }]);
  });
}

const REFUSED: readonly (readonly [json: string, type: ValueType])[] = [
  ["[4294967296]", "i32"],
  ["[-2147483649]", "i32"],
  ["[1.5]", "i32"],
  ["[1e300]", "f32"],
  ["[18446744073709551616]", "i64"],
  ["[-9223372036854775809]", "i64"],
  ["[true]", "i64"],
  ["[null]", "i32"],
  ["[[1]]", "i32"],
  ['["x"]', "f64"],
  ['[""]', "i32"],
  ['[" 1"]', "i32"],
  ['["0x10"]', "i64"],
  ["[1e999]", "f64"],
  ["[true]", "f32"],
  ["[0]", "v128"],
  ["[null]", "ref"],
];

for (const [json, type] of REFUSED) {
  Deno.test(`typeArguments() refuses ${json} as ${type}, naming index and expectation`, () => {
    assert.throws(() => typed(json, type), {
      code: "invalid_args",
      message: new RegExp(`^Argument 0: expected ${type}`),
    });
  });
}

Deno.test("typeArguments() names the counts when they differ", () => {
  assert.throws(() => typed("[1]", "i32", "i32"), {
    code: "invalid_args",
    message: "Export (i32, i32) -> () takes 2 arguments, got 1",
  });
});

Deno.test("typeArguments() takes argsCountMax arguments' worth of checking and refuses one more", () => {
  const many = (count: number): unknown[] => Array.from({ length: count }, () => 0);
  const type = { params: Array.from({ length: 256 }, (): ValueType => "i32"), results: [] };
  assert.equal(typeArguments(many(256), type, DEFAULT_LIMITS).length, 256);
  assert.throws(() => typeArguments(many(257), type, DEFAULT_LIMITS), {
    code: "too_many_args",
    message: "Too many arguments: argsCountMax is 256, got 257",
  });
});

Deno.test("resultToJson() is ok for no results", () => {
  assert.equal(resultToJson([]), "ok");
});

Deno.test("resultToJson() writes 64-bit integers in full and non-finite floats as text", () => {
  const json = JSON.stringify(resultToJson([
    { type: "i64", value: "9223372036854775807" },
    { type: "f64", value: "NaN" },
    { type: "i32", value: -1 },
  ]));
  assert.equal(json, '[9223372036854775807,"NaN",-1]');
});
