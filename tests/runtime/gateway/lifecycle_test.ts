import assert from "node:assert/strict";
import { Lifecycle } from "../../../runtime/gateway/lifecycle.ts";

Deno.test("Lifecycle takes calls until it drains, readiness flips before", () => {
  const lifecycle = new Lifecycle();
  lifecycle.markUnready();
  assert.equal(lifecycle.phase, "unready");
  lifecycle.enter()();
  lifecycle.markDraining();
  assert.throws(() => lifecycle.enter(), { code: "capacity_exhausted", retryAfterSeconds: 1 });
});

Deno.test("Lifecycle never goes back", () => {
  const lifecycle = new Lifecycle();
  lifecycle.markDraining();
  lifecycle.markUnready();
  assert.equal(lifecycle.phase, "draining");
});

Deno.test("Lifecycle.idle() resolves with the last call and not before", async () => {
  const lifecycle = new Lifecycle();
  const leaves = [lifecycle.enter(), lifecycle.enter()];
  let isIdle = false;
  const idle = lifecycle.idle().then(() => isIdle = true);
  leaves[0]?.();
  await Promise.resolve();
  assert.equal(isIdle, false);
  leaves[1]?.();
  await idle;
  assert.equal(lifecycle.inFlight, 0);
});
