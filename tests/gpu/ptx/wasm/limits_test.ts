/**
 * Limits of what is written: functions that an engine would refuse, or at which it would end the process.
 */
import assert from "node:assert/strict";
import { Code } from "../../../../gpu/ptx/wasm/code.ts";
import { WASM_LIMITS, WasmLimitError } from "../../../../gpu/ptx/wasm/limit_error.ts";

function isLimit(name: keyof typeof WASM_LIMITS, actual: number): (error: unknown) => boolean {
  return (error) =>
    error instanceof WasmLimitError && error.message === `${name} is ${WASM_LIMITS[name]}, got ${actual}`;
}

Deno.test("a label takes so many branches and no more", () => {
  const code = new Code([], []);
  const label = code.loop();
  for (let count = 0; count < WASM_LIMITS.labelBranchesMax; count++) code.br(label);
  assert.throws(() => code.br(label), isLimit("labelBranchesMax", WASM_LIMITS.labelBranchesMax + 1));
});

Deno.test("a table of branches has so many targets and no more", () => {
  const code = new Code([], []);
  const label = code.block();
  const labels = Array.from({ length: WASM_LIMITS.branchTargetsMax + 1 }, () => label);
  assert.throws(() => code.brTable(labels, label), isLimit("branchTargetsMax", labels.length));
});

Deno.test("a function has so many locals, and so many bytes, and no more", () => {
  const code = new Code(["i32"], []);
  for (let count = 1; count <= WASM_LIMITS.functionLocalsMax; count++) code.local("i32");
  assert.throws(() => code.finish(), isLimit("functionLocalsMax", WASM_LIMITS.functionLocalsMax + 1));
  const long = new Code([], []);
  for (let count = 0; count < WASM_LIMITS.functionBytesMax; count++) long.op("unreachable");
  assert.throws(() => long.finish(), WasmLimitError);
});
