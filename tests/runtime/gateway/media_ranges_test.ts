import assert from "node:assert/strict";
import { findMediaRange } from "../../../runtime/gateway/media_ranges.ts";

const JSON_TYPE = "application/json";

for (
  const [accept, isFound] of [
    [undefined, false],
    ["", false],
    ["application/json", true],
    ["text/html, Application/JSON;q=0.1", true],
    ["application/json;q=0", false],
    ["application/json ; Q = 0.000", false],
    ["application/json;q=0.001", true],
    ["application/json-patch+json", false],
    ["application/*, */*", false],
    [";;,,=,application/json", true],
  ] as const
) {
  Deno.test(`findMediaRange() ${isFound ? "finds" : "does not find"} JSON in ${JSON.stringify(accept)}`, () => {
    assert.equal(findMediaRange(accept, JSON_TYPE) !== undefined, isFound);
  });
}

Deno.test("findMediaRange() has the parameters in one form", () => {
  const range = findMediaRange('text/event-stream; DATA = "base64" ;q=1', "text/event-stream");
  assert.deepEqual(range?.parameters, ["data=base64", "q=1"]);
});
