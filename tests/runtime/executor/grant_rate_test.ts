import assert from "node:assert/strict";
import { GrantRate } from "../../../runtime/executor/grant_rate.ts";

/** A rate that saw `perSecond` grants a second for `seconds`, and the instant after. */
function steady(perSecond: number, seconds: number): { rate: GrantRate; nowMs: number } {
  const rate = new GrantRate();
  const count = perSecond * seconds;
  for (let index = 1; index <= count; index++) rate.note(1000 + index * 1000 / perSecond);
  return { rate, nowMs: 1000 + seconds * 1000 };
}

Deno.test("GrantRate finds a steady rate, early and late", () => {
  for (const seconds of [2, 60]) {
    const { rate, nowMs } = steady(100, seconds);
    const found = rate.perSecond(nowMs);
    assert.ok(found > 98 && found < 102, `${found} after ${seconds} s`);
  }
});

Deno.test("GrantRate forgets", () => {
  const { rate, nowMs } = steady(100, 60);
  assert.ok(rate.perSecond(nowMs + 5000) < 40);
  assert.ok(rate.perSecond(nowMs + 60_000) < 0.01);
});

Deno.test("GrantRate.secondsFor() is the depth at that rate, from 1 to 30", () => {
  const { rate, nowMs } = steady(100, 60);
  for (
    const [depth, seconds] of [[0, 1], [50, 1], [450, 5], [2850, 29], [2950, 30], [100_000, 30]] as const
  ) {
    assert.equal(rate.secondsFor(depth, nowMs), seconds, `depth ${depth}`);
  }
});

Deno.test("GrantRate.secondsFor() says 30 where nothing was granted, and 1 where nobody waits", () => {
  assert.equal(new GrantRate().secondsFor(10, 1000), 30);
  assert.equal(new GrantRate().secondsFor(0, 1000), 1);
});

Deno.test("GrantRate takes a burst at the first instant for a second's work", () => {
  const rate = new GrantRate();
  for (let index = 0; index < 64; index++) rate.note(1000);
  assert.equal(rate.secondsFor(640, 1000), 10);
});
