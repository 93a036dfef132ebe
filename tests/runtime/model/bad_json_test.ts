/** What callers are told of JSON that is none. */
import assert from "node:assert/strict";
import { badJson } from "../../../runtime/model/bad_json.ts";

const TEXTS: readonly (readonly [text: string, told: string])[] = [
  ["{'export':'add'}", "Body is not JSON: wrong at line 1, column 2"],
  ['{\n  "args": [1,],\n}', "Body is not JSON"],
  ['{"args":[1', "Body is not JSON: wrong at line 1, column 11"],
  ["{\n  args: 1\n}", "Body is not JSON: wrong at line 2, column 3"],
  ["", "Body is not JSON: it ends too early"],
  ["secret", "Body is not JSON"],
];

for (const [text, told] of TEXTS) {
  Deno.test(`badJson() of ${JSON.stringify(text)} is ${told}`, () => {
    let message = "none";
    try {
      JSON.parse(text);
    } catch (error) {
      message = badJson("Body", error);
    }
    assert.equal(message, told);
  });
}

Deno.test("badJson() of what is no text", () => {
  assert.equal(badJson("Body", new TypeError("The encoded data was not valid")), "Body is not JSON in UTF-8");
});
