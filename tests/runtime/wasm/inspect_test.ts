import assert from "node:assert/strict";
import wabt from "wabt";
import type { ModuleFacts } from "../../../runtime/model/module_facts.ts";
import {
  EXTERNS_MAX,
  inspectModule,
  NAME_BYTES_MAX,
  SIGNATURE_VALUES_MAX,
} from "../../../runtime/wasm/inspect.ts";
import { func, I32, moduleOf, name, section, u, vec } from "../../support/module_bytes.ts";

const ASSEMBLER = await wabt();

/** The facts of a module in text form. */
function factsOf(text: string): ModuleFacts {
  const module = ASSEMBLER.parseWat("test.wat", text, {
    exceptions: true,
    memory64: true,
    threads: true,
    gc: true,
    function_references: true,
  });
  try {
    return inspectModule(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}

function refuses(bytes: Uint8Array, message: RegExp): void {
  assert.throws(() => inspectModule(bytes), { name: "RuntimeFault", code: "invalid_wasm", message });
}

Deno.test("inspectModule() finds nothing in an empty module", () => {
  const nothing = { imports: [], exports: [], memories: [], tables: [], hasStart: false };
  assert.deepEqual(inspectModule(moduleOf()), nothing);
});

Deno.test("inspectModule() lists imports of every kind in order, with the type of functions", () => {
  const facts = factsOf(`(module
    (import "a" "f" (func (param i32 i64) (result f32)))
    (import "a" "t" (table 1 2 funcref))
    (import "b" "m" (memory 1 3))
    (import "b" "g" (global (mut f64)))
    (import "" "e" (tag (param i32))))`);
  assert.deepEqual(facts.imports, [
    { module: "a", name: "f", kind: "func", type: { params: ["i32", "i64"], results: ["f32"] } },
    { module: "a", name: "t", kind: "table" },
    { module: "b", name: "m", kind: "memory" },
    { module: "b", name: "g", kind: "global" },
    { module: "", name: "e", kind: "tag" },
  ]);
  assert.deepEqual(facts.tables, [{ elementsMin: 1, elementsMax: 2, is64: false, imported: true }]);
  assert.deepEqual(facts.memories, [
    { pagesMin: 1, pagesMax: 3, shared: false, is64: false, imported: true },
  ]);
});

Deno.test("inspectModule() types exports through imported and defined functions", () => {
  const facts = factsOf(`(module
    (import "a" "f" (func $imported (param i64)))
    (func $unused (param f32))
    (func $defined (param i32) (result i32 f64) unreachable)
    (export "again" (func $imported))
    (export "own" (func $defined)))`);
  assert.deepEqual(facts.exports, [
    { name: "again", kind: "func", type: { params: ["i64"], results: [] } },
    { name: "own", kind: "func", type: { params: ["i32"], results: ["i32", "f64"] } },
  ]);
});

Deno.test("inspectModule() lists exports of every other kind in order", () => {
  const facts = factsOf(`(module
    (table (export "t") 0 externref)
    (memory (export "m") 1)
    (global (export "g") i32 (i32.const 1))
    (tag (export "e"))
    (func (export "f")))`);
  const kinds = facts.exports.map((entry) => [entry.name, entry.kind]);
  assert.deepEqual(kinds, [["t", "table"], ["m", "memory"], ["g", "global"], ["e", "tag"], ["f", "func"]]);
});

Deno.test("inspectModule() lists every memory, imported ones first, with its flags", () => {
  const facts = inspectModule(moduleOf(
    section(2, vec([...name("a"), ...name("m"), 2, 5, 1, 5])),
    section(5, vec([0, 0], [3, 2, 4])),
  ));
  assert.deepEqual(facts.memories, [
    { pagesMin: 1, pagesMax: 5, shared: false, is64: true, imported: true },
    { pagesMin: 0, shared: false, is64: false, imported: false },
    { pagesMin: 2, pagesMax: 4, shared: true, is64: false, imported: false },
  ]);
});

Deno.test("inspectModule() sees a start function", () => {
  assert.equal(factsOf(`(module (func $f) (start $f))`).hasStart, true);
  assert.equal(factsOf(`(module (func $f))`).hasStart, false);
});

Deno.test("inspectModule() folds every reference type into one word", () => {
  const facts = factsOf(`(module (func (export "f") (param externref funcref) (result exnref) unreachable))`);
  assert.deepEqual(facts.exports[0]?.type, { params: ["ref", "ref"], results: ["ref"] });
});

Deno.test("inspectModule() passes over tables with initial values", () => {
  const facts = inspectModule(moduleOf(
    section(1, vec(func())),
    section(3, [1, 0]),
    section(4, vec([0x40, 0, 0x63, 0x70, 1, 3, 9, 0xd2, 0, 0x0b], [0x70, 5, 1, ...u(2n ** 40n)])),
    section(10, [1, 2, 0, 0x0b]),
  ));
  assert.deepEqual(facts.tables, [
    { elementsMin: 3, elementsMax: 9, is64: false, imported: false },
    { elementsMin: 1, elementsMax: 2 ** 40, is64: true, imported: false },
  ]);
});

Deno.test("inspectModule() keeps names as the engine sees them, byte order mark included", () => {
  const bytes = moduleOf(section(5, [1, 0, 1]), section(7, vec([...name("\ufeffmém"), 2, 0])));
  assert.equal(inspectModule(bytes).exports[0]?.name, "\ufeffmém");
  assert.equal(WebAssembly.Module.exports(new WebAssembly.Module(bytes))[0]?.name, "\ufeffmém");
});

Deno.test("inspectModule() returns plain JSON data", () => {
  const facts = factsOf(`(module (import "a" "f" (func)) (memory 1) (func (export "f") (param i32)))`);
  assert.deepEqual(JSON.parse(JSON.stringify(facts)), facts);
});

Deno.test("inspectModule() refuses two exports of one name", () => {
  const memory = section(5, [1, 0, 1]);
  inspectModule(moduleOf(memory, section(7, vec([...name("a"), 2, 0], [...name("b"), 2, 0]))));
  const twice = section(7, vec([...name("a"), 2, 0], [...name("a"), 2, 0]));
  refuses(moduleOf(memory, twice), /at byte 20: two exports have the same name/);
});

Deno.test("inspectModule() refuses an export one beyond the last index of each kind", () => {
  const sections = [
    section(1, vec(func())),
    section(3, [1, 0]),
    section(4, [1, 0x70, 0, 0]),
    section(5, [1, 0, 1]),
    section(13, [1, 0, 0]),
    section(6, [1, I32, 0, 0x41, 0, 0x0b]),
  ];
  for (let kind = 0; kind < 5; kind++) {
    inspectModule(moduleOf(...sections, section(7, vec([...name("x"), kind, 0]))));
    refuses(moduleOf(...sections, section(7, vec([...name("x"), kind, 1]))), /index out of range/);
  }
});

Deno.test("inspectModule() refuses an unknown kind of import or export", () => {
  refuses(moduleOf(section(2, vec([0, 0, 5, 0]))), /unknown kind/);
  refuses(moduleOf(section(7, vec([0, 5, 0]))), /unknown kind/);
});

Deno.test("inspectModule() refuses functions and tags whose type is no function type", () => {
  const types = section(1, vec([0x5f, 0]));
  refuses(moduleOf(types, section(3, [1, 0])), /not of a function type/);
  refuses(moduleOf(types, section(13, [1, 0, 0])), /not of a function type/);
  refuses(moduleOf(types, section(2, vec([0, 0, 0, 0]))), /not of a function type/);
  refuses(moduleOf(types, section(3, [1, 1])), /a type index is out of range/);
});

Deno.test("inspectModule() refuses a start function that does not exist", () => {
  const functions = [section(1, vec(func())), section(3, [1, 0])];
  assert.equal(inspectModule(moduleOf(...functions, section(8, [0]))).hasStart, true);
  refuses(moduleOf(...functions, section(8, [1])), /the start function is out of range/);
});

Deno.test("inspectModule() refuses a section that is longer than its content", () => {
  for (const id of [1, 2, 3, 4, 5, 7, 13]) refuses(moduleOf(section(id, [0, 0])), /longer than its content/);
});

Deno.test("inspectModule() takes the most imports and exports and refuses one more", () => {
  const imports = Array<number[]>(EXTERNS_MAX).fill([0, 0, 3, I32, 0]);
  assert.equal(inspectModule(moduleOf(section(2, vec(...imports)))).imports.length, EXTERNS_MAX);
  refuses(moduleOf(section(2, u(EXTERNS_MAX + 1))), /imports limit is 100000, got 100001/);

  const exports = Array.from({ length: EXTERNS_MAX }, (_, index) => [...name(index.toString(36)), 2, 0]);
  const facts = inspectModule(moduleOf(section(5, [1, 0, 1]), section(7, vec(...exports))));
  assert.equal(facts.exports.length, EXTERNS_MAX);
  refuses(moduleOf(section(7, u(EXTERNS_MAX + 1))), /exports limit is 100000, got 100001/);
});

Deno.test("inspectModule() takes the most bytes of names and refuses one more", () => {
  // A name of n bytes counts with its length; 4 bytes of length here, and one for each empty name.
  const longest = NAME_BYTES_MAX - 5;
  const module = (length: number): Uint8Array => {
    const head = [1, ...u(length)];
    const content = new Uint8Array(head.length + length + 4);
    content.set(head);
    content.fill(0x61, head.length, head.length + length);
    content.set([0, 3, I32, 0], head.length + length);
    const prefix = [...moduleOf(), 2, ...u(content.length)];
    const bytes = new Uint8Array(prefix.length + content.length);
    bytes.set(prefix);
    bytes.set(content, prefix.length);
    return bytes;
  };
  assert.equal(inspectModule(module(longest)).imports[0]?.module.length, longest);
  refuses(module(longest + 1), /name bytes limit is 8388608, got 8388609/);
});

Deno.test("inspectModule() takes the most values of signatures and refuses one more", () => {
  const wide = section(1, vec(func(Array<number>(1000).fill(I32)), func([I32])));
  const imports = Array<number[]>(SIGNATURE_VALUES_MAX / 1000).fill([0, 0, 0, 0]);
  assert.equal(inspectModule(moduleOf(wide, section(2, vec(...imports)))).imports.length, 1000);
  const oneMore = section(2, vec(...imports, [0, 0, 0, 1]));
  refuses(moduleOf(wide, oneMore), /signature values limit is 1000000, got 1000001/);
});
