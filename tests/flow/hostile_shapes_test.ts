/**
 * Modules of a hostile shape: too many, too deep, too wide, oddly named; results of every type; and what is refused
 * before it can run.
 */
import assert from "node:assert/strict";
import { readGuest } from "../support/guests.ts";
import { DATA_BYTES, makeModule as makeBigData } from "../guests/src/hostile/made/big_data.ts";
import { makeModule as makeComplexFunction } from "../guests/src/hostile/made/complex_function.ts";
import { makeModule as makeDeepBlocks } from "../guests/src/hostile/deep_blocks.ts";
import { FORESEEN, makeModule as makeForesight } from "../guests/src/hostile/made/foresight.ts";
import { makeModule as makeManyExports } from "../guests/src/hostile/made/many_exports.ts";
import { moduleOf, section, u } from "../support/module_bytes.ts";
import { Arena } from "./arena.ts";
import { type Attack, endless, type Expected, testAttacks, trap } from "./attack.ts";
import { assertProblem } from "./problem.ts";

let arena: Arena;
Deno.test.beforeAll(async () => {
  arena = await Arena.start();
  await arena.deploy("many_exports", makeManyExports());
  await arena.deploy("big_data", makeBigData());
});
Deno.test.afterAll(async () => await arena[Symbol.asyncDispose]());

function returns(guest: string, exported: string, result: unknown, args: readonly unknown[] = []): Attack {
  return { guest, export: exported, args, expected: { type: "returned", result } };
}

function returnsText(guest: string, exported: string, numbers: readonly string[]): Attack {
  return { guest, export: exported, expected: { type: "returned", resultText: `[${numbers.join(",")}]` } };
}

function unsupported(exported: string): Expected {
  return {
    type: "failed",
    status: 400,
    kind: "unsupported_return_type",
    message: new RegExp(`^Export "${exported}" .* returns what JSON cannot carry$`),
    outcome: "never called",
  };
}

// Shapes.
testAttacks(() => arena, [
  returns("many_locals", "run", "ok"),
  returns("deep_blocks", "blocks", "ok"),
  returns("deep_blocks", "loops", "ok"),
  returns("deep_blocks", "ifs", "ok"),
  returns("many_exports", "e9998", "ok"),
  endless("many_exports", "spin"),
  returns("big_data", "last", [0x77]),
]);

Deno.test("a missing export of ten thousand is answered with ten names", async () => {
  const { id } = await arena.deploy("many_exports");
  const response = await arena.gateway.invoke(id, { export: "e10000" }, { "x-tensorwasm-tenant": "666" });
  const { message } = await assertProblem(response, { status: 400, kind: "missing_export" });
  assert.match(message, /and 9990 more$/);
});

Deno.test("a module of 5 MB is kept whole", async () => {
  const { id } = await arena.deploy("big_data");
  const response = await fetch(`${arena.gateway.url}/functions/${id}`, {
    headers: { "x-tensorwasm-tenant": "666" },
  });
  const { module_bytes: bytes } = await response.json();
  if (bytes !== undefined) assert.ok(bytes > DATA_BYTES);
});

// Results.
testAttacks(() => arena, [
  returns("results", "i32", [0x7fff_ffff, -0x8000_0000, -1]),
  returnsText("results", "i64", ["9223372036854775807", "-9223372036854775808", "-1", "9007199254740993"]),
  returns("results", "f32", ["NaN", "NaN", "Infinity", "-Infinity", "-0", 2 ** -149]),
  returns("results", "f64", ["NaN", "NaN", "Infinity", "-Infinity", "-0", Number.MIN_VALUE]),
  returns("results", "f64_max", [Number.MAX_VALUE]),
  returns("results", "mixed", [-1, -1, -1, -1]),
  returns("results", "nothing", "ok"),
  returnsText(
    "results_wide",
    "results",
    Array.from({ length: 1000 }, (_, index) => String(BigInt(index) - 2n ** 62n)),
  ),
  returns("results_wide", "last", [255], Array.from({ length: 256 }, (_, index) => index)),
]);

for (const exported of ["vector", "funcref", "externref", "exnref", "after_a_vector"]) {
  Deno.test(`attack: results ${exported}: what JSON cannot carry is never called`, async () => {
    const { id } = await arena.deploy("results");
    const response = await arena.gateway.invoke(id, { export: exported }, { "x-tensorwasm-tenant": "666" });
    const expected = unsupported(exported);
    assert.ok(expected.type === "failed");
    await assertProblem(response, expected);
  });
}

// Names.
testAttacks(() => arena, [
  ...["__proto__", "constructor", "toJSON", "toString", "valueOf", "", "💣", "line\nbreak"].map((name) =>
    returns("exports_odd", name, [7])
  ),
  // A promise would call a `then`; it is an export like any other.
  { ...endless("exports_odd", "then"), args: [1, 2] },
  { ...endless("exports_odd", "catch"), args: [1, 2] },
  // Host functions under names of the guest.
  returns("exports_odd", "sched_yield", [0]),
  returns("exports_odd", "yield", [0]),
  {
    guest: "exports_odd",
    export: "exit",
    args: [7],
    expected: {
      type: "failed",
      status: 500,
      kind: "guest_exit",
      message: /exit code 7$/,
      outcome: "exited",
      reason: /^exit_code_7$/,
    },
  },
]);

// Exceptions and traps of the engine.
testAttacks(() => arena, [
  { guest: "uncaught", export: "plain", expected: trap("uncaught_exception") },
  { guest: "uncaught", export: "loaded", expected: trap("uncaught_exception") },
  { guest: "uncaught", export: "null", expected: trap("null_reference") },
  { guest: "uncaught_start_function", export: "run", expected: trap("uncaught_exception") },
]);

// Refused at deploy.

for (
  const [guest, status, kind, message] of [
    ["reserved_export", 400, "invalid_wasm", /tensor_wasm:/],
    ["reserved_export_other", 400, "invalid_wasm", /tensor_wasm:/],
    ["shared_memory", 400, "invalid_wasm", /shared/],
    ["atomic_wait", 400, "invalid_wasm", /atomic/],
    ["memory_too_large", 413, "module_memory_too_large", /memoryBytesMax is \d+, got 4294967296$/],
    ["memory64_too_large", 413, "module_memory_too_large", /memoryBytesMax is \d+, got 17179869184$/],
    ["table_too_large", 413, "module_memory_too_large", /tableElementsMax is \d+, got 10000000$/],
    ["imported_memory", 400, "invalid_wasm", /Unknown import "env\.memory"/],
    ["imported_table", 400, "invalid_wasm", /host modules offer functions only$/],
    ["imported_hook", 400, "invalid_wasm", /Unknown import "tensor_wasm\.tick"/],
  ] as const
) {
  Deno.test(`attack: ${guest}: refused at deploy`, async () => {
    const response = await arena.refuse(guest, readGuest(`hostile_${guest}`));
    await assertProblem(response, { status, kind, message });
  });
}

for (const kind of FORESEEN) {
  Deno.test(`attack: foresight: ${kind} of an index that the runtime would append is refused`, async () => {
    for (let ahead = 1; ahead <= 12; ahead++) {
      const response = await arena.refuse(`foresight ${kind}`, makeForesight(kind, ahead));
      await assertProblem(response, { status: 400, kind: "invalid_wasm" });
    }
  });
}

Deno.test("attack: complex_function: locals times loops beyond what compiles in time is refused at deploy", async () => {
  const response = await arena.refuse("complex_function", makeComplexFunction(40_000, 20_000));
  await assertProblem(response, {
    status: 400,
    kind: "invalid_wasm",
    message: /locals times control instructions limit is \d+, got \d+$/,
  });
  await arena.assertHonest();
});

Deno.test("attack: deep_blocks: what nests deeper than compiles in time is refused at deploy", async () => {
  const message = /nesting limit is \d+, got 20000$/;
  const response = await arena.refuse("deep_blocks", makeDeepBlocks(20_000));
  await assertProblem(response, { status: 400, kind: "invalid_wasm", message });
});

Deno.test("attack: complex_function: one that is let in compiles before its deadline", async () => {
  await arena.deploy("complex_function", makeComplexFunction(100, 5000));
  await arena.attack({
    guest: "complex_function",
    export: "run",
    args: [0],
    deadlineMs: 5000,
    expected: { type: "returned", result: "ok" },
  });
});

Deno.test("attack: a 64-bit memory whose maximum is the largest that can be written", async () => {
  for (const pagesBits of [37n, 48n, 63n]) {
    const bytes = moduleOf(section(5, [1, 0x05, 1, ...u(2n ** pagesBits)]));
    const response = await arena.refuse("memory64", bytes);
    // The engine knows where its own limit is; what it takes is clamped.
    const text = await response.text();
    assert.ok(response.status === 201 || JSON.parse(text).error.kind === "invalid_wasm", text);
  }
});

Deno.test("no attack was a bug of ours, and none ended the cell", () => arena.assertUnharmed());
