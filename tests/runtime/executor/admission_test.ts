import assert from "node:assert/strict";
import { Admission, ClientGone } from "../../../runtime/executor/admission.ts";
import type { Wait } from "../../../runtime/executor/admission.ts";
import { ManualClock } from "../../support/clock.ts";

function waitOf(clock: ManualClock, deadlineMs = 1000): Wait {
  return { deadlineMs, deadlineAtMs: clock.nowMs() + deadlineMs };
}

function lineOf(depthMax: number): { clock: ManualClock; line: Admission<string> } {
  const clock = new ManualClock();
  return { clock, line: new Admission<string>(clock, depthMax) };
}

Deno.test("Admission.grant() serves in order of arrival", async () => {
  const { clock, line } = lineOf(10);
  const first = line.wait(waitOf(clock));
  const second = line.wait(waitOf(clock));
  assert.ok(line.grant("a"));
  assert.ok(line.grant("b"));
  assert.deepEqual([await first, await second], ["a", "b"]);
  assert.equal(line.grant("c"), false);
  assert.equal(clock.timerCount, 0);
});

Deno.test("Admission.wait() takes depthMax waiters and refuses the next with limit and value", async () => {
  const { clock, line } = lineOf(2);
  const waiting = [line.wait(waitOf(clock)), line.wait(waitOf(clock))];
  await assert.rejects(line.wait(waitOf(clock)), {
    code: "capacity_exhausted",
    message: "Too many calls are waiting: queueDepthMax is 2, got 3",
    retryAfterSeconds: 1,
  });
  line.grant("x");
  line.grant("y");
  await Promise.all(waiting);
});

Deno.test("Admission.wait() refuses at the deadline and not before", async () => {
  const { clock, line } = lineOf(2);
  let refused = false;
  const waiting = line.wait(waitOf(clock, 100)).catch((error: unknown) => {
    refused = true;
    return error;
  });
  clock.advance(99);
  await Promise.resolve();
  assert.equal(refused, false);
  clock.advance(1);
  const error = await waiting;
  assert.equal((error as { code: string }).code, "invoke_timeout");
  assert.equal(line.depth, 0);
});

Deno.test("Admission.wait() lets a client that left go, once", async () => {
  const { clock, line } = lineOf(2);
  let leave = (): void => {};
  const waiting = line.wait({ ...waitOf(clock), cancellation: { onCancel: (callback) => leave = callback } });
  leave();
  leave();
  await assert.rejects(waiting, ClientGone);
  assert.equal(line.depth, 0);
  assert.equal(clock.timerCount, 0);
});

Deno.test("Admission.refuseAll() empties the line", async () => {
  const { clock, line } = lineOf(3);
  const waiting = [line.wait(waitOf(clock)), line.wait(waitOf(clock))];
  line.refuseAll(() => new Error("closing"));
  for (const wait of waiting) await assert.rejects(wait, { message: "closing" });
  assert.equal(line.depth, 0);
});

Deno.test("Admission.wait() puts a call that had its turn before ahead of the rest, whatever the depth", async () => {
  const { clock, line } = lineOf(1);
  const first = line.wait(waitOf(clock));
  const returned = line.wait({ ...waitOf(clock), hasWaited: true });
  assert.equal(line.depth, 2);
  line.grant("a");
  line.grant("b");
  assert.deepEqual([await first, await returned], ["b", "a"]);
});
