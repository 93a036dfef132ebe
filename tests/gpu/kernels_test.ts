/**
 * Every kernel of tests/gpu/kernels on the CPU device against its reference.
 *
 * Owns nothing but the device: cases are in kernels/references.ts, running them is in kernels/case_runner.ts. A
 * failure prints the case's seed and the first elements that differ. Invariant: every PTX file is loaded, and
 * every one of its kernels has a case.
 */
import assert from "node:assert/strict";
import { createCpuDevice } from "../../gpu/cpu/mod.ts";
import { CaseRunner, testKernelCases } from "./kernels/case_runner.ts";
import { allCases } from "./kernels/references.ts";

const runner = new CaseRunner(createCpuDevice());
const cases = allCases();

testKernelCases("kernel", cases, (kernelCase) => runner.problemsOf(kernelCase));

Deno.test("every kernel of every PTX file has a case", () => {
  const covered = new Set(cases.map(({ ptx, kernel }) => `${ptx} ${kernel}`));
  const files = [...Deno.readDirSync(new URL("kernels/", import.meta.url))].map(({ name }) => name);
  const missing = files.filter((name) => name.endsWith(".ptx")).flatMap((ptx) =>
    [...runner.loadedFor(ptx).module.kernels.keys()].map((kernel) => `${ptx} ${kernel}`)
  ).filter((name) => !covered.has(name));
  assert.deepEqual(missing, []);
});
