/** How long tenants wait whose cells keep failing. */
import assert from "node:assert/strict";
import { CrashPause } from "../../../runtime/executor/crash_pause.ts";
import { ManualClock } from "../../support/clock.ts";

Deno.test("CrashPause lets the first failure pass, then doubles to five seconds", () => {
  const clock = new ManualClock();
  let resumed = 0;
  const pause = new CrashPause(clock, () => void resumed++);
  pause.note("a");
  assert.equal(pause.isPaused("a"), false);
  for (const lastsMs of [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]) {
    pause.note("a");
    clock.advance(lastsMs - 1);
    assert.deepEqual([pause.isPaused("a"), pause.isPaused("b")], [true, false]);
    clock.advance(1);
    assert.equal(pause.isPaused("a"), false, `${lastsMs}`);
  }
  assert.equal(resumed, 8);
  pause.close();
  assert.deepEqual([pause.size, clock.timerCount], [0, 0]);
});

Deno.test("CrashPause forgets a tenant that has behaved for ten seconds", () => {
  const clock = new ManualClock();
  const pause = new CrashPause(clock, () => {});
  pause.note("a");
  clock.advance(9_999);
  pause.note("a");
  assert.equal(pause.isPaused("a"), true);
  clock.advance(10_100);
  assert.deepEqual([pause.size, clock.timerCount], [0, 0]);
  pause.note("a");
  assert.equal(pause.isPaused("a"), false);
  pause.close();
});
