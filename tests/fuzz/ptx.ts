/**
 * The long fuzz run over PTX: mutants of real and generated kernels through the CPU device.
 *
 * deno task fuzz:ptx --count 1000000 --seed 1 [--bytes-max 20000] [--launch-every 20] [--only N] [--large]
 *
 * Owns the loop, the clock for hangs and the report. `--large` runs the kernels of large_kernels.ts at their full
 * size instead. Invariant: each mutant depends on the seed and its number only, so that a finding is repeated by
 * `--seed S --only N`.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { createCpuDevice } from "../../gpu/cpu/mod.ts";
import { LARGE_KERNELS } from "../gpu/cpu/large_kernels.ts";
import { Random } from "../gpu/ptx/generate/random.ts";
import { PtxChecker } from "./ptx_check.ts";
import type { PtxDepth } from "./ptx_check.ts";
import { makePool, mutatePtx } from "./ptx_mutations.ts";
import { readPtxSeeds } from "./ptx_seeds.ts";

/** More processor time than this, and a mutant counts as a hang. */
const HANG_MS = 4_000;
const FINDINGS_MAX = 50;
const PROGRESS_EVERY = 10_000;

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
    "bytes-max": { type: "string", default: "12000" },
    "launch-every": { type: "string", default: "10" },
    generated: { type: "string", default: "40" },
    large: { type: "boolean", default: false },
  },
});

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(line + "\n"));
}

function rssMib(): number {
  return Math.round(Deno.memoryUsage().rss / 2 ** 20);
}

/** Every mutant is compiled if its number is a multiple of `every` or it loads at the first try of ten. */
function depthOf(number: number, every: number): PtxDepth {
  return number % every === 0 ? "launch" : "load";
}

async function mutants(): Promise<number> {
  const pool = makePool(readPtxSeeds(Number(values["bytes-max"]), Number(values.generated)));
  const seed = Number(values.seed);
  const every = Number(values["launch-every"]);
  const first = Number(values.only ?? "0");
  const end = values.only === undefined ? Number(values.count) : first + 1;
  const ends = new Map<string, number>();
  const findings = new Map<string, number>();
  using device = createCpuDevice({ programsMax: 1 });
  using checker = new PtxChecker(device);
  const startMs = performance.now();
  let slowestMs = 0;
  for (let number = first; number < end && findings.size < FINDINGS_MAX; number++) {
    if (number > first && number % PROGRESS_EVERY === 0) {
      print(`${number} of ${end}, ${findings.size} kinds of findings, resident ${rssMib()} MiB`);
    }
    const text = mutatePtx(pool, new Random(Math.imul(seed, 0x0100_0193) ^ number));
    if (values.only !== undefined) Deno.writeTextFileSync("mutant.ptx", text);
    const before = process.cpuUsage();
    const outcome = await checker.check(text, values.only === undefined ? depthOf(number, every) : "launch");
    const { user, system } = process.cpuUsage(before);
    const tookMs = (user + system) / 1000;
    slowestMs = Math.max(slowestMs, tookMs);
    for (const each of outcome.ends) ends.set(each, (ends.get(each) ?? 0) + 1);
    const found = outcome.finding ?? (tookMs > HANG_MS ? `it took longer than ${HANG_MS} ms` : undefined);
    if (found === undefined) continue;
    if (!findings.has(found)) print(`FINDING --seed ${seed} --only ${number}: ${found}`);
    findings.set(found, (findings.get(found) ?? 0) + 1);
  }
  const seconds = (performance.now() - startMs) / 1000;
  print(
    `seed ${seed}: ${end - first} mutants in ${seconds.toFixed(0)} s, ${
      ((end - first) / seconds).toFixed(0)
    } a second`,
  );
  for (const [key, count] of [...ends].toSorted((a, b) => b[1] - a[1])) print(`  ${count}\t${key}`);
  for (const [key, count] of findings) print(`  FINDING ${count}\t${key}`);
  print(`slowest ${slowestMs.toFixed(0)} ms of processor time, resident ${rssMib()} MiB`);
  return findings.size === 0 ? 0 : 1;
}

async function large(): Promise<number> {
  using device = createCpuDevice({ programsMax: 1 });
  using checker = new PtxChecker(device);
  let isFine = true;
  for (const [name, make] of Object.entries(LARGE_KERNELS)) {
    const before = process.cpuUsage();
    const { ends, finding } = await checker.check(make(1), "launch");
    const { user, system } = process.cpuUsage(before);
    const seconds = ((user + system) / 1e6).toFixed(1);
    print(`${name}: ${finding ?? ends.at(-1)}, ${seconds} s of processor time, resident ${rssMib()} MiB`);
    isFine &&= finding === undefined;
  }
  return isFine ? 0 : 1;
}

if (import.meta.main) Deno.exit(await (values.large ? large() : mutants()));
