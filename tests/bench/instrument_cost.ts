/**
 * What instrumentation costs: `deno run --allow-all tests/bench/instrument_cost.ts`, also a part of
 * `deno task bench`. Prints a table and writes docs/bench/instrument_cost.json and .md.
 *
 * Every row is timed in processes of its own (instrument_row.ts), one with V8's usual tiers and one with its
 * baseline compiler alone. Options: --only WORD (rows whose name has the word), --quick (fewer runs, no baseline,
 * no files), --rounds N (processes per row; their median counts), --instrumenter PATH ("none": the module as it is).
 */
import { parseArgs } from "node:util";
import { COST_ROWS, type CostRow } from "./instrument_rows.ts";
import type { Ratios, RowResult } from "./instrument_row.ts";

/** A row of the table: the usual tiers, and the baseline compiler alone. */
interface Cost extends RowResult {
  readonly group: CostRow["group"];
  readonly baseline: Ratios | undefined;
}

interface Options {
  readonly only: string;
  readonly quick: boolean;
  readonly rounds: number;
  readonly instrumenter: string;
}

const CHILD = new URL("instrument_row.ts", import.meta.url).pathname;
const FOLDER = new URL("../../docs/bench/", import.meta.url);
const INSTRUMENTER = new URL("../../runtime/wasm/instrument.ts", import.meta.url).pathname;
/** Of a module whose instrumentation is worth a line. */
const TIMED_BYTES_MIN = 100_000;
const PAIRS = 120;
const PAIRS_QUICK = 40;

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

async function measureRow(row: CostRow, flags: readonly string[], options: Options): Promise<RowResult> {
  const pairs = String(options.quick ? PAIRS_QUICK : PAIRS);
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--allow-all",
      "--no-lock",
      ...flags,
      CHILD,
      row.name,
      pairs,
      options.instrumenter,
    ],
  }).output();
  if (!success) throw new Error(`Row "${row.name}" failed: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** The round in the middle by the ratio of best times. */
async function measureRounds(row: CostRow, options: Options): Promise<RowResult> {
  const results: RowResult[] = [];
  for (let round = 0; round < options.rounds; round++) results.push(await measureRow(row, [], options));
  const [middle] = results.sort((a, b) => a.called.best - b.called.best).slice(results.length >> 1);
  if (middle === undefined) throw new Error("No rounds");
  return middle;
}

async function measureCost(row: CostRow, options: Options): Promise<Cost> {
  const result = await measureRounds(row, options);
  const baseline = options.quick ? undefined : await measureRow(row, ["--v8-flags=--liftoff-only"], options);
  return { ...result, group: row.group, baseline: baseline?.called };
}

const COLUMNS: readonly { readonly title: string; readonly value: (cost: Cost) => number }[] = [
  { title: "called, median", value: (cost) => cost.called.median },
  { title: "called, best", value: (cost) => cost.called.best },
  { title: "suspending, median", value: (cost) => cost.suspending?.median ?? NaN },
  { title: "suspending, best", value: (cost) => cost.suspending?.best ?? NaN },
  { title: "baseline, best", value: (cost) => cost.baseline?.best ?? NaN },
  { title: "bytes", value: (cost) => cost.instrumentedBytes / cost.originalBytes },
];

function format(value: number): string {
  return Number.isNaN(value) ? "–" : value.toFixed(3);
}

function formatRow(cost: Cost): string {
  const values = COLUMNS.map(({ value }) => format(value(cost)));
  return `| ${cost.name} | ${cost.originalMs.toFixed(1)} | ${values.join(" | ")} | ${
    cost.ticksPerMs.toFixed(1)
  } |`;
}

/** A ratio below 1 is luck with the branch predictor or the layout of code, and makes up for no other row. */
function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(Math.max(1, value)), 0) / values.length);
}

function summarise(title: string, costs: readonly Cost[], reduce: (values: number[]) => number): string {
  const measured = COLUMNS.map(({ value }) => costs.map(value).filter((ratio) => !Number.isNaN(ratio)));
  const values = measured.map((ratios) => format(ratios.length === 0 ? NaN : reduce(ratios)));
  return `| **${title}** | | ${values.join(" | ")} | |`;
}

function formatTable(costs: readonly Cost[], options: Options): string {
  const mixed = costs.filter(({ group }) => group === "mixed");
  const lines = [
    `Deno ${Deno.version.deno}, V8 ${Deno.version.v8}, ${navigator.hardwareConcurrency} cores, ${Deno.build.arch}; ` +
    `${options.quick ? PAIRS_QUICK : PAIRS} interleaved runs each, ${options.rounds} process(es) per row. ` +
    "Time of the instrumented module divided by that of the original: tick called, tick through JSPI, and " +
    "V8's baseline compiler alone.",
    "",
    `| guest | original ms | ${COLUMNS.map(({ title }) => title).join(" | ")} | ticks/ms |`,
    `|---|--:|${"--:|".repeat(COLUMNS.length)}--:|`,
    ...mixed.map(formatRow),
  ];
  if (mixed.length > 0) {
    lines.push(summarise("geometric mean, below 1 as 1", mixed, geometricMean));
    lines.push(summarise("worst", mixed, (values) => Math.max(...values)));
  }
  lines.push(...costs.filter(({ group }) => group !== "mixed").map(formatRow));
  const [largest] = [...costs].sort((a, b) => b.originalBytes - a.originalBytes);
  if (largest !== undefined && largest.originalBytes >= TIMED_BYTES_MIN) {
    lines.push("", formatInstrumentation(largest));
  }
  return lines.join("\n");
}

function formatInstrumentation({ name, originalBytes, instrumentFirstMs, instrumentBestMs }: Cost): string {
  const megabytes = originalBytes / 1e6;
  return `Instrumenting the largest module, ${name} of ${megabytes.toFixed(2)} MB, took ` +
    `${instrumentFirstMs.toFixed(0)} ms in a new process (${
      (instrumentFirstMs / megabytes).toFixed(0)
    } ms/MB), ` +
    `${instrumentBestMs.toFixed(0)} ms warm (${(instrumentBestMs / megabytes).toFixed(0)} ms/MB).`;
}

/** Measures the rows, prints the table, and writes it unless rows or runs were left out. */
export async function benchInstrumentation(options: Options): Promise<void> {
  const costs: Cost[] = [];
  for (const row of COST_ROWS.filter(({ name }) => name.includes(options.only))) {
    try {
      const cost = await measureCost(row, options);
      say(formatRow(cost));
      costs.push(cost);
    } catch (error) {
      say(String(error));
      Deno.exitCode = 1;
    }
  }
  const table = formatTable(costs, options);
  say(`\n${table}`);
  if (options.quick || options.only !== "" || Deno.exitCode !== 0) return;
  await Deno.mkdir(FOLDER, { recursive: true });
  await Deno.writeTextFile(
    new URL("instrument_cost.md", FOLDER),
    `# Cost of instrumentation\n\nBy \`tests/bench/instrument_cost.ts\`. ${table}\n`,
  );
  await Deno.writeTextFile(
    new URL("instrument_cost.json", FOLDER),
    JSON.stringify({ deno: Deno.version, cores: navigator.hardwareConcurrency, costs }, null, 2) + "\n",
  );
}

/** What a run without options measures. */
export const DEFAULT_OPTIONS: Options = { only: "", quick: false, rounds: 1, instrumenter: INSTRUMENTER };

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string", default: "" },
      quick: { type: "boolean", default: false },
      rounds: { type: "string", default: "1" },
      instrumenter: { type: "string", default: INSTRUMENTER },
    },
  });
  const { only, quick, rounds, instrumenter } = values;
  const module = instrumenter === "none" ? instrumenter : await Deno.realPath(instrumenter);
  await benchInstrumentation({ only, quick, rounds: Number(rounds), instrumenter: module });
}

if (import.meta.main) await main();
