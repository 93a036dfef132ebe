/** Random calls on a Scheduler: whatever they do, the thread is one fiber's and every fiber ends in time. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Fiber, STOP } from "../../../runtime/cell/fiber.ts";
import { Scheduler } from "../../../runtime/cell/scheduler.ts";
import { ManualHost } from "../../support/manual_host.ts";

const SLICE_MS = 1;
/** Longest time between two questions of a guest. Times are multiples of 1/8 ms, so that sums are exact. */
const STEP_MS_MAX = 1.5;
const TENANTS = 3;

const eighths = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: max * 8 }).map((n) => n / 8);

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ type: fc.constant("work" as const), ms: eighths(STEP_MS_MAX) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("offer" as const), ms: eighths(STEP_MS_MAX) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("checkpoint" as const), ms: eighths(STEP_MS_MAX) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("sleep" as const), ms: eighths(10) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("await" as const), ms: eighths(STEP_MS_MAX) }) },
);

const plan = fc.record({
  tenant: fc.nat(TENANTS - 1),
  comesAtMs: eighths(20),
  deadlineMs: fc.oneof(eighths(30), fc.constant(200)),
  /** Whether it begins over again when it has done its steps, and so must be stopped. */
  isEndless: fc.boolean(),
  steps: fc.array(step, { maxLength: 12 }),
  cancelAfterMs: fc.option(eighths(40), { nil: undefined }),
});

/** The longest time that a call works without a question: an await asks nothing. */
function longestStretchMs({ steps, isEndless }: Plan): number {
  let longestMs = STEP_MS_MAX;
  let stretchMs = 0;
  for (const { type, ms } of isEndless ? [...steps, ...steps] : steps) {
    if (type !== "sleep") stretchMs += ms;
    longestMs = Math.max(longestMs, stretchMs + 1 / 8);
    if (type !== "await") stretchMs = 0;
  }
  return longestMs;
}

type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;

/** What one call did. */
class Run {
  readonly fiber: Fiber;
  readonly deadlineAtMs: number;
  workedMs = 0;
  begun = false;
  endedAtMs: number | undefined;
  cancelledAtMs: number | undefined;

  constructor({ tenant, deadlineMs }: Plan, nowMs: number) {
    this.deadlineAtMs = nowMs + deadlineMs;
    this.fiber = new Fiber({ tenant: `${tenant}`, deadlineMs, deadlineAtMs: this.deadlineAtMs, fuelMax: 0 });
  }
}

class World {
  readonly host = new ManualHost();
  readonly scheduler = new Scheduler(this.host, SLICE_MS);
  readonly runs: Run[] = [];
  running: Run | undefined;
  /** The first thing that was found wrong inside a call. */
  failure: unknown;

  come(taken: Plan): void {
    const run = new Run(taken, this.host.timeMs);
    this.runs.push(run);
    this.scheduler.submit(run.fiber, async () => {
      try {
        assert.equal(run.begun, false, "begins once");
        run.begun = true;
        this.#comeOn(run);
        await this.#live(run, taken);
        assert.equal(this.running, run, "ends while it runs");
      } catch (error) {
        this.failure ??= error;
      }
      this.running = undefined;
      run.endedAtMs = this.host.timeMs;
    });
    if (taken.cancelAfterMs === undefined) return;
    this.host.after(taken.cancelAfterMs, () => {
      if (run.endedAtMs === undefined) run.cancelledAtMs ??= this.host.timeMs;
      this.scheduler.cancel(run.fiber, { type: "cancelled", by: "client" });
    });
  }

  async #live(run: Run, { steps, isEndless }: Plan): Promise<void> {
    if (this.scheduler.isOver(run.fiber)) return;
    do {
      for (const { type, ms } of steps) {
        if (type !== "sleep") this.#work(run, ms);
        await this.#ask(run, type, ms);
        if (run.fiber.stopped !== undefined) return;
      }
      // An endless guest without a step that takes time would never let time pass.
      if (isEndless) {
        this.#work(run, 1 / 8);
        await this.#ask(run, "work", 0);
      }
    } while (isEndless && run.fiber.stopped === undefined);
  }

  async #ask(run: Run, type: Plan["steps"][number]["type"], ms: number): Promise<void> {
    switch (type) {
      case "work": {
        const answer = await this.#parked(run, this.scheduler.tick(-1));
        assert.equal(answer === STOP, run.fiber.stopped !== undefined);
        return;
      }
      case "offer":
      case "checkpoint":
        return await this.#parked(run, this.scheduler.checkpoint(type === "offer"));
      case "sleep":
        return await this.#parked(run, this.scheduler.sleep(ms));
      case "await":
        await Promise.resolve();
        assert.equal(this.running, run);
    }
  }

  /** Another may run until the answer is there, if it is a promise. */
  async #parked<T>(run: Run, answer: T | Promise<T>): Promise<T> {
    if (!(answer instanceof Promise)) return answer;
    this.running = undefined;
    const value = await answer;
    // What is over before it sleeps is answered at once and never leaves the thread.
    this.#comeOn(run);
    return value;
  }

  #comeOn(run: Run): void {
    assert.equal(this.running, undefined, "one runs at a time");
    this.running = run;
  }

  #work(run: Run, ms: number): void {
    assert.equal(this.running, run);
    this.host.pass(ms);
    run.workedMs += ms;
  }
}

Deno.test("Scheduler: one fiber runs at a time, each ends by its deadline or cancel, and the account is right", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(plan, { minLength: 1, maxLength: 12 }), async (plans) => {
      const world = new World();
      const { host, scheduler, runs } = world;
      for (const taken of plans) host.after(taken.comesAtMs, () => world.come(taken));
      await host.runUntil(() => runs.length === plans.length && scheduler.size === 0);
      assert.equal(world.failure, undefined);
      for (const run of runs) {
        const { fiber, deadlineAtMs, cancelledAtMs, endedAtMs } = run;
        assert.ok(run.begun && endedAtMs !== undefined);
        assert.equal(fiber.cpuMs, run.workedMs, "time on the thread is time worked");
        assert.ok(fiber.yields >= 0);
        // Whoever is to end is next: what is done without a question under way, and its own, lie between.
        const overMs = endedAtMs - Math.min(deadlineAtMs, cancelledAtMs ?? Infinity);
        const boundMs = 2 * Math.max(...plans.map(longestStretchMs)) + SLICE_MS;
        assert.ok(overMs <= boundMs, `ended ${overMs} ms late`);
        if (fiber.stopped?.type === "cancelled") assert.notEqual(cancelledAtMs, undefined);
        if (fiber.stopped?.type === "exhausted") assert.ok(endedAtMs >= deadlineAtMs);
      }
      host.advance(1_000_000);
      await host.turn();
      assert.equal(host.timerCount, 0);
      assert.equal(host.turnsWaiting, 0);
      assert.equal(world.running, undefined);
    }),
    { numRuns: 300 },
  );
});

Deno.test("Scheduler: tenants that always want the thread have equal time, whatever others do", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(plan.filter(({ tenant }) => tenant === 0), { maxLength: 8 }),
      fc.array(eighths(STEP_MS_MAX).filter((ms) => ms > 0), { minLength: 2, maxLength: 3 }),
      async (others, steps) => {
        const world = new World();
        const { host, scheduler } = world;
        // Tenant 1, 2 and perhaps 3 spin with steps of different lengths; tenant 0 comes and goes.
        steps.forEach((ms, index) =>
          world.come({
            tenant: index + 1,
            comesAtMs: 0,
            deadlineMs: 10_000,
            isEndless: true,
            steps: [{ type: "work", ms }],
            cancelAfterMs: undefined,
          })
        );
        for (const taken of others) {
          host.after(taken.comesAtMs, () => world.come({ ...taken, deadlineMs: 30 }));
        }
        const spinners = world.runs.slice(0, steps.length);
        await host.runUntil(() => host.timeMs >= 100);
        assert.equal(world.failure, undefined);
        const times = spinners.map(({ fiber }) => fiber.cpuMs);
        const spreadMs = Math.max(...times) - Math.min(...times);
        assert.ok(spreadMs <= 2 * (SLICE_MS + STEP_MS_MAX), `${times}`);
        assert.ok(Math.min(...times) >= (100 - 2 * STEP_MS_MAX) / (steps.length + 1) - 4, `${times}`);
        scheduler.cancelAll({ type: "cancelled", by: "drain" });
        await host.runUntil(() =>
          scheduler.size === 0 && world.running === undefined && host.timerCount === 0
        );
      },
    ),
    { numRuns: 100 },
  );
});
