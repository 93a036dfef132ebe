/**
 * One run of one case in its own process: `child.ts <case> plain|instrumented|stopped`.
 *
 * Owns the report on standard output, one line after a mark, since packages may print. It installs the hook
 * before the case is imported, so that no package can hold on to the unpatched namespace. Invariant: the
 * report has the digest of the result, never the result's bytes.
 */
import { type ModuleRecord, withInstrumentation } from "./hook.ts";
import { digestOf } from "./digest.ts";

/** Stands before the report on its line. */
export const REPORT_MARK = "corpus-report:";

/** How a case is run. */
export type Mode = "plain" | "instrumented" | "stopped";

/** Few enough that every case of the test is stopped, many enough that it is in the middle of its work. */
const TICKS_BEFORE_STOP = 20;

/** What the test reads. */
export interface Report {
  /** Plain JSON; binary parts by length and SHA-256. */
  readonly result: unknown;
  readonly modules: readonly ModuleRecord[];
}

interface Case {
  run(): Promise<unknown>;
}

async function runCase(name: string): Promise<unknown> {
  const { run }: Case = await import(`./cases/${name}.ts`);
  return await run();
}

/** Runs a case whose guests are stopped soon; how the package takes it is its own affair. */
async function runStopped(name: string): Promise<string> {
  const unhandled = Promise.withResolvers<string>();
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    unhandled.resolve(`nobody awaited: ${event.reason}`);
  });
  const handled = runCase(name).then(() => "went on", (error) => String(error));
  return await Promise.race([handled, unhandled.promise]);
}

async function makeReport(name: string, mode: Mode): Promise<Report> {
  if (mode === "plain") return { result: await digestOf(await runCase(name)), modules: [] };
  const { result, records } = mode === "instrumented"
    ? await withInstrumentation(Infinity, () => runCase(name))
    : await withInstrumentation(TICKS_BEFORE_STOP, () => runStopped(name));
  return { result: await digestOf(result), modules: records };
}

if (import.meta.main) {
  const [name = "", mode = "plain"] = Deno.args;
  const report = await makeReport(name, toMode(mode));
  const line = new TextEncoder().encode(`\n${REPORT_MARK}${JSON.stringify(report)}\n`);
  for (let sent = 0; sent < line.length;) sent += await Deno.stdout.write(line.subarray(sent));
  Deno.exit(0);
}

function toMode(text: string): Mode {
  if (text === "plain" || text === "instrumented" || text === "stopped") return text;
  throw new Error(`Unknown mode "${text}"`);
}
