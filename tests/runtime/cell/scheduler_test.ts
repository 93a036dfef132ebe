import assert from "node:assert/strict";
import { Fiber, STOP } from "../../../runtime/cell/fiber.ts";
import { Scheduler } from "../../../runtime/cell/scheduler.ts";
import type { Guard } from "../../../runtime/cell/scheduler.ts";
import { InvariantError } from "../../../runtime/model/invariant.ts";
import type { Outcome } from "../../../runtime/model/outcome.ts";
import { ManualHost } from "../../support/manual_host.ts";

const CANCELLED: Outcome = { type: "cancelled", by: "client" };
const FOREVER_MS = 1_000_000;

interface Options {
  readonly tenant?: string;
  readonly deadlineMs?: number;
  readonly fuelMax?: number;
}

/** A scheduler with slices of 1 ms, and calls whose guests are written as functions. */
class Stage {
  readonly host = new ManualHost();
  readonly scheduler: Scheduler;
  /** Names in the order in which they came on. */
  readonly turns: string[] = [];
  readonly ended: string[] = [];

  constructor(guard?: Guard) {
    this.scheduler = new Scheduler(this.host, 1, guard);
  }

  /** Submits a call; `run` is its guest. */
  call(name: string, run: (actor: Actor) => Promise<void>, options: Options = {}): Fiber {
    const { tenant = "0", deadlineMs = FOREVER_MS, fuelMax = 0 } = options;
    const fiber = new Fiber({ tenant, deadlineMs, deadlineAtMs: this.host.timeMs + deadlineMs, fuelMax });
    this.scheduler.submit(fiber, async () => {
      this.turns.push(name);
      await run(new Actor(this, name, fiber));
      this.ended.push(name);
    });
    return fiber;
  }

  /** Submits a call that works until it is told to stop, or for `forMs`. */
  spin(name: string, options: Options = {}, forMs = Infinity): Fiber {
    return this.call(name, async (actor) => {
      for (let doneMs = 0; doneMs < forMs; doneMs += 0.5) if (!await actor.work(0.5)) return;
    }, options);
  }

  /** Takes turns of the event loop until a time. */
  async runTo(timeMs: number): Promise<void> {
    await this.host.runUntil(() => this.scheduler.size === 0 || this.host.timeMs >= timeMs);
  }

  async runOut(): Promise<void> {
    await this.host.runUntil(() => this.scheduler.size === 0);
  }

  async stopAll(): Promise<void> {
    this.scheduler.cancelAll(CANCELLED);
    await this.runOut();
    assert.equal(this.host.timerCount, 0);
    assert.equal(this.host.turnsWaiting, 0);
  }
}

/** What a guest does. */
class Actor {
  readonly #stage: Stage;
  readonly #name: string;
  readonly fiber: Fiber;

  constructor(stage: Stage, name: string, fiber: Fiber) {
    this.#stage = stage;
    this.#name = name;
    this.fiber = fiber;
  }

  /** Works, then asks whether to go on. */
  async work(ms: number): Promise<boolean> {
    this.#stage.host.pass(ms);
    const answer = this.#stage.scheduler.tick(-1);
    if (typeof answer === "number") return answer !== STOP;
    const later = await answer;
    if (later !== STOP) this.#stage.turns.push(this.#name);
    return later !== STOP;
  }

  async sleep(ms: number): Promise<boolean> {
    await this.#stage.scheduler.sleep(ms);
    return this.fiber.stopped === undefined;
  }

  /** Whether it was parked. */
  async checkpoint(isOffered: boolean): Promise<boolean> {
    const parked = this.#stage.scheduler.checkpoint(isOffered);
    await parked;
    return parked !== undefined;
  }
}

Deno.test("Scheduler: a call runs until its end when it is alone and short", async () => {
  const stage = new Stage();
  const fiber = stage.call("a", async (actor) => assert.equal(await actor.work(0.75), true));
  assert.equal(stage.scheduler.size, 1);
  await stage.runOut();
  assert.deepEqual(stage.turns, ["a"]);
  assert.equal(fiber.cpuMs, 0.75);
  assert.equal(fiber.yields, 0);
});

Deno.test("Scheduler: nothing runs before submit() has returned", async () => {
  const stage = new Stage();
  stage.call("a", () => Promise.resolve());
  assert.deepEqual(stage.turns, []);
  await stage.runOut();
  assert.deepEqual(stage.turns, ["a"]);
});

Deno.test("Scheduler: a slice is over after exactly timeSliceMs, if anyone waits", async () => {
  for (const [ms, yields] of [[1 - 1 / 1024, 0], [1, 1]] as const) {
    const stage = new Stage();
    const fiber = stage.call("a", async (actor) => void await actor.work(ms));
    stage.call("b", () => Promise.resolve());
    await stage.runOut();
    assert.equal(fiber.yields, yields);
    assert.deepEqual(stage.ended, yields === 0 ? ["a", "b"] : ["b", "a"]);
  }
});

Deno.test("Scheduler: a call that is alone gives way to the event loop alone, which is no yield", async () => {
  const stage = new Stage();
  const fiber = stage.spin("a", {}, 10);
  await stage.runOut();
  assert.equal(stage.host.turnCount, 10);
  assert.equal(fiber.yields, 0);
});

Deno.test("Scheduler: the event loop has its turn after a slice of many short calls", async () => {
  const stage = new Stage();
  for (let index = 0; index < 100; index++) {
    stage.call(`${index}`, () => Promise.resolve(stage.host.pass(0.125)));
  }
  await stage.runOut();
  assert.ok(stage.host.turnCount >= 12 && stage.host.turnCount <= 13, `${stage.host.turnCount}`);
});

Deno.test("Scheduler: two slices at most lie between two turns of the event loop", async () => {
  const stage = new Stage();
  for (const name of ["a", "b", "c"]) stage.spin(name, {}, 20);
  stage.call("short", () => Promise.resolve(stage.host.pass(0.75)));
  let lastMs = 0;
  while (stage.scheduler.size > 0) {
    await stage.host.turn();
    assert.ok(stage.host.timeMs - lastMs <= 2, `${stage.host.timeMs - lastMs}`);
    lastMs = stage.host.timeMs;
  }
});

Deno.test("Scheduler: tenants have equal time, however many calls they have", async () => {
  const stage = new Stage();
  const many = Array.from({ length: 20 }, (_, index) => stage.spin(`a${index}`, { tenant: "a" }));
  const one = stage.spin("b", { tenant: "b" });
  await stage.runTo(200);
  const manyMs = many.reduce((sum, fiber) => sum + fiber.cpuMs, 0);
  assert.ok(Math.abs(one.cpuMs - manyMs) <= 2, `${one.cpuMs} and ${manyMs}`);
  await stage.stopAll();
});

Deno.test("Scheduler: calls of a tenant have equal time", async () => {
  const stage = new Stage();
  const fibers = ["a", "b", "c"].map((name) => stage.spin(name));
  await stage.runTo(300);
  for (const fiber of fibers) assert.ok(Math.abs(fiber.cpuMs - 100) <= 3, `${fiber.cpuMs}`);
  await stage.stopAll();
});

Deno.test("Scheduler: a tenant that comes late has no time to make up", async () => {
  const stage = new Stage();
  const first = stage.spin("first", { tenant: "a" });
  await stage.runTo(100);
  const second = stage.spin("second", { tenant: "b" });
  const firstMs = first.cpuMs;
  await stage.runTo(200);
  assert.ok(Math.abs(first.cpuMs - firstMs - 50) <= 2, `${first.cpuMs - firstMs}`);
  assert.ok(Math.abs(second.cpuMs - 50) <= 2, `${second.cpuMs}`);
  await stage.stopAll();
});

Deno.test("Scheduler: a tenant that slept has saved up no turns, for itself or for one who comes anew", async () => {
  const stage = new Stage();
  const busy = stage.spin("busy", { tenant: "a" });
  const sleeper = stage.call("sleeper", async (actor) => {
    await actor.sleep(100);
    while (await actor.work(0.5));
  }, { tenant: "b" });
  await stage.runTo(50);
  const late = stage.spin("late", { tenant: "c" });
  const busyMs = busy.cpuMs;
  await stage.runTo(100);
  assert.ok(Math.abs(late.cpuMs - 25) <= 2, `${late.cpuMs}`);
  await stage.runTo(160);
  assert.ok(Math.abs(sleeper.cpuMs - 20) <= 2, `${sleeper.cpuMs}`);
  assert.ok(Math.abs(busy.cpuMs - busyMs - 45) <= 3, `${busy.cpuMs - busyMs}`);
  await stage.stopAll();
});

Deno.test("Scheduler: of a tenant's calls the one that had the least comes first", async () => {
  const stage = new Stage();
  stage.spin("old", {}, 4);
  await stage.runTo(2);
  stage.spin("young", {}, 1);
  await stage.runOut();
  assert.deepEqual(stage.ended, ["young", "old"]);
});

Deno.test("Scheduler: one of four turns goes to the call that has waited longest, so that none starves", async () => {
  const stage = new Stage();
  const old = stage.spin("old");
  await stage.runTo(10);
  const beforeMs = old.cpuMs;
  // There is always a younger one that has had nothing.
  let count = 0;
  const submitNext = (): void =>
    void stage.call(`young${count++}`, async (actor) => {
      if (count < 90) submitNext();
      stage.host.pass(1);
      await Promise.resolve(actor);
    });
  submitNext();
  await stage.host.runUntil(() => stage.ended.length === 90);
  assert.ok(Math.abs(old.cpuMs - beforeMs - 30) <= 1, `${old.cpuMs - beforeMs}`);
  await stage.stopAll();
});

Deno.test("Scheduler: a call whose time is over comes before all others, and is stopped", async () => {
  const stage = new Stage();
  const late = stage.call("late", async (actor) => void await actor.work(1), { deadlineMs: 5 });
  for (let index = 0; index < 10; index++) stage.spin(`young${index}`, { tenant: `${index}` }, 3);
  await stage.host.turn();
  stage.host.pass(10);
  await stage.host.turn();
  assert.equal(stage.ended[0], "late");
  assert.deepEqual(late.stopped, { type: "exhausted", limit: "deadline_ms", max: 5, actual: 12 });
  await stage.stopAll();
});

Deno.test("Scheduler: a parked call that is cancelled comes before all others, and is stopped", async () => {
  const stage = new Stage();
  const fibers = Array.from({ length: 10 }, (_, index) => stage.spin(`${index}`, { tenant: `${index}` }));
  await stage.runTo(25);
  const victim = fibers[7];
  assert.ok(victim);
  const usedMs = victim.cpuMs;
  stage.scheduler.cancel(victim, CANCELLED);
  await stage.host.turn();
  assert.deepEqual(stage.ended, ["7"]);
  assert.deepEqual(victim.stopped, CANCELLED);
  assert.equal(victim.cpuMs, usedMs);
  await stage.stopAll();
});

Deno.test("Scheduler: a call may run until its deadline, and not at it", async () => {
  const stage = new Stage();
  const answers: boolean[] = [];
  stage.call("a", async (actor) => {
    answers.push(await actor.work(5 - 1 / 1024));
    answers.push(await actor.work(1 / 1024));
  }, { deadlineMs: 5 });
  await stage.runOut();
  assert.deepEqual(answers, [true, false]);
});

Deno.test("Scheduler: a call that is cancelled before it begins begins all the same, to be told", async () => {
  const stage = new Stage();
  stage.spin("first", {}, 3);
  await stage.host.settle();
  let isOver = false;
  const fiber = stage.call("second", () => {
    isOver = stage.scheduler.isOver(fiber);
    return Promise.resolve();
  });
  stage.scheduler.cancel(fiber, CANCELLED);
  await stage.runOut();
  assert.equal(isOver, true);
  assert.deepEqual(fiber.stopped, CANCELLED);
});

Deno.test("Scheduler: cancelling what has ended, or twice, changes nothing", async () => {
  const stage = new Stage();
  const gone = stage.call("gone", () => Promise.resolve());
  await stage.runOut();
  stage.scheduler.cancel(gone, CANCELLED);
  assert.equal(gone.stopped, undefined);
  const fiber = stage.spin("a");
  await stage.runTo(3);
  stage.scheduler.cancel(fiber, CANCELLED);
  stage.scheduler.cancel(fiber, { type: "cancelled", by: "drain" });
  await stage.runOut();
  assert.deepEqual(fiber.stopped, CANCELLED);
  assert.deepEqual(stage.ended, ["gone", "a"]);
});

Deno.test("Scheduler: fuel may be used up to the limit, and not beyond it", async () => {
  const stage = new Stage();
  const fiber = stage.call("a", async (actor) => {
    const global = { value: 0 };
    actor.fiber.attach(global);
    assert.equal(stage.scheduler.tick(-60), 40);
    assert.equal(stage.scheduler.tick(-1), STOP);
    await Promise.resolve();
  }, { fuelMax: 100 });
  await stage.runOut();
  assert.deepEqual(fiber.stopped, { type: "exhausted", limit: "fuel", max: 100, actual: 101 });
});

Deno.test("Scheduler: what the guard says ends the call that asks, and no other", async () => {
  const outcome: Outcome = { type: "exhausted", limit: "memory_bytes", max: 1, actual: 2 };
  const blamed = new Set<Fiber>();
  const cameOn: Fiber[] = [];
  const stage = new Stage({
    check: (fiber) => blamed.has(fiber) ? outcome : undefined,
    comeOn: (fiber) => void cameOn.push(fiber),
  });
  const [first, second] = [stage.spin("first", {}, 5), stage.spin("second", {}, 5)];
  blamed.add(second);
  await stage.runOut();
  assert.equal(first.stopped, undefined);
  // It is told of each time that a call comes on again, not of the first.
  assert.ok(cameOn.length > 2 && cameOn.includes(first), `${cameOn.length}`);
  assert.deepEqual(second.stopped, outcome);
});

Deno.test("Scheduler.sleep() lets others run, and ends when the time has come", async () => {
  const stage = new Stage();
  let wokeAtMs = 0;
  const sleeper = stage.call("sleeper", async (actor) => {
    stage.host.pass(0.25);
    assert.equal(await actor.sleep(10), true);
    wokeAtMs = stage.host.timeMs;
  });
  stage.spin("other", {}, 30);
  await stage.runOut();
  assert.ok(wokeAtMs >= 10.25 && wokeAtMs <= 12.25, `${wokeAtMs}`);
  assert.equal(sleeper.cpuMs, 0.25);
  assert.deepEqual(stage.ended, ["sleeper", "other"]);
});

Deno.test("Scheduler.sleep() is cut at the deadline", async () => {
  const stage = new Stage();
  const fiber = stage.call("a", async (actor) => {
    assert.equal(await actor.sleep(Infinity), false);
  }, { deadlineMs: 50 });
  await stage.runOut();
  assert.equal(stage.host.timeMs, 50);
  assert.deepEqual(fiber.stopped, { type: "exhausted", limit: "deadline_ms", max: 50, actual: 50 });
});

Deno.test("Scheduler.sleep() of nothing or less ends with the next timer", async () => {
  const stage = new Stage();
  for (const ms of [0, -5]) stage.call("a", async (actor) => assert.equal(await actor.sleep(ms), true));
  await stage.runOut();
  assert.equal(stage.host.timeMs, 0);
});

Deno.test("Scheduler.sleep() ends when the call is cancelled, and leaves no timer", async () => {
  const stage = new Stage();
  const fiber = stage.call("a", async (actor) => assert.equal(await actor.sleep(1000), false));
  await stage.host.settle();
  assert.equal(stage.host.timerCount, 1);
  stage.scheduler.cancel(fiber, CANCELLED);
  assert.equal(stage.host.timerCount, 0);
  await stage.runOut();
  assert.equal(stage.host.timeMs, 0);
});

Deno.test("Scheduler.sleep() of a call that was stopped does not sleep", async () => {
  const stage = new Stage();
  const fiber = stage.call("a", async (actor) => {
    assert.equal(await actor.sleep(1000), false);
    assert.equal(await actor.sleep(1000), false);
  });
  await stage.host.settle();
  stage.scheduler.cancel(fiber, CANCELLED);
  await stage.runOut();
  assert.equal(stage.host.timeMs, 0);
});

Deno.test("Scheduler: a timer and a cancel in the same turn wake a sleeper once", async () => {
  const stage = new Stage();
  let woke = 0;
  const fiber = stage.call("a", async (actor) => {
    await actor.sleep(5);
    woke++;
    await actor.sleep(5);
  });
  await stage.host.settle();
  stage.host.advance(5);
  stage.scheduler.cancel(fiber, CANCELLED);
  await stage.runOut();
  assert.equal(woke, 1);
});

Deno.test("Scheduler.checkpoint() goes on at once while the slice lasts", async () => {
  const stage = new Stage();
  const parked: boolean[] = [];
  stage.call("a", async (actor) => {
    parked.push(await actor.checkpoint(false), await actor.checkpoint(true));
    stage.host.pass(1 - 1 / 1024);
    parked.push(await actor.checkpoint(false));
    stage.host.pass(1 / 1024);
    parked.push(await actor.checkpoint(false));
  });
  await stage.runOut();
  assert.deepEqual(parked, [false, false, false, true]);
});

Deno.test("Scheduler.checkpoint() gives way within a slice if it is offered and anyone waits", async () => {
  const stage = new Stage();
  const parked: boolean[] = [];
  stage.call("a", async (actor) => {
    parked.push(await actor.checkpoint(false));
    parked.push(await actor.checkpoint(true));
    assert.deepEqual(stage.ended, ["b"]);
    parked.push(await actor.checkpoint(true));
  });
  stage.call("b", () => Promise.resolve());
  await stage.runOut();
  assert.deepEqual(parked, [false, true, false]);
});

for (const tenant of ["a", "b"]) {
  Deno.test(`Scheduler.checkpoint() that is offered gives way also to one up to a slice ahead (${tenant})`, async () => {
    const stage = new Stage();
    const old = stage.spin("old", { tenant: "a" });
    const leadsMs: number[] = [];
    stage.call("young", async (actor) => {
      for (let offer = 0; offer < 40; offer++) {
        stage.host.pass(0.125);
        const leadMs = old.cpuMs - actor.fiber.cpuMs - 0.125;
        const before = old.cpuMs;
        await actor.checkpoint(true);
        if (old.cpuMs > before) leadsMs.push(leadMs);
      }
    }, { tenant });
    await stage.runTo(10);
    assert.ok(leadsMs.some((leadMs) => leadMs > 0), `${leadsMs}`);
    // Within a tenant, one turn of four goes to the call that waits longest, whatever it has had.
    const beyond = leadsMs.filter((leadMs) => leadMs > 1).length;
    assert.ok(tenant === "a" ? beyond > 0 : beyond === 0, `${leadsMs}`);
    await stage.stopAll();
  });
}

Deno.test("Scheduler: a tenant whose call often offers to give way has its equal time", async () => {
  const stage = new Stage();
  const hog = stage.spin("hog", { tenant: "a" });
  const polite = stage.call("polite", async (actor) => {
    while (actor.fiber.stopped === undefined) {
      stage.host.pass(0.125);
      await actor.checkpoint(true);
    }
  }, { tenant: "b" });
  await stage.runTo(200);
  assert.ok(Math.abs(hog.cpuMs - polite.cpuMs) <= 3, `${hog.cpuMs} and ${polite.cpuMs}`);
  await stage.stopAll();
});

Deno.test("Scheduler.checkpoint() says that a call is over by its fiber, before and after it was parked", async () => {
  const stage = new Stage();
  const before = stage.call("before", async (actor) => {
    stage.host.pass(2);
    assert.equal(await actor.checkpoint(false), false);
  }, { deadlineMs: 2 });
  await stage.runOut();
  assert.equal(before.stopped?.type, "exhausted");
  const after = stage.call("after", async (actor) => {
    stage.host.pass(1);
    assert.equal(await actor.checkpoint(false), true);
    assert.equal(actor.fiber.stopped?.type, "exhausted");
  }, { deadlineMs: 2 });
  // It came while nothing was to do, so it begins without a further turn of the event loop.
  await stage.host.settle();
  stage.host.pass(5);
  await stage.runOut();
  assert.equal(after.stopped?.type, "exhausted");
});

Deno.test("Scheduler.runningMs() counts turns and leaves out waiting", async () => {
  const stage = new Stage();
  const seen: number[] = [];
  stage.call("a", async (actor) => {
    stage.host.pass(0.5);
    seen.push(stage.scheduler.runningMs());
    await actor.sleep(20);
    stage.host.pass(0.25);
    seen.push(stage.scheduler.runningMs());
  });
  stage.spin("b", {}, 10);
  await stage.runOut();
  assert.deepEqual(seen, [0.5, 0.75]);
});

Deno.test("Scheduler: only the running fiber may ask", () => {
  const { scheduler } = new Stage();
  assert.throws(() => scheduler.tick(-1), InvariantError);
  assert.throws(() => scheduler.checkpoint(true), InvariantError);
  assert.throws(() => scheduler.sleep(1), InvariantError);
  assert.throws(() => scheduler.runningMs(), InvariantError);
});

Deno.test("Scheduler: when all have ended nothing is left, and it takes further calls", async () => {
  const stage = new Stage();
  for (let round = 0; round < 3; round++) {
    stage.spin(`spin${round}`, {}, 3);
    stage.call(`sleep${round}`, async (actor) => void await actor.sleep(2));
    await stage.runOut();
    assert.equal(stage.scheduler.size, 0);
    assert.equal(stage.host.timerCount, 0);
    assert.equal(stage.host.turnsWaiting, 0);
  }
  assert.equal(stage.ended.length, 6);
});

Deno.test("Scheduler.cancelAll() ends those that run, wait, sleep and have not begun", async () => {
  const stage = new Stage();
  stage.spin("spin");
  stage.spin("other", { tenant: "1" });
  stage.call("sleep", async (actor) => void await actor.sleep(FOREVER_MS / 2));
  await stage.runTo(5);
  stage.spin("new");
  const atMs = stage.host.timeMs;
  await stage.stopAll();
  assert.deepEqual([...stage.ended].sort(), ["new", "other", "sleep", "spin"]);
  // The one that had not begun works until its first check.
  assert.ok(stage.host.timeMs - atMs <= 1, `${stage.host.timeMs - atMs}`);
});

Deno.test("Scheduler.isLookDue is true when a fiber comes on, 0.2 ms after a look, and once it is over", async () => {
  const host = new ManualHost();
  const scheduler = new Scheduler(host, 1);
  const fiber = new Fiber({ tenant: "0", deadlineMs: 10, deadlineAtMs: 10, fuelMax: 0 });
  const seen: boolean[] = [];
  scheduler.submit(fiber, () => {
    seen.push(scheduler.isLookDue);
    scheduler.checkpoint(false);
    seen.push(scheduler.isLookDue);
    host.pass(0.21);
    seen.push(scheduler.isLookDue);
    scheduler.checkpoint(false);
    seen.push(scheduler.isLookDue);
    scheduler.cancel(fiber, { type: "cancelled", by: "client" });
    seen.push(scheduler.isLookDue);
    return Promise.resolve();
  });
  await host.runUntil(() => scheduler.size === 0);
  assert.deepEqual(seen, [true, false, true, false, true]);
});
