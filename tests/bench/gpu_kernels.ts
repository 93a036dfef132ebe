/**
 * Kernels on the CPU device beside the same loops in C, natively and as WebAssembly, in one run.
 *
 * Prints a table and writes docs/bench/gpu.json and gpu.md: speed by kernel, compile time, and the time of an
 * empty launch with its sync. Needs gcc and clang with wasi-libc; what is missing is left out. Absolute figures
 * belong to the machine and to who else uses it; what carries over are the ratios within one run. Options:
 * --rounds N (best of), --only WORD (kernels whose name has the word), --dry (write no files), --cpu (time on the
 * processor: steadier on a busy machine, and without the column of two threads).
 */
import { parseArgs } from "node:util";
import type { GpuContext, GpuModule, KernelInfo } from "../../gpu/device.ts";
import { createCpuDevice } from "../../gpu/cpu/mod.ts";
import { readKernelPtx } from "../gpu/kernels/references.ts";
import { splitPtx } from "../guests/embed_ptx.ts";
import { BENCH_KERNELS, type BenchKernel, LARGE_BYTES } from "./gpu_kernel_table.ts";
import { PROCESSOR, WALL } from "./gpu_clock.ts";
import { NativeLoops, runNative } from "./gpu_loops.ts";

const MEMORY_BYTES_MAX = 2 ** 30;
const LAUNCHES = 20_000;
const COMPILES = 5;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    only: { type: "string", default: "" },
    dry: { type: "boolean", default: false },
    cpu: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
const clock = values.cpu ? PROCESSOR : WALL;

/** Figures of a kernel, per second; undefined where something is missing. */
interface Row {
  readonly name: string;
  readonly unit: "GB/s" | "GFLOP/s";
  readonly native: number | undefined;
  readonly clang: number | undefined;
  readonly one: number;
  readonly two: number | undefined;
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

/** A context with a's and b's inputs as the C loops have them. */
class Bench implements Disposable {
  readonly context: GpuContext;
  readonly #stack = new DisposableStack();
  readonly #pointers: readonly bigint[];
  readonly #modules = new Map<string, GpuModule>();

  constructor(threads: number) {
    const device = this.#stack.use(createCpuDevice({ threads }));
    this.context = this.#stack.use(device.createContext({
      memoryBytesMax: MEMORY_BYTES_MAX,
      pacer: { tick: () => 2 ** 30, charge: () => {}, wait: async (promise) => void await promise },
      print: () => {},
    }));
    this.#pointers = [0, 1, 2].map(() => this.context.allocate(LARGE_BYTES));
  }

  async prepare(inputs: readonly Float32Array<ArrayBuffer>[]): Promise<void> {
    for (const [i, input] of inputs.entries()) {
      await this.context.copyToDevice(this.#pointers[i] ?? 0n, new Uint8Array(input.buffer));
    }
  }

  /** Launches once and waits. */
  async run(kernel: BenchKernel): Promise<void> {
    const [module, info] = this.#load(kernel);
    const params = kernel.params(this.#pointers);
    const { grid, block, sharedBytes } = kernel;
    const done = this.context.launch({ module, kernel: info, grid, block, sharedBytes, params });
    if (done instanceof Promise) await done;
    await this.context.synchronize();
  }

  /** Seconds of the fastest run. */
  async best(kernel: BenchKernel): Promise<number> {
    let best = Infinity;
    for (let round = 0; round < rounds; round++) {
      const start = clock.ms();
      await this.run(kernel);
      best = Math.min(best, clock.ms() - start);
    }
    return best / 1000;
  }

  async result(bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const result = new Uint8Array(bytes);
    await this.context.copyFromDevice(result, this.#pointers[2] ?? 0n);
    return result;
  }

  #load({ file, entry }: BenchKernel): [GpuModule, KernelInfo] {
    const module = this.#modules.get(file) ?? this.context.loadModule(readKernelPtx(file));
    this.#modules.set(file, module);
    const info = module.kernels.get(entry);
    if (info === undefined) throw new Error(`No kernel ${entry} in ${file}`);
    return [module, info];
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}

/** Inputs as `prepare` of gpu_native.c makes them. */
function makeInputs(): Float32Array<ArrayBuffer>[] {
  const count = LARGE_BYTES / 4;
  const { fround } = Math;
  const made = (modulus: number, step: number, start: number): Float32Array<ArrayBuffer> => {
    const cycle = Float32Array.from({ length: modulus }, (_, i) => fround(fround(i * fround(step)) + start));
    const all = new Float32Array(count);
    for (let at = 0; at < count; at += modulus) all.set(cycle.subarray(0, Math.min(modulus, count - at)), at);
    return all;
  };
  return [made(1009, 0.001, 0.25), made(997, 0.002, 0), new Float32Array(count).fill(1)];
}

/** One run of each on the same inputs must give the same; a bench of wrong results is worth nothing. */
async function compare(
  bench: Bench,
  loops: NativeLoops,
  inputs: readonly Float32Array<ArrayBuffer>[],
): Promise<void> {
  for (const kernel of chosen) {
    await bench.prepare(inputs);
    loops.prepare();
    await bench.run(kernel);
    loops.run(kernel.loop ?? kernel.name);
    const view = new DataView((await bench.result(kernel.resultBytes)).buffer);
    for (let k = 0; k < 100; k++) {
      const at = Math.floor((kernel.resultBytes / 4 - 1) * (k / 99));
      const got = kernel.isCount ? view.getInt32(4 * at, true) : view.getFloat32(4 * at, true);
      const want = loops.sample(at);
      const isNear = Math.abs(got - want) <= (kernel.tolerance ?? 1e-4) * Math.max(1, Math.abs(want));
      if (!isNear && !kernel.isCount) throw new Error(`${kernel.name} [${at}]: ${got}, natively ${want}`);
    }
  }
}

/** Milliseconds from text to a kernel that has run once, of the smallest module with each entry: the median. */
async function compileTimes(): Promise<{ name: string; ms: number; lines: number }[]> {
  const times: { name: string; ms: number; lines: number }[] = [];
  for (const { file, entry, name } of chosen) {
    const text = splitPtx(new TextDecoder().decode(readKernelPtx(file))).get(entry) ?? "";
    const all: number[] = [];
    for (let round = 0; round < COMPILES; round++) {
      using bench = new Bench(1);
      // A comment makes the text another one, so that nothing is found ready.
      const ptx = new TextEncoder().encode(`${text}// ${round}\n`);
      const start = performance.now();
      using _module = bench.context.loadModule(ptx);
      all.push(performance.now() - start);
      await Promise.resolve();
    }
    times.push({ name, ms: all.sort((a, b) => a - b)[COMPILES >> 1] ?? NaN, lines: text.split("\n").length });
  }
  return times;
}

/** Microseconds of an empty launch of one block and its synchronisation, once everything is warm. */
async function launchLatency(threads: number): Promise<number> {
  using bench = new Bench(threads);
  using module = bench.context.loadModule(readKernelPtx("vector.ptx"));
  const kernel = module.kernels.get("nothing");
  if (kernel === undefined) throw new Error("No kernel nothing");
  const one = { x: 1, y: 1, z: 1 };
  const launch = {
    module,
    kernel,
    grid: one,
    block: { x: 32, y: 1, z: 1 },
    sharedBytes: 0,
    params: new Uint8Array(),
  };
  let best = Infinity;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    for (let i = 0; i < LAUNCHES / rounds; i++) {
      const done = bench.context.launch(launch);
      if (done instanceof Promise) await done;
      const synchronized = bench.context.synchronize();
      if (synchronized !== undefined) await synchronized;
    }
    best = Math.min(best, ((performance.now() - start) * 1000) / (LAUNCHES / rounds));
  }
  return best;
}

const chosen = BENCH_KERNELS.filter(({ name }) => name.includes(values.only));

async function measure(): Promise<Row[]> {
  const native = await runNative(rounds, clock);
  const loops = await NativeLoops.build();
  const inputs = makeInputs();
  using one = new Bench(1);
  using two = values.cpu ? undefined : new Bench(2);
  if (loops !== undefined) await compare(one, loops, inputs);
  await one.prepare(inputs);
  await two?.prepare(inputs);
  const rows: Row[] = [];
  for (const kernel of chosen) {
    await two?.run(kernel);
    const work = kernel.work ?? loops?.workOf(kernel.loop ?? kernel.name) ?? NaN;
    const row: Row = {
      name: kernel.name,
      unit: kernel.unit,
      native: native?.get(kernel.loop ?? kernel.name),
      clang: loops?.perSecond(kernel.loop ?? kernel.name, rounds, clock),
      one: work / await one.best(kernel),
      two: two === undefined ? undefined : work / await two.best(kernel),
    };
    rows.push(row);
    say(JSON.stringify(row));
  }
  return rows;
}

function figure(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value)
    ? "–"
    : value < 10
    ? value.toFixed(2)
    : value.toFixed(1);
}

function ratio(a: number | undefined, b: number | undefined): string {
  return a === undefined || b === undefined ? "–" : (a / b).toFixed(2);
}

async function main(): Promise<void> {
  const rows = await measure();
  const compiles = await compileTimes();
  const latencies = [await launchLatency(1), await launchLatency(2)];
  const lines = [
    `Deno ${Deno.version.deno}, V8 ${Deno.version.v8}, ${navigator.hardwareConcurrency} cores, ${Deno.build.arch}; best of ${rounds} by ${clock.name} time.`,
    "",
    "| kernel | unit | gcc -O3 native | clang wasm SIMD | ours, 1 thread | ours, 2 threads | of clang | of native | 2 of 1 |",
    "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ...rows.map(({ name, unit, native, clang, one, two }) =>
      `| ${name} | ${unit} | ${figure(native)} | ${figure(clang)} | ${figure(one)} | ${figure(two)} | ` +
      `${ratio(one, clang)} | ${ratio(one, native)} | ${ratio(two, one)} |`
    ),
    "",
    "| compile | lines of PTX | ms |",
    "|---|--:|--:|",
    ...compiles.map(({ name, lines, ms }) => `| ${name} | ${lines} | ${ms.toFixed(2)} |`),
    "",
    `Empty launch and sync: ${
      latencies.map((us, i) => `${us.toFixed(1)} µs with ${i + 1} thread${i ? "s" : ""}`).join(", ")
    }.`,
  ];
  const text = lines.join("\n");
  say(text);
  if (values.dry) return;
  const folder = new URL("../../docs/bench/", import.meta.url);
  await Deno.writeTextFile(
    new URL("gpu.md", folder),
    `# Last bench of the GPU kernels\n\nBy \`deno run -A tests/bench/gpu_kernels.ts\`. ${text}\n`,
  );
  await Deno.writeTextFile(
    new URL("gpu.json", folder),
    JSON.stringify(
      { deno: Deno.version, cores: navigator.hardwareConcurrency, rounds, rows, compiles, latencies },
      null,
      2,
    ) + "\n",
  );
}

await main();
