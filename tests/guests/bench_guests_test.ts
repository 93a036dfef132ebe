// The guests of the bench compute what they say: against figures reckoned here or by the platform.
import assert from "node:assert/strict";
import { readGuest, readManifest } from "../support/guests.ts";

function callGuest(name: string, exportName: string, argument: number): unknown {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readGuest(name)), {});
  const function_ = exports[exportName];
  assert.ok(typeof function_ === "function", `${name} exports ${exportName}`);
  return function_(argument);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

Deno.test("every bench guest imports nothing and returns the same value from every new instance", () => {
  for (const { name, exports } of readManifest().filter((entry) => entry.name.startsWith("bench_"))) {
    assert.deepEqual(WebAssembly.Module.imports(new WebAssembly.Module(readGuest(name))), [], name);
    for (const { name: exportName } of exports.filter(({ kind }) => kind === "func")) {
      assert.equal(callGuest(name, exportName, 2), callGuest(name, exportName, 2), `${name} ${exportName}`);
    }
  }
});

Deno.test("bench_sieve counts the primes below 262,144 once per round", () => {
  assert.equal(callGuest("bench_sieve", "run", 1), 23_000);
  assert.equal(callGuest("bench_sieve", "run", 3), 69_000);
});

Deno.test("bench_sha256 gives the first word of the platform's digest, round after round", async () => {
  let buffer = Uint8Array.from({ length: 16_384 }, (_, at) => at * 7);
  for (const rounds of [1, 2]) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", buffer));
    assert.equal(callGuest("bench_sha256", "run", rounds), new DataView(digest.buffer).getInt32(0));
    // The guest keeps its state as words, little-endian in memory.
    buffer = buffer.slice();
    for (let at = 0; at < 32; at++) buffer[at] = digest[at ^ 3] ?? 0;
  }
});

Deno.test("bench_qsort orders alike with its own sort and the C library's", () => {
  for (const rounds of [1, 2, 3, 7]) {
    assert.equal(callGuest("bench_qsort", "run", rounds), callGuest("bench_qsort", "run_libc", rounds));
  }
});

Deno.test("bench_interpreter's program sums the greatest common divisors below 100", () => {
  let sum = 0;
  let steps = 0;
  for (let a = 1; a < 100; a++) {
    for (let b = 1; b < 100; b++) {
      sum += greatestCommonDivisor(a, b);
      for (let [x, y] = [a, b]; y !== 0; [x, y] = [y, x % y]) steps += 5;
      steps += 6;
    }
    steps += 3;
  }
  assert.equal(callGuest("bench_interpreter", "run", 1), steps + 2 + sum);
});

Deno.test("bench_matmul at -O2 and -Os computes the same product", () => {
  assert.equal(callGuest("bench_matmul_f32", "run", 2), callGuest("bench_matmul_f32_os", "run", 2));
});

Deno.test("bench_json traps unless what it writes is what it read", () => {
  assert.equal(callGuest("bench_json", "run", 1), callGuest("bench_json", "run", 2));
});
