/**
 * Every kernel of tests/gpu/kernels on the CPU device and on a GPU, element by element.
 *
 * The tolerance between the two is that of tolerances.ts; docs/gpu_validation.md has the table. Cases that must
 * fail, or that one of the two refuses, have no results to compare.
 */
import { createCpuDevice } from "../../../gpu/cpu/mod.ts";
import { CaseRunner, testKernelCases } from "../kernels/case_runner.ts";
import { allCases, type KernelCase } from "../kernels/references.ts";
import type { Expected, NumericArray } from "../kernels/references/kernel_case.ts";
import { twice } from "../kernels/tolerances.ts";
import { differences } from "../kernels/run_case.ts";
import { onHardware, openHardware } from "./hardware.ts";

/** What a device computed, by what was wanted; whether that is near the reference is the other tests' question. */
async function resultsOf(
  runner: CaseRunner,
  kernelCase: KernelCase,
): Promise<Map<Expected["of"], NumericArray>> {
  const results = new Map<Expected["of"], NumericArray>();
  await runner.problemsOf(kernelCase, ({ of }, got) => void results.set(of, got as NumericArray));
  return results;
}

onHardware("a GPU beside the CPU device", () => {
  const [cpu, cuda] = [
    new CaseRunner(createCpuDevice()),
    new CaseRunner(openHardware({ contexts: "primary" })),
  ];
  const cases = allCases().filter((each) =>
    each.fails === undefined && !cpu.isRefused(each) && !cuda.isRefused(each)
  );
  testKernelCases("cuda beside cpu", cases, async (kernelCase) => {
    const [ours, theirs] = [await resultsOf(cpu, kernelCase), await resultsOf(cuda, kernelCase)];
    return kernelCase.expected().flatMap((want, index) => {
      const [a, b] = [ours.get(want.of), theirs.get(want.of)];
      const label = `${kernelCase.name}: result ${index}`;
      if (a === undefined || b === undefined) return [`${label}: missing`];
      return differences(label, b, { of: want.of, values: a, tolerance: twice(want.tolerance) });
    });
  });
});
