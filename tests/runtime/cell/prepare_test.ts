import assert from "node:assert/strict";
import { prepareBody } from "../../../runtime/cell/prepare.ts";
import { DEFAULT_LIMITS } from "../../../runtime/model/limits.ts";
import { readGuest } from "../../support/guests.ts";

function json(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

Deno.test("prepareBody() of JSON gives name, module and facts", () => {
  const bytes = readGuest("add");
  const prepared = prepareBody("json", json({ name: "a", wasm_b64: bytes.toBase64() }), DEFAULT_LIMITS);
  assert.equal(prepared.name, "a");
  assert.deepEqual(prepared.bytes, bytes);
  assert.ok(prepared.facts.exports.some((entry) => entry.name === "add"));
});

Deno.test("prepareBody() takes a module of exactly moduleBytesMax and refuses one byte less room", () => {
  const bytes = readGuest("add");
  prepareBody("wasm", bytes, { ...DEFAULT_LIMITS, moduleBytesMax: bytes.length });
  assert.throws(() => prepareBody("wasm", bytes, { ...DEFAULT_LIMITS, moduleBytesMax: bytes.length - 1 }), {
    code: "module_too_large",
    message: `Module is too large: moduleBytesMax is ${bytes.length - 1}, got ${bytes.length}`,
  });
});

Deno.test("prepareBody() takes a declared memory of exactly the limit and refuses a page more", () => {
  const bytes = readGuest("noop_memory");
  const memoryBytes = 17 * 65_536;
  prepareBody("wasm", bytes, { ...DEFAULT_LIMITS, memoryBytesMax: memoryBytes });
  assert.throws(
    () => prepareBody("wasm", bytes, { ...DEFAULT_LIMITS, memoryBytesMax: memoryBytes - 65_536 }),
    {
      code: "module_memory_too_large",
      message: `Module declares too much memory: memoryBytesMax is ${
        memoryBytes - 65_536
      }, got ${memoryBytes}`,
    },
  );
});

Deno.test("prepareBody() bounds the facts of a module", () => {
  const bytes = readGuest("add");
  assert.throws(() => prepareBody("wasm", bytes, { ...DEFAULT_LIMITS, factsBytesMax: 100 }), {
    code: "module_too_large",
    message: /factsBytesMax is 100, got \d+$/,
  });
});

Deno.test("prepareBody() names module, name and signature of an unknown import", () => {
  assert.throws(() => prepareBody("wasm", readGuest("unknown_import"), DEFAULT_LIMITS), {
    code: "invalid_wasm",
    message: /^Unknown import ".+\..+" \(.*\) -> \(.*\): no host module of that name is offered$/,
  });
});

Deno.test("prepareBody() names the signature that an import should have", () => {
  assert.throws(() => prepareBody("wasm", readGuest("bad_signature_import"), DEFAULT_LIMITS), {
    code: "invalid_wasm",
    message: /has the wrong signature: expected \(i32, i32, i32, i32\) -> \(i32\)$/,
  });
});
