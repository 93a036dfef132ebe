import assert from "node:assert/strict";
import { fault } from "../../../runtime/model/fault.ts";
import { InvariantError } from "../../../runtime/model/invariant.ts";
import { storageFailurePhrase, toStorageFault } from "../../../runtime/store/storage_failure.ts";

function withFields(fields: Record<string, unknown>): Error {
  return Object.assign(new Error("secret /host/path"), fields);
}

Deno.test("storageFailurePhrase() knows the codes of the operating system", () => {
  assert.equal(storageFailurePhrase(withFields({ code: "ENOSPC" })), "no space is left");
  assert.equal(storageFailurePhrase(withFields({ code: "EROFS" })), "the storage is read-only");
  assert.equal(storageFailurePhrase(withFields({ code: "EACCES" })), "access is denied");
});

Deno.test("storageFailurePhrase() knows SQLite's codes, plain and extended", () => {
  const sqlite = (errcode: number): Error => withFields({ code: "ERR_SQLITE_ERROR", errcode });
  assert.equal(storageFailurePhrase(sqlite(13)), "no space is left");
  assert.equal(storageFailurePhrase(sqlite(8)), "the storage is read-only");
  assert.equal(storageFailurePhrase(sqlite(11)), "the database is damaged");
  assert.equal(storageFailurePhrase(sqlite(10 | (3 << 8))), "the storage failed to read or write");
});

Deno.test("storageFailurePhrase() of anything else tells nothing", () => {
  for (
    const error of [withFields({}), withFields({ code: "E?" }), withFields({ errcode: 99 }), "text", null]
  ) {
    assert.equal(storageFailurePhrase(error), "the storage failed");
  }
});

Deno.test("storageFailurePhrase() looks through a fault to its cause", () => {
  const error = toStorageFault(withFields({ code: "EROFS" }), "Module could not be stored");
  assert.equal(storageFailurePhrase(error), "the storage is read-only");
});

Deno.test("toStorageFault() makes an internal fault with a public message and the cause", () => {
  const cause = withFields({ code: "ENOSPC" });
  const error = toStorageFault(cause, "Module could not be stored");
  assert.equal(error.message, "Module could not be stored: no space is left");
  assert.equal("code" in error && error.code, "internal");
  assert.equal(error.cause, cause);
});

Deno.test("toStorageFault() hands faults and broken invariants through", () => {
  for (const error of [fault("not_found", "No function x"), new InvariantError("bug")]) {
    assert.equal(toStorageFault(error, "Module could not be stored"), error);
  }
});
