/**
 * One row of the bench of instrumentation, in a process of its own: `instrument_row.ts ROW PAIRS INSTRUMENTER`
 * prints one line of JSON, a RowResult.
 *
 * Owns the timing: the original, the instrumented module with a tick that is called, and the same under
 * `WebAssembly.promising` with a suspending tick, by turns, all warm. It decides nothing about the table.
 * Invariant: all variants return the same value, or there is no result.
 */
import { COST_ROWS, type CostRow } from "./instrument_rows.ts";
import { loadReal } from "./real_modules.ts";
import { makeTickFunction, Ticker } from "./tick_shim.ts";

/** Ratios are of the time of the instrumented module to that of the original. */
export interface RowResult {
  readonly name: string;
  readonly argument: number;
  /** The best run of the original. */
  readonly originalMs: number;
  readonly originalBytes: number;
  readonly instrumentedBytes: number;
  /** The first instrumentation in the process, and the best of some. */
  readonly instrumentFirstMs: number;
  readonly instrumentBestMs: number;
  readonly called: Ratios;
  /** Not where a package's own code calls the module: JavaScript frames cannot be suspended. */
  readonly suspending: Ratios | undefined;
  readonly ticksPerMs: number;
}

/** `median` of the ratios of neighbours in time; `best` of the best times on either side. */
export interface Ratios {
  readonly median: number;
  readonly best: number;
}

interface Variant {
  readonly run: (argument: number) => unknown;
  readonly ticker: Ticker;
}

type Exported = (argument: number) => unknown;
type Instrument = (
  bytes: Uint8Array,
  options: { readonly memoryPagesMax: number; readonly tableElementsMax: number },
) => Uint8Array<ArrayBuffer>;

/** An instrumenter that notes sizes and times. */
class Instrumenter {
  originalBytes = 0;
  instrumentedBytes = 0;
  firstMs = NaN;
  bestMs = NaN;
  readonly #instrument: Instrument;

  constructor(instrument: Instrument) {
    this.#instrument = instrument;
  }

  run(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const times: number[] = [];
    let instrumented = bytes;
    for (let at = 0; at < INSTRUMENT_RUNS; at++) {
      const start = performance.now();
      instrumented = this.#instrument(bytes, OPTIONS);
      times.push(performance.now() - start);
    }
    this.originalBytes = bytes.length;
    this.instrumentedBytes = instrumented.length;
    this.firstMs = times[0] ?? NaN;
    this.bestMs = Math.min(...times);
    return instrumented;
  }
}

const INSTRUMENT_RUNS = 5;
// Short runs, many of them: the speed of a shared core changes within tens of milliseconds.
const RUN_MS = 8;
const WARM_MS_MIN = 300;
const WARM_MS_MAX = 3_000;
const WARM_RUNS = 20;
const OPTIONS = { memoryPagesMax: 65_536, tableElementsMax: 10_000_000 };
// As HOOKS of the instrumenter, which is loaded by path.
const HOOK_TICK = "tensor_wasm:tick";
const HOOK_START = "tensor_wasm:start";

// These two are not in the compiler's library.
const Jspi = WebAssembly as unknown as {
  readonly promising: (exported: unknown) => (argument: number) => Promise<unknown>;
  readonly Suspending: new (imported: unknown) => WebAssembly.ImportValue;
};

function exportOf(instance: WebAssembly.Instance, name: string): Exported {
  const value = instance.exports[name];
  if (typeof value !== "function") throw new Error(`No function export "${name}"`);
  return value as Exported;
}

/** Gives an instrumented instance its tick and starts it; nothing to do for one that is not instrumented. */
function start(instance: WebAssembly.Instance, tick: WebAssembly.ExportValue): void {
  const global = instance.exports[HOOK_TICK];
  if (global instanceof WebAssembly.Global) global.value = tick;
  const startFunction = instance.exports[HOOK_START];
  if (typeof startFunction === "function") startFunction();
}

/** The original first, then the instrumented. */
async function makeVariants(row: CostRow, instrumenter: Instrumenter): Promise<Variant[]> {
  const [first, second, third] = [new Ticker(), new Ticker(), new Ticker()];
  const { exportName } = row;
  if (exportName === undefined) {
    // Made here: while a package loads, the shim would be taken for its module.
    const tick = makeTickFunction(second.tick);
    const plain = { rewrite: (bytes: Uint8Array<ArrayBuffer>) => bytes, start: () => {} };
    const prepared = {
      rewrite: (bytes: Uint8Array<ArrayBuffer>) => instrumenter.run(bytes),
      start: (instance: WebAssembly.Instance) => start(instance, tick),
    };
    return [
      { run: await loadReal(row.guest, plain), ticker: first },
      { run: await loadReal(row.guest, prepared), ticker: second },
    ];
  }
  const bytes = await Deno.readFile(new URL(`../guests/build/${row.guest}.wasm`, import.meta.url));
  const module = new WebAssembly.Module(instrumenter.run(bytes));
  const called = new WebAssembly.Instance(module, {});
  start(called, makeTickFunction(second.tick));
  const suspending = new WebAssembly.Instance(module, {});
  start(suspending, makeTickFunction(new Jspi.Suspending(third.tick)));
  const original = new WebAssembly.Instance(new WebAssembly.Module(bytes), {});
  return [
    { run: exportOf(original, exportName), ticker: first },
    { run: exportOf(called, exportName), ticker: second },
    { run: Jspi.promising(exportOf(suspending, exportName)), ticker: third },
  ];
}

async function time(variant: Variant, argument: number, expected?: unknown): Promise<number> {
  variant.ticker.resume();
  const start = performance.now();
  let result = variant.run(argument);
  if (result instanceof Promise) result = await result;
  const elapsedMs = performance.now() - start;
  if (expected !== undefined && result !== expected) {
    throw new Error(`Results differ: ${result} instead of ${expected}`);
  }
  return elapsedMs;
}

/** The argument whose run takes about RUN_MS, after the compilers had some time. */
async function calibrate(row: CostRow, variant: Variant, from: number): Promise<number> {
  let argument = from;
  for (const start = performance.now();;) {
    const elapsedMs = await time(variant, argument);
    if (elapsedMs >= RUN_MS && performance.now() - start > WARM_MS_MIN) {
      if (row.exponential || elapsedMs < RUN_MS * 2) return argument;
      argument = Math.max(1, Math.floor(argument * RUN_MS * 1.4 / elapsedMs));
    } else if (elapsedMs < RUN_MS) {
      const factor = elapsedMs > 2 ? Math.min(4, RUN_MS * 1.1 / elapsedMs) : 4;
      argument = row.exponential ? argument + 1 : Math.ceil(argument * factor);
    }
  }
}

/** Runs a variant until its times no longer fall. */
async function warm(variant: Variant, argument: number): Promise<void> {
  const start = performance.now();
  for (let before = Infinity;;) {
    let best = Infinity;
    for (let at = 0; at < WARM_RUNS; at++) best = Math.min(best, await time(variant, argument));
    const elapsedMs = performance.now() - start;
    if (elapsedMs > WARM_MS_MAX || (elapsedMs > WARM_MS_MIN && best > before * 0.97)) return;
    before = best;
  }
}

async function measure(row: CostRow, pairs: number, instrument: Instrument): Promise<RowResult> {
  const instrumenter = new Instrumenter(instrument);
  const variants = await makeVariants(row, instrumenter);
  const [plain] = variants;
  if (plain === undefined) throw new Error("No variants");
  const rough = await calibrate(row, plain, 1);
  await warm(plain, rough);
  const argument = await calibrate(row, plain, rough);
  const expected = plain.run(argument);
  for (const variant of variants) {
    await time(variant, argument, expected);
    await warm(variant, argument);
  }
  const ticksBefore = variants[1]?.ticker.count ?? 0;
  const times: number[][] = variants.map(() => []);
  for (let pair = 0; pair < pairs; pair++) {
    for (const [at, variant] of variants.entries()) times[at]?.push(await time(variant, argument));
  }
  const [originalMs = [], calledMs = [], suspendingMs] = times;
  const calledSumMs = calledMs.reduce((sum, ms) => sum + ms, 0);
  return {
    name: row.name,
    argument,
    originalMs: Math.min(...originalMs),
    originalBytes: instrumenter.originalBytes,
    instrumentedBytes: instrumenter.instrumentedBytes,
    instrumentFirstMs: instrumenter.firstMs,
    instrumentBestMs: instrumenter.bestMs,
    called: ratiosOf(calledMs, originalMs),
    suspending: suspendingMs === undefined ? undefined : ratiosOf(suspendingMs, originalMs),
    ticksPerMs: ((variants[1]?.ticker.count ?? 0) - ticksBefore) / calledSumMs,
  };
}

function ratiosOf(times: readonly number[], originals: readonly number[]): Ratios {
  const ratios = times.map((ms, at) => ms / (originals[at] ?? NaN)).sort((a, b) => a - b);
  return {
    median: ratios[Math.floor(ratios.length / 2)] ?? NaN,
    best: Math.min(...times) / Math.min(...originals),
  };
}

async function main([name, pairs, instrumenter]: readonly string[]): Promise<void> {
  const row = COST_ROWS.find((candidate) => candidate.name === name);
  if (row === undefined) throw new Error(`No row "${name}"`);
  const instrument: Instrument = instrumenter === undefined || instrumenter === "none"
    ? (bytes) => Uint8Array.from(bytes)
    : (await import(instrumenter)).instrumentModule;
  const result = await measure(row, Number(pairs), instrument);
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(result)}\n`));
}

if (import.meta.main) await main(Deno.args);
