/**
 * One measurement of the bench of instances, in a process of its own: `instance_load.ts GUEST VARIANT SECONDS`
 * prints a list of LoadResult as JSON on stderr.
 *
 * Owns the guests and the timing. A call is the hops of runtime/cell/instance.ts with the instance from a
 * Source; the variant `cell` is `runCall` itself, to show that the two cost the same.
 * Invariant: every call gives what the first one on a fresh instance gave, as far as `digest` looks, or there is no
 * result.
 */
import { setImmediate } from "node:timers";
import process from "node:process";
import { getHeapStatistics } from "node:v8";
import { CallContext } from "../../runtime/cell/call_context.ts";
import { Fiber } from "../../runtime/cell/fiber.ts";
import type { FuelGlobal } from "../../runtime/cell/fiber.ts";
import { compileModule, runCall } from "../../runtime/cell/instance.ts";
import type { CallResult, CellSurroundings } from "../../runtime/cell/instance.ts";
import { makeTick } from "../../runtime/cell/jspi.ts";
import { MemoryGuard } from "../../runtime/cell/memory_guard.ts";
import { Scheduler } from "../../runtime/cell/scheduler.ts";
import { DEFAULT_LIMITS } from "../../runtime/model/limits.ts";
import type { Outcome } from "../../runtime/model/outcome.ts";
import { HOOKS, instrumentModule } from "../../runtime/wasm/instrument.ts";
import type { CallMeta, CellSpan } from "../../runtime/wire/messages.ts";
import { readGuest, readGuestData } from "../support/guests.ts";
import { type Run, type Source, type SourceOptions, SOURCES } from "./instance_sources.ts";

/** What one process measured at one concurrency. */
export interface LoadResult {
  readonly concurrency: number;
  /** CPU time of all threads per call: while calls ran, and with what idle time was used for. */
  readonly cpuUs: number;
  readonly cpuAllUs: number;
  /** Calls a second of wall time while calls ran. */
  readonly rate: number;
  /** From submission to result, in CPU time of the thread: what else runs on the machine is left out. */
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
  readonly residentMib: number;
  /** Calls of the time between the two, on the scale of performance.now(): for the collections of that time. */
  readonly calls: number;
  readonly beginMs: number;
  readonly endMs: number;
}

interface Guest {
  readonly bytes: () => Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>;
  readonly meta?: Partial<CallMeta>;
  readonly input?: () => Uint8Array;
}

const PROGRAM = { export: "_start", programArgs: ["guest"] } as const;
const I32 = ["i32"] as const;

/** Guests by name. The last two are of packages: Rust, memory of 1.1 MiB; C++, memory of 16 MiB. */
const GUESTS: Readonly<Record<string, Guest>> = {
  noop: { bytes: () => readGuest("noop") },
  noop_memory: { bytes: () => readGuest("noop_memory") },
  fib: {
    bytes: () => readGuest("fib"),
    meta: { export: "fib", args: [{ type: "i32", value: 20 }], resultTypes: I32 },
  },
  bench_assembly: {
    bytes: () => readGuest("bench_assembly"),
    meta: { args: [{ type: "i32", value: 1 }], resultTypes: I32 },
  },
  args_env: {
    bytes: () => readGuest("args_env"),
    meta: { export: "_start", programArgs: ["guest", "a", "b"], environment: ["A=1", "HOME=/"] },
  },
  word_freq: {
    bytes: () => readGuest("word_freq"),
    meta: PROGRAM,
    input: () => readGuestData("text.txt").subarray(0, 100),
  },
  sha256: {
    bytes: () => readGuest("sha256"),
    meta: PROGRAM,
    input: () => new Uint8Array(4096).fill(7),
  },
  image_filter: {
    bytes: () => readGuest("image_filter"),
    meta: PROGRAM,
    input: () => readGuestData("gradient_64x48.ppm"),
  },
  dprint: {
    bytes: async () => await Deno.readFile((await import("@dprint/json")).getPath()),
    meta: { export: "get_license_text", resultTypes: I32 },
  },
  taglib: {
    bytes: () => Deno.readFile(new URL("taglib-wasi.wasm", import.meta.resolve("taglib-wasm"))),
    meta: { export: "tl_api_version", initialize: true, resultTypes: I32 },
  },
};

const CONCURRENCIES = [1, 16];
/** Calls between two looks at the clocks, and the stock that is made ahead for them. */
const BURST_CALLS = 64;
/** As many for each variant: what compiling takes is not to weigh more on the slower ones. */
const WARM_CALLS = 4_000;
const LATENCIES_MAX = 1_000_000;

type Call = () => Promise<CallResult>;

const CALL_META: CallMeta = {
  module: 1,
  tenant: "0",
  fuelMax: 0,
  outputBytesMax: DEFAULT_LIMITS.outputBytesMax,
  export: "run",
  args: [],
  resultTypes: [],
  initialize: false,
  programArgs: ["guest"],
  environment: [],
  deadlineMs: 30_000,
  remainingMs: 30_000,
};

/** Asked when a guest is parked; what it answers is called when the guest goes on. */
interface Parking {
  parked: () => () => void;
}

function makeSurroundings(parking: Parking): CellSurroundings {
  const limits = DEFAULT_LIMITS;
  const memory = new MemoryGuard({
    memoryBytesMax: limits.cellMemoryBytesMax,
    heapBytesMax: limits.heapBytesMax,
    heapUsedBytes: () => getHeapStatistics().used_heap_size,
  });
  const host = {
    nowMs: () => performance.now(),
    nextTurn: (callback: () => void) => void setImmediate(callback),
    after: (delayMs: number, callback: () => void) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
  };
  const scheduler = new Scheduler(host, limits.timeSliceMs, memory);
  const tick = makeTick((left) => {
    const answer = scheduler.tick(left);
    if (typeof answer === "number") return answer;
    const resumed = parking.parked();
    return answer.then((fuel) => (resumed(), fuel));
  });
  return { scheduler, memory, tick, limits, gpu: undefined, writeLines: () => {} };
}

/** The hops of `runCall`, with the instance from a source. */
async function runFrom(
  source: Source,
  meta: CallMeta,
  input: Uint8Array,
  fiber: Fiber,
  around: CellSurroundings,
): Promise<CallResult> {
  const startedAtMs = performance.now();
  const { programArgs, environment, outputBytesMax } = meta;
  const context = new CallContext(
    { callId: 1, input, programArgs, environment, outputBytesMax, startedAtMs },
    fiber,
    around.scheduler,
    around.limits,
    around.writeLines,
  );
  const spans: CellSpan[] = [];
  const since = (): number => Math.round((performance.now() - startedAtMs) * 1000);
  const ready = source.take(context);
  const { exports } = ready;
  fiber.attach(exports[HOOKS.fuel] as unknown as FuelGlobal);
  if (exports["memory"] !== undefined) context.attachMemory(exports["memory"] as WebAssembly.Memory);
  around.memory.enter(fiber, exports[HOOKS.memory] as WebAssembly.Memory | undefined);
  if (exports[HOOKS.start] !== undefined) throw new Error("Guests with a start function are not benched");
  const hop = async (run: Run, name: "initialize" | "call", args: CallMeta["args"]): Promise<Outcome> => {
    const startUs = since();
    const returned = await run(...args.map(({ value }) => Number(value)));
    const values = meta.resultTypes.map((type) => ({ type, value: returned as number }));
    spans.push({ hop: name, startUs, endUs: since() });
    return fiber.stopped ?? { type: "returned", values: name === "call" ? values : [] };
  };
  if (ready.initialize !== undefined) await hop(ready.initialize, "initialize", []);
  const outcome = await hop(ready.run, "call", meta.args);
  const terminateStartUs = since();
  fiber.settle();
  const memoryBytes = around.memory.leave(fiber);
  const logLines = context.finishLog();
  const endUs = since();
  spans.push({ hop: "terminate", startUs: terminateStartUs, endUs });
  spans.push({ hop: "spawn", startUs: 0, endUs });
  const usage = fiber.usage(around.scheduler.runningMs(), memoryBytes);
  source.give?.(ready);
  return { meta: { startedAtMs, outcome, spans, logLines, usage }, output: context.takeOutput() };
}

/** What must be the same for every call. */
function digest({ meta, output }: CallResult): string {
  return JSON.stringify([
    meta.outcome,
    meta.logLines,
    meta.usage.memoryBytes,
    output.length,
    output[7],
    output.at(-9),
  ]);
}

class Load {
  readonly #call: Call;
  readonly #refill: (count: number) => void;
  readonly #expected: string;
  readonly #latenciesUs = new Float64Array(LATENCIES_MAX);

  constructor(call: Call, refill: (count: number) => void, expected: string) {
    this.#call = call;
    this.#refill = refill;
    this.#expected = expected;
  }

  async warm(concurrency: number): Promise<void> {
    for (let calls = 0; calls < WARM_CALLS; calls += BURST_CALLS) {
      this.#refill(BURST_CALLS);
      await this.#burst(concurrency, calls, threadCpuUs);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Rates first, then latencies: reading the thread's clock takes longer than a call of the cheapest parts. */
  async measure(concurrency: number, durationMs: number): Promise<LoadResult> {
    const rates = await this.#bursts(concurrency, durationMs, () => performance.now() * 1000);
    const { calls } = await this.#bursts(concurrency, durationMs, threadCpuUs);
    const sorted = this.#latenciesUs.slice(0, Math.min(calls, LATENCIES_MAX)).sort();
    const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? NaN;
    const residentMib = Deno.memoryUsage().rss / 2 ** 20;
    return { ...rates, p50Us: at(0.5), p99Us: at(0.99), p999Us: at(0.999), maxUs: at(1), residentMib };
  }

  /** Bursts of calls until the time is over; refill and a turn of the event loop between two. */
  async #bursts(
    concurrency: number,
    durationMs: number,
    nowUs: () => number,
  ): Promise<Omit<LoadResult, "p50Us" | "p99Us" | "p999Us" | "maxUs" | "residentMib">> {
    let [calls, callsMs, callsCpuUs] = [0, 0, 0];
    const beginMs = performance.now();
    const beginCpuUs = cpuUs();
    while (performance.now() - beginMs < durationMs) {
      this.#refill(BURST_CALLS);
      const [startMs, startCpuUs] = [performance.now(), cpuUs()];
      await this.#burst(concurrency, calls, nowUs);
      callsCpuUs += cpuUs() - startCpuUs;
      callsMs += performance.now() - startMs;
      calls += BURST_CALLS;
      await new Promise((resolve) => setImmediate(resolve));
    }
    const cpuAllUs = (cpuUs() - beginCpuUs) / calls;
    const endMs = performance.now();
    return {
      concurrency,
      cpuUs: callsCpuUs / calls,
      cpuAllUs,
      rate: calls / callsMs * 1000,
      calls,
      beginMs,
      endMs,
    };
  }

  async #burst(concurrency: number, first: number, nowUs: () => number): Promise<void> {
    let next = 0;
    const client = async (): Promise<void> => {
      while (next < BURST_CALLS) {
        const index = first + next++;
        const startUs = nowUs();
        const result = await this.#call();
        this.#latenciesUs[index % LATENCIES_MAX] = nowUs() - startUs;
        if (digest(result) !== this.#expected) throw new Error(`${digest(result)} is not ${this.#expected}`);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, client));
  }
}

const CLOCK_THREAD_CPUTIME_ID = 3;
const libc = Deno.dlopen("libc.so.6", {
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
});
const timespec = new BigInt64Array(2);

function threadCpuUs(): number {
  libc.symbols.clock_gettime(CLOCK_THREAD_CPUTIME_ID, timespec);
  return Number(timespec[0]) * 1e6 + Number(timespec[1]) / 1e3;
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function main(guestName: string, variant: string, seconds: number): Promise<LoadResult[]> {
  const guest = GUESTS[guestName];
  if (guest === undefined) throw new Error(`No guest "${guestName}": ${Object.keys(GUESTS).join(" ")}`);
  const parking: Parking = { parked: () => () => {} };
  const around = makeSurroundings(parking);
  const bytes = instrumentModule(await guest.bytes(), { memoryPagesMax: 4096, tableElementsMax: 1_000_000 });
  const compiled = await compileModule(bytes);
  const meta: CallMeta = { ...CALL_META, ...guest.meta };
  const input = guest.input?.() ?? new Uint8Array(0);
  const submit = (run: (fiber: Fiber) => Promise<CallResult>): Promise<CallResult> => {
    const deadlineAtMs = performance.now() + meta.remainingMs;
    const fiber = new Fiber({ tenant: meta.tenant, deadlineMs: meta.deadlineMs, deadlineAtMs, fuelMax: 0 });
    return new Promise((resolve, reject) => {
      around.scheduler.submit(fiber, () => run(fiber).then(resolve, reject));
    });
  };
  const cellCall = (): Promise<CallResult> =>
    submit((fiber) => runCall({ compiled, callId: 1, meta, input, fiber, around }));
  const expected = digest(await cellCall());
  let load = new Load(cellCall, () => {}, expected);
  if (variant !== "cell") {
    const options: SourceOptions = { bytes, compiled, meta, tick: around.tick };
    const source = SOURCES[variant]?.(options);
    if (source === undefined) throw new Error(`No variant "${variant}"`);
    if (source.parked !== undefined) parking.parked = source.parked;
    const call = (): Promise<CallResult> => submit((fiber) => runFrom(source, meta, input, fiber, around));
    load = new Load(call, (count) => source.refill?.(count), expected);
  }
  const results: LoadResult[] = [];
  for (const concurrency of CONCURRENCIES) {
    await load.warm(concurrency);
    results.push(await load.measure(concurrency, seconds * 500));
  }
  return results;
}

const [guestName = "", variant = "", seconds = "1"] = Deno.args;
const results = await main(guestName, variant, Number(seconds));
// stdout has the engine's lines, which it writes when it likes.
Deno.stderr.writeSync(new TextEncoder().encode(JSON.stringify(results)));
Deno.exit(0);
