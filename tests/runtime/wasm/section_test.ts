import assert from "node:assert/strict";
import { CUSTOM_SECTIONS_MAX, readSections } from "../../../runtime/wasm/section.ts";
import { moduleOf, name, section } from "../../support/module_bytes.ts";

function refuses(bytes: Uint8Array, message: RegExp): void {
  assert.throws(() => readSections(bytes), { code: "invalid_wasm", message });
}

Deno.test("readSections() takes a module without sections", () => {
  assert.equal(readSections(moduleOf()).find("type"), undefined);
});

Deno.test("readSections() gives the content of a section without its header", () => {
  const reader = readSections(moduleOf(section(5, [1, 0, 1]))).find("memory");
  assert.equal(reader?.remaining, 3);
  assert.equal(reader?.offset, 10);
});

Deno.test("readSections() reads a module that lies inside a larger buffer", () => {
  const outer = new Uint8Array(32);
  outer.set(moduleOf(section(5, [1, 0, 1])), 3);
  assert.equal(readSections(outer.subarray(3, 16)).find("memory")?.remaining, 3);
});

Deno.test("readSections() takes every section in the prescribed order", () => {
  const order = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];
  readSections(moduleOf(...order.map((id) => section(id, [0]))));
});

Deno.test("readSections() refuses any two sections in the wrong order", () => {
  const order = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];
  for (const [rank, id] of order.entries()) {
    const later = order[rank + 1];
    if (later !== undefined) refuses(moduleOf(section(later, [0]), section(id, [0])), /out of order/);
  }
});

Deno.test("readSections() refuses a section that occurs twice, but not custom ones", () => {
  refuses(moduleOf(section(1, [0]), section(1, [0])), /at byte 11: a section occurs twice/);
  readSections(moduleOf(section(0, name("a")), section(0, name("a"))));
});

Deno.test("readSections() takes custom sections anywhere", () => {
  const custom = section(0, name("note"), [1, 2, 3]);
  readSections(moduleOf(custom, section(1, [0]), custom, section(11, [0]), custom));
});

Deno.test("readSections() refuses custom sections whose name is not UTF-8 or too long", () => {
  refuses(moduleOf(section(0, [1, 0xff])), /not UTF-8/);
  refuses(moduleOf(section(0, [2, 0x61])), /a name ends beyond its section/);
  refuses(moduleOf(section(0)), /unexpected end/);
});

Deno.test("readSections() takes the most custom sections and refuses one more", () => {
  const module = moduleOf();
  const bytes = new Uint8Array(8 + 3 * (CUSTOM_SECTIONS_MAX + 1));
  bytes.set(module);
  for (let at = 8; at < bytes.length; at += 3) bytes.set([0, 1, 0], at);
  readSections(bytes.subarray(0, bytes.length - 3));
  refuses(bytes, /custom sections limit is 100000, got 100001/);
});

Deno.test("readSections() refuses unknown section ids", () => {
  for (const id of [14, 15, 127, 255]) {
    refuses(moduleOf(section(id, [0])), /at byte 8: a section has an unknown id/);
  }
});

Deno.test("readSections() refuses a section that ends one byte beyond the module", () => {
  readSections(moduleOf([1, 1, 0]));
  refuses(moduleOf([1, 2, 0]), /at byte 8: a section ends beyond the module/);
});

Deno.test("readSections() refuses a section size that is no LEB128 of 32 bits", () => {
  refuses(moduleOf([1, 0xff, 0xff, 0xff, 0xff, 0x7f]), /unused bits/);
});

Deno.test("readSections() refuses headers that are short, foreign or of another version", () => {
  refuses(new Uint8Array(0), /a header has 8 bytes/);
  refuses(moduleOf().subarray(0, 7), /a header has 8 bytes/);
  refuses(new TextEncoder().encode("(module (func))"), /magic number/);
  refuses(Uint8Array.from([0, 0x61, 0x73, 0x6d, 2, 0, 0, 0]), /at byte 4: the version is not 1/);
});

Deno.test("readSections() says of a component that it is one", () => {
  refuses(Uint8Array.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]), /it is a component, not a core module/);
});
