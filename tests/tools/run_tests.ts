/**
 * Runs the tests and ends with the plain line `N passed, N failed`.
 *
 * Arguments are handed to `deno test`; with none, everything under tests/ runs. Counts come from the JUnit
 * report that the runner writes, so a run that executed nothing, or died, is told from one that passed.
 */
const reportPath = await Deno.makeTempFile({ suffix: ".xml" });
const paths = Deno.args.length > 0 ? Deno.args : ["tests/"];
const run = await new Deno.Command(Deno.execPath(), {
  args: ["test", "--allow-all", "--no-check", `--junit-path=${reportPath}`, ...paths],
  env: { NO_COLOR: "1" },
  stdin: "null",
}).spawn().status;

const report = await Deno.readTextFile(reportPath);
await Deno.remove(reportPath);
const count = (name: string): number =>
  Number(new RegExp(`<testsuites[^>]*\\b${name}="(\\d+)"`).exec(report)?.[1] ?? "0");
const failed = count("failures") + count("errors");
const skipped = [...report.matchAll(/<skipped/g)].length;
const passed = count("tests") - failed - skipped;
const skippedText = skipped > 0 ? `, ${skipped} skipped` : "";
await Deno.stdout.write(new TextEncoder().encode(`${passed} passed, ${failed} failed${skippedText}\n`));
Deno.exit(run.success && passed > 0 ? 0 : 1);
