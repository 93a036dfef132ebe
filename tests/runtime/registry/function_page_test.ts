import assert from "node:assert/strict";
import { pageLimit, parseCursor, toCursor } from "../../../runtime/registry/function_page.ts";
import { aFunction } from "../../contract/store_contract.ts";
import { isFault } from "../store/is_fault.ts";

Deno.test("pageLimit() takes 1 to 1000 and is 100 by default", () => {
  assert.deepEqual([pageLimit(), pageLimit(1), pageLimit(1000)], [100, 1, 1000]);
  for (const limit of [0, 1001, -1, 1.5, NaN, Infinity]) {
    assert.throws(() => pageLimit(limit), isFault("bad_request", new RegExp(`1 to 1000, got ${limit}$`)));
  }
});

Deno.test("parseCursor() is the inverse of toCursor()", () => {
  const record = { ...aFunction({ createdUnixMs: 1_700_000_000_123 }), version: 1 };
  assert.deepEqual(parseCursor(toCursor(record)), { createdUnixMs: 1_700_000_000_123, id: record.id });
  assert.equal(encodeURIComponent(toCursor(record)), toCursor(record));
  assert.equal(parseCursor(undefined), undefined);
});

Deno.test("parseCursor() refuses what it did not make", () => {
  const { id } = aFunction();
  for (
    const cursor of ["", "1", "1_", `_${id}`, `1_${id}0`, `-1_${id}`, `${"1".repeat(16)}_${id}`, `1_${id}\n`]
  ) {
    assert.throws(() => parseCursor(cursor), isFault("bad_request", /^Page cursor is malformed$/), cursor);
  }
});
