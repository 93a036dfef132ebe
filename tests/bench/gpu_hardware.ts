/**
 * Bench of the CUDA device on a GPU beside a C program that calls the driver directly (gpu_driver.c), in one run.
 *
 * Owns what is measured through the device's interface: launch, launch and wait, launches a second, copies from
 * and to guest memory. Prints a table and the device; where there is no GPU, why. Numbers are of the host that it
 * ran on, and of no other. Options: --bytes N of a copy, --rounds N.
 */
import { CudaUnavailable } from "../../gpu/cuda/mod.ts";
import type { CudaDevice } from "../../gpu/cuda/mod.ts";
import type { GpuContext, KernelLaunch, Pacer } from "../../gpu/device.ts";
import { openHardware } from "../gpu/hardware/hardware.ts";

const PTX = `.version 7.0
.target sm_70
.address_size 64
.visible .entry nothing(.param .u64 a, .param .u64 b, .param .u32 c)
{
  ret;
}
`;

/** One set of numbers; GB are 10^9 bytes. */
interface Row {
  readonly launchUs: number;
  readonly launchWaitUs: number;
  readonly launchesPerSecond: number;
  readonly pageableUpGBps: number;
  readonly pageableDownGBps: number;
  readonly pinnedUpGBps?: number;
  readonly pinnedDownGBps?: number;
}

const print = (text: string): number => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));

const PACER: Pacer = { tick: () => 1000, charge: () => {}, wait: async (promise) => void await promise };

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? NaN;
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
  return median(times);
}

async function measure(context: GpuContext, bytes: number, rounds: number): Promise<Row> {
  using module = context.loadModule(new TextEncoder().encode(PTX));
  const kernel = module.kernels.get("nothing");
  if (kernel === undefined) throw new Error("The module has no kernel");
  const pointer = context.allocate(bytes);
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
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65_536) });
  const window = new Uint8Array(memory.buffer, 0, bytes).fill(1);
  const copies = Math.min(50, rounds);
  const upUs = await medianUs(copies, async () => {
    await context.copyToDevice(pointer, window);
    await context.synchronize();
  });
  const downUs = await medianUs(copies, () => context.copyFromDevice(window, pointer));
  context.free(pointer);
  return {
    launchUs,
    launchWaitUs,
    launchesPerSecond,
    pageableUpGBps: bytes / upUs / 1000,
    pageableDownGBps: bytes / downUs / 1000,
  };
}

/** The C program's numbers, or why there are none. */
function measureC({ driverPath, info }: CudaDevice, bytes: number, rounds: number): Row | string {
  const program = `${Deno.makeTempDirSync()}/gpu_driver`;
  const source = new URL("gpu_driver.c", import.meta.url).pathname;
  const prebuilt = new URL("gpu_driver", import.meta.url).pathname;
  const run = (path: string, args: string[]): { readonly success: boolean; readonly text: string } => {
    try {
      const { success, stdout, stderr } = new Deno.Command(path, { args }).outputSync();
      return { success, text: new TextDecoder().decode(success ? stdout : stderr).trim() };
    } catch (error) {
      return { success: false, text: error instanceof Error ? error.message : String(error) };
    }
  };
  const build = ["-O2", "-I/usr/local/cuda/include", "-o", program, source, "-ldl"];
  const args = [driverPath, String(info.index), String(bytes), String(rounds)];
  const built = run("gcc", build);
  // A host without a compiler may have the program from the folder that gpu:pack made.
  const measured = run(built.success ? program : prebuilt, args);
  if (measured.success) return JSON.parse(measured.text) as Row;
  return built.success ? measured.text : `${built.text}; ${measured.text}`;
}

function option(name: string, fallback: number): number {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(Deno.args[at + 1]);
}

async function main(): Promise<void> {
  let device: CudaDevice;
  try {
    device = openHardware({ contexts: "primary" });
  } catch (error) {
    if (!(error instanceof CudaUnavailable)) throw error;
    return void print(`skipped: ${error.message}`);
  }
  const [bytes, rounds] = [option("bytes", 64 * 1024 * 1024), option("rounds", 1000)];
  const c = measureC(device, bytes, rounds);
  using context = device.createContext({ memoryBytesMax: 2 * bytes, pacer: PACER, print: () => {} });
  const ours = await measure(context, bytes, rounds);
  print(`${device.info.name}, copies of ${bytes} bytes, ${rounds} rounds`);
  if (typeof c === "string") print(`no numbers of the C program: ${c}`);
  const theirs = typeof c === "string" ? undefined : c;
  for (const [name, value] of Object.entries(ours)) {
    const other = theirs?.[name as keyof Row];
    const beside = other === undefined ? "" : `  C ${other.toFixed(3)}  ratio ${(value / other).toFixed(3)}`;
    print(`${name.padEnd(20)} ${value.toFixed(3)}${beside}`);
  }
  for (const name of ["pinnedUpGBps", "pinnedDownGBps"] as const) {
    const other = theirs?.[name];
    if (other !== undefined) print(`${name.padEnd(20)} C ${other.toFixed(3)}`);
  }
}

await main();
