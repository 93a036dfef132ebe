import assert from "node:assert/strict";
import { splitHeaderList } from "../../../telemetry/trace/header_list.ts";

Deno.test("splitHeaderList() takes spaces and tabs off and leaves other blanks on", () => {
  assert.deepEqual(splitHeaderList(" a\t,\tb b ,, \u00a0c"), ["a", "b b", "\u00a0c"]);
});

Deno.test("splitHeaderList() is linear in a long run of blanks", () => {
  const startMs = performance.now();
  assert.deepEqual(splitHeaderList(`a${" ".repeat(1_000_000)}b`).length, 1);
  // Linear work takes milliseconds, quadratic work minutes: whatever the machine, one is not the other.
  assert.ok(performance.now() - startMs < 10_000);
});
