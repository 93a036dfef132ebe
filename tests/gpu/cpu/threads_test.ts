/**
 * Helper threads of the CPU device: faults, time-outs, growing memory, several contexts, and their end.
 *
 * Owns one device with two threads, disposed of at the end, so that no worker is left. Kernels are long enough
 * to be shared. Invariant: results are those of one thread.
 */
import assert from "node:assert/strict";
import { createCpuDevice } from "../../../gpu/cpu/mod.ts";
import type { GpuContext, GpuDevice } from "../../../gpu/device.ts";
import { kernelText, launchText, openContext, outcomeOf, stoppingPacer } from "./device_support.ts";

const BLOCKS = 256;
const BLOCK = { x: 64 };

/** Every thread adds up numbers for a while, and leaves its own sum and a count of the threads. */
const WORK = kernelText(
  `mov.u32 %r1, %ctaid.x; mad.lo.u32 %r2, %r1, 64, %me; mov.u32 %r3, 0; mov.u32 %r4, %r2;
  L: mad.lo.u32 %r4, %r4, 1664525, 1013904223; add.u32 %r3, %r3, 1; setp.lt.u32 %p1, %r3, 300; @%p1 bra L;
  mul.wide.u32 %d1, %r2, 4; add.u64 %d1, %memory, %d1; st.global.u32 [%d1+4], %r4;
  red.global.add.u32 [%memory], 1;`,
);

/** As WORK, with one block that does something else. */
function failingIn(block: number, body: string): string {
  return WORK.replace("mov.u32 %r3, 0;", `mov.u32 %r3, 0; setp.eq.u32 %p2, %r1, ${block}; @%p2 bra F;`)
    .replace("ret;\n}", `ret; F: ${body} ret;\n}`);
}

async function results(context: GpuContext): Promise<Uint32Array> {
  const memory = new Uint8Array(4 * (1 + BLOCKS * BLOCK.x));
  const pointer = context.allocate(memory.length);
  await launchText(context, WORK, { params: [pointer], grid: { x: BLOCKS }, block: BLOCK });
  await context.copyFromDevice(memory, pointer);
  context.free(pointer);
  return new Uint32Array(memory.buffer);
}

async function withThreads(body: (device: GpuDevice) => Promise<void>): Promise<void> {
  using device = createCpuDevice({ threads: 2 });
  await body(device);
}

Deno.test("two threads give what one gives, launch after launch, while memory grows", async () => {
  using single = createCpuDevice();
  using alone = openContext(single);
  const expected = await results(alone);
  assert.equal(expected[0], BLOCKS * BLOCK.x);
  await withThreads(async (device) => {
    using context = openContext(device);
    for (let launch = 0; launch < 12; launch++) {
      assert.deepEqual(await results(context), expected);
      context.allocate(2 ** 20);
    }
  });
});

Deno.test("contexts of a device with threads do not see each other, and one may fail", async () => {
  await withThreads(async (device) => {
    using failing = openContext(device, stoppingPacer(20, 50_000));
    using one = openContext(device);
    using other = openContext(device);
    const endless = launchText(failing, failingIn(5, "E: bra E;"), {
      params: [failing.allocate(2 ** 17)],
      grid: { x: BLOCKS },
      block: BLOCK,
    });
    const runs = await Promise.all([results(one), results(other), outcomeOf(() => endless)]);
    assert.deepEqual(runs[0], runs[1]);
    assert.equal(runs[0][0], BLOCKS * BLOCK.x);
    assert.equal(runs[2].status, 702);
    assert.deepEqual(await results(one), runs[0]);
  });
});

Deno.test("a fault is the same whichever thread meets it", async () => {
  await withThreads(async (device) => {
    for (
      const [body, status] of [
        ["mov.u64 %d1, 0; st.global.u32 [%d1], 1;", 700],
        ["st.global.u32 [%memory+2], 1;", 716],
        ["atom.global.add.u32 %r1, [%memory+2], 1;", 716],
        ["trap;", 719],
      ] as const
    ) {
      for (const block of [0, 1, 2, 3, BLOCKS - 1]) {
        using context = openContext(device);
        const pointer = context.allocate(2 ** 17);
        // The first launch is for helpers to be there at the second.
        await launchText(context, WORK, { params: [pointer], grid: { x: BLOCKS }, block: BLOCK });
        const text = failingIn(block, body);
        const outcome = await outcomeOf(() =>
          launchText(context, text, {
            params: [pointer],
            grid: { x: BLOCKS },
            block: BLOCK,
          })
        );
        assert.equal(outcome.status, status, `block ${block}: ${body} ${outcome.text}`);
        const line = text.split("\n").findIndex((words) => words.includes("ret; F: ")) + 1;
        assert.ok(outcome.text.endsWith(`(line ${line} of the PTX)`), `block ${block}: ${outcome.text}`);
        assert.equal((await outcomeOf(() => context.synchronize())).status, status);
      }
    }
  });
});

Deno.test("a launch that helpers share is stopped by the pacer, and its fuel is booked", async () => {
  await withThreads(async (device) => {
    const pacer = stoppingPacer(200, 100_000);
    using context = openContext(device, pacer);
    // Room for every thread of the grid: how far the threads come before they are stopped is up to the machine.
    const blocks = 100_000;
    const pointer = context.allocate(4 * (1 + blocks * BLOCK.x));
    const launch = { params: [pointer], grid: { x: blocks }, block: BLOCK };
    assert.equal((await outcomeOf(() => launchText(context, WORK, launch))).status, 702);
    assert.ok(pacer.used >= 10_000_000, `${pacer.used}`);
  });
});

Deno.test("a kernel that writes over its device's words does not hang its launch", async () => {
  await withThreads(async (device) => {
    using context = openContext(device, stoppingPacer(300, 100_000));
    const pointer = context.allocate(2 ** 17);
    await outcomeOf(() =>
      launchText(
        context,
        kernelText(`mov.u64 %d1, 0x40000000; L: st.global.u32 [%d1], -1; add.u64 %d1, %d1, 4; bra L;`),
        { params: [pointer], grid: { x: 1000 }, block: BLOCK },
      )
    );
  });
});

Deno.test("a device whose helpers were never needed, or are idle, is disposed of", async () => {
  const idle = createCpuDevice({ threads: 3 });
  idle[Symbol.dispose]();
  const used = createCpuDevice({ threads: 2 });
  const context = openContext(used);
  await results(context);
  context[Symbol.dispose]();
  used[Symbol.dispose]();
  used[Symbol.dispose]();
});
