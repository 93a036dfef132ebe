/** Who gets which slot of a pool: fairness over tenants, choice of the cell, calls that must run alone. */
import assert from "node:assert/strict";
import { ask, askMany, call, codeOf, giveBack, servedOf, settle, setUp } from "./pool_setup.ts";
import type { Asked } from "./pool_setup.ts";

function cellsOf(asked: readonly Asked[]): (number | undefined)[] {
  return asked.map(({ lease }) => lease?.cell.id);
}

Deno.test("CellPool: a tenant with 1,000 calls leaves half of the slots, and another's call starts at once", async () => {
  const { pool, clock } = await setUp({ cellsMin: 2, callsPerCellMax: 64, queueDepthMax: 2000 });
  const flood = askMany(pool, 1000, () => call(clock, "a"));
  assert.equal(servedOf(flood), 64);
  assert.deepEqual(pool.counts(), {
    cells: 2,
    starting: 0,
    slotsFree: 64,
    slotsUsed: 64,
    queueDepth: 936,
    tenantsWaiting: 1,
    gpuMemoryBytes: 0,
  });
  const single = ask(pool, call(clock, "b"));
  assert.ok(single.lease, "served without a turn of the event loop");
  await pool.kill("closed");
});

Deno.test("CellPool: of a full pool, the next slot goes to the tenant that has none, not to 1,000 others", async () => {
  const { pool, clock } = await setUp({ callsPerCellMax: 4, queueDepthMax: 2000 });
  const flood = askMany(pool, 1000, () => call(clock, "a"));
  const others = ["c", "d"].map((tenant) => ask(pool, call(clock, tenant)));
  const late = ask(pool, call(clock, "b"));
  assert.deepEqual([servedOf(flood), servedOf(others), late.lease], [2, 2, undefined]);
  giveBack(flood[0]);
  await settle();
  assert.ok(late.lease);
  assert.equal(servedOf(flood), 2);
  await pool.kill("closed");
});

Deno.test("CellPool: tenants that always have calls waiting get the same number of them served", async () => {
  const { pool, clock } = await setUp({ callsPerCellMax: 8, queueDepthMax: 5000 });
  const asked = new Map([["a", 1000], ["b", 100], ["c", 100]].map(([tenant, count]) => [
    String(tenant),
    askMany(pool, Number(count), () => call(clock, String(tenant))),
  ]));
  const running = (): Asked[] =>
    [...asked.values()].flat().filter(({ lease }) => lease !== undefined).sort((a, b) =>
      Number(a.settledAs) - Number(b.settledAs)
    );
  for (let served = 0; served < 120; served++) {
    giveBack(running()[served]);
    await settle();
  }
  const counts = [...asked.values()].map(servedOf);
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 4, String(counts));
  await pool.kill("closed");
});

Deno.test("CellPool.lease() holds a tenant to concurrentCallsMax and lets the rest wait", async () => {
  const { pool, clock } = await setUp({ callsPerCellMax: 64 });
  const asked = askMany(pool, 4, () => call(clock, "a", { concurrentCallsMax: 3, queuedCallsMax: 1 }));
  assert.deepEqual([servedOf(asked), pool.counts().queueDepth], [3, 1]);
  const refused = ask(pool, call(clock, "a", { concurrentCallsMax: 3, queuedCallsMax: 1 }));
  await settle();
  assert.equal(codeOf(refused), "tenant_capacity_exhausted");
  giveBack(asked[0]);
  await settle();
  assert.equal(servedOf(asked), 4);
  await pool.kill("closed");
});

Deno.test("CellPool.lease() refuses a call whose deadline is now, though there is room", async () => {
  const { pool, clock } = await setUp();
  const late = ask(pool, call(clock, "a", { deadlineAtMs: clock.nowMs() }));
  const alone = ask(pool, call(clock, "a", { deadlineAtMs: clock.nowMs(), alone: true }));
  const timely = ask(pool, call(clock, "a", { deadlineAtMs: clock.nowMs() + 1 }));
  await settle();
  assert.deepEqual([codeOf(late), codeOf(alone)], ["invoke_timeout", "invoke_timeout"]);
  assert.ok(timely.lease);
  await pool.kill("closed");
});

Deno.test("CellPool.lease() takes the cell with the fewest calls, the oldest of those", async () => {
  const { pool, clock } = await setUp({ cellsMin: 3, callsPerCellMax: 8 });
  const asked = askMany(pool, 5, () => call(clock, "a"));
  assert.deepEqual(cellsOf(asked), [1, 2, 3, 1, 2]);
  giveBack(asked[1]);
  giveBack(asked[4]);
  assert.deepEqual(cellsOf(askMany(pool, 3, () => call(clock, "a"))), [2, 2, 3]);
  await pool.kill("closed");
});

Deno.test("CellPool serves as many of the line as a new cell has slots", async () => {
  const setup = await setUp({ callsPerCellMax: 4, cellsMax: 2 });
  let index = 0;
  const asked = askMany(setup.pool, 9, () => call(setup.clock, `t${index++}`));
  setup.clock.advance(50);
  await settle();
  assert.deepEqual(cellsOf(asked), [1, 1, 1, 1, 2, 2, 2, 2, undefined]);
  assert.deepEqual(setup.events.slice(2), Array(4).fill("waited 50"));
  await setup.pool.kill("closed");
});

Deno.test("CellPool.lease() gives a call that must run alone an idle cell, and nobody else that cell", async () => {
  const { pool, clock } = await setUp({ cellsMin: 2, callsPerCellMax: 4 });
  const first = ask(pool, call(clock, "a"));
  const alone = ask(pool, call(clock, "b", { alone: true, queuedCallsMax: 0 }));
  assert.deepEqual(cellsOf([first, alone]), [1, 2]);
  assert.deepEqual([pool.counts().slotsFree, pool.counts().slotsUsed], [3, 5]);
  const others = ["c", "d", "e", "f"].map((tenant) => ask(pool, call(clock, tenant)));
  assert.deepEqual(cellsOf(others), [1, 1, 1, undefined]);
  giveBack(alone);
  await settle();
  assert.equal(others[3]?.lease?.cell.id, 2);
  await pool.kill("closed");
});

Deno.test("CellPool starts a cell for a call that must run alone if none idles and there may be one more", async () => {
  const { pool, clock, cells } = await setUp({ cellsMax: 2 });
  const first = ask(pool, call(clock, "a"));
  const alone = ask(pool, call(clock, "b", { alone: true }));
  assert.equal(pool.counts().starting, 1);
  const other = ask(pool, call(clock, "c"));
  await settle();
  assert.deepEqual(cellsOf([first, alone, other]), [1, 2, 1]);
  assert.equal(cells.length, 2);
  await pool.kill("closed");
});

Deno.test("CellPool keeps a cell for the others when a call runs alone in its only one", async () => {
  const { pool, clock } = await setUp({ cellsMax: 2 });
  const alone = ask(pool, call(clock, "a", { alone: true }));
  const other = ask(pool, call(clock, "b"));
  await settle();
  assert.deepEqual(cellsOf([alone, other]), [1, 2]);
  await pool.kill("closed");
});

Deno.test("CellPool empties the cell with the fewest calls for one that must run alone, and only that", async () => {
  const { pool, clock } = await setUp({ cellsMin: 2, callsPerCellMax: 8 });
  const running = askMany(pool, 3, () => call(clock, "a"));
  const alone = ask(pool, call(clock, "b", { alone: true }));
  const others = askMany(pool, 3, () => call(clock, "a"));
  assert.deepEqual(cellsOf([...running, alone, ...others]), [1, 2, 1, undefined, 1, 1, undefined]);
  assert.deepEqual([pool.counts().slotsFree, pool.counts().slotsUsed], [4, 12]);
  giveBack(running[1]);
  await settle();
  assert.equal(alone.lease?.cell.id, 2);
  await pool.kill("closed");
});

Deno.test("CellPool runs calls that must run alone one by one on two cells, two at a time on three", async () => {
  for (const [cellsMin, atATime] of [[1, 1], [2, 1], [3, 2], [4, 2], [5, 3]] as const) {
    const { pool, clock } = await setUp({ cellsMin });
    const alone = askMany(pool, 6, () => call(clock, "a", { alone: true }));
    await settle();
    for (let done = 0; done < 6; done++) {
      assert.equal(servedOf(alone), Math.min(6, done + atATime), `${cellsMin} cells`);
      giveBack(alone[done]);
      await settle();
    }
    await pool.kill("closed");
  }
});

Deno.test("CellPool lets calls that must run alone and the others alternate in a single cell", async () => {
  const { pool, clock } = await setUp({ callsPerCellMax: 4 });
  const alone = askMany(pool, 3, () => call(clock, "a", { alone: true }));
  const others = askMany(pool, 3, () => call(clock, "b"));
  assert.deepEqual([servedOf(alone), servedOf(others)], [1, 0]);
  giveBack(alone[0]);
  await settle();
  assert.deepEqual([servedOf(alone), servedOf(others)], [1, 2]);
  giveBack(others[0]);
  await settle();
  assert.deepEqual([servedOf(alone), servedOf(others)], [1, 2]);
  giveBack(others[1]);
  await settle();
  assert.deepEqual([servedOf(alone), servedOf(others)], [2, 2]);
  giveBack(alone[1]);
  await settle();
  assert.deepEqual([servedOf(alone), servedOf(others)], [2, 3]);
  await pool.kill("closed");
});

Deno.test("CellPool lends an emptying cell again when the call that it was emptied for leaves", async () => {
  const { pool, clock } = await setUp({ callsPerCellMax: 4 });
  const first = ask(pool, call(clock, "a"));
  const alone = ask(pool, call(clock, "b", { alone: true, deadlineMs: 20 }));
  const other = ask(pool, call(clock, "c"));
  assert.equal(servedOf([other]), 0);
  clock.advance(20);
  await settle();
  assert.equal(codeOf(alone), "invoke_timeout");
  assert.deepEqual(cellsOf([first, other]), [1, 1]);
  assert.deepEqual([pool.counts().slotsFree, pool.counts().slotsUsed], [2, 2]);
  await pool.kill("closed");
});

Deno.test("CellPool gives a call alone the replacement of the cell that was emptied for it", async () => {
  const { pool, clock, cells } = await setUp({ cellsMin: 2 });
  askMany(pool, 2, () => call(clock, "a"));
  const alone = ask(pool, call(clock, "b", { alone: true }));
  const [first] = cells;
  assert.ok(first);
  pool.retire(first, "bloated");
  await settle();
  assert.equal(alone.lease?.cell.id, 3);
  await pool.kill("closed");
});

Deno.test("CellPool empties another cell when the one that it was emptying dies and none can be started", async () => {
  const setup = await setUp({ cellsMin: 2 });
  const { pool, clock, cells } = setup;
  const running = ["a", "b"].map((tenant) => ask(pool, call(clock, tenant)));
  const alone = ask(pool, call(clock, "c", { alone: true }));
  setup.failures = 1;
  cells[0]?.kill("cell_sigkill");
  await settle();
  assert.equal(servedOf([ask(pool, call(clock, "d"))]), 0);
  giveBack(running[1]);
  await settle();
  assert.equal(alone.lease?.cell.id, 2);
  await pool.kill("closed");
});

Deno.test("CellPool serves a tenant's call that must run alone though its others never stop", async () => {
  const { pool, clock } = await setUp({ cellsMin: 2 });
  const limited = { concurrentCallsMax: 1 };
  const others = askMany(pool, 20, () => call(clock, "a", limited));
  const busy = ["b", "c"].map((tenant) => ask(pool, call(clock, tenant)));
  const alone = ask(pool, call(clock, "a", { ...limited, alone: true }));
  assert.deepEqual(cellsOf([...others.slice(0, 2), ...busy]), [1, undefined, 2, 1]);
  giveBack(others[0]);
  await settle();
  assert.deepEqual([servedOf([alone]), servedOf(others)], [0, 1]);
  giveBack(busy[1]);
  await settle();
  assert.deepEqual([alone.lease?.cell.id, servedOf(others)], [1, 1]);
  giveBack(alone);
  await settle();
  assert.equal(servedOf(others), 2);
  await pool.kill("closed");
});

Deno.test("CellPool lets no call that must run alone pass one that waits", async () => {
  const { pool, clock, cells } = await setUp({ cellsMin: 2 });
  const [, second] = ["a", "b"].map((tenant) => ask(pool, call(clock, tenant, { alone: true })));
  // One cell idles, and with the other's end it may be lent so.
  cells[0]?.kill("cell_sigkill");
  const third = ask(pool, call(clock, "c", { alone: true }));
  assert.equal(servedOf([third]), 0);
  await settle();
  assert.equal(second?.lease?.cell.id, 2);
  await pool.kill("closed");
});

Deno.test("CellPool holds calls that must run alone to concurrentCallsMax too", async () => {
  for (const concurrentCallsMax of [1, 2]) {
    const { pool, clock } = await setUp({ cellsMin: 5 });
    const alone = askMany(pool, 3, () => call(clock, "a", { alone: true, concurrentCallsMax }));
    assert.equal(servedOf(alone), concurrentCallsMax);
    assert.ok(ask(pool, call(clock, "b", { alone: true })).lease);
    await pool.kill("closed");
  }
});

Deno.test("CellPool empties a cell for a call alone when none can be started for it", async () => {
  const setup = await setUp({ cellsMax: 2 });
  const { pool, clock } = setup;
  const first = ask(pool, call(clock, "a"));
  setup.failures = 1;
  const alone = ask(pool, call(clock, "b", { alone: true }));
  await settle();
  assert.equal(setup.events.at(-1), "failed");
  assert.equal(servedOf([ask(pool, call(clock, "c"))]), 0);
  giveBack(first);
  await settle();
  assert.equal(alone.lease?.cell.id, 1);
  await pool.kill("closed");
});
