/**
 * Bulk operations that are done in chunks, against the engine doing each at once.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { instrumentModule } from "../../../../runtime/wasm/instrument.ts";
import { assemble } from "../../../support/assemble.ts";
import { instantiateInstrumented } from "../../../support/instrumented.ts";
import type { InstrumentedInstance } from "../../../support/instrumented.ts";

const OPTIONS = { memoryPagesMax: 1_000, tableElementsMax: 10_000 };
const CHUNK = 262_144;
const CHUNK_ELEMENTS = 256;
const MEMORY_BYTES = 16 * 65_536;

type Numbers = readonly (number | bigint)[];
type Call = (...values: (number | bigint)[]) => unknown;

/** The same module as it is and instrumented. */
interface Pair {
  readonly original: WebAssembly.Instance;
  readonly instrumented: InstrumentedInstance;
}

function makePair(text: string, refill = 1_000): Pair {
  const bytes = assemble(text);
  return {
    original: new WebAssembly.Instance(new WebAssembly.Module(bytes)),
    instrumented: instantiateInstrumented(new WebAssembly.Module(instrumentModule(bytes, OPTIONS)), {}, {
      refill,
    }),
  };
}

/** What a call returned, or the text of its trap. */
function outcome(exports: WebAssembly.Exports, name: string, values: Numbers): unknown {
  try {
    return (exports[name] as Call)(...values);
  } catch (error) {
    return String(error);
  }
}

/** Calls both and compares the outcome and every memory and table that is exported. */
function compare({ original, instrumented }: Pair, name: string, values: Numbers): void {
  const expected = outcome(original.exports, name, values);
  assert.deepEqual(outcome(instrumented.exports, name, values), expected, `${name}(${values})`);
  for (const [field, value] of Object.entries(original.exports)) {
    const other = instrumented.exports[field];
    if (value instanceof WebAssembly.Memory && other instanceof WebAssembly.Memory) {
      assert.ok(
        Buffer.from(value.buffer).equals(Buffer.from(other.buffer)),
        `${field} after ${name}(${values})`,
      );
    } else if (value instanceof WebAssembly.Table && other instanceof WebAssembly.Table) {
      assert.deepEqual(contents(other), contents(value), `${field} after ${name}(${values})`);
    }
  }
}

function contents(table: WebAssembly.Table): unknown[] {
  return Array.from({ length: table.length }, (_, index) => table.get(index));
}

const MEMORY = `(module
  (memory (export "memory") 16)
  (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
  (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2))))`;

const MEMORY_64 = `(module
  (memory (export "memory") i64 16)
  (func (export "fill") (param i64 i32 i64) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
  (func (export "copy") (param i64 i64 i64) (memory.copy (local.get 0) (local.get 1) (local.get 2))))`;

/** Different bytes everywhere, with a period that no chunk has. */
function scatter({ original, instrumented }: Pair): void {
  for (const exports of [original.exports, instrumented.exports]) {
    const memory = new Uint8Array((exports["memory"] as WebAssembly.Memory).buffer);
    for (let at = 0; at < memory.length; at++) memory[at] = at % 251;
  }
}

const LENGTHS = [0, 1, 255, 256, 257, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1, 3 * CHUNK + 7];

Deno.test("memory.fill in chunks does as the engine, at every border", () => {
  const pair = makePair(MEMORY);
  for (const [index, length] of LENGTHS.entries()) {
    for (const start of [0, 5, MEMORY_BYTES - length, MEMORY_BYTES - length + 1]) {
      compare(pair, "fill", [start, index + 1, length]);
    }
  }
});

Deno.test("memory.copy in chunks does as the engine, apart and overlapping in both directions", () => {
  const pair = makePair(MEMORY);
  scatter(pair);
  for (const length of LENGTHS) {
    for (const distance of [1, 1_000, CHUNK - 1, CHUNK, CHUNK + 1]) {
      compare(pair, "copy", [distance, 0, length]);
      compare(pair, "copy", [3, 3 + distance, length]);
    }
    compare(pair, "copy", [9, 9, length]);
    compare(pair, "copy", [MEMORY_BYTES - length, 0, length]);
    compare(pair, "copy", [0, MEMORY_BYTES - length, length]);
  }
});

Deno.test("memory.fill and memory.copy out of bounds trap and write nothing", () => {
  const pair = makePair(MEMORY);
  scatter(pair);
  for (const length of [1, CHUNK, CHUNK + 1, MEMORY_BYTES, -1, -(2 ** 31)]) {
    const outside = MEMORY_BYTES - length + 1;
    compare(pair, "fill", [outside, 7, length]);
    compare(pair, "copy", [outside, 0, length]);
    compare(pair, "copy", [0, outside, length]);
    compare(pair, "fill", [-1, 7, length]);
    compare(pair, "copy", [-1, 0, length]);
    compare(pair, "copy", [0, -1, length]);
  }
});

Deno.test("memory.fill and memory.copy of 64-bit memories do as the engine, also where sums wrap", () => {
  const pair = makePair(MEMORY_64);
  scatter(pair);
  for (const length of [0n, 257n, BigInt(CHUNK) + 1n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n]) {
    for (const address of [0n, 100n, 2n ** 32n, 2n ** 64n - 1n, 2n ** 64n - length]) {
      compare(pair, "fill", [address, 3, length]);
      compare(pair, "copy", [address, 7n, length]);
      compare(pair, "copy", [7n, address, length]);
    }
  }
});

Deno.test("memory.copy between memories, of 32 and of 64 bits, does as the engine", () => {
  const pair = makePair(`(module
    (memory $a (export "memory") 16) (memory $b (export "other") i64 16)
    (func (export "there") (param i64 i32 i32) (memory.copy $b $a (local.get 0) (local.get 1) (local.get 2)))
    (func (export "back") (param i32 i64 i32) (memory.copy $a $b (local.get 0) (local.get 1) (local.get 2))))`);
  scatter(pair);
  for (const length of LENGTHS) {
    compare(pair, "there", [11n, 3, length]);
    compare(pair, "back", [200, 0n, length]);
    compare(pair, "there", [2n ** 64n - 1n, 3, length]);
    compare(pair, "back", [0, 2n ** 32n, length]);
  }
});

const TABLES = `(module
  (table $t (export "t") 1000 2000 externref) (table $u (export "u") 700 externref)
  (func (export "set") (param i32 externref) (table.set $t (local.get 0) (local.get 1)))
  (func (export "fill") (param i32 externref i32) (table.fill $t (local.get 0) (local.get 1) (local.get 2)))
  (func (export "move") (param i32 i32 i32) (table.copy $t $t (local.get 0) (local.get 1) (local.get 2)))
  (func (export "copy") (param i32 i32 i32) (table.copy $u $t (local.get 0) (local.get 1) (local.get 2)))
  (func (export "grow") (param externref i32) (result i32) (table.grow $t (local.get 0) (local.get 1))))`;

Deno.test("table.fill and table.copy in chunks do as the engine", () => {
  const pair = makePair(TABLES);
  for (let index = 0; index < 1_000; index++) compareOutcome(pair, "set", [index, index]);
  for (const length of [0, 1, CHUNK_ELEMENTS - 1, CHUNK_ELEMENTS, CHUNK_ELEMENTS + 1, 700, 701, -1]) {
    compare(pair, "move", [1, 0, length]);
    compare(pair, "move", [0, 3, length]);
    compare(pair, "move", [1_000 - length, 0, length]);
    compare(pair, "copy", [0, 5, length]);
    compare(pair, "copy", [700 - length + 1, 5, length]);
    compare(pair, "fill", [1_000 - length, length, length]);
    compare(pair, "fill", [1_001 - length, length, length]);
  }
});

/** Calls both, without a look at the whole state. */
function compareOutcome({ original, instrumented }: Pair, name: string, values: Numbers): void {
  const expected = outcome(original.exports, name, values);
  assert.deepEqual(outcome(instrumented.exports, name, values), expected, `${name}(${values})`);
}

Deno.test("table.init in chunks does as the engine, and traps before it writes when the segment is too short", () => {
  const names = Array.from({ length: 600 }, (_, index) => `$f${index % 3}`).join(" ");
  const pair = makePair(`(module
    (table $t (export "t") 1000 funcref)
    (func $f0 (export "f0")) (func $f1 (export "f1")) (func $f2 (export "f2"))
    (elem $e func ${names})
    (func (export "init") (param i32 i32 i32) (table.init $t $e (local.get 0) (local.get 1) (local.get 2)))
    (func (export "drop") (elem.drop $e)))`);
  const namesOf = ({ exports }: { readonly exports: WebAssembly.Exports }): string[] =>
    contents(exports["t"] as WebAssembly.Table).map((value) =>
      Object.keys(exports).find((name) => name !== "t" && exports[name] === value) ?? "null"
    );
  const check = (name: string, values: Numbers): void => {
    compareOutcome(pair, name, values);
    assert.deepEqual(namesOf(pair.instrumented), namesOf(pair.original), `after ${name}(${values})`);
  };
  for (const length of [0, 1, 256, 257, 513, 600, 601, -1]) {
    check("init", [0, 0, length]);
    check("init", [5, 600 - length, length]);
    check("init", [5, 601 - length, length]);
    check("init", [1_000 - length, 0, length]);
    check("init", [1_001 - length, 0, length]);
    check("init", [0, -1, length]);
  }
  compareOutcome(pair, "drop", []);
  check("init", [0, 0, 300]);
  check("init", [0, 0, 0]);
});

Deno.test("table.grow in chunks does as the engine, and fails as a whole", () => {
  const pair = makePair(TABLES);
  for (const count of [0, 1, 256, 257, -1, 487, 0, 1, -(2 ** 31)]) compare(pair, "grow", [count, count]);
});

Deno.test("a bulk operation is charged by its length, and none goes far without a check", () => {
  const used = (name: string, values: Numbers, text: string): { fuel: number; ticks: number } => {
    const { instrumented } = makePair(text);
    outcome(instrumented.exports, name, values);
    return { fuel: instrumented.fuelUsed(), ticks: instrumented.tickCount() };
  };
  assert.equal(used("fill", [0, 0, 256], MEMORY).fuel, 0);
  assert.equal(used("fill", [0, 0, 257], MEMORY).fuel, 16);
  assert.equal(used("fill", [0, 0, MEMORY_BYTES], MEMORY).fuel, MEMORY_BYTES / 16);
  assert.equal(used("fill", [0, 0, MEMORY_BYTES], MEMORY).ticks, MEMORY_BYTES / CHUNK);
  assert.equal(used("copy", [0, 1, CHUNK + 16], MEMORY).fuel, (CHUNK + 16) / 16);
  assert.equal(used("fill", [0, 0, 1_000], TABLES).fuel, 256_000);
  assert.equal(used("fill", [0, 0, 1_000], TABLES).ticks, 4);
  // table.grow itself costs 2,000 and more.
  assert.ok(used("grow", [0, 600], TABLES).fuel >= 600 * 256);
});

Deno.test("a length beyond everything is charged no more than fuel can bear", () => {
  const bytes = assemble(`(module
    (table $t i64 0 externref)
    (func (export "grow") (param i64) (result i64) (table.grow $t (ref.null extern) (local.get 0))))`);
  const instance = instantiateInstrumented(new WebAssembly.Module(instrumentModule(bytes, OPTIONS)), {});
  const grow = instance.exports["grow"] as Call;
  let before = 0;
  for (const count of [2n ** 37n - 2n ** 35n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 31n]) {
    assert.equal(grow(count), -1n);
    assert.ok(instance.fuelUsed() > before, `${count} costs something`);
    before = instance.fuelUsed();
  }
});
