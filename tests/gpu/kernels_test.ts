/**
 * Every kernel of tests/gpu/kernels on the CPU device against its reference.
 *
 * Owns nothing but the loop: cases are in kernels/references.ts, comparing is in kernels/run_case.ts. Contexts
 * are shared by the cases of a file; one that must fail has its own. A failure prints the case's seed and the
 * first elements that differ. Invariant: every PTX file is loaded, and every one of its kernels has a case.
 */
import assert from "node:assert/strict";
import type { GpuContext, GpuModule } from "../../gpu/device.ts";
import { GpuError } from "../../gpu/gpu_error.ts";
import { createCpuDevice } from "../../gpu/cpu/mod.ts";
import { allCases, type KernelCase, readKernelPtx } from "./kernels/references.ts";
import { runCase } from "./kernels/run_case.ts";

const MEMORY_BYTES_MAX = 256 * 1024 * 1024;

const device = createCpuDevice();
const cases = allCases();

/** A context with a module in it, and what its kernels print. */
class Loaded implements Disposable {
  readonly context: GpuContext;
  readonly module: GpuModule;
  #printed = "";

  constructor(ptx: string) {
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

const shared = new Map<string, Loaded>();

function loadedFor(ptx: string): Loaded {
  const loaded = shared.get(ptx) ?? new Loaded(ptx);
  shared.set(ptx, loaded);
  return loaded;
}

async function problemsOf(kernelCase: KernelCase): Promise<string[]> {
  if (kernelCase.refusedBy?.includes(device.info.kind)) {
    const { module } = loadedFor(kernelCase.ptx);
    assert.throws(
      () => module.kernels.get(kernelCase.kernel),
      (error) => error instanceof GpuError && error.statusName === "CUDA_ERROR_INVALID_PTX",
      kernelCase.name,
    );
    return [];
  }
  if (kernelCase.fails !== undefined) {
    using loaded = new Loaded(kernelCase.ptx);
    await assert.rejects(
      runCase(loaded.context, loaded.module, kernelCase),
      (error) => error instanceof GpuError && kernelCase.fails?.includes(error.statusName) === true,
      kernelCase.name,
    );
    return [];
  }
  const loaded = loadedFor(kernelCase.ptx);
  const problems = await runCase(loaded.context, loaded.module, kernelCase);
  const printed = loaded.takePrinted().sort().join("\n");
  const wanted = [...kernelCase.prints ?? []].sort().join("\n");
  if (printed !== wanted) problems.push(`printed ${JSON.stringify(printed)}, not ${JSON.stringify(wanted)}`);
  return problems.map((problem) => `${kernelCase.name}: ${problem}`);
}

for (const [name, ofKernel] of Map.groupBy(cases, ({ ptx, kernel }) => `${ptx} ${kernel}`)) {
  Deno.test(`kernel ${name}`, async () => {
    const problems: string[] = [];
    for (const kernelCase of ofKernel) problems.push(...await problemsOf(kernelCase));
    assert.equal(problems.join("\n"), "");
  });
}

Deno.test("every kernel of every PTX file has a case", () => {
  const covered = new Set(cases.map(({ ptx, kernel }) => `${ptx} ${kernel}`));
  const files = [...Deno.readDirSync(new URL("kernels/", import.meta.url))].map(({ name }) => name);
  const missing = files.filter((name) => name.endsWith(".ptx")).flatMap((ptx) =>
    [...loadedFor(ptx).module.kernels.keys()].map((kernel) => `${ptx} ${kernel}`)
  ).filter((name) => !covered.has(name));
  assert.deepEqual(missing, []);
});
