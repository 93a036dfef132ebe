/**
 * The long differential run: generated kernels compiled against interpreted.
 *
 * deno task differential --count 10000 --seed 1
 *
 * Owns the loop and the report; comparing is tests/gpu/ptx/differential.ts's. Invariant: kernel N of a run is
 * that of seed `--seed` + N, so that a difference is repeated by `--seed S --count 1`.
 */
import { parseArgs } from "node:util";
import { createCpuDevice } from "../../gpu/cpu/mod.ts";
import { compareGenerated } from "../gpu/ptx/differential.ts";

const PROGRESS_EVERY = 1_000;
const SHOWN_MAX = 50;

const { values } = parseArgs({
  options: { count: { type: "string", default: "10000" }, seed: { type: "string", default: "1" } },
});

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(line + "\n"));
}

async function problemsOf(seed: number, device: ReturnType<typeof createCpuDevice>): Promise<string[]> {
  try {
    return await compareGenerated(seed, device);
  } catch (error) {
    return [`seed ${seed}: ${error instanceof Error ? error.message : error}`];
  }
}

async function main(): Promise<number> {
  const first = Number(values.seed);
  const count = Number(values.count);
  using device = createCpuDevice({ programsMax: 1 });
  const startMs = performance.now();
  let different = 0;
  for (let index = 0; index < count; index++) {
    if (index > 0 && index % PROGRESS_EVERY === 0) print(`${index} of ${count}, ${different} differ`);
    const problems = await problemsOf(first + index, device);
    if (problems.length === 0) continue;
    if (++different <= SHOWN_MAX) { for (const problem of problems) print(problem); }
  }
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  print(`seeds ${first} to ${first + count - 1}: ${different} of ${count} kernels differ, ${seconds} s`);
  return different === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
