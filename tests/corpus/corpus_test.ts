/**
 * Real modules: what a package's own API answers must not change when its modules are instrumented.
 *
 * Each case of cases/ runs twice, plain and instrumented, in processes of its own, because packages keep their
 * instance for life. A case proves nothing unless modules were compiled and their checks ran, so that is asserted
 * as well. Some run a third time and are stopped in the middle: then nothing of the module may run on, however
 * the package takes it. Sizes and times are printed, not judged. A child has no network, writes and starts nothing.
 * About 25 s on two cores, most of it compilers at work on some 70 MB of modules.
 */
import assert from "node:assert/strict";
import { type Mode, type Report, REPORT_MARK } from "./child.ts";
import type { ModuleRecord } from "./hook.ts";

const CHILD_MS_MAX = 180_000;
/** Cases whose modules are only compiled: nothing of theirs runs for long enough to use up its fuel. */
const COMPILED_ONLY = new Set(["wasm_feature_detect"]);
/** What the corpus is for: if a package is dropped, none of these may be left without a module. */
// deno-fmt-ignore
const FEATURES = [
  "bulk-memory", "exceptions", "exnref", "gc", "imported-memory", "imported-table", "legacy-exceptions",
  "memory64", "multi-memory", "multi-value", "reference-types", "relaxed-simd", "saturating-floats",
  "sign-extension", "simd", "start", "tail-call", "typed-references",
];
/** Those that must be seen in modules of compilers that also run, not only in the tiny ones of the detector. */
const FEATURES_RUN = ["exnref", "gc", "legacy-exceptions", "multi-value", "reference-types", "simd", "start"];

/** Cases that are stopped: one for each kind of exceptions and runtime. */
const STOPPED = ["clingo", "dart_fmt", "esbuild", "motely", "quickjs", "sqlite", "taglib"];
/** Largest charge of one entry after a stop: the straight-line code of one function, charged before it runs. */
const ENTRY_FUEL_MAX = 20_000;

const ROOT = new URL("../../", import.meta.url);
const cases = [...Deno.readDirSync(new URL("cases/", import.meta.url))]
  .map(({ name }) => name.replace(/\.ts$/, ""))
  .sort();
const seen = new Map<string, readonly ModuleRecord[]>();

for (const name of cases) {
  Deno.test(`corpus: ${name} answers the same when its modules are instrumented`, async () => {
    const [plain, instrumented] = await Promise.all([
      runChild(name, "plain"),
      runChild(name, "instrumented"),
    ]);
    for (const module of instrumented.modules) await printModule(name, module);
    assert.deepEqual(instrumented.result, plain.result);
    assert.equal(plain.modules.length, 0);
    seen.set(name, instrumented.modules);
    checkModules(instrumented.modules, COMPILED_ONLY.has(name));
  });
}

for (const name of STOPPED) {
  Deno.test(`corpus: ${name} is stopped for good in the middle of its work`, async () => {
    const { modules } = await runChild(name, "stopped");
    assert.ok(modules.some(({ meter }) => meter.stopCount > 0), "no module was stopped");
    for (const { meter } of modules) {
      // A package may call the module again to clean up; each such entry ends at its first check.
      assert.ok(meter.stopCount < 100, `stopped ${meter.stopCount} times`);
      const fuelMax = ENTRY_FUEL_MAX * meter.stopCount;
      assert.ok(meter.fuelAfterStop <= fuelMax, `${meter.fuelAfterStop} fuel was used after the stop`);
    }
  });
}

Deno.test("corpus: the packages together use every feature it is kept for", () => {
  const of = (names: readonly string[]): Set<string> =>
    new Set(names.flatMap((name) => (seen.get(name) ?? []).flatMap(({ features }) => features)));
  const all = of(cases);
  const run = of(cases.filter((name) => !COMPILED_ONLY.has(name)));
  assert.deepEqual(FEATURES.filter((feature) => !all.has(feature)), []);
  assert.deepEqual(FEATURES_RUN.filter((feature) => !run.has(feature)), []);
  assert.equal(all.has("undecoded"), false, "the feature list has met an unknown instruction");
});

function checkModules(modules: readonly ModuleRecord[], compiledOnly: boolean): void {
  assert.ok(modules.length > 0, "no module was compiled through the hook");
  for (const { bytesBefore, bytesAfter } of modules) {
    assert.ok(bytesAfter > bytesBefore, `${bytesBefore} bytes became ${bytesAfter}`);
  }
  if (compiledOnly) return;
  const ticks = modules.reduce((sum, { meter }) => sum + meter.tickCount, 0);
  const fuel = modules.reduce((sum, { meter }) => sum + meter.fuel, 0);
  assert.ok(ticks > 0, "no check of the modules ran");
  assert.ok(fuel > 0, "no fuel was used");
}

async function runChild(name: string, mode: Mode): Promise<Report> {
  const script = new URL("child.ts", import.meta.url).pathname;
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-read", "--allow-env", "--allow-sys", script, name, mode],
    cwd: ROOT.pathname,
    env: { NO_COLOR: "1" },
    stdin: "null",
    signal: AbortSignal.timeout(CHILD_MS_MAX),
  }).output();
  const text = new TextDecoder().decode(output.stdout);
  const at = text.lastIndexOf(REPORT_MARK);
  const stderr = new TextDecoder().decode(output.stderr).slice(-4_000);
  assert.ok(at >= 0, `${name} ${mode} ended with ${output.signal ?? output.code} and no report:\n${stderr}`);
  return JSON.parse(text.slice(at + REPORT_MARK.length));
}

async function printModule(name: string, module: ModuleRecord): Promise<void> {
  const { bytesBefore, bytesAfter, instrumentMs, meter, features } = module;
  const growth = (100 * (bytesAfter - bytesBefore) / bytesBefore).toFixed(1);
  const figures = `${bytesBefore} → ${bytesAfter} bytes (+${growth} %), ${instrumentMs.toFixed(1)} ms`;
  const work = `${meter.instanceCount} instances, ${meter.tickCount} ticks, ${meter.fuel} fuel`;
  const line = `  ${name}: ${figures}; ${work}; ${features.join(" ")}\n`;
  await Deno.stdout.write(new TextEncoder().encode(line));
}
