/**
 * Differential runs: a generated kernel compiled and interpreted, and what differs.
 *
 * Owns one comparison: the same text, shape, parameters and memory given to the CPU device and to the tests'
 * interpreter, and all of memory compared afterwards. Invariant: both see the same device addresses.
 */
import { createCpuDevice } from "../../../gpu/cpu/mod.ts";
import type { GpuContext, GpuDevice, Pacer } from "../../../gpu/mod.ts";
import { GpuError } from "../../../gpu/mod.ts";
import { parsePtx } from "../../../gpu/ptx/syntax/parser.ts";
import { generateKernel } from "./generate/kernel.ts";
import type { GeneratedKernel, GenerateOptions } from "./generate/kernel.ts";
import { interpretKernel } from "./interpreter/interpret.ts";

/** A pacer that never stops anybody. */
export const FREE_PACER: Pacer = {
  tick: () => 1_000_000_000,
  charge: () => {},
  wait: async (promise) => {
    await promise.catch(() => {});
  },
};

/** Differences that one report names. */
const SHOWN_MAX = 4;

/** Runs both ways. @returns what differs, empty if nothing does */
export async function compareGenerated(
  seed: number,
  device: GpuDevice = createCpuDevice(),
  options: GenerateOptions = {},
): Promise<string[]> {
  const generated = generateKernel(seed, options);
  using context = device.createContext({
    memoryBytesMax: 64 * 2 ** 20,
    pacer: FREE_PACER,
    print: () => {},
  });
  const initial = generated.initialMemory();
  const base = context.allocate(initial.length);
  await context.copyToDevice(base, initial);
  const compiled = await runCompiled(context, generated, base);
  const interpreted = initial.slice();
  const { status } = interpretKernel({
    module: parsePtx(generated.ptx),
    kernel: generated.kernel,
    grid: generated.grid,
    block: generated.block,
    sharedBytes: generated.sharedBytes,
    params: generated.params(base),
    memory: interpreted,
    memoryBase: base,
    fuelMax: 20_000_000,
  });
  if (compiled !== undefined || status !== "ok") {
    const other = status === "ok" ? "nothing" : String(status.error);
    return compiled?.status === (status === "ok" ? undefined : status.error)
      ? []
      : [`seed ${seed}: compiled ends with ${compiled?.message ?? "nothing"}, interpreted with ${other}`];
  }
  const memory = new Uint8Array(initial.length);
  await context.copyFromDevice(memory, base);
  return differences(seed, generated, memory, interpreted);
}

async function runCompiled(
  context: GpuContext,
  generated: GeneratedKernel,
  base: bigint,
): Promise<GpuError | undefined> {
  const module = context.loadModule(new TextEncoder().encode(generated.ptx));
  const kernel = module.kernels.get(generated.kernel);
  if (kernel === undefined) throw new Error("The generated module has its kernel");
  const { grid, block, sharedBytes } = generated;
  try {
    await context.launch({ module, kernel, grid, block, sharedBytes, params: generated.params(base) });
    await context.synchronize();
    return undefined;
  } catch (error) {
    if (error instanceof GpuError) return error;
    throw error;
  }
}

function differences(
  seed: number,
  { outputs }: GeneratedKernel,
  compiled: Uint8Array,
  interpreted: Uint8Array,
): string[] {
  const found: string[] = [];
  for (let at = 0; at < compiled.length && found.length < SHOWN_MAX; at++) {
    if (compiled[at] === interpreted[at]) continue;
    const output = outputs.find(({ offset, byteLength }) => at >= offset && at < offset + byteLength);
    const place = output === undefined ? `byte ${at}` : `${output.name} byte ${at - output.offset}`;
    found.push(`seed ${seed}: ${place}: compiled ${compiled[at]}, interpreted ${interpreted[at]}`);
  }
  return found;
}
