/**
 * instances: what a call costs a cell on a fresh instance, and on one that was made ahead or used before.
 *
 * Owns the processes, one per guest and variant, by turns, and the table. Run: `deno run -A
 * tests/bench/instances.ts [--guests a,b] [--variants a,b] [--rounds N] [--seconds N] [--semi-mib 0,2]`; 0 is the
 * engine's own size of the young generation. docs/decisions/0010-instances.md has its numbers from here.
 * Invariant: of each figure the best of all rounds counts, for other work on the machine only ever adds.
 */
import { parseArgs } from "node:util";
import { DEFAULT_LIMITS } from "../../runtime/model/limits.ts";
import type { LoadResult } from "./instance_load.ts";

/** The figures of a row: best of the rounds. `gcUs` is the pauses for garbage collection, per call. */
type Figures = Omit<LoadResult, "concurrency" | "calls" | "beginMs" | "endMs"> & { readonly gcUs: number };

interface Row {
  readonly guest: string;
  readonly variant: string;
  readonly semiMib: number;
  readonly rounds: Map<number, Figures[]>;
}

const { values } = parseArgs({
  options: {
    guests: { type: "string", default: "noop,noop_memory,fib,args_env,word_freq,sha256,image_filter,dprint" },
    variants: { type: "string", default: "cell,fresh,shared,ahead,reset,recycle" },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "1" },
    "semi-mib": { type: "string", default: "0" },
  },
});

/** As runtime/executor/spawn_cell.ts starts a cell, and with each collection printed. */
function v8Flags(semiMib: number): string {
  const stackKib = Math.ceil(DEFAULT_LIMITS.stackBytesMax / 1024);
  return [
    "--trace-gc",
    `--wasm-max-mem-pages=${DEFAULT_LIMITS.memoryBytesMax / 65_536}`,
    `--max-old-space-size=${DEFAULT_LIMITS.heapBytesMax / 2 ** 20}`,
    `--wasm-stack-switching-stack-size=${stackKib}`,
    `--stack-size=${stackKib}`,
    ...(semiMib === 0 ? [] : [`--max-semi-space-size=${semiMib}`]),
    // The engine starts small and grows; a larger one than its own is to be there from the start.
    ...(semiMib > 8 ? [`--min-semi-space-size=${semiMib}`] : []),
  ].join(",");
}

async function measure(row: Row): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--allow-all", `--v8-flags=${v8Flags(row.semiMib)}`],
      new URL("./instance_load.ts", import.meta.url).href,
      ...[row.guest, row.variant, values.seconds],
    ],
    stdout: "piped",
    stderr: "piped",
  });
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder().decode(stderr);
  if (code !== 0) throw new Error(`${row.guest} ${row.variant} failed: ${text}`);
  const pauses = readPauses(new TextDecoder().decode(stdout));
  for (const result of JSON.parse(text) as LoadResult[]) {
    const { concurrency, calls, beginMs, endMs, ...rest } = result;
    const inTime = pauses.filter(([atMs]) => atMs >= beginMs && atMs < endMs);
    const gcUs = inTime.reduce((sum, [, ms]) => sum + ms, 0) * 1000 / calls;
    const figures = row.rounds.get(concurrency) ?? [];
    row.rounds.set(concurrency, [...figures, { ...rest, gcUs }]);
  }
}

/** Time and length of each pause, in milliseconds: `... 61 ms: Scavenge 6.3 (..) -> 2.4 (..) MB, .. 0.11 / 0.00 ms`. */
function readPauses(text: string): [atMs: number, ms: number][] {
  return [...text.matchAll(/ (\d+) ms: [^\n]*?([\d.]+) \/ [\d.]+ ms/g)].map((
    [, at, ms],
  ) => [Number(at), Number(ms)]);
}

function best(figures: readonly Figures[], key: keyof Figures): number {
  const all = figures.map((figure) => figure[key]);
  return key === "rate" ? Math.max(...all) : Math.min(...all);
}

const COLUMNS: readonly (readonly [title: string, key: keyof Figures, digits: number])[] = [
  ["CPU µs", "cpuUs", 1],
  ["with refill", "cpuAllUs", 1],
  ["calls/s", "rate", 0],
  ["p50 µs", "p50Us", 0],
  ["p99", "p99Us", 0],
  ["p99.9", "p999Us", 0],
  ["max", "maxUs", 0],
  ["GC µs", "gcUs", 1],
  ["RSS MiB", "residentMib", 0],
];

function report(rows: readonly Row[]): string {
  const lines = [
    `| guest | calls at a time | variant | ${COLUMNS.map(([title]) => title).join(" | ")} |`,
    `|---|--:|---|${COLUMNS.map(() => "--:").join("|")}|`,
  ];
  const sorted = rows.flatMap((row) =>
    [...row.rounds].map(([concurrency, figures]) => ({ row, concurrency, figures }))
  )
    .sort((a, b) => a.row.guest.localeCompare(b.row.guest) || a.concurrency - b.concurrency);
  for (const { row, concurrency, figures } of sorted) {
    const cells = COLUMNS.map(([, key, digits]) => best(figures, key).toFixed(digits));
    const name = row.semiMib === 0 ? row.variant : `${row.variant}, semi ${row.semiMib}`;
    lines.push(`| ${row.guest} | ${concurrency} | ${name} | ${cells.join(" | ")} |`);
  }
  return lines.join("\n");
}

const rows: Row[] = values.guests.split(",").flatMap((guest) =>
  values["semi-mib"].split(",").flatMap((semiMib) =>
    values.variants.split(",").map((variant) => ({
      guest,
      variant,
      semiMib: Number(semiMib),
      rounds: new Map(),
    }))
  )
);
// Nothing to recycle where there is no memory.
const measured = rows.filter(({ guest, variant }) =>
  variant !== "recycle" || !["noop", "fib"].includes(guest)
);
for (let round = 0; round < Number(values.rounds); round++) {
  for (const row of measured) await measure(row);
}
Deno.stdout.writeSync(new TextEncoder().encode(`${report(measured)}\n`));
