/**
 * The generator's kernels: repeatable, free of races, and of every kind.
 *
 * Owns the promises that the differential test relies on, checked with the interpreter alone.
 */
import assert from "node:assert/strict";
import { parsePtx } from "../../../gpu/ptx/syntax/parser.ts";
import { generateKernel } from "./generate/kernel.ts";
import { interpretKernel } from "./interpreter/interpret.ts";

const SEEDS = Array.from({ length: 16 }, (_, index) => index);

Deno.test("generate: a seed gives one kernel, and different seeds different ones", () => {
  assert.equal(generateKernel(3).ptx, generateKernel(3).ptx);
  assert.deepEqual(generateKernel(3).initialMemory(), generateKernel(3).initialMemory());
  assert.equal(new Set(SEEDS.map((seed) => generateKernel(seed).ptx)).size, SEEDS.length);
});

Deno.test("generate: results depend on neither the order of threads nor the address of memory", () => {
  for (const seed of SEEDS) {
    const generated = generateKernel(seed, { hasMatrices: seed % 2 === 1 });
    const module = parsePtx(generated.ptx);
    const { kernel, grid, block, sharedBytes } = generated;
    const [first, second] = [false, true].map((isReversed) => {
      const memory = generated.initialMemory();
      const memoryBase = isReversed ? 0x1_0000n : 0x7f00_0000_0000n;
      const params = generated.params(memoryBase);
      const run = { module, kernel, grid, block, sharedBytes, params, memory, memoryBase, isReversed };
      assert.equal(interpretKernel({ ...run, fuelMax: 2_000_000 }).status, "ok", `seed ${seed}`);
      return memory;
    });
    for (const { name, offset, byteLength } of generated.outputs) {
      const part = (memory: Uint8Array | undefined): Uint8Array | undefined =>
        memory?.subarray(offset, offset + byteLength);
      assert.deepEqual(part(first), part(second), `seed ${seed}: ${name}`);
    }
  }
});

Deno.test("generate: all forms of control flow and exchange occur among a few hundred seeds", () => {
  const text = Array.from({ length: 300 }, (_, seed) => generateKernel(1000 + seed).ptx).join("\n");
  const words = [
    "brx.idx",
    "bar.sync",
    "bar.red",
    "shfl.sync",
    "vote.sync",
    "redux.sync",
    "call (",
    "call.uni",
    ".callprototype",
    "atom.global.cas",
    "red.shared",
    "fma.rm.f64",
    "ld.local",
    "madc.hi",
    "f16x2",
    "exit;",
    "ld.const",
  ];
  assert.deepEqual(words.filter((word) => !text.includes(word)), []);
});
