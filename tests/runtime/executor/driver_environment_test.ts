/** What processes that open the driver find in their environment. */
import assert from "node:assert/strict";
import { baseEnvironment, driverEnvironment } from "../../../runtime/executor/driver_environment.ts";

const APART = { CUDA_MPS_PIPE_DIRECTORY: "/dev/null" } as const;

Deno.test("driverEnvironment() keeps a tenant out of services and caches that it would share", () => {
  const choice = { driverEnvironment: { CUDA_VISIBLE_DEVICES: "1" }, cacheFolder: undefined };
  assert.deepEqual(baseEnvironment(choice), { ...APART, CUDA_VISIBLE_DEVICES: "1" });
  assert.deepEqual(driverEnvironment(choice, "7"), {
    ...APART,
    CUDA_VISIBLE_DEVICES: "1",
    CUDA_CACHE_DISABLE: "1",
  });
});

Deno.test("driverEnvironment() gives each tenant a folder of its own where the operator names one", () => {
  const choice = { driverEnvironment: {}, cacheFolder: "/cache" };
  assert.deepEqual(driverEnvironment(choice, "7"), { ...APART, CUDA_CACHE_PATH: "/cache/7" });
  assert.deepEqual(driverEnvironment(choice, "8"), { ...APART, CUDA_CACHE_PATH: "/cache/8" });
});

Deno.test("driverEnvironment() lets the operator have a service", () => {
  const given = { CUDA_MPS_PIPE_DIRECTORY: "/run/mps" };
  assert.deepEqual(baseEnvironment({ driverEnvironment: given }), given);
});
