/**
 * Every kernel of tests/gpu/kernels on the CPU device and on a GPU, element by element.
 *
 * Owns the tolerance between the two: each may be as far from the reference as the case allows, so they may be
 * twice as far from each other; what is exact is the same bits. Cases that must fail, or that one of the two
 * refuses, have no results to compare.
 */
import { createCpuDevice } from "../../../gpu/cpu/mod.ts";
import { CaseRunner, testKernelCases } from "../kernels/case_runner.ts";
import { allCases, type KernelCase } from "../kernels/references.ts";
import type { Expected, NumericArray, Tolerance } from "../kernels/references/kernel_case.ts";
import { differences } from "../kernels/run_case.ts";
import { onHardware, openHardware } from "./hardware.ts";

function twice(tolerance: Tolerance): Tolerance {
  switch (tolerance.kind) {
    case "ulp":
      return { kind: "ulp", ulps: 2 * tolerance.ulps };
    case "relative":
      return { kind: "relative", bound: 2 * tolerance.bound, floor: 2 * tolerance.floor };
    case "absolute":
      return { kind: "absolute", bound: 2 * tolerance.bound };
    default:
      return tolerance;
  }
}

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
