/** Which device a gateway comes to: what the driver shows, what the operator asked for, and what is said of it. */
import assert from "node:assert/strict";
import { addingGuest } from "../support/adding_guest.ts";
import { FakeCuda } from "../support/fake_cuda.ts";
import type { FakeCudaOptions } from "../support/fake_cuda.ts";
import { TestGateway } from "../support/gateway.ts";

const fake = await FakeCuda.build();
Deno.test.afterAll(async () => await fake?.[Symbol.asyncDispose]());

async function start(
  choice: string,
  options: FakeCudaOptions,
  more: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<TestGateway> {
  assert.ok(fake);
  await fake.set(options);
  const flags = ["--cells-min", "1", "--cells-max", "1", "--gpu", choice, "--gpu-driver", fake.path, ...more];
  return await TestGateway.start({ flags, env });
}

function test(name: string, run: () => Promise<void>): void {
  const skipped = fake === undefined ? " (skipped: no gcc)" : "";
  Deno.test({ name: `${name}${skipped}`, ignore: fake === undefined, fn: run });
}

async function deviceOf(gateway: TestGateway): Promise<Record<string, unknown>> {
  return await (await fetch(`${gateway.url}/device`)).json();
}

test("--gpu auto takes the GPU that the driver shows", async () => {
  await using gateway = await start("auto", {});
  assert.equal((await deviceOf(gateway))["kind"], "cuda");
  const found = await gateway.line((line) => line.message === "gpu.found");
  assert.deepEqual([found["device"], found["name"], found["driver_version"]], [
    "cuda:0",
    "Fake GPU 0",
    "13.0",
  ]);
});

for (
  const [what, options, reason] of [
    ["the driver fails", { initStatus: 999 }, /cuInit answers CUDA_ERROR_UNKNOWN/],
    ["it shows no device", { deviceCount: 0 }, /the driver shows no device/],
    [
      "its kernels could read the cell",
      { readsHost: 1 },
      /device 0: kernels of this device can read and write/,
    ],
  ] as const
) {
  test(`--gpu auto comes to the cpu device where ${what}, says why, and serves`, async () => {
    await using gateway = await start("auto", options);
    const device = await deviceOf(gateway);
    assert.equal(device["kind"], "cpu");
    assert.match(String(device["fallback"]), reason);
    const line = await gateway.line((line) => line.message === "gpu.fallback");
    assert.match(String(line["reason"]), reason);
    await gateway.deploy("adds", addingGuest());
    const response = await gateway.invoke("adds", { export: "run" });
    assert.deepEqual((await response.json()).result, [300]);
  });

  test(`--gpu cuda does not start where ${what}, and says why`, async () => {
    await assert.rejects(start("cuda", options), reason);
  });
}

test("--gpu-allow-host-memory takes such a device", async () => {
  await using gateway = await start("cuda", { readsHost: 1 }, ["--gpu-allow-host-memory"]);
  assert.equal((await deviceOf(gateway))["kind"], "cuda");
});

test("--gpu cpu does not look for a driver", async () => {
  await using gateway = await start("cpu", {});
  const device = await deviceOf(gateway);
  assert.deepEqual([device["kind"], device["fallback"], device["devices"]], ["cpu", undefined, undefined]);
});

Deno.test("--gpu cuda without a driver names every path that was tried", async () => {
  await assert.rejects(
    TestGateway.start({ env: { TENSOR_WASM_GPU: "cuda", TENSOR_WASM_CUDA_DRIVER: "/nowhere/libcuda.so.1" } }),
    /none can be used\. Tried:\n {2}\/nowhere\/libcuda\.so\.1: no such file/,
  );
});

test("CUDA_VISIBLE_DEVICES holds; room is made by idle cells; each tenant has a cache of its own", async () => {
  const more = ["--gpu-cells-per-device-max", "1", "--gpu-cell-idle-ms", "1500"];
  const env = { CUDA_VISIBLE_DEVICES: "2", CUDA_CACHE_PATH: "/nowhere/cache", CUDA_CACHE_DISABLE: "0" };
  await using gateway = await start("cuda", { deviceCount: 3 }, more, env);
  const device = await deviceOf(gateway);
  assert.deepEqual([device["index"], device["name"]], [0, "Fake GPU 2"]);
  const tenants = ["11", "12"].map((tenant) => ({ "x-tensorwasm-tenant": tenant }));
  for (const headers of tenants) await gateway.deploy("adds", addingGuest(), headers);
  for (const headers of tenants) {
    const response = await gateway.invoke("adds", { export: "run" }, headers);
    assert.deepEqual((await response.json()).result, [300]);
  }
  const ends = await Promise.all(
    ["11", "12"].map((tenant) =>
      gateway.line((line) => line.message === "cell.ended" && line["tenant"] === tenant)
    ),
  );
  assert.deepEqual(ends.map((line) => [line["reason"], line["level"]]), [["evicted", "info"], [
    "idle",
    "info",
  ]]);
  const report = await fake?.report();
  assert.deepEqual(
    report?.slice(-2),
    ["11", "12"].map((tenant) => `open: nothing; wrong: nothing; cache: /nowhere/cache/${tenant}`),
  );
});
