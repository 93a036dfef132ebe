import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { systemClock } from "../../../runtime/model/clock.ts";

Deno.test("systemClock.nowMs() never decreases and agrees with the date", () => {
  let last = systemClock.nowMs();
  for (let reading = 0; reading < 1000; reading++) {
    const now = systemClock.nowMs();
    assert.ok(now >= last);
    last = now;
  }
  assert.ok(Math.abs(last - Date.now()) < 60_000);
});

for (const delayMs of [1, 120]) {
  Deno.test(`systemClock.after() fires once, not before ${delayMs} ms`, async () => {
    const startMs = performance.now();
    // Coarse timers keep no process alive, so something else must while the test waits.
    const alive = setInterval(() => {}, 1000);
    await new Promise<void>((resolve) => systemClock.after(delayMs, resolve));
    clearInterval(alive);
    assert.ok(performance.now() - startMs >= delayMs - 1);
  });

  Deno.test(`systemClock.after() of ${delayMs} ms can be cancelled`, async () => {
    let fired = false;
    systemClock.after(delayMs, () => fired = true)();
    await new Promise((resolve) => setTimeout(resolve, delayMs + 30));
    assert.equal(fired, false);
  });
}

Deno.test("systemClock.after() does not call back in the context of another caller", async () => {
  const context = new AsyncLocalStorage<string>();
  const alive = setInterval(() => {}, 1000);
  const seen = await new Promise<string | undefined>((resolve) => {
    context.run("first", () => systemClock.after(110, () => {}));
    context.run("second", () => systemClock.after(120, () => resolve(context.getStore())));
  });
  clearInterval(alive);
  assert.notEqual(seen, "first");
});
