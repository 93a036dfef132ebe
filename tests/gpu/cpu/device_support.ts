/**
 * Support for tests of the CPU device: a body or a module of PTX, launched, and how that ended.
 *
 * Owns the frame round a body, pacers and the parameter block. Parameters are 64-bit words or bytes as given.
 * Invariant: every context that it makes is disposed of when the run is over, unless the caller keeps it.
 */
import type { Dim3, GpuContext, GpuDevice, Pacer } from "../../../gpu/device.ts";
import { CUDA_STATUS, GpuError } from "../../../gpu/gpu_error.ts";
import type { CudaStatusName } from "../../../gpu/gpu_error.ts";

/** Registers that bodies may use; `%memory` holds the parameter, `%me` the thread's number in the block. */
const REGISTERS = `
  .reg .pred %p<10>; .reg .b16 %h<10>; .reg .b32 %r<40>; .reg .b64 %d<40>; .reg .f32 %f<10>; .reg .f64 %g<10>;
  .reg .b32 %me; .reg .b64 %memory, %own;
  ld.param.u64 %memory, [memory]; mov.u32 %me, %tid.x; mad.wide.u32 %own, %me, 4, %memory;`;

/** What stands before the first declaration of a module. */
export const HEADER = ".version 8.3\n.target sm_90\n.address_size 64\n";

/** A module with one kernel `k` round a body; `module` stands before it. */
export function kernelText(body: string, module = ""): string {
  return `${HEADER}${module}\n.visible .entry k(.param .u64 memory) {${REGISTERS}\n${body}\nret;\n}\n`;
}

/** A pacer that never stops anybody. */
export const FREE_PACER: Pacer = {
  tick: () => 1_000_000_000,
  charge: () => {},
  wait: async (promise) => {
    await promise.catch(() => {});
  },
};

/** A pacer that ends a kernel when it asks for the time of that number; `fuel` is what it grants. */
export function stoppingPacer(ticksMax: number, fuel = 10_000): Pacer & { readonly used: number } {
  let ticks = 0;
  let used = 0;
  return {
    tick: (amount) => {
      used += amount;
      // Compiling asks as well, as often as its time makes it: only what used something counts.
      if (amount === 0 && ticksMax > 0) return fuel;
      return ticks++ < ticksMax ? fuel : -1;
    },
    charge: (amount) => void (used += amount),
    wait: async (promise) => {
      await promise.catch(() => {});
    },
    get used() {
      return used;
    },
  };
}

/** A context with room for a test. */
export function openContext(
  device: GpuDevice,
  pacer = FREE_PACER,
  print = (_: string): void => {},
): GpuContext {
  return device.createContext({ memoryBytesMax: 64 * 2 ** 20, pacer, print });
}

/** A launch of kernel `k`. */
export interface Launch {
  readonly grid?: Partial<Dim3>;
  readonly block?: Partial<Dim3>;
  readonly sharedBytes?: number;
  /** 64-bit words of the parameter block, or the block itself. */
  readonly params?: readonly bigint[] | Uint8Array;
}

/** Loads a text, launches its kernel `k` and waits. @throws GpuError */
export async function launchText(context: GpuContext, text: string, launch: Launch = {}): Promise<void> {
  const module = context.loadModule(new TextEncoder().encode(text));
  const kernel = module.kernels.get("k");
  if (kernel === undefined) throw new RangeError("The text has no kernel k");
  const { params = [0n] } = launch;
  await context.launch({
    module,
    kernel,
    grid: { x: 1, y: 1, z: 1, ...launch.grid },
    block: { x: 1, y: 1, z: 1, ...launch.block },
    sharedBytes: launch.sharedBytes ?? 0,
    params: params instanceof Uint8Array
      ? params
      : new Uint8Array(BigUint64Array.from(params, (word) => BigInt.asUintN(64, word)).buffer),
  });
  await context.synchronize();
}

/** How something ended: `ok`, or the number and the text of the device's error. Any other error goes on. */
export interface Outcome {
  readonly status: number;
  readonly name: CudaStatusName | "ok";
  readonly text: string;
}

/** Waits for work and tells how it ended. */
export async function outcomeOf(work: () => unknown): Promise<Outcome> {
  try {
    await work();
    return { status: 0, name: "ok", text: "" };
  } catch (error) {
    if (!(error instanceof GpuError)) throw error;
    return { status: CUDA_STATUS[error.statusName], name: error.statusName, text: error.message };
  }
}

/** Runs a body in a context of its own, with one buffer of `bytes` as parameter. */
export async function runBody(
  device: GpuDevice,
  body: string,
  options: Launch & { readonly module?: string; readonly pacer?: Pacer; readonly bytes?: number } = {},
): Promise<Outcome & { readonly memory: Uint8Array; readonly printed: string }> {
  let printed = "";
  using context = openContext(device, options.pacer, (text) => void (printed += text));
  const memory = new Uint8Array(options.bytes ?? 4096);
  const outcome = await outcomeOf(async () => {
    const pointer = context.allocate(memory.length);
    await launchText(context, kernelText(body, options.module), { params: [pointer], ...options });
    await context.copyFromDevice(memory, pointer);
  });
  return { ...outcome, memory, printed };
}
