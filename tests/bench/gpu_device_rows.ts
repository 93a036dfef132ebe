/**
 * Rows of the device's interface beside a C program that calls the driver directly (gpu_driver.c), in one run.
 *
 * Owns what is measured without a gateway: launch, launch and wait, launches a second, copies from and to guest
 * memory in each way that the device has for them. Invariant: both sides do the same number of the same calls.
 */
import type { CopyWay, CudaDevice } from "../../gpu/cuda/mod.ts";
import type { GpuContext, KernelLaunch, Pacer } from "../../gpu/device.ts";
import { atLeastTimes, atMostTimes } from "./gpu_rows.ts";
import type { Row, Target } from "./gpu_rows.ts";

const PTX = `.version 7.0
.target sm_70
.address_size 64
.visible .entry nothing(.param .u64 a, .param .u64 b, .param .u32 c)
{
  ret;
}
`;

const COPY_WAYS: readonly CopyWay[] = ["direct", "staged", "registered"];
/** As gpu/session/copier.ts. */
const PIECE_BYTES = 1024 * 1024;

/** Sizes of what is measured. */
export interface DeviceBenchOptions {
  /** Bytes of a copy. */
  readonly bytes: number;
  readonly rounds: number;
}

/** The C program's numbers; GB are 10^9 bytes. */
interface DriverNumbers {
  readonly launchUs: number;
  readonly launchWaitUs: number;
  readonly launchesPerSecond: number;
  readonly pageableUpGBps: number;
  readonly pageableDownGBps: number;
  readonly pinnedUpGBps: number;
  readonly pinnedDownGBps: number;
  readonly registeredUpGBps: number;
  readonly registeredDownGBps: number;
  readonly registerUs: number;
  readonly unregisterUs: number;
}

const PACER: Pacer = { tick: () => 1000, charge: () => {}, wait: async (promise) => void await promise };

/** Measures both sides. @param open opens the device, whose large copies go that way */
export async function deviceRows(
  open: (copies: CopyWay) => CudaDevice,
  options: DeviceBenchOptions,
): Promise<Row[]> {
  const { rounds } = options;
  const rows: Row[] = [];
  using device = open("direct");
  const c = measureC(device, options);
  if (typeof c === "string") rows.push({ name: "C program", unit: "", ours: NaN, missing: c });
  const row = (
    name: string,
    unit: string,
    ours: number,
    value: number | undefined,
    target?: Target,
  ): void => {
    const beside = value === undefined ? {} : { beside: { what: "C", value } };
    rows.push({ name, unit, ours, ...beside, ...(target === undefined ? {} : { target }) });
  };
  const numbers = typeof c === "string" ? undefined : c;
  using context = device.createContext({ memoryBytesMax: 1 << 20, pacer: PACER, print: () => {} });
  const launches = await measureLaunches(context, rounds);
  row("launch", "µs", launches.launchUs, numbers?.launchUs, atMostTimes(1.5));
  row("launch and wait", "µs", launches.launchWaitUs, numbers?.launchWaitUs);
  row("launches, one after the other", "/s", launches.launchesPerSecond, numbers?.launchesPerSecond);
  for (const way of COPY_WAYS) {
    const { upGBps, downGBps } = await measureCopies(() => open(way), options);
    row(`window to the device, ${way}`, "GB/s", upGBps, numbers?.pageableUpGBps, atLeastTimes(0.8));
    row(`window from the device, ${way}`, "GB/s", downGBps, numbers?.pageableDownGBps, atLeastTimes(0.8));
    row(
      `buffer to the device, ${way}, beside pinned`,
      "GB/s",
      upGBps,
      numbers?.pinnedUpGBps,
      atLeastTimes(0.9),
    );
    row(
      `buffer from the device, ${way}, beside pinned`,
      "GB/s",
      downGBps,
      numbers?.pinnedDownGBps,
      atLeastTimes(0.9),
    );
  }
  if (numbers === undefined) return rows;
  return [
    ...rows,
    { name: "C: to the device, registered", unit: "GB/s", ours: numbers.registeredUpGBps },
    { name: "C: from the device, registered", unit: "GB/s", ours: numbers.registeredDownGBps },
    { name: "C: registering", unit: "µs", ours: numbers.registerUs },
    { name: "C: giving the registration up", unit: "µs", ours: numbers.unregisterUs },
  ];
}

async function measureLaunches(
  context: GpuContext,
  rounds: number,
): Promise<Pick<DriverNumbers, "launchUs" | "launchWaitUs" | "launchesPerSecond">> {
  using module = context.loadModule(new TextEncoder().encode(PTX));
  const kernel = module.kernels.get("nothing");
  if (kernel === undefined) throw new Error("The module has no kernel");
  const params = new Uint8Array(kernel.paramBytes);
  const [grid, block] = [{ x: 1, y: 1, z: 1 }, { x: 32, y: 1, z: 1 }];
  const launch: KernelLaunch = { module, kernel, grid, block, sharedBytes: 0, params };
  const many = async (count: number): Promise<void> => {
    for (let at = 0; at < count; at++) {
      const answer = context.launch(launch);
      if (answer !== undefined) await answer;
    }
    await context.synchronize();
  };
  await many(1000);
  const launchUs = await medianUs(rounds, () => context.launch(launch), () => context.synchronize());
  const launchWaitUs = await medianUs(rounds, () => {
    void context.launch(launch);
    return context.synchronize();
  });
  const startMs = performance.now();
  await many(100 * rounds);
  const launchesPerSecond = 100 * rounds / (performance.now() - startMs) * 1000;
  return { launchUs, launchWaitUs, launchesPerSecond };
}

/** Copies between a guest's memory and a device of its own, in pieces as a session makes them. */
async function measureCopies(
  open: () => CudaDevice,
  { bytes, rounds }: DeviceBenchOptions,
): Promise<{ readonly upGBps: number; readonly downGBps: number }> {
  using device = open();
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65_536) });
  new Uint8Array(memory.buffer).fill(1);
  const hostMemory = (): ArrayBufferLike => memory.buffer;
  using context = device.createContext({
    memoryBytesMax: 2 * bytes,
    pacer: PACER,
    print: () => {},
    hostMemory,
  });
  const pointer = context.allocate(bytes);
  const all = async (copy: (at: number, piece: Uint8Array) => Promise<void> | undefined): Promise<void> => {
    for (let at = 0; at < bytes; at += PIECE_BYTES) {
      const waits = copy(at, new Uint8Array(memory.buffer, at, Math.min(PIECE_BYTES, bytes - at)));
      if (waits !== undefined) await waits;
    }
    await context.synchronize();
  };
  const up = (): Promise<void> => all((at, piece) => context.copyToDevice(pointer + BigInt(at), piece));
  const down = (): Promise<void> => all((at, piece) => context.copyFromDevice(piece, pointer + BigInt(at)));
  // Twice: what registers memory does so when it is copied again.
  for (let round = 0; round < 2; round++) await up();
  const copies = Math.min(50, rounds);
  const upUs = await medianUs(copies, up);
  const downUs = await medianUs(copies, down);
  context.free(pointer);
  return { upGBps: bytes / upUs / 1000, downGBps: bytes / downUs / 1000 };
}

/** The C program's numbers, or why there are none. */
function measureC(
  { driverPath, info }: CudaDevice,
  { bytes, rounds }: DeviceBenchOptions,
): DriverNumbers | string {
  const folder = Deno.makeTempDirSync();
  try {
    const program = `${folder}/gpu_driver`;
    const source = new URL("gpu_driver.c", import.meta.url).pathname;
    const prebuilt = new URL("gpu_driver", import.meta.url).pathname;
    const args = [driverPath, String(info.index), String(bytes), String(rounds)];
    const built = run("gcc", ["-O2", "-I/usr/local/cuda/include", "-o", program, source, "-ldl"]);
    // A host without a compiler may have the program from the folder that gpu:pack made.
    const measured = run(built.success ? program : prebuilt, args);
    if (measured.success) return JSON.parse(measured.text) as DriverNumbers;
    return built.success ? measured.text : `${built.text}; ${measured.text}`;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function run(path: string, args: string[]): { readonly success: boolean; readonly text: string } {
  try {
    const { success, stdout, stderr } = new Deno.Command(path, { args }).outputSync();
    return { success, text: new TextDecoder().decode(success ? stdout : stderr).trim() };
  } catch (error) {
    return { success: false, text: error instanceof Error ? error.message : String(error) };
  }
}

async function medianUs(
  rounds: number,
  run: () => unknown,
  after: () => unknown = (): void => {},
): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const startMs = performance.now();
    const answer = run();
    if (answer instanceof Promise) await answer;
    times.push((performance.now() - startMs) * 1000);
    const rest = after();
    if (rest instanceof Promise) await rest;
  }
  return times.sort((a, b) => a - b)[times.length >> 1] ?? NaN;
}
