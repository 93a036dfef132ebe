/** What processes that open the driver find in their environment. */
import assert from "node:assert/strict";
import { baseEnvironment, driverEnvironment } from "../../../runtime/executor/driver_environment.ts";

const APART = { CUDA_MPS_PIPE_DIRECTORY: "/dev/null", CUDA_MODULE_LOADING: "EAGER" } as const;
const DRIVER = "/usr/lib/x86_64-linux-gnu/libcuda.so.1";

Deno.test("driverEnvironment() keeps a tenant out of services and caches that it would share", () => {
  const choice = { driverEnvironment: { CUDA_VISIBLE_DEVICES: "1" }, cacheFolder: undefined };
  assert.deepEqual(baseEnvironment(choice, [DRIVER]), { ...APART, CUDA_VISIBLE_DEVICES: "1" });
  assert.deepEqual(driverEnvironment(choice, "7", DRIVER), {
    ...APART,
    CUDA_VISIBLE_DEVICES: "1",
    CUDA_CACHE_DISABLE: "1",
  });
});

Deno.test("driverEnvironment() gives each tenant a folder of its own where the operator names one", () => {
  const choice = { driverEnvironment: {}, cacheFolder: "/cache" };
  assert.deepEqual(driverEnvironment(choice, "7", DRIVER), { ...APART, CUDA_CACHE_PATH: "/cache/7" });
  assert.deepEqual(driverEnvironment(choice, "8", DRIVER), { ...APART, CUDA_CACHE_PATH: "/cache/8" });
});

Deno.test("driverEnvironment() lets the operator have a service", () => {
  const given = { CUDA_MPS_PIPE_DIRECTORY: "/run/mps", CUDA_MODULE_LOADING: "LAZY" };
  assert.deepEqual(baseEnvironment({ driverEnvironment: given }, []), given);
});

Deno.test("baseEnvironment() tells the loader of places that it does not know by itself, and of no others", () => {
  const told = (...paths: string[]): string | undefined =>
    baseEnvironment({ driverEnvironment: {} }, paths)["LD_LIBRARY_PATH"];
  for (const folder of ["/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/lib/aarch64-linux-gnu"]) {
    assert.equal(told(`${folder}/libcuda.so.1`), undefined);
  }
  assert.equal(told("/usr/local/nvidia/lib64/libcuda.so.1"), "/usr/local/nvidia/lib64");
  assert.equal(told(DRIVER, "/a/libcuda.so.1", "/b/libcuda.so.1", "/a/libcuda.so.1"), "/a:/b");
});
