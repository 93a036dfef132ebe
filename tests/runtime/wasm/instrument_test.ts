import assert from "node:assert/strict";
import { HOOKS, instrumentModule } from "../../../runtime/wasm/instrument.ts";
import type { InstrumentOptions } from "../../../runtime/wasm/instrument.ts";
import { inspectModule } from "../../../runtime/wasm/inspect.ts";
import { readSections } from "../../../runtime/wasm/section.ts";
import { assemble } from "../../support/assemble.ts";
import { instantiateInstrumented } from "../../support/instrumented.ts";
import { arrayNewDefault, arrayType, DROP, localGet } from "../../support/instructions.ts";
import { ModuleAssembler } from "../../support/module_assembler.ts";
import { func, I32, moduleOf, name, section, u, vec } from "../../support/module_bytes.ts";

const OPTIONS: InstrumentOptions = { memoryPagesMax: 16, tableElementsMax: 100 };

function instrument(text: string, options = OPTIONS): Uint8Array<ArrayBuffer> {
  const bytes = assemble(text);
  assert.ok(WebAssembly.validate(bytes), "the original is valid");
  return instrumentModule(bytes, options);
}

function refuses(bytes: Uint8Array, message: RegExp, code = "invalid_wasm"): void {
  assert.throws(() => instrumentModule(bytes, OPTIONS), { name: "RuntimeFault", code, message });
}

/** A module whose only function has `body`, which ends with `end`. */
function moduleWithBody(body: readonly number[], ...sections: readonly (readonly number[])[]): Uint8Array {
  const code = section(10, vec([...u(body.length + 1), 0, ...body]));
  return moduleOf(section(1, vec(func())), section(3, vec([0])), ...sections, code);
}

Deno.test("instrumentModule() exports fuel and tick of a module without anything", () => {
  const exports = WebAssembly.Module.exports(new WebAssembly.Module(instrumentModule(moduleOf(), OPTIONS)));
  assert.deepEqual(exports.map(({ name, kind }) => [name, kind]), [
    [HOOKS.fuel, "global"],
    [HOOKS.tick, "global"],
  ]);
});

Deno.test("instrumentModule() appends its exports behind those of the module", () => {
  const bytes = instrument(`(module (memory 1) (global (export "g") i32 (i32.const 1))
    (func $f (export "f")) (func $s) (start $s))`);
  const exports = WebAssembly.Module.exports(new WebAssembly.Module(bytes)).map(({ name }) => name);
  assert.deepEqual(exports, ["g", "f", HOOKS.fuel, HOOKS.tick, HOOKS.start, HOOKS.memory]);
});

Deno.test("instrumentModule() moves no index", () => {
  const { exports } = instantiateInstrumented(
    new WebAssembly.Module(instrument(`(module
      (import "e" "f" (func $imported (result i32)))
      (global $g (mut i32) (i32.const 5))
      (table funcref (elem $imported $own))
      (func $own (result i32) (global.get $g))
      (func (export "sum") (result i32)
        (i32.add (call_indirect (result i32) (i32.const 0)) (call_indirect (result i32) (i32.const 1)))))`)),
    { e: { f: () => 30 } },
  );
  assert.equal((exports["sum"] as () => number)(), 35);
});

Deno.test("instrumentModule() exports the start function instead of running it", () => {
  const module = new WebAssembly.Module(instrument(`(module
    (import "e" "started" (func $started)) (start $start) (func $start (call $started)))`));
  let startCount = 0;
  const instance = instantiateInstrumented(module, { e: { started: () => startCount++ } });
  assert.equal(startCount, 0);
  instance.start();
  assert.equal(startCount, 1);
});

Deno.test("instrumentModule() exports an imported start function and an imported memory too", () => {
  const bytes = instrument(`(module
    (import "e" "s" (func $s)) (import "e" "m" (memory 1)) (start $s))`);
  const exports = WebAssembly.Module.exports(new WebAssembly.Module(bytes)).map(({ name }) => name);
  assert.deepEqual(exports, [HOOKS.fuel, HOOKS.tick, HOOKS.start, HOOKS.memory]);
});

Deno.test("instrumentModule() lowers the maxima of memories and tables and never raises them", () => {
  const limits = (text: string): unknown[] => {
    const { memories, tables } = inspectModule(instrument(text));
    return [...memories.map(({ pagesMax }) => pagesMax), ...tables.map(({ elementsMax }) => elementsMax)];
  };
  assert.deepEqual(limits(`(module (memory 1) (table 1 funcref))`), [16, 100]);
  assert.deepEqual(limits(`(module (memory 1 15) (table 1 99 funcref))`), [15, 99]);
  assert.deepEqual(limits(`(module (memory 1 16) (table 1 100 funcref))`), [16, 100]);
  assert.deepEqual(limits(`(module (memory 1 17) (table 1 101 funcref))`), [16, 100]);
  assert.deepEqual(limits(`(module (memory i64 1 17) (table 1 externref) (table 2 3 funcref))`), [
    16,
    100,
    3,
  ]);
  assert.deepEqual(limits(`(module (memory i64 1))`), [16]);
});

Deno.test("instrumentModule() leaves imported memories and tables as they are", () => {
  const { memories, tables } = inspectModule(
    instrument(`(module (import "e" "m" (memory 1 1000)) (import "e" "t" (table 1 1000 funcref)))`),
  );
  assert.deepEqual([memories[0]?.pagesMax, tables[0]?.elementsMax], [1000, 1000]);
});

Deno.test("instrumentModule() keeps the initial value of a table", () => {
  // (table 2 funcref (ref.func 0))
  const table = section(4, vec([0x40, 0x00, 0x70, 0x00, 2, 0xd2, 0, 0x0b]));
  const exports = section(7, vec([...name("t"), 1, 0], [...name("f"), 0, 0]));
  const bytes = instrumentModule(moduleWithBody([0x0b], table, exports), OPTIONS);
  assert.equal(inspectModule(bytes).tables[0]?.elementsMax, 100);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const first = instance.exports["t"] as WebAssembly.Table;
  assert.equal(first.get(1), instance.exports["f"]);
});

Deno.test("instrumentModule() takes a minimum at the limit and refuses one above, naming limit and value", () => {
  instrument(`(module (memory 16) (table 100 funcref))`);
  const [code, limits] = ["module_memory_too_large", OPTIONS];
  assert.throws(() => instrument(`(module (memory 17))`, limits), {
    code,
    message: /memoryPagesMax is 16, got 17$/,
  });
  assert.throws(() => instrument(`(module (memory i64 17))`, limits), { code, message: /is 16, got 17$/ });
  assert.throws(() => instrument(`(module (table 101 funcref))`, limits), {
    code,
    message: /tableElementsMax is 100, got 101$/,
  });
});

Deno.test("instrumentModule() keeps custom sections where they were, but not those that hold offsets of code", () => {
  const custom = (text: string): number[] => section(0, name(text), [1, 2, 3]);
  const bytes = instrumentModule(
    moduleOf(
      custom("first"),
      section(1, vec(func())),
      custom("metadata.code.branch_hint"),
      custom(".debug_info"),
      custom("producers"),
      section(3, vec([0])),
      section(10, vec([2, 0, 0x0b])),
      custom("sourceMappingURL"),
      custom("name"),
    ),
    OPTIONS,
  );
  const kept = readSections(bytes).all.map(({ id, name }) => id === 0 ? name : id);
  assert.deepEqual(kept, ["first", 1, "producers", 3, 6, 7, 10, "name"]);
});

Deno.test("instrumentModule() refuses exports with a reserved name", () => {
  const exported = (text: string): Uint8Array => {
    const exports = section(7, vec([...name(text), 0, 0]));
    return moduleWithBody([0x0b], exports);
  };
  refuses(exported("tensor_wasm:"), /begins with tensor_wasm:/);
  refuses(exported(HOOKS.fuel), /begins with tensor_wasm:/);
  instrumentModule(exported("tensor_wasm"), OPTIONS);
});

Deno.test("instrumentModule() refuses shared memories and waiting on any memory", () => {
  refuses(assemble(`(module (memory 1 2 shared))`), /a memory is shared/);
  refuses(assemble(`(module (import "e" "m" (memory 1 2 shared)))`), /a memory is shared/);
  const wait = (type: string): Uint8Array =>
    assemble(`(module (memory 1) (func (result i32)
      (memory.atomic.wait${type} (i32.const 0) (i${type}.const 0) (i64.const 0))))`);
  refuses(wait("32"), /memory.atomic.wait is not supported/);
  refuses(wait("64"), /memory.atomic.wait is not supported/);
  const other = assemble(`(module (memory 1) (func (result i32) (i32.atomic.load (i32.const 0))))`);
  assert.ok(WebAssembly.validate(instrumentModule(other, OPTIONS)));
});

Deno.test("instrumentModule() refuses indices of code that only what it appends would make valid", () => {
  refuses(moduleWithBody([0x41, 0, 0x24, 0, 0x0b]), /a global index is out of range/);
  refuses(moduleWithBody([0x23, 0, 0x1a, 0x0b]), /a global index is out of range/);
  refuses(moduleWithBody([0x10, 1, 0x0b]), /a function index is out of range/);
  refuses(moduleWithBody([0x12, 1, 0x0b]), /a function index is out of range/);
  refuses(moduleWithBody([0xd2, 1, 0x1a, 0x0b]), /a function index is out of range/);
  instrumentModule(moduleWithBody([0x10, 0, 0x0b]), OPTIONS);
});

Deno.test("instrumentModule() takes the most types and refuses one more", () => {
  const typed = (count: number): Uint8Array =>
    moduleOf(section(1, u(count), Array.from({ length: count }, () => func()).flat()));
  assert.ok(WebAssembly.validate(instrumentModule(typed(49_999), OPTIONS)));
  refuses(typed(50_000), /types limit is 50000, got 50001$/);
});

Deno.test("instrumentModule() takes the most exports that are read", () => {
  const items = Array.from({ length: 100_000 }, (_, index) => [...name(String(index)), 0, 0]);
  const bytes = moduleWithBody([0x0b], section(7, u(items.length), items.flat()));
  assert.ok(WebAssembly.validate(instrumentModule(bytes, OPTIONS)));
});

Deno.test("instrumentModule() takes a body of the most bytes and refuses one that grows beyond", () => {
  // A function of `count` bytes, filled up with nop behind `code`.
  const body = (count: number, code: readonly number[]): Uint8Array => {
    const bytes = new Uint8Array(count).fill(0x01);
    bytes.set([0, ...code]);
    bytes[count - 1] = 0x0b;
    const head = [...u(1), ...u(count)];
    return concat(
      moduleOf(section(1, vec(func())), section(3, vec([0]))),
      Uint8Array.from([10, ...u(head.length + count), ...head]),
      bytes,
    );
  };
  refuses(body(7_654_322, []), /body bytes limit is 7654321, got 7654322$/);
  refuses(body(7_654_321, [0x10, 0]), /body bytes limit is 7654321, got 76543[2-9]\d$/);
  assert.ok(WebAssembly.validate(instrumentModule(body(7_654_280, [0x10, 0]), OPTIONS)));
});

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

Deno.test("instrumentModule() bounds locals times control instructions and nesting", () => {
  const nested = (depth: number): Uint8Array =>
    moduleWithBody([...new Array(depth).fill([0x02, 0x40]).flat(), ...new Array(depth).fill(0x0b), 0x0b]);
  assert.ok(WebAssembly.validate(instrumentModule(nested(10_000), OPTIONS)));
  refuses(nested(10_001), /nesting limit is 10000, got 10001$/);
  const merging = (locals: number, blocks: number): Uint8Array => {
    const body = [1, ...u(locals), I32, ...new Array(blocks).fill([0x02, 0x40, 0x0b]).flat(), 0x0b];
    return moduleOf(
      section(1, vec(func())),
      section(3, vec([0])),
      section(10, vec([...u(body.length), ...body])),
    );
  };
  instrumentModule(merging(20_000, 500), OPTIONS);
  refuses(merging(20_000, 501), /control instructions limit is 20000000, got 20040000$/);
});

Deno.test("instrumentModule() gives a function of the most locals no local of its own", () => {
  const body = (locals: number): Uint8Array => {
    const code = [1, ...u(locals), I32, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b];
    return moduleOf(
      section(1, vec(func())),
      section(3, vec([0])),
      section(10, vec([...u(code.length), ...code])),
    );
  };
  for (const locals of [49_998, 49_999, 50_000]) {
    const bytes = instrumentModule(body(locals), OPTIONS);
    assert.ok(WebAssembly.validate(bytes), `${locals}`);
  }
  refuses(body(50_001), /too many locals/);
});

Deno.test("instrumentModule() bounds the arrays that initial values make", () => {
  // (type (array (mut i8))) and (global (ref 1) (array.new_default 1 (i32.const n)))
  const withArray = (
    length: number,
    init: readonly number[] = [0x41, ...leb(length), 0xfb, 7, 1],
  ): Uint8Array =>
    moduleOf(section(1, vec(func(), [0x5e, 0x78, 1])), section(6, vec([0x64, 1, 0, ...init, 0x0b])));
  assert.ok(WebAssembly.validate(instrumentModule(withArray(1_000_000), OPTIONS)));
  refuses(withArray(1_000_001), /object fields limit is 1000000, got 1000001$/);
  refuses(
    withArray(0, [0x41, 1, 0x41, 1, 0x6a, 0xfb, 7, 1]),
    /object fields limit is 1000000, got Infinity$/,
  );
});

/** Signed LEB128 of a number that is not negative. */
function leb(value: number): number[] {
  const bytes = u(value);
  const last = bytes.at(-1) ?? 0;
  return last < 0x40 ? bytes : [...bytes.slice(0, -1), last | 0x80, 0];
}

Deno.test("instrumentModule() is the same for the same module and leaves the module as it is", () => {
  const bytes = assemble(`(module (func $f (export "f") (loop (br 0)) (call $f)))`);
  const before = bytes.slice();
  assert.deepEqual(instrumentModule(bytes, OPTIONS), instrumentModule(bytes, OPTIONS));
  assert.deepEqual(bytes, before);
});

Deno.test("instrumentModule() refuses both kinds of exceptions in one module, and takes either", () => {
  const legacy = [0x06, 0x40, 0x0b];
  const current = [0x1f, 0x40, 0, 0x0b];
  instrumentModule(moduleWithBody([...legacy, 0x0b]), OPTIONS);
  instrumentModule(moduleWithBody([...current, 0x0b]), OPTIONS);
  refuses(moduleWithBody([...legacy, ...current, 0x0b]), /mixes legacy and new exception handling/);
});

Deno.test("instrumentModule() traps where an array would be too large to be made at once", () => {
  const module = new ModuleAssembler();
  const array = module.type(arrayType(I32));
  const make = module.func(module.type(func([I32])), [], localGet(0), arrayNewDefault(array), DROP);
  module.export("make", "func", make);
  const bytes = instrumentModule(module.toBytes(), OPTIONS);
  const { exports, fuelUsed } = instantiateInstrumented(new WebAssembly.Module(bytes), {});
  const call = exports["make"] as (length: number) => void;
  call(2 * 1024 * 1024);
  assert.ok(fuelUsed() >= 8 * 2 * 1024 * 1024);
  assert.throws(() => call(2 * 1024 * 1024 + 1), /unreachable/);
  assert.throws(() => call(-1), /unreachable/);
});
