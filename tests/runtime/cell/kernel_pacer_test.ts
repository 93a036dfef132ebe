/** KernelPacer on a real Scheduler in the test's own time: what kernels may use, and when they are ended. */
import assert from "node:assert/strict";
import { Fiber, STOP } from "../../../runtime/cell/fiber.ts";
import type { FiberLimits } from "../../../runtime/cell/fiber.ts";
import { KernelPacer } from "../../../runtime/cell/kernel_pacer.ts";
import { Scheduler } from "../../../runtime/cell/scheduler.ts";
import { ManualHost } from "../../support/manual_host.ts";

interface Own {
  readonly host: ManualHost;
  readonly scheduler: Scheduler;
  readonly fiber: Fiber;
  readonly pacer: KernelPacer;
}

/** Runs a body as a fiber that is on. */
async function asFiber(body: (own: Own) => Promise<void>, limits: Partial<FiberLimits> = {}): Promise<void> {
  const host = new ManualHost();
  const scheduler = new Scheduler(host, 1);
  const fiber = new Fiber({ tenant: "0", deadlineMs: 100, deadlineAtMs: 100, fuelMax: 0, ...limits });
  const pacer = new KernelPacer(fiber, scheduler);
  let failure: unknown;
  scheduler.submit(
    fiber,
    () => body({ host, scheduler, fiber, pacer }).catch((error) => void (failure = error)),
  );
  await host.runUntil(() => scheduler.size === 0);
  if (failure !== undefined) throw failure;
}

Deno.test("a tick charges the call and answers with a grant, at once within the slice", () =>
  asFiber(({ fiber, pacer }) => {
    assert.ok(Number(pacer.tick(0)) >= 20_000);
    assert.ok(Number(pacer.tick(1234)) > 0);
    pacer.charge(6);
    assert.equal(fiber.fuel, 1240);
    return Promise.resolve();
  }));

Deno.test("past the slice a tick is a promise, and the fiber is parked meanwhile", () =>
  asFiber(async ({ host, pacer, scheduler }) => {
    pacer.tick(0);
    host.pass(1.5);
    const answer = pacer.tick(1000);
    assert.ok(answer instanceof Promise);
    // Somebody else has the thread now.
    assert.throws(() => scheduler.checkpoint(false), /Only the running fiber asks/);
    assert.ok(await answer > 0);
  }));

Deno.test("grants follow the pace of the kernel, not that of what was before it", () =>
  asFiber(({ host, pacer }) => {
    host.pass(0.5);
    let grant = Number(pacer.tick(0));
    assert.equal(grant, 20_000);
    for (let tick = 0; tick < 3; tick++) {
      host.pass(0.1);
      grant = Number(pacer.tick(grant));
    }
    // 20,000 in 0.1 ms is 40,000 in 0.2 ms, and that is twice as much again.
    assert.ok(grant >= 40_000 && grant <= 160_000, `${grant}`);
    return Promise.resolve();
  }));

Deno.test("a kernel may use exactly what is left of the call's fuel", () =>
  asFiber(({ fiber, pacer }) => {
    fiber.charge(900);
    assert.equal(pacer.tick(0), 100);
    assert.equal(pacer.tick(100), 1);
    assert.equal(fiber.stopped, undefined);
    assert.equal(pacer.tick(1), STOP);
    assert.deepEqual(fiber.stopped, { type: "exhausted", limit: "fuel", max: 1000, actual: 1001 });
    assert.equal(pacer.tick(0), STOP);
    return Promise.resolve();
  }, { fuelMax: 1000 }));

Deno.test("past the deadline, and after a cancel, every tick says stop", async () => {
  await asFiber(({ host, fiber, pacer }) => {
    host.pass(101);
    assert.equal(pacer.tick(5), STOP);
    assert.ok(fiber.stopped?.type === "exhausted" && fiber.stopped.limit === "deadline_ms");
    return Promise.resolve();
  });
  await asFiber(({ scheduler, fiber, pacer }) => {
    scheduler.cancel(fiber, { type: "cancelled", by: "client" });
    assert.equal(pacer.tick(5), STOP);
    return Promise.resolve();
  });
});

Deno.test("a guest's fuel is cut to what its kernels leave of the limit", () =>
  asFiber(({ fiber }) => {
    const global = { value: 0 };
    fiber.attach(global);
    global.value = fiber.grant(0);
    assert.equal(global.value, 1000);
    fiber.charge(990);
    assert.equal(global.value, 10);
    fiber.charge(11);
    assert.equal(global.value, STOP);
    fiber.settle();
    assert.equal(fiber.fuel, 1001);
    return Promise.resolve();
  }, { fuelMax: 1000 }));

for (const outcome of ["resolves", "rejects"] as const) {
  Deno.test(`wait() lasts until the promise ${outcome}, without the thread`, () =>
    asFiber(async ({ host, scheduler, fiber, pacer }) => {
      const gate = Promise.withResolvers<void>();
      const waited = pacer.wait(gate.promise);
      assert.throws(() => scheduler.checkpoint(false), /Only the running fiber asks/);
      host.pass(20);
      if (outcome === "resolves") gate.resolve();
      else gate.reject(new Error("elsewhere"));
      await waited;
      assert.ok(Number(pacer.tick(0)) > 0);
      assert.equal(fiber.stopped, undefined);
      assert.equal(host.timerCount, 0);
      assert.ok(scheduler.runningMs() < 1);
      assert.equal(pacer.waitedMs, 20);
    }));
}

Deno.test("wait() ends at the deadline or a cancel, and the next tick says stop", async () => {
  await asFiber(async ({ pacer, fiber, host }) => {
    await pacer.wait(new Promise(() => {}));
    assert.equal(host.timeMs, 100);
    assert.equal(pacer.tick(0), STOP);
    assert.equal(fiber.stopped?.type, "exhausted");
  });
  await asFiber(async ({ pacer, scheduler, fiber, host }) => {
    const waited = pacer.wait(new Promise(() => {}));
    scheduler.cancel(fiber, { type: "cancelled", by: "drain" });
    await waited;
    assert.equal(pacer.tick(0), STOP);
    assert.equal(host.timerCount, 0);
  });
});
