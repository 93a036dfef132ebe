/**
 * Calls of tenants that share a GPU, through HTTP over the stand-in driver: permits, fair order, what is charged.
 *
 * Owns the whole way from the setting to the series; the order itself is tests/runtime/executor/gpu_share*'s. Times
 * are those of the stand-in, told as it is loaded; nothing here measures a GPU.
 */
import assert from "node:assert/strict";
import { BASIC_PTX, FAULTS_PTX } from "../contract/gpu_kernels.ts";
import { parsePrometheusText, valueOf } from "../flow/prometheus_text.ts";
import { CUDA_CALLS, cudaGuest, launchingGuest } from "../support/cuda_guest.ts";
import { FakeCuda } from "../support/fake_cuda.ts";
import { TestGateway } from "../support/gateway.ts";

const KERNEL_MS = 40;
const TENANT = "x-tensorwasm-tenant";

/** Launches a kernel and returns without a wait for it. */
const LEAVES = cudaGuest(
  `${CUDA_CALLS.load(BASIC_PTX, "nothing")} ${CUDA_CALLS.launch(0)}`,
  { ptx: BASIC_PTX, entry: "nothing" },
);
/** Takes longer than a kernel that is past its deadline is waited for. */
const WORKS_LONG = launchingGuest("nothing", BASIC_PTX, new Uint8Array(0), 12);
const LEAVES_SPINNING = cudaGuest(
  `${CUDA_CALLS.load(FAULTS_PTX, "spin")} ${CUDA_CALLS.launch(0)}`,
  { ptx: FAULTS_PTX, entry: "spin" },
);

const fake = await FakeCuda.build({ kernelDelayUs: KERNEL_MS * 1000 });

let gateway: TestGateway;

async function call(name: string, tenant: string, headers: Record<string, string> = {}): Promise<Response> {
  return await gateway.invoke(name, { export: "run" }, { [TENANT]: tenant, ...headers });
}

async function resultOf(response: Response): Promise<unknown> {
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text).result[0];
}

async function metric(name: string, labels: Record<string, string>): Promise<number> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  return valueOf(parsePrometheusText(text), name, labels) ?? 0;
}

if (fake !== undefined) {
  Deno.test.beforeAll(async () => {
    gateway = await TestGateway.start({
      env: { TENSOR_WASM_GPU: "cuda", TENSOR_WASM_CUDA_DRIVER: fake.path },
      flags: ["--gpu-calls-per-device-max", "1"],
    });
  });
  Deno.test.afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    const report = await fake.report();
    await fake[Symbol.asyncDispose]();
    for (const line of report) assert.match(line, /wrong: nothing/);
  });

  Deno.test("one tenant's many calls do not hold another's up, and all are charged what the device was busy", async () => {
    const works = launchingGuest("nothing", BASIC_PTX);
    for (const tenant of ["1", "2"]) {
      await gateway.deploy("works", works, { [TENANT]: tenant });
      // Its cell is started.
      assert.equal(await resultOf(await call("works", tenant)), 0);
    }
    const order: string[] = [];
    const run = async (tenant: string): Promise<void> => {
      assert.equal(await resultOf(await call("works", tenant)), 0);
      order.push(tenant);
    };
    const many = Array.from({ length: 16 }, () => run("1"));
    // The first of them is there; the others are in line.
    while (await metric("tensor_wasm_gpu_permits", { device: "cuda:0", state: "used" }) === 0) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await Promise.all([...many, run("2"), run("2")]);
    assert.ok(order.lastIndexOf("2") < order.length - 4, order.join(" "));
    for (const [tenant, calls] of [["1", 17], ["2", 3]] as const) {
      const seconds = await metric("tensor_wasm_guest_device_seconds_total", { tenant });
      assert.ok(
        seconds >= calls * KERNEL_MS / 1000 * 0.9,
        `tenant ${tenant}: ${seconds} s for ${calls} calls`,
      );
    }
    assert.equal(await metric("tensor_wasm_gpu_permits", { device: "cuda:0", state: "used" }), 0);
    assert.equal(await metric("tensor_wasm_gpu_permits", { device: "cuda:0", state: "free" }), 1);
    assert.equal(await metric("tensor_wasm_gpu_permit_wait_seconds_count", { device: "cuda:0" }), 20);
  });

  Deno.test("a call is over when what it left running is, and is charged for it", async () => {
    await gateway.deploy("leaves", LEAVES, { [TENANT]: "3" });
    assert.equal(await resultOf(await call("leaves", "3")), 0);
    const seconds = await metric("tensor_wasm_guest_device_seconds_total", { tenant: "3" });
    assert.ok(seconds >= KERNEL_MS / 1000 * 0.9, `${seconds} s`);
  });

  Deno.test("a kernel that was left running and does not end is a gpu_timeout; calls in line have a fresh cell", async () => {
    await gateway.deploy("spins", LEAVES_SPINNING, { [TENANT]: "4" });
    await gateway.deploy("works", WORKS_LONG, { [TENANT]: "4" });
    // Its cell is started: the deadline is the kernel's.
    assert.equal(await resultOf(await call("works", "4")), 0);
    const spins = call("spins", "4", { "x-tensorwasm-deadline-ms": "3000" });
    while (await metric("tensor_wasm_gpu_permits", { device: "cuda:0", state: "used" }) === 0) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    // They have slots in that cell, and wait for its permit, which is theirs as soon as that call is answered.
    const inLine = [1, 2, 3].map(() => call("works", "4"));
    assert.equal((await (await spins).json()).error.kind, "gpu_timeout");
    for (const response of inLine) assert.equal(await resultOf(await response), 0);
    assert.equal(await resultOf(await call("works", "4")), 0);
    assert.equal(await metric("tensor_wasm_gpu_permits", { device: "cuda:0", state: "used" }), 0);
  });

  Deno.test("a call that does not get the device before its deadline is told so", async () => {
    await gateway.deploy("works", launchingGuest("nothing", BASIC_PTX), { [TENANT]: "5" });
    assert.equal(await resultOf(await call("works", "5")), 0);
    const blockers = Array.from({ length: 4 }, () => call("works", "1"));
    const hasty = Array.from({ length: 8 }, () => call("works", "5", { "x-tensorwasm-deadline-ms": "150" }));
    const texts = await Promise.all(hasty.map(async (answer) => await (await answer).text()));
    // Eight kernels of 40 ms do not fit, one after the other.
    assert.ok(texts.some((text) => /for the device/.test(text)), texts.join("\n"));
    for (const blocker of blockers) assert.equal(await resultOf(await blocker), 0);
    assert.equal(await metric("tensor_wasm_gpu_permits", { device: "cuda:0", state: "used" }), 0);
  });
}
