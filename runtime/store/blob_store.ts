/**
 * BlobStore: immutable bytes by their SHA-256, the one place where modules are kept.
 *
 * Owns the interface and the digest. It does not know who refers to a blob: the registry orders writes
 * and removals so that every record has its blob. Invariant: bytes that `get` returns hash to the digest
 * that was asked for, and what `put` acknowledged survives the loss of the process and of power.
 */
import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { invariant } from "../model/invariant.ts";

/** Content-addressed bytes. tests/contract/store_contract.ts is the full description of its behaviour. */
export interface BlobStore {
  /**
   * Stores `bytes` durably and returns their digest. Storing the same bytes again keeps one copy, and
   * repairs a damaged one. The caller leaves `bytes` unchanged until the promise settles.
   *
   * @throws RuntimeFault `internal` when the storage refuses
   */
  put(bytes: Uint8Array): Promise<string>;
  /**
   * The bytes of `digest`, checked against it; undefined when there are none. The array is the caller's.
   *
   * @throws RuntimeFault `internal` when the stored bytes are damaged or cannot be read
   */
  get(digest: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Whether a blob of that digest is there, without reading it. */
  has(digest: string): Promise<boolean>;
  /** Removes the blob; true when there was one. A loss of power may bring it back, unreferenced. */
  remove(digest: string): Promise<boolean>;
  /** The digests of all blobs, in no particular order. */
  list(): AsyncIterable<string>;
}

const PIECE_BYTES = 256 * 1024;
const DIGEST = /^[0-9a-f]{64}$/;

/**
 * The SHA-256 of `bytes` in lower-case hex.
 *
 * Large inputs are hashed in pieces with a turn of the event loop between them. `crypto.subtle` hashes on
 * another thread but copies its input on this one: at 64 MiB that held the event loop for 26-179 ms,
 * the pieces for at most 3 ms, and they were done sooner (35 ms against 63-216 ms).
 */
export async function digestOf(bytes: Uint8Array): Promise<string> {
  const hash = createHash("sha256");
  for (let offset = 0; offset < bytes.length; offset += PIECE_BYTES) {
    if (offset > 0) await nextTurn();
    hash.update(bytes.subarray(offset, offset + PIECE_BYTES));
  }
  return hash.digest("hex");
}

/** Whether `text` has the form of a digest. */
export function isDigest(text: string): boolean {
  return DIGEST.test(text);
}

/** Throws InvariantError unless `text` is a digest: only then may it become part of a path or a key. */
export function checkDigest(text: string): void {
  invariant(isDigest(text), "A blob was named by something that is not a digest");
}
