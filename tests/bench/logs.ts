/**
 * `deno task bench:logs`: log lines per second, from the logger's call to the file or the reader, in one run.
 *
 * Prints for each row of log_rows.ts the medians of its rounds: lines a second by the clock and by the processor's time
 * of the whole process (on a machine that others use, only the second says something), and microseconds of the event
 * loop for a line. `--against FOLDER` measures another checkout in turn and prints the ratio of the loop's time.
 * Options: --rows WORD,WORD --rounds N --repeats N.
 */
import { parseArgs } from "node:util";
import config from "../../deno.json" with { type: "json" };
import { countLines, LINES, LOG_ROWS, measureBare, type Took } from "./log_rows.ts";
import { startBare } from "./servers.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const { values } = parseArgs({
  options: {
    against: { type: "string", default: "" },
    rows: { type: "string", default: [...LOG_ROWS.keys()].join(",") },
    rounds: { type: "string", default: "3" },
    repeats: { type: "string", default: "2" },
  },
});
const rounds = Number(values.rounds);

/** Runs a row with the code at `root`, in a process with the engine flags of `deno task serve`. */
async function runRow(word: string, root: string, folder: string, collector: string): Promise<Took[]> {
  const v8Flags = config.tasks.serve.command.split(" ").filter((flag) => flag.startsWith("--v8-flags"));
  const path = `${folder}/log`;
  const isRead = LOG_ROWS.get(word)?.isRead === true;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--allow-all", "--no-check", "--config", `${root}/deno.json`, ...v8Flags],
      ...[`${ROOT}tests/bench/log_rows.ts`, word, root, path, String(rounds), collector],
    ],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  using read = await Deno.open(`${folder}/read`, { write: true, create: true, truncate: true });
  const [stderr, , { success }] = await Promise.all([
    child.stderr.text(),
    child.stdout.pipeTo(read.writable),
    child.status,
  ]);
  if (!success) throw new Error(stderr);
  const expected = isRead ? LINES * (rounds + 1) : 0;
  const count = await countLines(`${folder}/read`);
  if (count !== expected) throw new Error(`${count} of ${expected} lines were read: ${stderr}`);
  return stderr.trim().split("\n").map((line) => JSON.parse(line) as Took);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
}

function write(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

function print(name: string, took: readonly Took[], against: readonly Took[] = []): void {
  const rate = (ms: (took: Took) => number): string =>
    Math.round(median(took.map((one) => LINES / ms(one) * 1000)) / 1000) + "k";
  const loopUs = (all: readonly Took[]): number => median(all.map((one) => one.loopMs)) * 1000 / LINES;
  const cells = [rate((one) => one.wallMs), rate((one) => one.cpuMs), loopUs(took).toFixed(2)];
  if (against.length > 0) cells.push(loopUs(against).toFixed(2), (loopUs(took) / loopUs(against)).toFixed(2));
  write(name.padEnd(72) + cells.map((cell) => cell.padStart(10)).join(""));
}

async function main(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tensor-wasm-bench-" });
  try {
    await using sink = await startBare("sink");
    const { against } = values;
    const heads = ["a second", "CPU second", "loop µs", ...(against === "" ? [] : ["against", "ratio"])];
    write("lines".padEnd(72) + heads.map((head) => head.padStart(10)).join(""));
    const bare = [1, 2, 3, 4].map(() => measureBare(`${folder}/bare`));
    // The first round is for the engine, here as in the rows.
    print("for scale: JSON.stringify to a file", bare.slice(1));
    for (const word of values.rows.split(",")) {
      const ours: Took[] = [];
      const theirs: Took[] = [];
      for (let repeat = 0; repeat < Number(values.repeats); repeat++) {
        if (against !== "") theirs.push(...await runRow(word, against, folder, sink.url));
        ours.push(...await runRow(word, ROOT.slice(0, -1), folder, sink.url));
      }
      print(LOG_ROWS.get(word)?.name ?? word, ours, theirs);
    }
    write(`load of the machine at the end: ${Deno.loadavg().map((load) => load.toFixed(1)).join(", ")}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

await main();
