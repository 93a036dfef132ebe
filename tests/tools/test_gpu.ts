/**
 * Runs everything that needs a GPU, and ends with `N passed, N failed` and a row for docs/gpu_validation.md.
 *
 * Owns the order of the files and a process for each. After some errors the driver wants a new process, and one
 * kernel that fails takes the primary context with it: a test that fails has a second try in a process of its own,
 * and is told apart if it passes there. Where there is no GPU the reason is printed and nothing is counted. Options:
 * --files a_test.ts,b_test.ts for some of them, --filter TEXT for some tests of each, --seconds N for all of it.
 * Invariants: a row is printed only for what ran on a device, all of it; a stand-in for the driver is none.
 */
import { CudaUnavailable } from "../../gpu/cuda/mod.ts";
import { placeOf } from "../gpu/hardware/place.ts";
import type { HardwarePlace } from "../gpu/hardware/place.ts";
import { parseReport } from "./junit.ts";
import type { ReportedTest } from "./junit.ts";

/** What fails on purpose comes last, and what does not end last of all. */
const FILES = [
  "kernels_test.ts",
  "guests_test.ts",
  "contract_test.ts",
  "differential_test.ts",
  "failing_kernels_test.ts",
  "contract_faults_test.ts",
];
/** As long as all of it may take unless said, one file, one test by itself, and a process after its report. */
const SECONDS = 540;
const FILE_MS = 240_000;
const ALONE_MS = 45_000;
/** So many that fail by themselves too: it is not the process. */
const ALONE_FAILED_MAX = 8;
const END_MS = 10_000;
/** A report of failures that fits on a screen. */
const FAILURES_TOLD_MAX = 60;
const MESSAGE_CHARS_MAX = 200;

const print = (text: string): number => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));

/** What came of a file. */
interface FileResult {
  readonly passed: number;
  /** Those of them that passed only in a process of their own. */
  readonly alone: readonly string[];
  readonly failed: readonly ReportedTest[];
  /** Whether there was no time for some of it. */
  readonly isCut: boolean;
}

function option(name: string): string | undefined {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? undefined : Deno.args[at + 1];
}

/** One process. Undefined if it left no report. */
async function runTests(
  file: string,
  filter: string | undefined,
  limitMs: number,
): Promise<readonly ReportedTest[] | undefined> {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  const path = new URL(`../gpu/hardware/${file}`, import.meta.url).pathname;
  const args = ["test", "--allow-all", "--no-check", "--cached-only", `--junit-path=${report}`, path];
  if (filter !== undefined) args.push(`--filter=${filter}`);
  const child = new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" }, stdin: "null" }).spawn();
  const hasEnded = await endOf(child, report, limitMs);
  const text = await Deno.readTextFile(report);
  await Deno.remove(report);
  if (!hasEnded) print(`${file}: the process did not end by itself and was killed`);
  return /<testsuites/.test(text) ? parseReport(text) : undefined;
}

/** Waits for a process; kills it if it takes too long, or does not end after its report. */
async function endOf(child: Deno.ChildProcess, report: string, limitMs: number): Promise<boolean> {
  const startMs = performance.now();
  let reportedMs: number | undefined;
  let isOver = false;
  const over = child.status.then(() => isOver = true);
  while (!isOver) {
    await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 500))]);
    const nowMs = performance.now();
    if (reportedMs === undefined && (await Deno.stat(report)).size > 0) reportedMs = nowMs;
    const isLate = nowMs - startMs > limitMs || (reportedMs !== undefined && nowMs - reportedMs > END_MS);
    if (!isOver && isLate) {
      child.kill("SIGKILL");
      await over;
      return false;
    }
  }
  return true;
}

/** A file, and each test of it that failed by itself, as long as there is time. */
async function runFile(file: string, filter: string | undefined, leftMs: () => number): Promise<FileResult> {
  const tests = await runTests(file, filter, Math.min(FILE_MS, leftMs()));
  if (tests === undefined) {
    // A process that died without a report is one failure.
    const died: ReportedTest = { name: file, result: "failed", message: "the process left no report" };
    return { passed: 0, alone: [], failed: [died], isCut: leftMs() <= 0 };
  }
  const passed = tests.filter(({ result }) => result === "passed").length;
  const alone: string[] = [];
  const failed: ReportedTest[] = [];
  let isCut = false;
  for (const test of tests.filter(({ result }) => result === "failed")) {
    if (leftMs() === 0) isCut = true;
    const isHopeless = isCut || failed.length >= ALONE_FAILED_MAX;
    const again = isHopeless
      ? undefined
      : await runTests(file, only(test.name), Math.min(ALONE_MS, leftMs()));
    // What the filter leaves out is in the report, too, as skipped.
    const own = again?.find(({ name }) => name === test.name);
    if (own?.result === "passed") alone.push(test.name);
    else failed.push(own?.result === "failed" ? own : test);
  }
  return { passed: passed + alone.length, alone, failed, isCut };
}

/** The filter that takes a test of this name and no other. */
function only(name: string): string {
  return `/^${name.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&")}$/`;
}

async function main(): Promise<number> {
  let place: HardwarePlace;
  try {
    place = placeOf();
  } catch (error) {
    if (!(error instanceof CudaUnavailable)) throw error;
    print(`skipped: ${error.message}`);
    return 0;
  }
  const { date, device, driver, isStandIn } = place;
  print(`${device} | ${driver}`);
  const [files, filter] = [option("files")?.split(",") ?? FILES, option("filter")];
  const endMs = performance.now() + 1000 * Number(option("seconds") ?? SECONDS);
  const leftMs = (): number => Math.max(0, endMs - performance.now());
  const results: FileResult[] = [];
  let isAll = filter === undefined && FILES.every((file) => files.includes(file));
  const lines: string[] = [];
  for (const file of files) {
    if (leftMs() === 0) {
      lines.push(`${file}: not run, the time was over`);
      isAll = false;
      continue;
    }
    const startMs = performance.now();
    const result = await runFile(file, filter, leftMs);
    const { passed, alone, failed, isCut } = result;
    results.push(result);
    isAll &&= !isCut;
    const own = alone.length === 0 ? "" : `, ${alone.length} of them in a process of their own`;
    const seconds = Math.round((performance.now() - startMs) / 1000);
    lines.push(`${file}: ${passed} passed${own}, ${failed.length} failed, ${seconds} s`);
    print(lines.at(-1) ?? "");
  }
  tellFailures(results);
  // Once more, together: what is above them is long.
  lines.forEach(print);
  const passed = results.reduce((sum, each) => sum + each.passed, 0);
  const failed = results.reduce((sum, each) => sum + each.failed.length, 0);
  const alone = results.reduce((sum, each) => sum + each.alone.length, 0);
  if (isStandIn) print("no row: a stand-in for the driver is no device, and its numbers are none");
  else if (!isAll) print("no row: not all of it ran");
  else {
    const own = alone === 0 ? "" : ` (${alone} in a process of their own)`;
    print(
      `| ${date.slice(0, 10)} | ${device} | ${driver} | test:gpu: ${passed} passed${own}, ${failed} failed |`,
    );
  }
  print(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

function tellFailures(results: readonly FileResult[]): void {
  const failed = results.flatMap((result) => result.failed);
  for (const { name, message } of failed.slice(0, FAILURES_TOLD_MAX)) {
    print(`failed: ${name}: ${message.slice(0, MESSAGE_CHARS_MAX)}`);
  }
  if (failed.length > FAILURES_TOLD_MAX) print(`failed: ${failed.length - FAILURES_TOLD_MAX} more`);
  for (const name of results.flatMap(({ alone }) => alone)) print(`in a process of its own: ${name}`);
}

Deno.exit(await main());
