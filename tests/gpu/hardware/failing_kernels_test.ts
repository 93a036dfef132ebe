/**
 * Kernels of tests/gpu/kernels that must fail, on a GPU, each in a context of its own.
 *
 * A file of its own, and with it a process: after some errors the driver wants a new one.
 */
import { CaseRunner, testKernelCases } from "../kernels/case_runner.ts";
import { allCases } from "../kernels/references.ts";
import { onHardware, openHardware } from "./hardware.ts";

onHardware("failing kernels on a GPU", () => {
  const runner = new CaseRunner(openHardware());
  const cases = allCases().filter(({ fails }) => fails !== undefined);
  // A test each: one that the driver wants a new process for gets it.
  for (const kernelCase of cases) {
    testKernelCases(`cuda kernel, ${kernelCase.name}:`, [kernelCase], (each) => runner.problemsOf(each));
  }
});
