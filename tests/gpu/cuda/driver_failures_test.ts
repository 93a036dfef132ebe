/**
 * Every call of the driver fails once: what is told, and that nothing stays open.
 *
 * Owns a scenario that makes every kind of call, and a run of it for each call and each of some statuses. Whatever
 * fails, it is told as an error of the interface or is of no consequence, and after disposal the driver has
 * nothing open but what it was not able to close.
 */
import assert from "node:assert/strict";
import { CudaUnavailable, GpuError } from "../../../gpu/mod.ts";
import type { CudaDevice } from "../../../gpu/cuda/mod.ts";
import { BASIC_PTX, GLOBALS_PTX, SHARED_PTX } from "../../contract/gpu_kernels.ts";
import { FakeDriver } from "./fake_driver.ts";

const fake = FakeDriver.build();
const ONE = { x: 1, y: 1, z: 1 };

interface Run {
  device: CudaDevice | undefined;
  error: unknown;
}

/** Opens a device, does a bit of everything, and disposes all of it, as `using` would. */
async function scenario(driver: FakeDriver, open: () => CudaDevice): Promise<Run> {
  const run: Run = { device: undefined, error: undefined };
  try {
    using device = run.device = open();
    const pacer = {
      tick: () => 1000,
      charge: () => {},
      wait: async (promise: Promise<unknown>) => void await promise,
    };
    using context = device.createContext({ memoryBytesMax: 1 << 20, pacer, print: () => {} });
    const pointer = context.allocate(1024);
    using stream = context.createStream();
    using start = context.createEvent();
    using end = context.createEvent();
    const load = (ptx: string): ReturnType<typeof context.loadModule> =>
      context.loadModule(new TextEncoder().encode(ptx));
    using basic = load(BASIC_PTX);
    using shared = load(SHARED_PTX);
    using globals = load(GLOBALS_PTX);
    globals.findGlobal("table");
    const launch = (module: typeof basic, name: string, more = {}): unknown => {
      const kernel = module.kernels.get(name);
      assert.ok(kernel);
      const params = new Uint8Array(kernel.paramBytes);
      return context.launch({ module, kernel, grid: ONE, block: ONE, sharedBytes: 0, params, ...more });
    };
    context.recordEvent(start, stream);
    driver.set("kernelDelayUs", 200);
    launch(basic, "nothing", { stream, timed: () => {} });
    await context.copyToDevice(pointer, Uint8Array.of(1, 2, 3), stream);
    context.recordEvent(end, stream);
    context.waitEvent(undefined, end);
    driver.set("kernelDelayUs", 2);
    launch(shared, "reverse", { sharedBytes: 64 * 1024 });
    for (let count = 0; count < 260; count++) await launch(basic, "nothing");
    context.fillZero?.(pointer, 16);
    await context.synchronizeEvent(end);
    context.queryEvent(end);
    context.elapsedMs(start, end);
    await context.synchronize();
    await context.copyFromDevice(new Uint8Array(8), pointer);
    launch(basic, "nothing");
    context.free(pointer);
    await context.synchronize();
  } catch (error) {
    run.error = error;
  }
  driver.set("kernelDelayUs", 0);
  // What had work when it was disposed is closed when that is done.
  for (let round = 0; round < 5_000 && (run.device?.health.lingeringCount ?? 0) > 0; round++) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    run.device?.reap();
  }
  run.device?.[Symbol.dispose]();
  return run;
}

if (fake !== undefined) {
  for (const contexts of ["own", "primary"] as const) {
    for (const hasPools of [1, 0]) {
      for (const status of hasPools ? [2, 719, 4242] : [999]) {
        const what = `${contexts} contexts, ${hasPools ? "pools" : "no pools"}, status ${status}`;
        Deno.test(`cuda: every call fails once and nothing is left (${what})`, async () => {
          const open = (nth: number) => (): CudaDevice => {
            fake.reset();
            fake.set("hasPools", hasPools);
            fake.failCall(nth, status);
            return fake.open({ contexts }, {}, false);
          };
          const good = await scenario(fake, open(0));
          assert.equal(good.error, undefined);
          assert.ok(good.device);
          fake.assertClean(good.device);
          const names = fake.calls();
          assert.ok(new Set(names).size >= (hasPools ? 32 : 30), String(new Set(names).size));
          for (const [index, name] of names.entries()) {
            // Enough of those that are repeated: the first, and the last, when things are given back.
            const before = names.slice(0, index).filter((other) => other === name).length;
            const after = names.slice(index + 1).filter((other) => other === name).length;
            if (before >= 3 && after >= 3) continue;
            const run = await scenario(fake, open(index + 1));
            // How often a wait asks is a matter of time: the call that failed may be another one.
            const [failed = "none"]: string[] = fake.calls(index);
            const at: string = `call ${index + 1}, ${failed}`;
            assert.equal(fake.problem, "", at);
            if (run.error !== undefined) {
              assert.ok(
                run.error instanceof GpuError || run.error instanceof CudaUnavailable,
                `${at}: ${run.error}`,
              );
            }
            assert.equal(
              run.device?.ledger.openCount ?? 0,
              0,
              `${at}: ${JSON.stringify(run.device?.ledger.counts)}`,
            );
            if (!/Destroy|Release/.test(failed)) assert.equal(fake.liveText, "", at);
          }
        });
      }
    }
  }
}
