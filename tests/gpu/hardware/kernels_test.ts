/** Every kernel of tests/gpu/kernels on a GPU against its reference, but for those that must fail. */
import { CaseRunner, testKernelCases } from "../kernels/case_runner.ts";
import { allCases } from "../kernels/references.ts";
import { onHardware, openHardware } from "./hardware.ts";

onHardware("kernels on a GPU", () => {
  const runner = new CaseRunner(openHardware({ contexts: "primary" }));
  const cases = allCases().filter(({ fails }) => fails === undefined);
  testKernelCases("cuda kernel", cases, (kernelCase) => runner.problemsOf(kernelCase));
});
