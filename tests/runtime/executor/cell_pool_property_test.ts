/** Random lives of a pool, held against the model of pool_model.ts. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { PoolModel } from "./pool_model.ts";
import { call, settle, setUp } from "./pool_setup.ts";
import type { Setup } from "./pool_setup.ts";

const SLOTS_PER_CELL = 4;
const LONG_MS = 1_000_000;
/** What each tenant may have at a time: the rule must hold for small and large ones alike. */
const TENANTS = [
  { tenant: "a", concurrentCallsMax: 100, queuedCallsMax: 100 },
  { tenant: "b", concurrentCallsMax: 100, queuedCallsMax: 4 },
  { tenant: "c", concurrentCallsMax: 2, queuedCallsMax: 100 },
  { tenant: "d", concurrentCallsMax: 1, queuedCallsMax: 3 },
] as const;

const tenantIndex = fc.oneof({ arbitrary: fc.constant(0), weight: 3 }, { arbitrary: fc.nat(3), weight: 4 });

/** One step in a pool's life; `pick` chooses among what there is. */
const step = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constant("ask" as const),
      pick: tenantIndex,
      deadlineMs: fc.constantFrom(15, 200, LONG_MS, LONG_MS, LONG_MS),
      alone: fc.nat(5).map((number) => number === 0),
    }),
  },
  { weight: 6, arbitrary: fc.record({ type: fc.constant("giveBack" as const), pick: fc.nat(99) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("giveBackAgain" as const), pick: fc.nat(99) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("cancel" as const), pick: fc.nat(99) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("die" as const), pick: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("retire" as const), pick: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("failNextStart" as const), pick: fc.constant(0) }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant("advance" as const), pick: fc.constantFrom(1, 10, 60, 61_000) }),
  },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function take(setup: Setup, model: PoolModel, taken: Step, withAlone: boolean): void {
  const { pool, clock, cells } = setup;
  const among = <T>(list: readonly T[]): T | undefined => list[taken.pick % Math.max(1, list.length)];
  switch (taken.type) {
    case "ask": {
      const wait = call(clock, "", { ...among(TENANTS), deadlineMs: taken.deadlineMs });
      return model.ask(withAlone && taken.alone ? { ...wait, alone: true } : wait);
    }
    case "giveBack": {
      const held = among([...model.held]);
      return held && model.giveBack(held);
    }
    case "giveBackAgain":
      return among(model.calls.filter((asked) => !model.held.has(asked)))?.lease?.[Symbol.dispose]();
    case "cancel":
      return among(model.calls)?.cancel();
    case "die":
      return among(cells)?.kill("cell_sigkill");
    case "retire": {
      const cell = among(cells);
      if (cell === undefined) return;
      model.retired.add(cell);
      return pool.retire(cell, "bloated");
    }
    case "failNextStart":
      setup.failures = 1;
      return;
    case "advance":
      return clock.advance(taken.pick);
  }
}

/** No more calls come, and those that run end: everyone who waits and has time left is served. */
async function drain(setup: Setup, model: PoolModel): Promise<void> {
  setup.failures = 0;
  setup.clock.advance(5_000);
  await settle();
  const patient = [...model.waiting];
  for (let round = 0; round < patient.length + 3; round++) {
    for (const held of [...model.held]) {
      model.giveBack(held);
      await settle();
      model.checkAtRest();
    }
  }
  assert.deepEqual(patient.filter(({ lease }) => lease === undefined), [], "someone starves");
  assert.deepEqual([model.waiting.length, model.held.size], [0, 0]);
  assert.equal(setup.pool.counts().slotsUsed, 0);
}

function lives(withAlone: boolean): fc.IAsyncPropertyWithHooks<[number, number, Step[]]> {
  const steps = fc.array(step, { maxLength: 80, size: "max" });
  return fc.asyncProperty(fc.nat(2), fc.nat(2), steps, async (cellsMin, cellsMore, taken) => {
    const setup = await setUp({
      cellsMin,
      cellsMax: Math.max(1, cellsMin + cellsMore),
      callsPerCellMax: SLOTS_PER_CELL,
      queueDepthMax: 12,
    });
    const model = new PoolModel(setup, SLOTS_PER_CELL, !withAlone);
    for (const one of taken) {
      take(setup, model, one, withAlone);
      await settle();
      model.checkAtRest();
    }
    await drain(setup, model);
    await setup.pool.kill("closed");
    assert.equal(setup.clock.timerCount, 0, "timers left");
    assert.ok(setup.cells.every(({ isDead }) => isDead));
    assert.ok(model.calls.every(({ lease, error }) => (lease === undefined) !== (error === undefined)));
  });
}

Deno.test("CellPool keeps its rules through random lives of calls and cells", async () => {
  await fc.assert(lives(false), { numRuns: 300 });
});

Deno.test("CellPool keeps its rules with calls that must run alone among them", async () => {
  await fc.assert(lives(true), { numRuns: 300 });
});
