/** How many cells a pool has: start, growth, retirement, end. Who gets which slot: cell_pool_slots_test.ts. */
import assert from "node:assert/strict";
import { ask, askMany, call, codeOf, giveBack, servedOf, settle, setUp } from "./pool_setup.ts";
import type { Asked, Setup } from "./pool_setup.ts";

function liveOf({ cells }: Setup): number[] {
  return cells.filter(({ isDead }) => !isDead).map(({ id }) => id);
}

async function advance({ clock }: Setup, ms: number): Promise<void> {
  clock.advance(ms);
  await settle();
}

/** Calls of as many tenants as they are, so that no tenant's share is in the way. */
function askTenants({ pool, clock }: Setup, count: number): Asked[] {
  let index = 0;
  return askMany(pool, count, () => call(clock, `t${index++}`));
}

async function end({ pool, clock }: Setup): Promise<void> {
  await pool.kill("closed");
  assert.equal(clock.timerCount, 0);
}

Deno.test("CellPool.open() starts the minimum", async () => {
  const setup = await setUp({ cellsMin: 3, cellsMax: 8 });
  assert.deepEqual(liveOf(setup), [1, 2, 3]);
  assert.ok(setup.pool.isReady);
  assert.deepEqual(setup.pool.counts(), {
    cells: 3,
    starting: 0,
    slotsFree: 12,
    slotsUsed: 0,
    queueDepth: 0,
    tenantsWaiting: 0,
    gpuMemoryBytes: 0,
  });
  await end(setup);
  assert.equal(setup.pool.isReady, false);
});

Deno.test("CellPool without a minimum starts a cell for the first call, and lets it go when it idles", async () => {
  const setup = await setUp({ cellsMin: 0 });
  assert.ok(setup.pool.isReady);
  assert.deepEqual(liveOf(setup), []);
  const [first, second] = askTenants(setup, 2);
  assert.equal(setup.pool.counts().starting, 1);
  await settle();
  assert.deepEqual(liveOf(setup), [1]);
  assert.equal(first?.lease?.cell.id, 1);
  giveBack(first);
  giveBack(second);
  await advance(setup, 60_000);
  assert.deepEqual(liveOf(setup), []);
  const third = ask(setup.pool, call(setup.clock, "a"));
  await settle();
  assert.equal(third.lease?.cell.id, 2);
  await end(setup);
});

Deno.test("CellPool without a minimum tries again for a call that waits, and starts nothing for none", async () => {
  const setup = await setUp({ cellsMin: 0, failures: 3 });
  const first = ask(setup.pool, call(setup.clock, "a", { deadlineMs: 250 }));
  await settle();
  await advance(setup, 100);
  assert.deepEqual(setup.events, ["failed", "failed"]);
  await advance(setup, 200);
  assert.equal(codeOf(first), "invoke_timeout");
  assert.equal(setup.events.length, 2);
  const second = ask(setup.pool, call(setup.clock, "a"));
  await settle();
  assert.deepEqual(setup.events, ["failed", "failed", "failed"]);
  await advance(setup, 400);
  assert.equal(second.lease?.cell, setup.cells[0]);
  await end(setup);
});

Deno.test("CellPool replaces a cell that died, and never lends the dead one", async () => {
  const setup = await setUp();
  const first = ask(setup.pool, call(setup.clock, "a"));
  setup.cells[0]?.kill("deadline_elapsed");
  assert.deepEqual([setup.pool.counts().slotsFree, setup.pool.counts().slotsUsed], [0, 0]);
  assert.equal(setup.pool.isReady, false);
  const second = ask(setup.pool, call(setup.clock, "a"));
  assert.equal(servedOf([second]), 0);
  await settle();
  assert.equal(second.lease?.cell.id, 2);
  giveBack(first);
  giveBack(first);
  assert.deepEqual(setup.pool.counts().slotsUsed, 1);
  await end(setup);
});

Deno.test("CellPool grows when the line stands for 50 ms and no cell has room, to its maximum", async () => {
  const setup = await setUp({ cellsMax: 2 });
  const asked = askTenants(setup, 5);
  await advance(setup, 49);
  assert.equal(setup.cells.length, 1);
  await advance(setup, 1);
  assert.deepEqual([setup.cells.length, servedOf(asked)], [2, 5]);
  askTenants(setup, 10);
  await advance(setup, 500);
  assert.equal(setup.cells.length, 2);
  await end(setup);
});

Deno.test("CellPool grows for a line that moves too slowly, not for one that moves", async () => {
  for (const [waiting, cells] of [[12, 1], [40, 2]] as const) {
    const setup = await setUp({ cellsMax: 2 });
    const asked = askTenants(setup, 4 + waiting);
    // Four calls every 15 ms: 12 in 50 ms.
    for (let round = 0; round < 10; round++) {
      await advance(setup, 15);
      asked.splice(0, 4).forEach(giveBack);
      asked.push(...askTenants(setup, 4));
      await settle();
    }
    assert.equal(setup.cells.length, cells, `${waiting} waiting`);
    await end(setup);
  }
});

Deno.test("CellPool does not grow for a line that its tenant's share holds back while there is room", async () => {
  const setup = await setUp({ cellsMax: 2, callsPerCellMax: 64 });
  const asked = askMany(setup.pool, 10, () => call(setup.clock, "a", { concurrentCallsMax: 2 }));
  await advance(setup, 500);
  assert.deepEqual([servedOf(asked), setup.cells.length], [2, 1]);
  await end(setup);
});

Deno.test("CellPool counts the 50 ms anew when the line was empty in between", async () => {
  const setup = await setUp({ cellsMax: 2 });
  const asked = askTenants(setup, 4);
  const leaves = ask(setup.pool, call(setup.clock, "a", { deadlineMs: 10 }));
  await advance(setup, 20);
  assert.equal(codeOf(leaves), "invoke_timeout");
  asked.forEach(giveBack);
  askTenants(setup, 5);
  await advance(setup, 49);
  assert.equal(setup.cells.length, 1);
  await advance(setup, 1);
  assert.equal(setup.cells.length, 2);
  await end(setup);
});

Deno.test("CellPool grows when every cell has growLeases calls that stay for 50 ms, not for fewer", async () => {
  for (const [calls, cells] of [[4, 1], [5, 2], [9, 2], [10, 3]] as const) {
    const setup = await setUp({ cellsMax: 3, callsPerCellMax: 20, growLeases: 5 });
    askTenants(setup, Math.min(calls, 5));
    await advance(setup, 49);
    assert.equal(setup.cells.length, 1);
    await advance(setup, 1);
    askTenants(setup, calls - 5);
    await advance(setup, 49);
    assert.equal(setup.cells.length, Math.min(cells, 2));
    await advance(setup, 1);
    assert.equal(setup.cells.length, cells, `${calls} calls`);
    await end(setup);
  }
});

Deno.test("CellPool does not grow for calls that come and go, however many there are at a time", async () => {
  const setup = await setUp({ cellsMax: 2, callsPerCellMax: 64, growLeases: 5 });
  const running = askTenants(setup, 20);
  for (let ms = 0; ms < 500; ms += 2) {
    giveBack(running.shift());
    running.push(...askTenants(setup, 1));
    await advance(setup, 2);
  }
  assert.equal(setup.cells.length, 1);
  await end(setup);
});

Deno.test("CellPool grows for one tenant's calls though growLeases is more than it may have", async () => {
  const setup = await setUp({ cellsMax: 2, callsPerCellMax: 4, growLeases: 8 });
  askMany(setup.pool, 10, () => call(setup.clock, "a"));
  await advance(setup, 50);
  assert.equal(setup.cells.length, 2);
  await end(setup);
});

Deno.test("CellPool grows when the cells that no call has to itself have calls that stay", async () => {
  const setup = await setUp({ cellsMin: 2, cellsMax: 3, callsPerCellMax: 20, growLeases: 5 });
  ask(setup.pool, call(setup.clock, "alone", { alone: true }));
  askTenants(setup, 5);
  await advance(setup, 49);
  assert.equal(setup.cells.length, 2);
  await advance(setup, 1);
  assert.equal(setup.cells.length, 3);
  await end(setup);
});

Deno.test("CellPool grows by one cell at a time, however long it takes to start", async () => {
  const setup = await setUp({ cellsMax: 4 });
  askTenants(setup, 40);
  setup.isSlow = true;
  await advance(setup, 1000);
  assert.deepEqual([setup.cells.length, setup.pool.counts().starting], [1, 1]);
  setup.letStart();
  await settle();
  assert.equal(setup.cells.length, 2);
  await advance(setup, 49);
  assert.equal(setup.pool.counts().starting, 0);
  await advance(setup, 1);
  assert.equal(setup.pool.counts().starting, 1);
  setup.letStart();
  await end(setup);
});

Deno.test("CellPool shrinks to its minimum when cells idle for a minute", async () => {
  const setup = await setUp({ cellsMax: 2 });
  const asked = askTenants(setup, 5);
  await advance(setup, 50);
  asked.forEach(giveBack);
  await advance(setup, 59_999);
  assert.deepEqual(liveOf(setup), [1, 2]);
  await advance(setup, 1);
  assert.equal(liveOf(setup).length, 1);
  assert.equal(setup.cells.length, 2);
  await end(setup);
});

Deno.test("CellPool lets no cell idle to its end that is lent meanwhile", async () => {
  const setup = await setUp({ cellsMin: 0 });
  const first = ask(setup.pool, call(setup.clock, "a"));
  await settle();
  giveBack(first);
  await advance(setup, 59_999);
  const second = ask(setup.pool, call(setup.clock, "a"));
  await advance(setup, 50_000);
  giveBack(second);
  await advance(setup, 59_999);
  assert.deepEqual(liveOf(setup), [1]);
  await advance(setup, 1);
  assert.deepEqual(liveOf(setup), []);
  await end(setup);
});

Deno.test("CellPool tries again, with growing pauses, when cells do not start", async () => {
  const setup = await setUp({ failures: 9 });
  assert.equal(setup.pool.isReady, false);
  for (const pauseMs of [100, 200, 400, 800, 1600, 3200, 5000, 5000]) {
    await advance(setup, pauseMs - 1);
    const failed = setup.events.length;
    await advance(setup, 1);
    assert.equal(setup.events.length, failed + 1);
  }
  assert.equal(setup.cells.length, 0);
  await advance(setup, 5000);
  assert.equal(setup.cells.length, 1);
  assert.ok(setup.pool.isReady);
  setup.failures = 1;
  setup.cells[0]?.kill("cell_sigkill");
  await settle();
  await advance(setup, 100);
  assert.equal(setup.cells.length, 2, "pauses are short again after a success");
  await end(setup);
});

Deno.test("CellPool does not wait for a pause to be over when another cell has started", async () => {
  const setup = await setUp({ cellsMin: 2, failures: 1 });
  assert.deepEqual(setup.events, ["failed", "started 2", "started 3"]);
  await end(setup);
});

Deno.test("CellPool tries again to grow, and still replaces cells, after it failed to grow", async () => {
  const setup = await setUp({ cellsMax: 2 });
  const asked = askTenants(setup, 5);
  setup.failures = 2;
  await advance(setup, 50);
  await advance(setup, 100);
  assert.deepEqual(setup.events, ["started 1", "failed", "failed"]);
  asked.forEach(giveBack);
  await settle();
  asked.forEach(giveBack);
  await advance(setup, 200);
  assert.equal(setup.cells.length, 1);
  setup.cells[0]?.kill("cell_sigkill");
  await settle();
  assert.deepEqual(setup.events.slice(3).filter((event) => !event.startsWith("waited")), [
    "ended 1 cell_sigkill",
    "started 4",
  ]);
  await end(setup);
});

Deno.test("CellPool.retire() gives an idle cell's place to another at once", async () => {
  const setup = await setUp();
  const [cell] = setup.cells;
  assert.ok(cell);
  setup.pool.retire(cell, "bloated");
  setup.pool.retire(cell, "again");
  await settle();
  assert.deepEqual(setup.events, ["started 1", "retired 1 bloated", "ended 1 bloated", "started 2"]);
  setup.pool.retire(cell, "gone");
  assert.equal(setup.events.length, 4);
  await end(setup);
});

Deno.test("CellPool.retire() lends no more of a cell and kills it when its last lease comes back", async () => {
  const setup = await setUp();
  const [cell] = setup.cells;
  assert.ok(cell);
  const [first, second] = askTenants(setup, 2);
  setup.pool.retire(cell, "bloated");
  await settle();
  assert.deepEqual(liveOf(setup), [1, 2]);
  assert.deepEqual([setup.pool.counts().slotsFree, setup.pool.counts().slotsUsed], [4, 2]);
  const third = ask(setup.pool, call(setup.clock, "a"));
  assert.equal(third.lease?.cell.id, 2);
  giveBack(first);
  assert.equal(cell.isDead, false);
  giveBack(second);
  assert.equal(cell.deathReason, "bloated");
  await settle();
  assert.deepEqual(liveOf(setup), [2]);
  await end(setup);
});

Deno.test("CellPool does not grow while a retired cell still holds a place, but has a cell for who waits", async () => {
  const setup = await setUp({ cellsMin: 0, cellsMax: 1 });
  askTenants(setup, 1);
  await settle();
  const [cell] = setup.cells;
  assert.ok(cell);
  setup.pool.retire(cell, "bloated");
  const asked = askTenants(setup, 5);
  await settle();
  assert.equal(servedOf(asked), 4);
  await advance(setup, 500);
  assert.deepEqual(liveOf(setup), [1, 2]);
  await end(setup);
});

Deno.test("CellPool.close() refuses whoever waits and ends lent cells when they come back", async () => {
  const setup = await setUp();
  const { pool, clock } = setup;
  const asked = askTenants(setup, 5);
  const alone = ask(pool, call(clock, "a", { alone: true }));
  pool.close();
  await settle();
  const late = ask(pool, call(clock, "a"));
  await settle();
  for (const call of [asked[4], alone, late]) assert.equal(codeOf(call), "capacity_exhausted");
  assert.deepEqual(liveOf(setup), [1]);
  asked.forEach(giveBack);
  assert.equal(setup.cells[0]?.deathReason, "closed");
  await settle();
  assert.equal(setup.cells.length, 1);
  assert.equal(clock.timerCount, 0);
  await end(setup);
});

Deno.test("CellPool.kill() ends lent cells, and those that are only starting", async () => {
  const setup = await setUp({ cellsMax: 2 });
  askTenants(setup, 5);
  setup.isSlow = true;
  await advance(setup, 50);
  const killed = setup.pool.kill("closed");
  await settle();
  assert.equal(setup.cells[0]?.deathReason, "closed");
  setup.letStart();
  await killed;
  assert.equal(setup.cells[1]?.deathReason, "closed");
  assert.equal(setup.clock.timerCount, 0);
});
