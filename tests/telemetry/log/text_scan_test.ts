import assert from "node:assert/strict";
import fc from "fast-check";
import { quoteJson } from "../../../telemetry/log/json_text.ts";
import { takeOut } from "../../../telemetry/log/scrub.ts";
import { CLEAN, MAY_HIDE, NEEDS_ESCAPING, scanText } from "../../../telemetry/log/text_scan.ts";
import { suspectText } from "./suspect_texts.ts";

const RUNS = 20_000;

Deno.test("scanText() says of no text that it hides nothing when scrubbing would change it", () => {
  let changed = 0;
  fc.assert(
    fc.property(suspectText, (text) => {
      if (takeOut(text) === text) return;
      changed += 1;
      assert.equal(scanText(text) & MAY_HIDE, MAY_HIDE, JSON.stringify(text));
    }),
    { numRuns: RUNS },
  );
  assert.ok(changed > RUNS / 20, `only ${changed} texts had something in them`);
});

Deno.test("scanText() says of no text that it is clean when JSON has to escape it", () => {
  let clean = 0;
  const texts = fc.oneof(suspectText, fc.string(), fc.string({ unit: "binary" }));
  fc.assert(
    fc.property(texts, (text) => {
      if (scanText(text) !== CLEAN) return;
      clean += 1;
      assert.equal(quoteJson(text), `"${text}"`);
      assert.equal(JSON.stringify(text), `"${text}"`);
    }),
    { numRuns: RUNS },
  );
  assert.ok(clean > RUNS / 20, `only ${clean} texts were clean`);
});

for (
  const text of [
    "",
    "POST",
    "/functions/0d9f8f34-7c1e-4b7a-9a52-0123456789ab/invoke",
    "/functions/:id/invoke",
    "a guest says something of middling length, as guests do",
    "Call did not finish within its deadline, deadline_ms is 300",
    "took 12:34:56, key: value, task_id-7, a = 3; basic",
    "really?",
    "really? yes",
  ]
) {
  Deno.test(`scanText() has ${JSON.stringify(text)} for clean`, () => assert.equal(scanText(text), CLEAN));
}

Deno.test("scanText() tells what is to be escaped", () => {
  const escaped = ['"', "\\", "\n", "\u0000", "\u001f", "\u007f", "\u0080", "\u2028", "é", "\ud800", "a\tb"];
  for (const text of escaped) assert.equal(scanText(text), NEEDS_ESCAPING, JSON.stringify(text));
  for (const text of [" ", "!", "#", "[", "]", "~"]) assert.equal(scanText(text), CLEAN, text);
});
