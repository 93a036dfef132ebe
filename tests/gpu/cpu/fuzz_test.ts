/**
 * A short fuzz run over PTX, the same each time. `deno task fuzz:ptx` is the long one.
 */
import assert from "node:assert/strict";
import { createCpuDevice } from "../../../gpu/cpu/mod.ts";
import { PtxChecker } from "../../fuzz/ptx_check.ts";
import { makePool, mutatePtx } from "../../fuzz/ptx_mutations.ts";
import { readPtxSeeds } from "../../fuzz/ptx_seeds.ts";
import { Random } from "../ptx/generate/random.ts";

const SEED = 4_000;
const COUNT = 400;
const LAUNCH_EVERY = 4;

Deno.test(`${COUNT} mutants of kernels end in results or errors of the device, and nothing else`, async () => {
  const pool = makePool(readPtxSeeds(2_000, 4));
  using device = createCpuDevice({ programsMax: 1 });
  using checker = new PtxChecker(device);
  const ends = new Map<string, number>();
  for (let number = 0; number < COUNT; number++) {
    const text = mutatePtx(pool, new Random(SEED + number));
    const outcome = await checker.check(text, number % LAUNCH_EVERY === 0 ? "launch" : "load");
    assert.equal(outcome.finding, undefined, `seed ${SEED + number}`);
    for (const end of outcome.ends) ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  // If none ran, or none was refused, it would show nothing.
  for (const end of ["ran", "loaded", "refused: syntax"]) assert.ok((ends.get(end) ?? 0) > COUNT / 50, end);
});
