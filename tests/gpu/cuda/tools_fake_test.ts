/**
 * deno task test:gpu and bench:gpu over the fake driver: that they run to their end, and what they say then.
 *
 * Owns the mechanics alone: files found, processes counted, the C program built and run, rows printed. Invariant: on a
 * stand-in for the driver neither prints a row for docs/gpu_validation.md, or a number without a warning.
 */
import assert from "node:assert/strict";
import { FakeDriver } from "./fake_driver.ts";

const fake = FakeDriver.build();
const ROOT = new URL("../../../", import.meta.url).pathname;

async function run(
  program: string,
  args: readonly string[],
  driver: string,
  isGood = true,
): Promise<string> {
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-all", program, ...args],
    cwd: ROOT,
    env: { TENSOR_WASM_CUDA_DRIVER: driver, NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert.equal(success, isGood, text + new TextDecoder().decode(stderr));
  return text;
}

if (fake !== undefined) {
  const { path } = fake;

  Deno.test("test:gpu runs its files and counts what they report", async () => {
    const args = ["--files", "contract_test.ts", "--filter", "allocat"];
    const text = await run("tests/tools/test_gpu.ts", args, path);
    assert.match(text, /^Fake GPU 0 \(sm_90\) \| CUDA 13\.0\n/);
    assert.match(text, /\ncontract_test\.ts: 2 passed, 0 failed, \d+ s\n/);
    assert.match(text, /\nno row: a stand-in for the driver is no device, and its numbers are none\n/);
    assert.match(text, /\n2 passed, 0 failed\n$/);
    assert.doesNotMatch(text, /^\| /m);
  });

  Deno.test("test:gpu starts a gateway with the device for the guests", async () => {
    const args = ["--files", "guests_test.ts", "--filter", "the gateway has the device"];
    const text = await run("tests/tools/test_gpu.ts", args, path);
    assert.match(text, /\nguests_test\.ts: 1 passed, 0 failed, \d+ s\n/);
  });

  Deno.test("test:gpu gives what fails a process of its own, and tells what passes there apart", async () => {
    await Deno.writeTextFile(`${path}.control`, "poisonsProcess 1\n");
    try {
      // The first poisons the process; another context of the same process notices, in any process.
      const args = ["--files", "contract_faults_test.ts", "--filter", "/write_at of 0x0|trap_now/"];
      const text = await run("tests/tools/test_gpu.ts", args, path, false);
      assert.match(
        text,
        /\ncontract_faults_test\.ts: 2 passed, 1 of them in a process of their own, 1 failed, /,
      );
      assert.match(text, /\nfailed: cuda: after trap_now has failed nobody else notices: .*LAUNCH_FAILED/);
      assert.match(text, /\nin a process of its own: cuda: trap_now is CUDA_ERROR_LAUNCH_FAILED, and /);
      assert.match(text, /\n2 passed, 1 failed\n$/);
    } finally {
      await Deno.remove(`${path}.control`);
    }
  });

  Deno.test("test:gpu does not begin what there is no time for, and then has no row", async () => {
    const text = await run("tests/tools/test_gpu.ts", ["--seconds", "0"], path, false);
    assert.match(text, /\nkernels_test\.ts: not run, the time was over\n/);
    assert.match(text, /\n0 passed, 0 failed\n$/);
  });

  Deno.test("bench:gpu calls guests through HTTP, of one tenant and of two, and beside kernels that crash", async () => {
    const file = await Deno.makeTempFile();
    const sizes = ["--calls", "1", "--seconds", "0.2", "--tenants", "1,2", "--launches", "50"];
    const args = ["--only", "http", ...sizes, "--elements", "100", "--steps", "2", "--json", file];
    await run("tests/bench/gpu_hardware.ts", args, path);
    const rows: { name: string; ours: number; missing?: string }[] =
      JSON.parse(await Deno.readTextFile(file)).rows;
    await Deno.remove(file);
    assert.deepEqual(rows.filter(({ missing }) => missing !== undefined), []);
    assert.equal(rows.length, 9);
    const crash = rows.find(({ name }) => name.startsWith("failed calls of another tenant"));
    assert.equal(crash?.ours, 0, crash?.name);
  });

  Deno.test("test:gpu and bench:gpu say why they do nothing where there is no driver", async () => {
    for (const program of ["tests/tools/test_gpu.ts", "tests/bench/gpu_hardware.ts"]) {
      const text = await run(program, [], "/nowhere/libcuda.so.1");
      assert.match(text, /^skipped: CUDA is not available: .*\n {2}\/nowhere\/libcuda\.so\.1: /);
    }
  });

  Deno.test("bench:gpu measures the device beside the C program, and says that a stand-in is none", async () => {
    const file = await Deno.makeTempFile();
    const args = ["--only", "device", "--bytes", "2500000", "--rounds", "3", "--json", file];
    const text = await run("tests/bench/gpu_hardware.ts", args, path);
    const json = JSON.parse(await Deno.readTextFile(file));
    await Deno.remove(file);
    assert.match(text, /\| stand-in driver, not a GPU: these numbers measure nothing\n/);
    assert.doesNotMatch(text, /\bmet\b/);
    assert.deepEqual([json.device, json.driver, json.isStandIn], ["Fake GPU 0 (sm_90)", "CUDA 13.0", true]);
    assert.match(json.warning, /measure nothing/);
    const rows: {
      name: string;
      ours: number;
      beside?: { value: number };
      missing?: string;
      met?: boolean;
    }[] = json.rows;
    assert.deepEqual(rows.filter(({ missing }) => missing !== undefined), []);
    assert.ok(rows.every(({ ours, met }) => ours > 0 && met === undefined));
    for (const way of ["direct", "staged", "registered"]) {
      const copies = rows.filter(({ name }) => name.includes(`, ${way}`) && name.includes("the device"));
      assert.equal(copies.filter(({ beside }) => (beside?.value ?? 0) > 0).length, 4, way);
    }
  });
}
