import assert from "node:assert/strict";
import { instrumentAndDescribe } from "../../../runtime/wasm/instrument.ts";
import { assemble } from "../../support/assemble.ts";
import { func, moduleOf, section, vec } from "../../support/module_bytes.ts";

function featuresOf(bytes: Uint8Array): readonly string[] {
  return instrumentAndDescribe(bytes, { memoryPagesMax: 100, tableElementsMax: 100 }).features;
}

const OF_TEXT: Readonly<Record<string, string>> = {
  "": `(func (param i32) (result i32) (local.get 0) (i32.add (i32.const 1))) (memory 1) (table 1 funcref)`,
  "sign-extension": `(func (param i32) (result i32) (i32.extend8_s (local.get 0)))`,
  "saturating-float-to-int": `(func (param f32) (result i32) (i32.trunc_sat_f32_s (local.get 0)))`,
  "bulk-memory": `(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 300)))`,
  "reference-types": `(table 1 externref) (func (result externref) (table.get 0 (i32.const 0)))`,
  "multi-value": `(func (result i32 i32) (i32.const 1) (i32.const 2))`,
  "simd": `(func (drop (v128.const i32x4 1 2 3 4)))`,
  "tail-call": `(func $f (return_call $f))`,
  "legacy-exceptions": `(tag $e) (func (try (do (throw $e)) (catch_all)))`,
  "exceptions": `(tag $e) (func (throw $e))`,
  "memory64": `(memory i64 1)`,
  "multi-memory": `(memory 1) (memory 1)`,
  "threads": `(memory 1) (func (drop (i32.atomic.load (i32.const 0))))`,
};

for (const [feature, text] of Object.entries(OF_TEXT)) {
  Deno.test(`instrumentAndDescribe() tells ${feature === "" ? "of no feature where none is" : feature}`, () => {
    assert.deepEqual(featuresOf(assemble(`(module ${text})`)), feature === "" ? [] : [feature]);
  });
}

/** A module with one function of no parameters. */
function withBody(...body: readonly number[]): Uint8Array {
  return moduleOf(
    section(1, vec(func())),
    section(3, vec([0])),
    section(10, vec([body.length + 2, 0, ...body, 0x0b])),
  );
}

Deno.test("instrumentAndDescribe() tells of what no assembler in reach writes", () => {
  const zero = [0xfd, 12, ...new Array<number>(16).fill(0)];
  assert.deepEqual(featuresOf(withBody(...zero, ...zero, 0xfd, 0x80, 0x02, 0x1a)), ["simd", "relaxed-simd"]);
  assert.deepEqual(featuresOf(withBody(0xd0, 0x70, 0x1a)), ["reference-types"]);
  assert.deepEqual(featuresOf(withBody(0x1f, 0x40, 0, 0x0b)), ["exceptions"]);
  assert.deepEqual(featuresOf(withBody(0xd0, 0, 0x14, 0)), ["reference-types", "function-references"]);
  assert.deepEqual(featuresOf(withBody(0x41, 0, 0xfb, 28, 0x1a)), ["gc"]);
  assert.deepEqual(featuresOf(moduleOf(section(1, vec([0x5f, 0])))), ["gc"]);
  const sum = section(6, vec([0x7f, 0, 0x41, 1, 0x41, 1, 0x6a, 0x0b]));
  assert.deepEqual(featuresOf(moduleOf(sum)), ["extended-const"]);
});
