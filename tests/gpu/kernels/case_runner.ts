/**
 * CaseRunner: cases of the table on one device.
 *
 * Owns a context for each PTX file, shared by its cases, one of its own for a case that must fail, and what is
 * wrong with a case: results, prints, refusals and failures. Comparing is in run_case.ts. Invariant: a case that
 * fails leaves nothing that the next one sees.
 */
import assert from "node:assert/strict";
import type { GpuContext, GpuDevice, GpuModule } from "../../../gpu/device.ts";
import { GpuError } from "../../../gpu/gpu_error.ts";
import { type KernelCase, readKernelPtx } from "./references.ts";
import { type OnResult, runCase } from "./run_case.ts";

const MEMORY_BYTES_MAX = 256 * 1024 * 1024;

/** A context with a module in it, and what its kernels print. */
export class LoadedPtx implements Disposable {
  readonly context: GpuContext;
  readonly module: GpuModule;
  #printed = "";

  constructor(device: GpuDevice, ptx: string) {
    this.context = device.createContext({
      memoryBytesMax: MEMORY_BYTES_MAX,
      pacer: { tick: () => 2 ** 31, charge: () => {}, wait: async (promise) => void await promise },
      print: (text) => this.#printed += text,
    });
    this.module = this.context.loadModule(readKernelPtx(ptx));
  }

  takePrinted(): string[] {
    const lines = this.#printed.split("\n");
    this.#printed = "";
    return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
  }

  [Symbol.dispose](): void {
    this.module[Symbol.dispose]();
    this.context[Symbol.dispose]();
  }
}

/** Runs cases. */
export class CaseRunner {
  readonly #device: GpuDevice;
  readonly #loaded = new Map<string, LoadedPtx>();

  constructor(device: GpuDevice) {
    this.#device = device;
  }

  /** The file, loaded once. */
  loadedFor(ptx: string): LoadedPtx {
    const loaded = this.#loaded.get(ptx) ?? new LoadedPtx(this.#device, ptx);
    this.#loaded.set(ptx, loaded);
    return loaded;
  }

  /** Whether the device refuses the kernel, as its documentation says. */
  isRefused({ refusedBy }: KernelCase): boolean {
    return refusedBy?.includes(this.#device.info.kind) === true;
  }

  /** What is wrong with a case. @param onResult told of each result that is compared */
  async problemsOf(kernelCase: KernelCase, onResult?: OnResult): Promise<string[]> {
    if (this.isRefused(kernelCase)) return this.#refusal(kernelCase);
    if (kernelCase.fails !== undefined) return await this.#failure(kernelCase);
    const loaded = this.loadedFor(kernelCase.ptx);
    const problems = await runCase(loaded.context, loaded.module, kernelCase, onResult);
    const printed = loaded.takePrinted().sort().join("\n");
    const wanted = [...kernelCase.prints ?? []].sort().join("\n");
    if (printed !== wanted) {
      problems.push(`printed ${JSON.stringify(printed)}, not ${JSON.stringify(wanted)}`);
    }
    return problems.map((problem) => `${kernelCase.name}: ${problem}`);
  }

  #refusal({ ptx, kernel, name }: KernelCase): string[] {
    assert.throws(
      () => this.loadedFor(ptx).module.kernels.get(kernel),
      (error) => error instanceof GpuError && error.statusName === "CUDA_ERROR_INVALID_PTX",
      name,
    );
    return [];
  }

  async #failure(kernelCase: KernelCase): Promise<string[]> {
    using loaded = new LoadedPtx(this.#device, kernelCase.ptx);
    const [first, ...others] = kernelCase.fails ?? [];
    const accepted = this.#device.info.kind === "cpu" ? [first] : [first, ...others];
    await assert.rejects(
      runCase(loaded.context, loaded.module, kernelCase),
      (error) => error instanceof GpuError && accepted.includes(error.statusName),
      kernelCase.name,
    );
    return [];
  }
}

/** Registers one test for each kernel, of its cases. */
export function testKernelCases(
  name: string,
  cases: readonly KernelCase[],
  problemsOf: (kernelCase: KernelCase) => Promise<string[]>,
): void {
  for (const [kernel, ofKernel] of Map.groupBy(cases, ({ ptx, kernel }) => `${ptx} ${kernel}`)) {
    Deno.test(`${name} ${kernel}`, async () => {
      const problems: string[] = [];
      for (const kernelCase of ofKernel) problems.push(...await problemsOf(kernelCase));
      assert.equal(problems.join("\n"), "");
    });
  }
}
