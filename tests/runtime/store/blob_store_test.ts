import assert from "node:assert/strict";
import { digestOf, isDigest } from "../../../runtime/store/blob_store.ts";

const PIECE_BYTES = 256 * 1024;

async function platformDigest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

Deno.test("digestOf() is the SHA-256 of FIPS 180-4 in lower-case hex", async () => {
  assert.equal(
    await digestOf(new TextEncoder().encode("abc")),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
  assert.equal(
    await digestOf(new Uint8Array()),
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  );
});

Deno.test("digestOf() agrees with the platform at both sides of a piece", async () => {
  const bytes = new Uint8Array(2 * PIECE_BYTES + 1).map((_, index) => index * 31);
  for (
    const length of [PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES, 2 * PIECE_BYTES + 1]
  ) {
    const part = bytes.slice(0, length);
    assert.equal(await digestOf(part), await platformDigest(part), `${length} bytes`);
  }
});

Deno.test("digestOf() gives other work a turn between pieces", async () => {
  let turns = 0;
  const count = (): void => {
    turns += 1;
    immediate = setImmediate(count);
  };
  let immediate = setImmediate(count);
  await digestOf(new Uint8Array(8 * PIECE_BYTES));
  clearImmediate(immediate);
  assert.ok(turns >= 6, `${turns} turns`);
});

Deno.test("isDigest() takes 64 lower-case hex digits and nothing else", () => {
  assert.equal(isDigest("0123456789abcdef".repeat(4)), true);
  for (
    const text of ["", "a".repeat(63), "a".repeat(65), "A".repeat(64), "g".repeat(64), `${"a".repeat(64)}\n`]
  ) {
    assert.equal(isDigest(text), false, JSON.stringify(text));
  }
});
