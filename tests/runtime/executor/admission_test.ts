import assert from "node:assert/strict";
import { Admission, ClientGone } from "../../../runtime/executor/admission.ts";
import type { Wait } from "../../../runtime/executor/admission.ts";
import type { RuntimeFault } from "../../../runtime/model/fault.ts";
import { ManualClock } from "../../support/clock.ts";
import { call } from "./pool_setup.ts";

interface Line {
  readonly clock: ManualClock;
  readonly line: Admission<string>;
  readonly events: string[];
  /** Waits and notes how it ended. */
  wait(name: string, rest?: Partial<Wait>): Promise<void>;
  serve(freeSlots?: number): boolean;
}

/** A line in which calls named like `a1`, of tenant `a`, wait. */
function lineOf(queueDepthMax: number): Line {
  const clock = new ManualClock();
  const events: string[] = [];
  const line = new Admission<string>({
    clock,
    queueDepthMax,
    shed: (kind, tenant) => events.push(`shed ${kind} ${tenant}`),
    waited: (ms) => events.push(`waited ${ms}`),
    left: ({ tenant }) => events.push(`left ${tenant}`),
  });
  return {
    clock,
    line,
    events,
    wait: (name, rest) =>
      line.wait(call(clock, name.charAt(0), rest)).then(
        (grant) => void events.push(`${name} got ${grant}`),
        (error: RuntimeFault) => void events.push(`${name}: ${error.code ?? error.name}`),
      ),
    serve: (freeSlots = 1000) => {
      const turn = line.next(freeSlots);
      turn?.value.serve(({ tenant }) => `${tenant}'s slot`);
      return turn !== undefined;
    },
  };
}

Deno.test("Admission serves who waits and says how long that was", async () => {
  const { clock, line, events, wait, serve } = lineOf(10);
  const waiting = [wait("a1"), wait("b1")];
  clock.advance(30);
  assert.ok(serve());
  clock.advance(12);
  assert.ok(serve());
  assert.equal(serve(), false);
  await Promise.all(waiting);
  assert.deepEqual(events, ["waited 30", "waited 42", "a1 got a's slot", "b1 got b's slot"]);
  assert.deepEqual([line.depth, clock.timerCount], [0, 0]);
});

Deno.test("Admission.wait() takes queueDepthMax waiters and refuses the next with limit and value", async () => {
  const { clock, line, events, serve, wait } = lineOf(2);
  const waiting = [wait("a1"), wait("b1")];
  for (let count = 0; count < 4; count++) line.take("z");
  await assert.rejects(line.wait(call(clock, "a")), {
    code: "capacity_exhausted",
    message: "Too many calls are waiting: queueDepthMax is 2, got 3",
    retryAfterSeconds: 1,
  });
  assert.deepEqual(events, ["shed capacity a"]);
  while (serve());
  await Promise.all(waiting);
});

Deno.test("Admission.wait() tells a refused call to stay away as long as the line is at the recent rate", async () => {
  for (const [grants, retryAfterSeconds] of [[0, 30], [1, 19], [5, 4], [100, 1]] as const) {
    const { clock, line, wait } = lineOf(20);
    for (let count = 0; count < grants; count++) line.take("z");
    for (let count = 0; count < 20; count++) void wait("a");
    await assert.rejects(line.wait(call(clock, "a")), { retryAfterSeconds });
    line.refuseAll(() => new Error("over"));
  }
});

Deno.test("Admission.wait() lets queuedCallsMax calls of a tenant wait and refuses the next, not another's", async () => {
  const { clock, line, events, wait } = lineOf(10);
  void wait("a1", { queuedCallsMax: 2 });
  void wait("a2", { queuedCallsMax: 2 });
  await assert.rejects(line.wait(call(clock, "a", { queuedCallsMax: 2 })), {
    code: "tenant_capacity_exhausted",
    message: "Too many calls of the tenant are waiting: queuedCallsMax is 2, got 3",
    retryAfterSeconds: 1,
  });
  void wait("b1", { queuedCallsMax: 2 });
  assert.equal(line.depth, 3);
  assert.deepEqual(events, ["shed tenant a"]);
  await assert.rejects(line.wait(call(clock, "c", { queuedCallsMax: 0 })), {
    code: "tenant_capacity_exhausted",
  });
  line.refuseAll(() => new Error("over"));
});

Deno.test("Admission.wait() displaces the newest of the longest for a tenant with fewer", async () => {
  const { clock, line, events, wait, serve } = lineOf(3);
  const waiting = [wait("a1"), wait("a2"), wait("a3"), wait("b1")];
  await waiting[2];
  assert.deepEqual(events, ["left a", "shed displaced a", "a3: capacity_exhausted"]);
  assert.equal(line.depth, 3);
  waiting.push(wait("b2"), wait("c1"));
  await waiting[4];
  assert.deepEqual(events.filter((event) => event.startsWith("shed")).slice(1), [
    "shed displaced a",
    "shed displaced b",
  ]);
  while (serve());
  await Promise.all(waiting);
  assert.deepEqual(events.filter((event) => event.includes("got")), [
    "a1 got a's slot",
    "b1 got b's slot",
    "c1 got c's slot",
  ]);
  assert.equal(clock.timerCount, 0);
});

Deno.test("Admission.wait() displaces nobody for a tenant with as many", async () => {
  const { events, wait, line } = lineOf(4);
  const waiting = [wait("a1"), wait("a2"), wait("b1"), wait("b2")];
  await Promise.all([wait("a3"), wait("b3")]);
  assert.deepEqual(events.filter((event) => event.startsWith("shed")), [
    "shed capacity a",
    "shed capacity b",
  ]);
  assert.equal(line.depth, 4);
  line.refuseAll(() => new Error("over"));
  await Promise.all(waiting);
});

Deno.test("Admission.wait() refuses at the deadline and not before", async () => {
  const { clock, line, events, wait } = lineOf(2);
  const waiting = wait("a1", { deadlineMs: 100 });
  clock.advance(99);
  await Promise.resolve();
  assert.deepEqual([line.depth, events], [1, []]);
  clock.advance(1);
  await waiting;
  assert.deepEqual([line.depth, events], [0, ["left a", "a1: invoke_timeout"]]);
});

Deno.test("Admission.wait() refuses at once a call whose deadline is now", async () => {
  const { clock, line } = lineOf(2);
  await assert.rejects(line.wait(call(clock, "a", { deadlineMs: 7, deadlineAtMs: clock.nowMs() })), {
    code: "invoke_timeout",
    message: "Call was still waiting for a cell at its deadline of 7 ms",
  });
  assert.equal(clock.timerCount, 0);
});

Deno.test("Admission serves nobody whose deadline has passed, though its timer is late", async () => {
  const clock = new ManualClock();
  const late = { nowMs: () => clock.nowMs(), after: () => () => {} };
  const ignore = (): void => {};
  const line = new Admission<string>({
    clock: late,
    queueDepthMax: 9,
    shed: ignore,
    waited: ignore,
    left: ignore,
  });
  const overdue = line.wait(call(clock, "a", { deadlineMs: 100 }));
  const alone = line.wait(call(clock, "a", { deadlineMs: 100, alone: true }));
  const timely = line.wait(call(clock, "a", { deadlineMs: 101 }));
  clock.advance(100);
  line.next(1)?.value.serve(() => "slot");
  assert.equal(await timely, "slot");
  assert.equal(line.nextAlone(), undefined);
  await assert.rejects(overdue, { code: "invoke_timeout" });
  await assert.rejects(alone, { code: "invoke_timeout" });
});

Deno.test("Admission.wait() lets a client that left go, once, and not after it was served", async () => {
  const { clock, line, events, wait, serve } = lineOf(3);
  const leave: (() => void)[] = [];
  const cancellation = { onCancel: (callback: () => void) => void leave.push(callback) };
  const waiting = [wait("a1", { cancellation }), wait("b1", { cancellation })];
  leave[0]?.();
  leave[0]?.();
  serve();
  leave[1]?.();
  await Promise.all(waiting);
  assert.deepEqual(events, ["left a", "waited 0", "a1: ClientGone", "b1 got b's slot"]);
  assert.deepEqual([line.depth, clock.timerCount], [0, 0]);
});

Deno.test("Admission.wait() refuses a client that had left before", async () => {
  const { clock, line } = lineOf(3);
  const cancellation = { onCancel: (callback: () => void) => callback() };
  await assert.rejects(line.wait(call(clock, "a", { cancellation })), ClientGone);
  assert.deepEqual([line.depth, line.tenantCount, clock.timerCount], [0, 0, 0]);
});

Deno.test("Admission.refuseAll() empties the line", async () => {
  const { clock, line } = lineOf(3);
  const waiting = [line.wait(call(clock, "a")), line.wait(call(clock, "b", { alone: true }))];
  line.refuseAll(() => new Error("closing"));
  for (const wait of waiting) await assert.rejects(wait, { message: "closing" });
  assert.deepEqual([line.depth, line.tenantCount, clock.timerCount], [0, 0, 0]);
});
