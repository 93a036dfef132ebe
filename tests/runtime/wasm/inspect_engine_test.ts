// The engine as the oracle: agreement on every built guest, and on broken copies of them.
import assert from "node:assert/strict";
import fc from "fast-check";
import { RuntimeFault } from "../../../runtime/model/fault.ts";
import type { ExternKind, ModuleFacts } from "../../../runtime/model/module_facts.ts";
import { inspectModule } from "../../../runtime/wasm/inspect.ts";
import { readGuest, readManifest } from "../../support/guests.ts";
import { func, I32, moduleOf, name, section, vec } from "../../support/module_bytes.ts";

const SEED = 20_260_102;
const ENGINE_KINDS: Readonly<Record<ExternKind, string>> = {
  func: "function",
  table: "table",
  memory: "memory",
  global: "global",
  tag: "tag",
};

/** A module with every section and every form of type that the reader decodes, and that the engine accepts. */
const EVERYTHING = moduleOf(
  section(0, name("note"), [1, 2, 3]),
  section(
    1,
    vec(
      func(),
      func([I32, 0x6f], [I32]),
      [0x4e, ...vec([0x50, 0, 0x5f, 2, 0x63, 1, 1, 0x78, 0], [0x4f, 1, 2, 0x5f, 2, 0x63, 1, 1, 0x78, 0])],
      [0x5e, 0x77, 1],
      [0x60, 2, 0x63, 2, 0x64, 0x6e, 1, 0x7b],
    ),
  ),
  section(
    2,
    vec(
      [...name("env"), ...name("f"), 0, 1],
      [...name("env"), ...name("t"), 1, 0x70, 1, 1, 9],
      [...name("env"), ...name("m"), 2, 3, 1, 2],
      [...name("env"), ...name("g"), 3, 0x7e, 1],
      [...name("env"), ...name("e"), 4, 0, 0],
    ),
  ),
  section(3, [2, 0, 5]),
  section(4, vec([0x40, 0, 0x63, 0x70, 0, 3, 0xd2, 1, 0x0b], [0x6f, 5, 1, 0x80, 0x80, 0x80, 0x80, 0x20])),
  section(5, vec([1, 1, 4], [5, 0, 9])),
  section(13, vec([0, 0])),
  section(6, vec([I32, 0, 0x41, 7, 0x41, 8, 0x6a, 0x0b], [0x63, 4, 0, 0xfb, 8, 4, 0, 0x0b])),
  section(
    7,
    vec(
      [...name("imported"), 0, 0],
      [...name("run"), 0, 1],
      [...name("vector"), 0, 2],
      [...name("table"), 1, 2],
      [...name("memory"), 2, 1],
      [...name("global"), 3, 2],
      [...name("tag"), 4, 1],
    ),
  ),
  section(8, [1]),
  section(9, [1, 0, 0x41, 0, 0x0b, 1, 1]),
  section(12, [1]),
  section(10, vec([2, 0, 0x0b], [3, 0, 0, 0x0b])),
  section(11, [1, 1, 1, 0x61]),
);

function assertAgreement(bytes: Uint8Array<ArrayBuffer>, facts: ModuleFacts): void {
  const module = new WebAssembly.Module(bytes);
  assert.deepEqual(
    facts.imports.map((entry) => ({
      module: entry.module,
      name: entry.name,
      kind: ENGINE_KINDS[entry.kind],
    })),
    WebAssembly.Module.imports(module).map(({ module, name, kind }) => ({ module, name, kind })),
  );
  assert.deepEqual(
    facts.exports.map((entry) => ({ name: entry.name, kind: ENGINE_KINDS[entry.kind] })),
    WebAssembly.Module.exports(module).map(({ name, kind }) => ({ name, kind })),
  );
}

/** Facts, or undefined where the module is refused in the one way that it may be. */
function inspectOrRefuse(bytes: Uint8Array): ModuleFacts | undefined {
  try {
    return inspectModule(bytes);
  } catch (error) {
    assert.ok(error instanceof RuntimeFault, `not a RuntimeFault: ${error}`);
    assert.equal(error.code, "invalid_wasm");
    assert.match(error.message, /at byte \d+/);
    return undefined;
  }
}

Deno.test("inspectModule() agrees with the engine on every built guest", () => {
  for (const { name } of readManifest()) {
    const bytes = readGuest(name);
    assertAgreement(bytes, inspectModule(bytes));
  }
});

Deno.test("inspectModule() agrees with the engine on a module with every section and type", () => {
  assertAgreement(EVERYTHING, inspectModule(EVERYTHING));
});

Deno.test("inspectModule() gives exported functions as many parameters as the engine sees", () => {
  const names = readManifest().map((entry) => entry.name)
    .filter((name) => inspectModule(readGuest(name)).imports.length === 0 && !/^(spin|hostile_)/.test(name));
  assert.ok(names.length > 5);
  for (const name of names) {
    const bytes = readGuest(name);
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    for (const fact of inspectModule(bytes).exports) {
      const value = exports[fact.name];
      if (typeof value === "function") assert.equal(fact.type?.params.length, value.length, name);
    }
  }
});

Deno.test("inspectModule() answers every prefix of a module with facts or a fault", () => {
  for (const bytes of [EVERYTHING, readGuest("assembly_score"), readGuest("files")]) {
    for (let length = 0; length < bytes.length; length++) {
      inspectOrRefuse(bytes.subarray(0, length));
    }
  }
});

Deno.test("inspectModule() refuses every prefix that ends within a section", () => {
  const ends = new Set(sectionEnds(EVERYTHING));
  for (let length = 0; length < EVERYTHING.length; length++) {
    const facts = inspectOrRefuse(EVERYTHING.subarray(0, length));
    assert.equal(facts !== undefined, ends.has(length), `prefix of ${length} bytes`);
  }
});

/** Where sections end, for modules whose sections are shorter than 128 bytes; the header counts as one. */
function sectionEnds(bytes: Uint8Array): number[] {
  const ends = [8];
  for (let at = 8; at < bytes.length;) {
    const size = bytes[at + 1] ?? 0;
    assert.ok(size < 128);
    at += 2 + size;
    ends.push(at);
  }
  return ends;
}

const MUTATED: readonly Uint8Array<ArrayBuffer>[] = [
  EVERYTHING,
  ...["add", "catch_all_exit", "emit_chunks", "v128_result", "echo", "sha256"].map(readGuest),
];

/** Bytes to put at places, of which most are near the start, where the sections that are read lie. */
const edits = fc.array(
  fc.record({ place: fc.double({ min: 0, max: 1, noNaN: true }), byte: fc.integer({ min: 0, max: 255 }) }),
  { minLength: 1, maxLength: 4 },
);

Deno.test("inspectModule() answers mutated modules with facts or a fault, and accepts what the engine accepts", () => {
  fc.assert(
    fc.property(fc.constantFrom(...MUTATED), edits, (original, changes) => {
      const bytes = original.slice();
      for (const { place, byte } of changes) bytes[Math.floor(place ** 2 * (bytes.length - 1))] = byte;
      const facts = inspectOrRefuse(bytes);
      if (WebAssembly.validate(bytes)) {
        assert.ok(facts !== undefined, "the engine accepts this module");
        assertAgreement(bytes, facts);
      }
    }),
    { seed: SEED, numRuns: 3000 },
  );
});

Deno.test("inspectModule() answers random bytes behind a header with facts or a fault", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.integer({ min: 0, max: 14 }), (content, id) => {
      inspectOrRefuse(moduleOf([...content]));
      inspectOrRefuse(moduleOf(section(id, [...content])));
    }),
    { seed: SEED, numRuns: 2000 },
  );
});

Deno.test("inspectModule() agrees with the engine whether the type section of a mutant is well formed", () => {
  const types = section(1, [
    ...vec(func([I32], [I32]), [0x4e, 2, 0x50, 0, 0x5f, 1, 0x63, 1, 1, 0x4f, 1, 1, 0x5f, 1, 0x63, 1, 1]),
  ]);
  const original = moduleOf(types);
  fc.assert(
    fc.property(edits, (changes) => {
      const bytes = original.slice();
      for (const { place, byte } of changes) bytes[10 + Math.floor(place * (bytes.length - 10))] = byte;
      const facts = inspectOrRefuse(bytes);
      if (WebAssembly.validate(bytes)) assert.ok(facts !== undefined, "the engine accepts this module");
    }),
    { seed: SEED, numRuns: 3000 },
  );
});
