/**
 * The long fuzz run: mutants of all seeds through reader and instrumenter.
 *
 * deno run -A tests/fuzz/mutate.ts --count 1000000 --seed 1 [--bytes-max 50000] [--run]
 *
 * Owns the loop, the clock for hangs and the report. With --run, mutants that the engine takes are run as well,
 * original against instrumented. Invariant: each mutant depends on the seed and its number only, so that a
 * finding is repeated by `--seed S --only N`.
 */
import { parseArgs } from "node:util";
import { Choices } from "../runtime/wasm/generate/choices.ts";
import { checkMutant } from "./mutant_check.ts";
import { runMutant } from "./mutant_run.ts";
import { mutate } from "./mutations.ts";
import { readSeeds } from "./seeds.ts";

/** Longer than this, and a mutant counts as a hang. */
const HANG_MS = 2000;
const FINDINGS_MAX = 50;
const PROGRESS_EVERY = 50_000;

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
    "bytes-max": { type: "string", default: "50000" },
    out: { type: "string" },
    run: { type: "boolean", default: false },
  },
});

/** The mutant of a number. */
function mutantOf(seeds: readonly Uint8Array[], seed: number, number: number): Uint8Array<ArrayBuffer> {
  const choices = new Choices(Math.imul(seed, 0x01000193) ^ number);
  return mutate(choices.pick(seeds), choices, choices.pick(seeds));
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(line + "\n"));
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function printCounts(title: string, counts: ReadonlyMap<string, number>): void {
  print(title);
  for (const [key, count] of [...counts].toSorted((a, b) => b[1] - a[1]).slice(0, 60)) {
    print(`  ${count}\t${key}`);
  }
}

function main(): number {
  const seeds = readSeeds({ bytesMax: Number(values["bytes-max"]), withHostile: !values.run });
  const seed = Number(values.seed);
  const first = Number(values.only ?? "0");
  const end = values.only === undefined ? Number(values.count) : first + 1;
  const ends = new Map<string, number>();
  const reasons = new Map<string, number>();
  const findings = new Map<string, number>();
  let slowestMs = 0;
  for (let number = first; number < end; number++) {
    if (number > first && number % PROGRESS_EVERY === 0) {
      const rssMib = Math.round(Deno.memoryUsage().rss / 2 ** 20);
      print(`${number} of ${end}, ${findings.size} kinds of findings, resident ${rssMib} MiB`);
    }
    const bytes = mutantOf(seeds, seed, number);
    const begin = performance.now();
    const result = checkMutant(bytes);
    const tookMs = performance.now() - begin;
    slowestMs = Math.max(slowestMs, tookMs);
    const found: string[] = "finding" in result ? [result.finding] : [];
    if (tookMs > HANG_MS) found.push(`it took longer than ${HANG_MS} ms`);
    if ("end" in result) {
      add(ends, result.end);
      if (result.reason !== "") add(reasons, `${result.end}: ${result.reason}`);
      if (values.run && result.output !== undefined) {
        const ran = runMutant(bytes, result.output);
        add(ends, ran.end);
        if (ran.finding !== undefined) found.push(ran.finding);
      }
    }
    for (const finding of found) {
      if (!findings.has(finding)) {
        print(`FINDING --seed ${seed} --only ${number}, ${bytes.length} bytes: ${finding}`);
        if (values.out !== undefined) Deno.writeFileSync(`${values.out}/${seed}_${number}.wasm`, bytes);
      }
      add(findings, finding);
    }
    if (values.only !== undefined) {
      print(JSON.stringify(result, (key, value) => key === "output" ? 0 : value));
    }
    if (findings.size >= FINDINGS_MAX) break;
  }
  printCounts("ends", ends);
  printCounts("reasons", reasons);
  printCounts("findings", findings);
  print(`slowest mutant ${slowestMs.toFixed(1)} ms`);
  return findings.size === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(main());
