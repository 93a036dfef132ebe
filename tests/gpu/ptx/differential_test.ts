/**
 * Generated kernels, compiled and interpreted: both must leave the same memory. `deno task differential` runs
 * thousands.
 */
import assert from "node:assert/strict";
import { createCpuDevice } from "../../../gpu/cpu/mod.ts";
import { compareGenerated } from "./differential.ts";

const FIRST_SEED = 0;
const GROUPS = 10;
const SEEDS_IN_GROUP = 15;

const device = createCpuDevice();

for (let group = 0; group < GROUPS; group++) {
  const first = FIRST_SEED + group * SEEDS_IN_GROUP;
  Deno.test(`generated kernels of seeds from ${first} give compiled what they give interpreted`, async () => {
    for (let seed = first; seed < first + SEEDS_IN_GROUP; seed++) {
      assert.deepEqual(await compareGenerated(seed, device), [], `seed ${seed}`);
    }
  });
}
