/** What rows of bench:gpu are held against, and what is said of a stand-in. */
import assert from "node:assert/strict";
import { atLeast, atLeastTimes, atMost, atMostTimes, isMet, jsonOf, tableOf } from "./gpu_rows.ts";
import type { Place, Row } from "./gpu_rows.ts";

const PLACE: Place = { date: "2026-01-02T03:04:05Z", device: "GPU", driver: "CUDA 13.0", isStandIn: false };

function row(ours: number, target: Row["target"], value?: number): Row {
  const beside = value === undefined ? {} : { beside: { what: "C", value } };
  return { name: "launch", unit: "µs", ours, ...beside, ...(target === undefined ? {} : { target }) };
}

Deno.test("isMet() holds a value against a factor of another, or against a number", () => {
  assert.equal(isMet(row(3, atMostTimes(1.5), 2)), true);
  assert.equal(isMet(row(3.1, atMostTimes(1.5), 2)), false);
  assert.equal(isMet(row(8, atLeastTimes(0.8), 10)), true);
  assert.equal(isMet(row(7.9, atLeastTimes(0.8), 10)), false);
  assert.equal(isMet(row(0, atMost(0))), true);
  assert.equal(isMet(row(149_999, atLeast(150_000))), false);
  assert.equal(isMet(row(1, undefined)), undefined);
  assert.equal(isMet(row(1, atMostTimes(1.5))), undefined, "there is no other value");
  assert.equal(isMet(row(NaN, atLeast(1))), undefined);
});

Deno.test("tableOf() and jsonOf() tell the place, and hold no number of a stand-in against a target", () => {
  const rows = [row(3.1, atMostTimes(1.5), 2), { name: "HTTP", unit: "", ours: NaN, missing: "no gateway" }];
  assert.equal(
    tableOf(PLACE, rows),
    "2026-01-02 | GPU | CUDA 13.0\n" +
      "launch  3.100 µs  C 2.000, ×1.550  (target: ≤ ×1.5) NOT met\n" +
      "HTTP           -                   no gateway",
  );
  assert.equal(JSON.parse(jsonOf(PLACE, rows)).rows[0].met, false);
  const standIn = { ...PLACE, isStandIn: true };
  assert.match(tableOf(standIn, rows), /^.*measure nothing\n.*\(target: ≤ ×1\.5\)\n/);
  const json = JSON.parse(jsonOf(standIn, rows));
  assert.equal(json.rows[0].met, undefined);
  assert.match(json.warning, /measure nothing/);
});
