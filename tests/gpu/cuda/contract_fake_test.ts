/**
 * The CUDA device keeps the contract of devices over a driver that is none.
 *
 * Owns the list of what the fake cannot show: results of kernels that it does not run. Those run where there is a
 * GPU (deno task test:gpu); there nothing is skipped.
 */
import { testGpuDevice } from "../../contract/gpu_device_contract.ts";
import type { ContractSkip } from "../../contract/gpu_device_contract.ts";
import { FakeDriver } from "./fake_driver.ts";

const NUMBERS = "the fake driver runs no such kernel";
const SKIPS: readonly ContractSkip[] = [
  [/runs each thread once/, NUMBERS],
  [/parameters of every size arrive/, NUMBERS],
  [/dynamic shared memory is as large/, NUMBERS],
  [/module variables have their initial values/, NUMBERS],
  [/what a kernel prints is told/, NUMBERS],
];

const fake = FakeDriver.build();
if (fake !== undefined) {
  testGpuDevice("fake cuda", () => fake.open(), SKIPS);
  testGpuDevice("fake cuda without pools", () => fake.open({}, { hasPools: 0 }), SKIPS);
}
