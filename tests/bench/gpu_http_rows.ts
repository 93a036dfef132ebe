/**
 * Rows of the whole way: guests that launch kernels, called through HTTP on a gateway whose device is the GPU.
 *
 * Owns one gateway for all of them: launches a second from one guest, saxpy and matmul end to end, 1 to 32 tenants
 * at a time, and a tenant whose kernels crash beside one whose do not. Results are checked, but for those of a
 * stand-in for the driver, which computes nothing. Invariant: a row of calls that failed, or for which there was no
 * time, is missing, with why.
 */
import { FAULTS_PTX } from "../contract/gpu_kernels.ts";
import { launchingGuest } from "../support/cuda_guest.ts";
import type { TestGateway } from "../support/gateway.ts";
import { ARG, encodeArgs } from "../support/gpu_args.ts";
import { atLeast, atLeastTimes, atMost } from "./gpu_rows.ts";
import type { Row } from "./gpu_rows.ts";

/** Sizes of what is measured. */
export interface HttpBenchOptions {
  /** Launches of one call, for their rate. */
  readonly launches: number;
  /** Calls of which the median is taken. */
  readonly calls: number;
  /** Numbers of tenants at a time. */
  readonly tenants: readonly number[];
  /** How long each number of tenants is measured. */
  readonly seconds: number;
  /** Elements and launches of one call of a tenant. */
  readonly elements: number;
  readonly steps: number;
  /** After that nothing more is begun, on performance.now(). */
  readonly endMs: number;
  readonly isStandIn: boolean;
}

/** Calls that one tenant alone has in flight, and that each has at least. */
const IN_FLIGHT_TOTAL = 8;
const IN_FLIGHT_MIN = 2;
const TENANT = "x-tensorwasm-tenant";

/** Measures all of it, part by part. */
export async function* httpRows(
  gateway: TestGateway,
  options: HttpBenchOptions,
): AsyncGenerator<Row[], void> {
  let alone: number | undefined;
  const parts: readonly [string, () => Promise<Row[]>][] = [
    ["launches from one guest", () => launchRate(gateway, options)],
    ["saxpy through HTTP", () => saxpy(gateway, options)],
    ["matmul through HTTP", () => matmul(gateway, options)],
    ["a tenant whose kernels crash", () => crashes(gateway, options)],
    ...options.tenants.map((count): [string, () => Promise<Row[]>] => [
      `${count} tenants`,
      async () => {
        const rows = await tenants(gateway, count, alone, options);
        alone ??= rows[0]?.ours;
        return rows;
      },
    ]),
  ];
  for (const [name, measure] of parts) {
    if (performance.now() > options.endMs) {
      yield [{ name, unit: "", ours: NaN, missing: "the time was over" }];
      continue;
    }
    try {
      yield await measure();
    } catch (error) {
      const missing = error instanceof Error ? error.message : String(error);
      yield [{ name, unit: "", ours: NaN, missing }];
    }
  }
}

async function launchRate(
  gateway: TestGateway,
  { launches, calls, isStandIn }: HttpBenchOptions,
): Promise<Row[]> {
  await gateway.deploy("assembly_saxpy");
  const time = async (steps: number): Promise<number> => {
    const startMs = performance.now();
    const sum = await callSaxpy(gateway, "assembly_saxpy", [0, 1, steps]);
    if (!isStandIn && sum !== 1) throw new Error(`assembly_saxpy answered ${sum}, not 1`);
    return performance.now() - startMs;
  };
  await time(1);
  const rounds = Math.max(1, Math.min(5, calls));
  // The call itself is in both, and goes out.
  const differences = await series(rounds, async () => -(await time(1)) + await time(launches));
  const perSecond = (launches - 1) / (medianOf(differences) / 1000);
  return [{ name: "launches from one guest", unit: "/s", ours: perSecond, target: atLeast(150_000) }];
}

async function saxpy(gateway: TestGateway, { calls, elements, isStandIn }: HttpBenchOptions): Promise<Row[]> {
  await gateway.deploy("gpu_saxpy");
  const small = await callSaxpy(gateway, "gpu_saxpy", [2, 1000]);
  const want = 1000 + (3 * 2 * 1000 * 999) / 2;
  if (!isStandIn && small !== want) throw new Error(`gpu_saxpy answered ${small}, not ${want}`);
  const times = await series(calls, () => timed(() => callSaxpy(gateway, "gpu_saxpy", [2, elements])));
  return [{ name: `saxpy of ${elements} through HTTP, median`, unit: "ms", ours: medianOf(times) }];
}

async function matmul(gateway: TestGateway, { calls, isStandIn }: HttpBenchOptions): Promise<Row[]> {
  await gateway.deploy("gpu_matmul");
  const rows: Row[] = [];
  for (const [way, n] of [["tiled", 256], ["mma", 256]] as const) {
    const query = new URLSearchParams([["argv", way], ["argv", String(n)]]);
    const times = await series(calls, () =>
      timed(async () => {
        const response = await fetch(`${gateway.url}/functions/gpu_matmul/invoke?${query}`, {
          method: "POST",
        });
        const text = await response.text();
        if (!isStandIn && (response.status !== 200 || !/all [0-9]+ right/.test(text))) throw new Error(text);
      }));
    rows.push({ name: `matmul ${way} ${n} through HTTP, median`, unit: "ms", ours: medianOf(times) });
  }
  return rows;
}

/** So many tenants at a time, beside the total of the first number that was measured. */
async function tenants(
  gateway: TestGateway,
  count: number,
  alone: number | undefined,
  options: HttpBenchOptions,
): Promise<Row[]> {
  const perSecond = await callsPerSecond(gateway, count, options);
  const total = perSecond.reduce((sum, rate) => sum + rate, 0);
  const name = count === 1 ? "1 tenant" : `${count} tenants`;
  const beside = alone === undefined ? {} : { beside: { what: "1 tenant", value: alone } };
  const all: Row = { name: `${name}, calls`, unit: "/s", ours: total, ...beside, target: atLeastTimes(0.9) };
  if (count === 1) return [all];
  const least = Math.min(...perSecond) / (total / count);
  const jain = total ** 2 / (count * perSecond.reduce((sum, rate) => sum + rate ** 2, 0));
  return [
    all,
    { name: `${name}, least of a fair share`, unit: "", ours: least, target: atLeast(0.5) },
    { name: `${name}, Jain's index`, unit: "", ours: jain },
  ];
}

/** Calls a second of each tenant while all of them want more. */
async function callsPerSecond(
  gateway: TestGateway,
  count: number,
  { seconds, elements, steps, isStandIn }: HttpBenchOptions,
): Promise<number[]> {
  const names = Array.from({ length: count }, (_, index) => String(100 + index));
  // Deployed, and their cells started: that is not what is measured.
  await Promise.all(names.map(async (tenant) => {
    await gateway.deploy("assembly_saxpy", undefined, { [TENANT]: tenant });
    await callSaxpy(gateway, "assembly_saxpy", [0, 1, 1], { [TENANT]: tenant });
  }));
  const inFlight = Math.max(IN_FLIGHT_MIN, Math.ceil(IN_FLIGHT_TOTAL / count));
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  return await Promise.all(names.map(async (tenant) => {
    let done = 0;
    await Promise.all(Array.from({ length: inFlight }, async () => {
      while (performance.now() < endMs) {
        const sum = await callSaxpy(gateway, "assembly_saxpy", [0, elements, steps], { [TENANT]: tenant });
        if (!isStandIn && sum !== elements) {
          throw new Error(`assembly_saxpy answered ${sum}, not ${elements}`);
        }
        // What ends later was not done in the time.
        if (performance.now() <= endMs) done++;
      }
    }));
    return done / seconds;
  }));
}

async function crashes(gateway: TestGateway, { calls, elements, steps }: HttpBenchOptions): Promise<Row[]> {
  const [good, bad] = [{ [TENANT]: "300" }, { [TENANT]: "301" }];
  await gateway.deploy("assembly_saxpy", undefined, good);
  await gateway.deploy("crashes", launchingGuest("read_at", FAULTS_PTX, encodeArgs(ARG.u64(0n))), bad);
  await callSaxpy(gateway, "assembly_saxpy", [0, 1, 1], good);
  let isOver = false;
  let [served, failed] = [0, 0];
  const neighbour = (async (): Promise<void> => {
    while (!isOver) {
      const answer = await callSaxpy(gateway, "assembly_saxpy", [0, elements, steps], good).catch(() =>
        undefined
      );
      if (answer === undefined) failed++;
      else served++;
    }
  })();
  let crashed = 0;
  try {
    for (let round = 0; round < Math.min(calls, 5); round++) {
      const response = await gateway.invoke("crashes", { export: "run" }, bad);
      const text = await response.text();
      if (response.status >= 500 || /"result":\[(?!0\])/.test(text)) crashed++;
    }
  } finally {
    isOver = true;
    await neighbour;
  }
  if (crashed === 0) throw new Error("no kernel crashed");
  const name = `failed calls of another tenant (${served} served) while ${crashed} kernels crashed`;
  return [{ name, unit: "", ours: failed, target: atMost(0) }];
}

/** A call of a saxpy's `run`; its number. */
async function callSaxpy(
  gateway: TestGateway,
  name: string,
  args: readonly number[],
  headers: Record<string, string> = {},
): Promise<number> {
  const response = await gateway.invoke(name, { export: "run", args }, headers);
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${name} answered ${response.status}: ${text}`);
  const [result] = (JSON.parse(text) as { readonly result: readonly number[] }).result;
  if (result === undefined || result < 0) throw new Error(`${name} answered ${result}`);
  return result;
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await run();
  return performance.now() - startMs;
}

async function series(count: number, run: () => Promise<number>): Promise<number[]> {
  const values: number[] = [];
  for (let at = 0; at < count; at++) values.push(await run());
  return values;
}

function medianOf(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}
