import assert from "node:assert/strict";
import fc from "fast-check";
import { DurationQuantile } from "../../../telemetry/tail/duration_quantile.ts";

Deno.test("DurationQuantile: what is slow is above the true quantile of what came before, within a bucket", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.05, max: 100_000, noNaN: true }), { minLength: 150, maxLength: 600 }),
      (durations) => {
        const quantile = new DurationQuantile(0.9);
        const before: number[] = [];
        // The limit is found anew every 32 observations.
        let limits: number[] = [];
        for (const duration of durations) {
          const isSlow = quantile.observe("a", duration);
          const sorted = before.toSorted((a, b) => a - b);
          limits = [...limits, sorted[Math.ceil(0.9 * sorted.length) - 1] ?? Infinity].slice(-33);
          if (isSlow) assert.ok(duration * 1.0001 >= Math.min(...limits), `${duration} of ${limits}`);
          else if (before.length > 10) {
            assert.ok(
              duration <= Math.max(...limits) * 1.09,
              `${duration} of ${limits}`,
            );
          }
          before.push(duration);
        }
      },
    ),
    { numRuns: 30 },
  );
});

Deno.test("DurationQuantile: about one in a hundred is slow, and none of what is all alike", () => {
  const quantile = new DurationQuantile(0.99);
  let slow = 0;
  // 7919 is a prime: every value from 1 to 10,000 once, in no order.
  for (let count = 0; count < 10_000; count++) {
    if (quantile.observe("a", 10 + count * 7919 % 10_000)) slow += 1;
  }
  assert.ok(slow > 0 && slow < 200, `${slow} of 10,000`);
  for (let count = 0; count < 5000; count++) assert.equal(quantile.observe("b", 7), false);
});

Deno.test("DurationQuantile: nothing is slow before there is enough to compare with", () => {
  const quantile = new DurationQuantile(0.99);
  for (let count = 0; count < 99; count++) assert.equal(quantile.observe("a", 1 + 100 * count), false);
});

Deno.test("DurationQuantile follows a change: what was slow becomes usual", () => {
  const quantile = new DurationQuantile(0.99);
  for (let count = 0; count < 5000; count++) quantile.observe("a", 10);
  assert.equal(quantile.observe("a", 100), true);
  let last = true;
  for (let count = 0; count < 20_000; count++) last = quantile.observe("a", 100);
  assert.equal(last, false);
});

Deno.test("DurationQuantile: kinds are bounded, whatever callers make up", () => {
  const quantile = new DurationQuantile(0.99);
  for (let count = 0; count < 10_000; count++) quantile.observe(`kind ${count}`, count);
  assert.equal(quantile.kindCount, 256);
});
