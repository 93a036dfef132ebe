/**
 * Large kernels on the CPU device: each runs or is refused with a limit, soon. `deno task fuzz:ptx --large` runs
 * them at their full size.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { createCpuDevice } from "../../../gpu/cpu/mod.ts";
import { launchText, openContext, outcomeOf, stoppingPacer } from "./device_support.ts";
import { LARGE_KERNELS } from "./large_kernels.ts";

/** Processor time that one may take, in a part of its full size. */
const CPU_MS_MAX = 2_000;
const SCALE = 0.02;

const device = createCpuDevice({ programsMax: 1 });

for (const [name, make] of Object.entries(LARGE_KERNELS)) {
  Deno.test(`a kernel with many ${name} runs or is refused with a limit`, async () => {
    using context = openContext(device, stoppingPacer(100, 1_000_000));
    const pointer = context.allocate(4096);
    const before = process.cpuUsage();
    const outcome = await outcomeOf(() =>
      launchText(context, make(SCALE), { params: [pointer], block: { x: 64 } })
    );
    const { user, system } = process.cpuUsage(before);
    assert.ok(
      ["ok", "CUDA_ERROR_LAUNCH_TIMEOUT", "CUDA_ERROR_LAUNCH_FAILED"].includes(outcome.name) ||
        /Max is \d+, got \d+/.test(outcome.text),
      outcome.text,
    );
    const tookMs = (user + system) / 1000;
    assert.ok(tookMs < CPU_MS_MAX, `${tookMs} ms`);
  });
}
