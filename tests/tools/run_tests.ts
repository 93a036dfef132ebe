/**
 * Runs the tests and ends with the plain line `N passed, N failed`.
 *
 * Arguments are handed to `deno test`, as one run. With none, everything under tests/ runs, room by room in the order
 * of what a test takes: those that need no process first, several files at a time; those that talk to gateways, two
 * files at a time; those that kill processes or load the machine, one file at a time. Counts come from the JUnit reports that the runner writes, so a run that executed nothing, or
 * died, is told from one that passed. Invariant: a folder of tests/ that is new runs, beside others.
 */

/** How many files of some rooms run at a time, at most; never more than there are cores. */
interface Group {
  readonly rooms: readonly string[];
  readonly jobsMax: number;
}

/** Each file has gateways of its own, of several processes each. */
const GATEWAYS: Group = { rooms: ["flow"], jobsMax: 2 };
const ALONE: Group = { rooms: ["corpus", "operations", "system"], jobsMax: 1 };
/** More files at a time would be a load that tests are not meant for. */
const JOBS_MAX = 4;

interface Counts {
  readonly passed: number;
  readonly skipped: number;
  /** `file: name` of each test that failed. */
  readonly failed: readonly string[];
  /** Whether something was run, all of it to its end, and nothing failed. */
  readonly isGood: boolean;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** The rooms of tests/ that have tests, as `deno test` takes them. */
function listRooms(): string[] {
  const hasTests = (folder: string): boolean =>
    [...Deno.readDirSync(folder)].some(({ name, isDirectory }) =>
      isDirectory ? hasTests(`${folder}/${name}`) : name.endsWith("_test.ts")
    );
  const names = [...Deno.readDirSync("tests")].filter(({ isDirectory }) => isDirectory).map(({ name }) =>
    name
  );
  return names.filter((name) => hasTests(`tests/${name}`)).sort();
}

/** Runs `deno test`; its output is ours. */
async function runTests(args: readonly string[], env: Record<string, string> = {}): Promise<Counts> {
  const reportPath = await Deno.makeTempFile({ suffix: ".xml" });
  const run = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", "--no-check", `--junit-path=${reportPath}`, ...args],
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).spawn().status;
  const report = await Deno.readTextFile(reportPath);
  await Deno.remove(reportPath);
  return readReport(report, run.success);
}

function readReport(report: string, isSuccess: boolean): Counts {
  const count = (name: string): number =>
    Number(new RegExp(`<testsuites[^>]*\\b${name}="(\\d+)"`).exec(report)?.[1] ?? "0");
  const skipped = [...report.matchAll(/<skipped/g)].length;
  const passed = count("tests") - count("failures") - count("errors") - skipped;
  const cases = report.matchAll(/<testcase name="([^"]*)" classname="([^"]*)"[^>]*>\s*<(?:failure|error)/g);
  const failed = [...cases].map(([, name = "", file = ""]) => `${file}: ${unescapeXml(name)}`);
  // A file that does not load, or a runner that died, is in no report.
  if (!isSuccess && failed.length === 0) failed.push("something outside of the tests, told above");
  return { passed, skipped, failed, isGood: isSuccess && passed > 0 };
}

function unescapeXml(text: string): string {
  const characters: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replace(/&(\w+);/g, (entity, name) => characters[name] ?? entity);
}

/** All rooms, and of each one what there is. */
async function runRooms(): Promise<Counts[]> {
  const named = new Set([...GATEWAYS.rooms, ...ALONE.rooms]);
  const others = listRooms().filter((room) => !named.has(room));
  const runs: Counts[] = [];
  for (const { rooms, jobsMax } of [{ rooms: others, jobsMax: JOBS_MAX }, GATEWAYS, ALONE]) {
    const jobs = Math.min(jobsMax, navigator.hardwareConcurrency);
    const paths = rooms.map((room) => `tests/${room}/`);
    runs.push(
      jobs === 1
        ? await runTests(paths)
        : await runTests(["--parallel", ...paths], { DENO_JOBS: String(jobs) }),
    );
  }
  return runs;
}

async function main(): Promise<number> {
  const runs = Deno.args.length > 0 ? [await runTests(Deno.args)] : await runRooms();
  const failed = runs.flatMap((run) => run.failed);
  const sum = (of: "passed" | "skipped"): number => runs.reduce((total, run) => total + run[of], 0);
  if (runs.length > 1) { for (const name of failed) print(`failed: ${name}`); }
  const skippedText = sum("skipped") > 0 ? `, ${sum("skipped")} skipped` : "";
  print(`${sum("passed")} passed, ${failed.length} failed${skippedText}`);
  return runs.every(({ isGood }) => isGood) ? 0 : 1;
}

Deno.exit(await main());
