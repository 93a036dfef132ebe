import assert from "node:assert/strict";
import fc from "fast-check";
import { quoteJson } from "../../../telemetry/log/json_text.ts";

Deno.test("quoteJson() is read back as what was written", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assert.equal(JSON.parse(quoteJson(text)), text);
  }));
});

Deno.test("quoteJson() leaves no control character and no line end of any kind", () => {
  const all = Array.from({ length: 0x3000 }, (_, code) => String.fromCharCode(code)).join("");
  // deno-lint-ignore no-control-regex
  assert.equal(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(quoteJson(all)), false);
  assert.equal(JSON.parse(quoteJson(all)), all);
});

Deno.test("quoteJson() escapes lone surrogates", () => {
  assert.equal(quoteJson("\ud800"), '"\\ud800"');
});
