/**
 * CpuDevice: PTX on the CPU, behind the interface of every device.
 *
 * Owns what contexts share: compiled programs, and what was found out about the host. Importing it does nothing.
 * Invariant: contexts share code and no data.
 */
import { SHARED_BYTES_MAX } from "../ptx/kernel_interface.ts";
import type { ContextOptions, GpuContext, GpuDevice, GpuDeviceInfo } from "../device.ts";
import { CpuContext } from "./context.ts";
import { Crew } from "./crew.ts";
import { Programs } from "./programs.ts";
import type { Compiler } from "./programs.ts";

/** How the device is set up. */
export interface CpuDeviceOptions {
  /** Threads that a kernel may use. */
  readonly threads?: number;
  /** Most programs that are kept compiled, and most bytes of their PTX. */
  readonly programsMax?: number;
  readonly programBytesMax?: number;
}

/** Most threads: the control words count helpers in seven bits. */
const THREADS_MAX = 64;

/** Largest memory of a context: the engine's bound for 64-bit memories. */
const MEMORY_BYTES_MAX = 16 * 2 ** 30;

/** The CPU as a device. */
export class CpuDevice implements GpuDevice {
  readonly info: GpuDeviceInfo;
  readonly programs: Programs;
  /** Threads beside the caller's; absent if kernels have one thread. */
  readonly crew: Crew | undefined;

  constructor(
    { threads = 1, programsMax = 64, programBytesMax = 64 * 2 ** 20 }: CpuDeviceOptions,
    compiler: Compiler | (() => Promise<Compiler>),
  ) {
    this.crew = threads > 1 ? new Crew(Math.min(threads, THREADS_MAX) - 1) : undefined;
    const bounds = { programsMax, ptxBytesMax: programBytesMax };
    this.programs = new Programs({ isShared: this.crew !== undefined }, compiler, bounds);
    this.info = {
      kind: "cpu",
      index: 0,
      name: "TensorWasm CPU (PTX compiled to WebAssembly)",
      // What of PTX is understood is that of sm_90, see docs/gpu.md.
      computeCapability: { major: 9, minor: 0 },
      multiprocessorCount: threads,
      memoryBytes: MEMORY_BYTES_MAX,
      warpSize: 32,
      threadsPerBlockMax: 1024,
      sharedBytesPerBlockMax: SHARED_BYTES_MAX,
    };
  }

  createContext(options: ContextOptions): GpuContext {
    return new CpuContext(this, options);
  }

  [Symbol.dispose](): void {
    this.crew?.[Symbol.dispose]();
  }
}

/**
 * The CPU device. The compiler is fetched when the first PTX is loaded, by `loadModuleInTurns`; `loadModule` works
 * from then on. (cpu/mod.ts has a device that begins with it.)
 */
export function openCpuDevice(options: CpuDeviceOptions = {}): CpuDevice {
  return new CpuDevice(options, () => import("./program.ts"));
}
