/**
 * Runs everything that needs a GPU, and ends with `N passed, N failed` and a row for docs/gpu_validation.md.
 *
 * Owns the order of the files and a process for each: a kernel that does not end, or one after which the driver
 * wants a new process, is the last thing that its file does. Where there is no GPU the reason is printed and
 * nothing is counted. Options: --files a_test.ts,b_test.ts for some of them, --filter TEXT for some tests of each.
 * Invariants: a row is printed only for what ran on a device, all of it; a stand-in for the driver is none.
 */
import { CudaUnavailable } from "../../gpu/cuda/mod.ts";
import { placeOf } from "../gpu/hardware/place.ts";
import type { HardwarePlace } from "../gpu/hardware/place.ts";

const FILES = [
  "kernels_test.ts",
  "differential_test.ts",
  "guests_test.ts",
  "failing_kernels_test.ts",
  "contract_test.ts",
];
/** As long as one file may take, and as long as its process may take to end once it has reported. */
const FILE_MS = 400_000;
const END_MS = 15_000;

const print = (text: string): number => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));

interface Counts {
  passed: number;
  failed: number;
}

function option(name: string): string | undefined {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? undefined : Deno.args[at + 1];
}

async function runFile(file: string, filter: string | undefined): Promise<Counts> {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  const path = new URL(`../gpu/hardware/${file}`, import.meta.url).pathname;
  const args = ["test", "--allow-all", "--no-check", "--cached-only", `--junit-path=${report}`, path];
  if (filter !== undefined) args.push(`--filter=${filter}`);
  const child = new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" }, stdin: "null" }).spawn();
  const hasEnded = await endOf(child, report);
  const text = await Deno.readTextFile(report);
  await Deno.remove(report);
  const [suites = ""] = /<testsuites[^>]*>/.exec(text) ?? [];
  const count = (name: string): number => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(suites)?.[1] ?? "0");
  const failed = count("failures") + count("errors");
  const skipped = [...text.matchAll(/<skipped/g)].length;
  // A file that died without a report is one failure.
  if (suites === "") return { passed: 0, failed: 1 };
  if (!hasEnded) print(`${file}: the process did not end by itself and was killed`);
  return { passed: count("tests") - failed - skipped, failed };
}

/** Waits for a process; kills it if it takes too long, or does not end after its report. */
async function endOf(child: Deno.ChildProcess, report: string): Promise<boolean> {
  const startMs = performance.now();
  let reportedMs: number | undefined;
  let isOver = false;
  const over = child.status.then(() => isOver = true);
  while (!isOver) {
    await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 500))]);
    const nowMs = performance.now();
    if (reportedMs === undefined && (await Deno.stat(report)).size > 0) reportedMs = nowMs;
    const isLate = nowMs - startMs > FILE_MS || (reportedMs !== undefined && nowMs - reportedMs > END_MS);
    if (!isOver && isLate) {
      child.kill("SIGKILL");
      await over;
      return false;
    }
  }
  return true;
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
  const total: Counts = { passed: 0, failed: 0 };
  for (const file of files) {
    const counts = await runFile(file, filter);
    print(`${file}: ${counts.passed} passed, ${counts.failed} failed`);
    total.passed += counts.passed;
    total.failed += counts.failed;
  }
  const isAll = filter === undefined && FILES.every((file) => files.includes(file));
  if (isStandIn) print("no row: a stand-in for the driver is no device, and its numbers are none");
  else if (!isAll) print("no row: not all of it ran");
  else {
    const row = `${date.slice(0, 10)} | ${device} | ${driver}`;
    print(`| ${row} | test:gpu: ${total.passed} passed, ${total.failed} failed |`);
  }
  print(`${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

Deno.exit(await main());
