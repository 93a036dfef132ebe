/**
 * Runs everything that needs a GPU, and ends with `N passed, N failed` and a row for docs/gpu_validation.md.
 *
 * Owns the order of the files and a process for each: a kernel that does not end, or one after which the driver
 * wants a new process, is the last thing that its file does. Where there is no GPU the reason is printed and
 * nothing is counted. Invariant: a row is printed only for what ran on a device.
 */
import { CudaUnavailable } from "../../gpu/cuda/mod.ts";
import { openHardware } from "../gpu/hardware/hardware.ts";

const FILES = ["kernels_test.ts", "differential_test.ts", "failing_kernels_test.ts", "contract_test.ts"];
/** As long as one file may take, and as long as its process may take to end once it has reported. */
const FILE_MS = 400_000;
const END_MS = 15_000;

const print = (text: string): number => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));

interface Counts {
  passed: number;
  failed: number;
}

function deviceLine(): string {
  using device = openHardware();
  const { name, computeCapability: { major, minor } } = device.info;
  return `${name} (sm_${major}${minor}) | ${driverText()}CUDA ${device.driverVersion.major}.${device.driverVersion.minor}`;
}

/** The version of the kernel module, where the host tells it. */
function driverText(): string {
  try {
    const text = Deno.readTextFileSync("/proc/driver/nvidia/version");
    const version = /\b(\d{3}\.\d+(?:\.\d+)*)\b/.exec(text)?.[1];
    return version === undefined ? "" : `${version}, `;
  } catch {
    return "";
  }
}

async function runFile(file: string): Promise<Counts> {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  const path = new URL(`../gpu/hardware/${file}`, import.meta.url).pathname;
  const args = ["test", "--allow-all", "--no-check", "--cached-only", `--junit-path=${report}`, path];
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
  let device: string;
  try {
    device = deviceLine();
  } catch (error) {
    if (!(error instanceof CudaUnavailable)) throw error;
    print(`skipped: ${error.message}`);
    return 0;
  }
  print(device);
  const total: Counts = { passed: 0, failed: 0 };
  for (const file of FILES) {
    const counts = await runFile(file);
    print(`${file}: ${counts.passed} passed, ${counts.failed} failed`);
    total.passed += counts.passed;
    total.failed += counts.failed;
  }
  const day = new Date().toISOString().slice(0, 10);
  print(`| ${day} | ${device} | test:gpu: ${total.passed} passed, ${total.failed} failed |`);
  print(`${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

Deno.exit(await main());
