/** hash-wasm: some twenty small modules from clang, without a runtime library. */
import * as hashes from "hash-wasm";
import { sampleBytes } from "../inputs.ts";

export async function run(): Promise<unknown> {
  const results: Record<string, unknown> = {};
  const simple = [
    "adler32",
    "blake2b",
    "blake2s",
    "blake3",
    "crc32",
    "crc64",
    "keccak",
    "md4",
    "md5",
    "ripemd160",
    "sha1",
    "sha224",
    "sha256",
    "sha3",
    "sha384",
    "sha512",
    "sm3",
    "whirlpool",
    "xxhash32",
    "xxhash64",
    "xxhash3",
    "xxhash128",
  ] as const;
  for (const name of simple) {
    results[name] = await Promise.all([0, 1, 100, 20_000].map((length) => hashes[name](sampleBytes(length))));
  }
  const password = "pässword";
  const salt = sampleBytes(16);
  results["argon2id"] = await hashes.argon2id({
    password,
    salt,
    iterations: 2,
    memorySize: 64,
    parallelism: 2,
    hashLength: 32,
  });
  results["bcrypt"] = await hashes.bcrypt({ password, salt, costFactor: 4 });
  results["scrypt"] = await hashes.scrypt({
    password,
    salt,
    costFactor: 64,
    blockSize: 4,
    parallelism: 1,
    hashLength: 32,
  });
  return results;
}
