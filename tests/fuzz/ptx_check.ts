/**
 * What is asked of a device for any PTX: an error of a device or a result, soon, and nothing else.
 *
 * Owns the way of one text through the CPU device: load, compile every kernel, launch each with little fuel.
 * Invariant: a finding is an error that is no GpuError, and is described by its kind and place alone.
 */
import type { CpuDevice } from "../../gpu/cpu/device.ts";
import type { GpuContext, GpuModule, KernelInfo, Pacer } from "../../gpu/device.ts";
import { GpuError } from "../../gpu/gpu_error.ts";

/** How a text ended. */
export interface PtxOutcome {
  /** One for the text, and one for each kernel that was launched. */
  readonly ends: readonly string[];
  readonly finding: string | undefined;
}

/** How far a text is to go. */
export type PtxDepth = "load" | "compile" | "launch";

const BUFFER_BYTES = 65_536;
const KERNELS_MAX = 4;
const TICKS_MAX = 4;
const FUEL = 20_000;
const ENCODER = new TextEncoder();

/** Sends texts through a device; contexts are used until a kernel fails. */
export class PtxChecker implements Disposable {
  readonly #device: CpuDevice;
  #context: GpuContext | undefined;
  #buffer = 0n;
  #ticks = 0;
  #launches = 0;

  constructor(device: CpuDevice) {
    this.#device = device;
  }

  async check(text: string, depth: PtxDepth): Promise<PtxOutcome> {
    const ends: string[] = [];
    try {
      using module = this.#ready().loadModule(ENCODER.encode(text));
      ends.push("loaded");
      if (depth === "load") return { ends, finding: undefined };
      for (const name of [...module.kernels.keys()].slice(0, KERNELS_MAX)) {
        ends.push(await this.#kernel(module, name, depth));
      }
      return { ends, finding: undefined };
    } catch (error) {
      if (error instanceof GpuError) return { ends: [...ends, endOf(error)], finding: undefined };
      return { ends, finding: describe(error) };
    }
  }

  [Symbol.dispose](): void {
    this.#context?.[Symbol.dispose]();
    this.#context = undefined;
  }

  async #kernel(module: GpuModule, name: string, depth: PtxDepth): Promise<string> {
    try {
      const kernel = module.kernels.get(name);
      if (kernel === undefined || depth === "compile") return "compiled";
      await this.#launch(module, kernel);
      return "ran";
    } catch (error) {
      if (!(error instanceof GpuError)) throw error;
      if (error.isSticky) this[Symbol.dispose]();
      return endOf(error);
    }
  }

  async #launch(module: GpuModule, kernel: KernelInfo): Promise<void> {
    const context = this.#ready();
    this.#ticks = 0;
    const params = new Uint8Array(kernel.paramBytes);
    const view = new DataView(params.buffer);
    kernel.params.forEach(({ offset, byteLength }, index) => {
      if (byteLength === 8) view.setBigUint64(offset, this.#buffer + BigInt(index % 4 * 8192), true);
      else if (byteLength === 4) view.setUint32(offset, 64, true);
      else if (byteLength >= 16) view.setBigUint64(offset, this.#buffer, true);
    });
    await context.launch({
      module,
      kernel,
      grid: { x: 2, y: 1, z: 1 },
      block: kernel.requiredBlock ?? { x: Math.min(64, kernel.threadsPerBlockMax), y: 1, z: 1 },
      sharedBytes: 4096,
      params,
    });
    await context.synchronize();
  }

  #ready(): GpuContext {
    // Memory only ever grows, so a context is left behind from time to time.
    if (this.#launches++ % 500 === 499) this[Symbol.dispose]();
    if (this.#context !== undefined) return this.#context;
    const pacer: Pacer = {
      tick: () => this.#ticks++ < TICKS_MAX ? FUEL : -1,
      charge: () => {},
      wait: async (promise) => void await promise,
    };
    this.#context = this.#device.createContext({ memoryBytesMax: 2 ** 24, pacer, print: () => {} });
    this.#buffer = this.#context.allocate(BUFFER_BYTES);
    return this.#context;
  }
}

/** The status; of a refusal also why, without what is particular to the text. */
function endOf({ statusName, message }: GpuError): string {
  if (statusName !== "CUDA_ERROR_INVALID_PTX") return statusName;
  if (/Max is \d+|above the limit|limit/.test(message)) return "refused: limit";
  return /not supported|is not defined/.test(message) ? "refused: unsupported" : "refused: syntax";
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = error.stack?.split("\n").find((line) => /\/gpu\//.test(line))?.replace(/^.*\/gpu\//, "gpu/");
  return `${error.name}: ${error.message.replaceAll(/\d+/g, "N").slice(0, 160)} at ${place ?? "?"}`;
}
