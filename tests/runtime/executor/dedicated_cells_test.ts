/** Dedicated cells: who gets one, who loses one, and who waits. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { setUpDedicated } from "./dedicated_setup.ts";
import type { DedicatedSetup, SeatedCell } from "./dedicated_setup.ts";
import { ask, askMany, call, codeOf, giveBack, servedOf, settle } from "./pool_setup.ts";
import type { Asked } from "./pool_setup.ts";

async function advance({ clock }: DedicatedSetup, ms: number): Promise<void> {
  clock.advance(ms);
  await settle();
}

/** One call of a tenant, settled. */
async function one(
  { pool, clock }: DedicatedSetup,
  tenant: string,
  rest: Parameters<typeof call>[2] = {},
): Promise<Asked<SeatedCell>> {
  const asked = ask(pool, call(clock, tenant, rest));
  await settle();
  return asked;
}

async function end({ pool, clock }: DedicatedSetup): Promise<void> {
  await pool.kill("closed");
  assert.equal(clock.timerCount, 0);
  assert.equal(pool.counts().cells, 0);
}

Deno.test("DedicatedCells starts a cell for the first call of a tenant, and lends it to nobody else", async () => {
  const setup = setUpDedicated();
  const [a, again, b] = [await one(setup, "a"), await one(setup, "a"), await one(setup, "b")];
  assert.deepEqual([a.lease?.cell.id, again.lease?.cell.id, b.lease?.cell.id], [1, 1, 2]);
  assert.deepEqual(setup.events, ["started 1 for a on 0", "started 2 for b on 0"]);
  assert.deepEqual(setup.pool.counts(), {
    ...{ cells: 2, starting: 0, slotsFree: 5, slotsUsed: 3, queueDepth: 0, tenantsWaiting: 0 },
    gpuMemoryBytes: 0,
  });
  await end(setup);
});

Deno.test("DedicatedCells lends every slot of a cell to its tenant, and lets the next call wait", async () => {
  const setup = setUpDedicated();
  const asked = askMany(setup.pool, 5, () => call(setup.clock, "a"));
  await settle();
  assert.equal(servedOf(asked), 4);
  assert.equal(setup.cells.length, 1);
  giveBack(asked[0]);
  await settle();
  assert.equal(servedOf(asked), 5);
  await end(setup);
});

Deno.test("DedicatedCells gives a tenant as many cells as it may have, when those it has are full", async () => {
  const setup = setUpDedicated({ cellsMax: 3, cellsPerTenantMax: 2, deviceCount: 2 });
  const asked = askMany(setup.pool, 9, () => call(setup.clock, "a"));
  await settle();
  assert.equal(servedOf(asked), 8);
  assert.deepEqual(setup.events, ["started 1 for a on 0", "started 2 for a on 1"]);
  await end(setup);
});

Deno.test("DedicatedCells: a tenant's own limit of calls holds over all of its cells", async () => {
  const setup = setUpDedicated({ cellsPerTenantMax: 2 });
  const asked = askMany(setup.pool, 4, () => call(setup.clock, "a", { concurrentCallsMax: 2 }));
  await settle();
  assert.deepEqual([servedOf(asked), setup.cells.length], [2, 1]);
  giveBack(asked[1]);
  await settle();
  assert.equal(servedOf(asked), 3);
  await end(setup);
});

Deno.test("DedicatedCells ends a cell that idled, in order, and starts another for the next call", async () => {
  const setup = setUpDedicated();
  giveBack(await one(setup, "a"));
  await advance(setup, 59_999);
  assert.equal(setup.cells[0]?.isDead, false);
  giveBack(await one(setup, "a"));
  await advance(setup, 59_999);
  assert.equal(setup.cells[0]?.isDead, false);
  await advance(setup, 1);
  assert.deepEqual(setup.events, ["started 1 for a on 0", "ended 1 idle, in order"]);
  assert.equal((await one(setup, "a")).lease?.cell.id, 2);
  await end(setup);
});

Deno.test("DedicatedCells: a cell whose callers left while it started is let go when it idles", async () => {
  const setup = setUpDedicated();
  const asked = ask(setup.pool, call(setup.clock, "a", { deadlineMs: 1 }));
  setup.clock.advance(1);
  await settle();
  assert.equal(codeOf(asked), "invoke_timeout");
  assert.equal(setup.cells.length, 1);
  await advance(setup, 60_000);
  assert.equal(setup.cells[0]?.isDead, true);
  await end(setup);
});

Deno.test("DedicatedCells takes the cell that idled longest for a tenant that has none", async () => {
  const setup = setUpDedicated();
  const [a, b] = [await one(setup, "a"), await one(setup, "b")];
  giveBack(b);
  await advance(setup, 1);
  giveBack(a);
  await advance(setup, 1);
  const c = await one(setup, "c");
  assert.equal(c.lease?.cell.id, 3);
  assert.deepEqual(setup.events.slice(2), ["ended 2 evicted, in order", "started 3 for c on 0"]);
  assert.equal((await one(setup, "a")).lease?.cell.id, 1);
  await end(setup);
});

Deno.test("DedicatedCells takes a busy cell only after its turn, and lets its calls end", async () => {
  const setup = setUpDedicated();
  const [a, b] = [await one(setup, "a"), await one(setup, "b")];
  await advance(setup, 500);
  const c = await one(setup, "c");
  await advance(setup, 1_499);
  assert.equal((await one(setup, "a")).lease?.cell.id, 1);
  await advance(setup, 1);
  // Held longest: a's. It takes no more calls, and nobody's call is ended.
  const late = await one(setup, "a");
  assert.deepEqual([c.lease, late.lease, setup.cells[0]?.isDead], [undefined, undefined, false]);
  giveBack(a);
  await settle();
  assert.equal(servedOf([c]), 0, "its other call still runs");
  assert.equal(b.lease?.cell.isDead, false);
  await end(setup);
});

Deno.test("DedicatedCells: tenants that call without a pause take turns in a single cell", async () => {
  const setup = setUpDedicated({ cellsMax: 1, callsPerCellMax: 1 });
  const served: string[] = [];
  const loop = async (tenant: string): Promise<void> => {
    for (let round = 0; round < 60; round++) {
      const lease = await setup.pool.lease(call(setup.clock, tenant));
      served.push(tenant);
      await new Promise<void>((resolve) => void setup.clock.after(100, resolve));
      lease[Symbol.dispose]();
    }
  };
  const loops = Promise.all(["a", "b", "c"].map(loop));
  for (let step = 0; step < 800; step++) await advance(setup, 50);
  await loops;
  const turns = served.filter((tenant, at) => at === 0 || served[at - 1] !== tenant);
  assert.ok(turns.length >= 8, turns.join(""));
  for (const [at, tenant] of turns.slice(0, 6).entries()) assert.equal(tenant, "abc"[at % 3]);
  await end(setup);
});

Deno.test("DedicatedCells seats new cells on the device that has the fewest", async () => {
  const setup = setUpDedicated({ deviceCount: 3, cellsMax: 6 });
  for (const tenant of ["a", "b", "c", "d"]) await one(setup, tenant);
  assert.deepEqual(setup.cells.map(({ seat }) => seat.device), [0, 1, 2, 0]);
  assert.deepEqual(setup.pool.countsByDevice(), [2, 1, 1]);
  setup.cells[1]?.kill("gpu_fault");
  await settle();
  await one(setup, "e");
  assert.equal(setup.cells[4]?.seat.device, 1);
  await end(setup);
});

Deno.test("DedicatedCells passes over a device on which cells do not start, and tries it again later", async () => {
  const setup = setUpDedicated({ deviceCount: 2, cellsMax: 4 });
  setup.broken.add(0);
  const a = await one(setup, "a");
  assert.deepEqual([a.lease?.cell.seat.device, setup.events], [1, ["failed", "started 2 for a on 1"]]);
  setup.broken.add(1);
  const b = await one(setup, "b");
  assert.equal(servedOf([b]), 0);
  setup.broken.clear();
  await advance(setup, 1_000);
  assert.equal(b.lease?.cell.seat.tenant, "b");
  await end(setup);
});

Deno.test("DedicatedCells: a condemned cell takes no more calls, is killed when those it has are answered", async () => {
  const setup = setUpDedicated();
  const [a, other] = [await one(setup, "a"), await one(setup, "b")];
  const [cell] = setup.cells;
  assert.ok(cell);
  setup.pool.condemn(cell, "gpu_fault");
  const next = await one(setup, "a");
  assert.equal(servedOf([next]), 0, "there is no room for a second cell yet");
  giveBack(a);
  await settle();
  assert.deepEqual([cell.deathReason, next.lease?.cell.id], ["gpu_fault", 3]);
  assert.equal(other.lease?.cell.isDead, false);
  await end(setup);
});

Deno.test("DedicatedCells kills a condemned cell that does not answer", async () => {
  const setup = setUpDedicated();
  await one(setup, "a");
  const [cell] = setup.cells;
  assert.ok(cell);
  setup.pool.condemn(cell, "gpu_timeout");
  await advance(setup, 499);
  assert.equal(cell.isDead, false);
  await advance(setup, 1);
  assert.equal(cell.deathReason, "gpu_timeout");
  await end(setup);
});

/** The cell's own word on whether it is in doubt. */
async function doubt(
  { pool }: DedicatedSetup,
  cell: SeatedCell | undefined,
  isDoubtful: boolean,
): Promise<void> {
  assert.ok(cell);
  cell.isDoubtful = isDoubtful;
  pool.reconsider();
  await settle();
}

Deno.test("DedicatedCells lends no cell that is in doubt: calls wait until it is well again", async () => {
  const setup = setUpDedicated();
  giveBack(await one(setup, "a"));
  await doubt(setup, setup.cells[0], true);
  const waiting = await one(setup, "a");
  assert.deepEqual([waiting.lease, setup.pool.counts().slotsFree], [undefined, 0]);
  const other = await one(setup, "b");
  assert.equal(other.lease?.cell.id, 2);
  // It counts for its tenant: there is no second one beside it.
  assert.deepEqual(setup.cells.map(({ seat }) => seat.tenant), ["a", "b"]);
  await doubt(setup, setup.cells[0], false);
  assert.equal(waiting.lease?.cell.id, 1);
  await end(setup);
});

Deno.test("DedicatedCells starts a fresh cell as soon as one in doubt is condemned", async () => {
  const setup = setUpDedicated({ cellsMax: 3 });
  const running = await one(setup, "a");
  await doubt(setup, setup.cells[0], true);
  const waiting = await one(setup, "a");
  assert.equal(servedOf([waiting]), 0);
  const [cell] = setup.cells;
  assert.ok(cell);
  setup.pool.condemn(cell, "gpu_timeout");
  await settle();
  // The call that it has is not answered yet.
  assert.deepEqual([cell.isDead, waiting.lease?.cell.id], [false, 2]);
  giveBack(running);
  assert.equal(cell.deathReason, "gpu_timeout");
  await end(setup);
});

Deno.test("DedicatedCells: beside a cell in doubt, a tenant below its bound has another at once", async () => {
  const setup = setUpDedicated({ cellsPerTenantMax: 2 });
  giveBack(await one(setup, "a"));
  await doubt(setup, setup.cells[0], true);
  const next = await one(setup, "a");
  assert.equal(next.lease?.cell.id, 2);
  await doubt(setup, setup.cells[0], false);
  assert.equal((await one(setup, "a")).lease?.cell.id, 1, "the one with the fewest calls");
  await end(setup);
});

Deno.test("DedicatedCells: a call that waits for a verdict leaves at its deadline", async () => {
  const setup = setUpDedicated();
  giveBack(await one(setup, "a"));
  await doubt(setup, setup.cells[0], true);
  const waiting = await one(setup, "a", { deadlineMs: 100 });
  await advance(setup, 100);
  assert.equal(codeOf(waiting), "invoke_timeout");
  await end(setup);
});

Deno.test("DedicatedCells: a tenant whose cells keep failing waits longer for each, others do not", async () => {
  const setup = setUpDedicated();
  const startsAtMs: number[] = [];
  const originMs = setup.clock.nowMs();
  for (let round = 0; round < 5; round++) {
    const asked = ask(setup.pool, call(setup.clock, "a"));
    await settle();
    while (asked.lease === undefined) await advance(setup, 10);
    startsAtMs.push(setup.clock.nowMs() - originMs);
    setup.pool.condemn(asked.lease.cell, "gpu_fault");
    giveBack(asked);
    await settle();
  }
  assert.deepEqual(startsAtMs, [0, 0, 100, 300, 700]);
  assert.equal((await one(setup, "b")).lease?.cell.seat.tenant, "b");
  await end(setup);
});

Deno.test("DedicatedCells sheds: a tenant's own line, the line of all, and displaces for the smaller one", async () => {
  const setup = setUpDedicated({ cellsMax: 1, callsPerCellMax: 1, queueDepthMax: 2 });
  await one(setup, "a");
  const own = [1, 2].map(() => ask(setup.pool, call(setup.clock, "a", { queuedCallsMax: 1 })));
  await settle();
  assert.equal(codeOf(own[1]), "tenant_capacity_exhausted");
  const more = ask(setup.pool, call(setup.clock, "a"));
  const b = ask(setup.pool, call(setup.clock, "b"));
  await settle();
  assert.equal(codeOf(more), "capacity_exhausted");
  assert.equal(b.error, undefined);
  assert.deepEqual(setup.events.slice(1), ["shed tenant a", "shed displaced a"]);
  await end(setup);
});

Deno.test("DedicatedCells: a call that must run alone has an empty cell, and no older call waits behind it", async () => {
  const setup = setUpDedicated();
  const first = await one(setup, "a");
  const alone = await one(setup, "a", { alone: true });
  const after = await one(setup, "a");
  assert.deepEqual([alone.lease, after.lease], [undefined, undefined]);
  giveBack(first);
  await settle();
  assert.equal(alone.lease?.cell.id, 1);
  assert.equal(servedOf([after]), 0);
  assert.deepEqual([setup.pool.counts().slotsFree, setup.pool.counts().slotsUsed], [0, 4]);
  giveBack(alone);
  await settle();
  assert.equal(after.lease?.cell.id, 1);
  await end(setup);
});

Deno.test("DedicatedCells.close() refuses who waits, and ends cells when they come back", async () => {
  const setup = setUpDedicated({ callsPerCellMax: 1 });
  const [a, b] = [await one(setup, "a"), await one(setup, "b")];
  giveBack(b);
  const waiting = ask(setup.pool, call(setup.clock, "a"));
  setup.pool.close();
  await settle();
  assert.equal(codeOf(waiting), "capacity_exhausted");
  assert.equal(codeOf(await one(setup, "c")), "capacity_exhausted");
  assert.deepEqual(setup.cells.map(({ deathReason }) => deathReason), ["", "closed, in order"]);
  giveBack(a);
  assert.equal(setup.cells[0]?.deathReason, "closed, in order");
  await end(setup);
});

Deno.test("DedicatedCells holds its bounds whatever is called, given back, killed and waited for", async () => {
  const step = fc.oneof(
    fc.record({ type: fc.constant("call" as const), tenant: fc.constantFrom("a", "b", "c", "d") }),
    fc.record({ type: fc.constant("back" as const), at: fc.nat(20) }),
    fc.record({ type: fc.constant("kill" as const), at: fc.nat(5) }),
    fc.record({ type: fc.constant("doubt" as const), at: fc.nat(5) }),
    fc.record({ type: fc.constant("wait" as const), ms: fc.constantFrom(1, 100, 2_500, 61_000) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const setup = setUpDedicated({ cellsMax: 3, cellsPerTenantMax: 2, deviceCount: 2, callsPerCellMax: 2 });
      const asked: { readonly tenant: string; readonly asked: Asked<SeatedCell> }[] = [];
      const lent = new Set<unknown>();
      for (const each of steps) {
        if (each.type === "call") {
          const rest = { deadlineMs: 30_000 };
          asked.push({ tenant: each.tenant, asked: ask(setup.pool, call(setup.clock, each.tenant, rest)) });
        } else if (each.type === "back") {
          giveBack(asked[each.at]?.asked);
        } else if (each.type === "doubt") {
          const cell = setup.cells.filter(({ isDead }) => !isDead)[each.at];
          if (cell !== undefined) await doubt(setup, cell, !cell.isDoubtful);
        } else if (each.type === "kill") {
          setup.cells.filter(({ isDead }) => !isDead)[each.at]?.kill("gpu_fault");
        } else setup.clock.advance(each.ms);
        await settle();
        const live = setup.cells.filter(({ isDead }) => !isDead);
        assert.ok(live.length <= 3);
        for (const { tenant, asked: { lease } } of asked) {
          if (lease === undefined) continue;
          assert.equal(lease.cell.seat.tenant, tenant);
          if (!lent.has(lease)) assert.equal(lease.cell.isDoubtful, false);
          lent.add(lease);
        }
        for (const tenant of "abcd") {
          assert.ok(live.filter(({ seat }) => seat.tenant === tenant).length <= 3);
        }
      }
      // Whoever waits is served or refused in the end.
      for (const cell of setup.cells) cell.isDoubtful = false;
      setup.pool.reconsider();
      for (let round = 0; round < 40; round++) {
        for (const each of asked) giveBack(each.asked);
        setup.clock.advance(1_000);
        await settle();
      }
      for (const { asked: { lease, error } } of asked) assert.ok(lease !== undefined || error !== undefined);
      await end(setup);
    }),
    { numRuns: 60 },
  );
});
