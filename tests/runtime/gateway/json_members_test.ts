import assert from "node:assert/strict";
import fc from "fast-check";
import { memberTexts } from "../../../runtime/gateway/json_members.ts";

const SEED = 20261121;

Deno.test("memberTexts() finds texts that parse to the values JSON.parse finds", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.constantFrom(undefined, 1, "\t"),
      (object, indent) => {
        const text = JSON.stringify(object, undefined, indent);
        const parsed = JSON.parse(text);
        const members = memberTexts(text);
        assert.deepEqual([...members.keys()].sort(), Object.keys(parsed).sort());
        for (const [name, source] of members) assert.deepEqual(JSON.parse(source), parsed[name]);
      },
    ),
    { seed: SEED, numRuns: 500 },
  );
});

Deno.test("memberTexts() keeps the source of numbers", () => {
  assert.equal(memberTexts('{ "a" : 1.50e+3 , "b":[ -0 ] }').get("a"), "1.50e+3");
});

Deno.test("memberTexts() takes the last of members with one name, escapes in names resolved", () => {
  assert.equal(memberTexts('{"args":1,"\\u0061rgs":2}').get("args"), "2");
});

Deno.test("memberTexts() of an empty object is empty", () => {
  assert.equal(memberTexts("{ }").size, 0);
});
