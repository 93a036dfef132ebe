import assert from "node:assert/strict";
import { ClientGone } from "../../../runtime/executor/admission.ts";
import { boundedWait } from "../../../runtime/executor/bounded_wait.ts";
import { RuntimeFault } from "../../../runtime/model/fault.ts";
import { ManualClock } from "../../support/clock.ts";

function waitingOn(clock: ManualClock): { waiting: Parameters<typeof boundedWait>[1]; leave: () => void } {
  let leave = (): void => {};
  const cancellation = { onCancel: (callback: () => void) => void (leave = callback) };
  return {
    waiting: { deadlineMs: 100, deadlineAtMs: clock.nowMs() + 100, cancellation },
    leave: () => leave(),
  };
}

Deno.test("boundedWait() gives what the work gives, and leaves no timer", async () => {
  const clock = new ManualClock();
  assert.equal(await boundedWait(Promise.resolve(7), waitingOn(clock).waiting, clock), 7);
  await assert.rejects(boundedWait(Promise.reject(new Error("broken")), waitingOn(clock).waiting, clock), {
    message: "broken",
  });
  assert.equal(clock.timerCount, 0);
});

Deno.test("boundedWait() ends at the deadline, not before, and names limit and actual", async () => {
  const clock = new ManualClock();
  const work = Promise.withResolvers<number>();
  const wait = boundedWait(work.promise, waitingOn(clock).waiting, clock);
  let settled = false;
  wait.catch(() => (settled = true));
  clock.advance(99);
  await Promise.resolve();
  assert.equal(settled, false);
  clock.advance(1);
  await assert.rejects(wait, (error: unknown) => {
    assert.ok(error instanceof RuntimeFault);
    assert.equal(error.code, "invoke_timeout");
    assert.match(error.message, /deadlineMs is 100, got 100$/);
    return true;
  });
  work.resolve(1);
  assert.equal(clock.timerCount, 0);
});

Deno.test("boundedWait() ends when the client leaves", async () => {
  const clock = new ManualClock();
  const { waiting, leave } = waitingOn(clock);
  const wait = boundedWait(new Promise<never>(() => {}), waiting, clock);
  leave();
  await assert.rejects(wait, ClientGone);
  assert.equal(clock.timerCount, 0);
});
