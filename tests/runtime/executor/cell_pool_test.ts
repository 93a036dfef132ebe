import assert from "node:assert/strict";
import { CellPool } from "../../../runtime/executor/cell_pool.ts";
import type { PooledCell } from "../../../runtime/executor/cell_pool.ts";
import { ManualClock } from "../../support/clock.ts";

/** A cell without a process. */
class FakeCell implements PooledCell {
  readonly id: number;
  readonly pid = 0;
  readonly #ended = Promise.withResolvers<void>();
  isDead = false;
  isMoving = false;
  isBrisk = false;
  deathReason = "";

  constructor(id: number) {
    this.id = id;
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  kill(reason: string): void {
    if (this.isDead) return;
    this.isDead = true;
    this.deathReason = reason;
    this.#ended.resolve();
  }
}

interface Setup {
  readonly pool: CellPool<FakeCell>;
  readonly clock: ManualClock;
  readonly cells: FakeCell[];
  /** Starts fail while this is positive; each failure takes one off. */
  failures: number;
}

async function setUp(cellsMin: number, cellsMax: number, failures = 0, callsPerCellMax = 2): Promise<Setup> {
  const clock = new ManualClock();
  const cells: FakeCell[] = [];
  const setup = { clock, cells, failures } as { -readonly [Key in keyof Setup]: Setup[Key] };
  setup.pool = new CellPool<FakeCell>({
    cellsMin,
    cellsMax,
    callsPerCellMax,
    queueDepthMax: 10,
    clock,
    startCell: (id) => {
      if (setup.failures-- > 0) return Promise.reject(new Error("no"));
      const cell = new FakeCell(id);
      cells.push(cell);
      return Promise.resolve(cell);
    },
    observer: {
      cellStarted: () => {},
      cellEnded: () => {},
      cellFailedToStart: () => {},
    },
  });
  await setup.pool.open();
  await settle();
  return setup;
}

/** Lets every promise that is already resolved run its reactions. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

function wait(clock: ManualClock): { deadlineMs: number; deadlineAtMs: number } {
  return { deadlineMs: 60_000, deadlineAtMs: clock.nowMs() + 60_000 };
}

Deno.test("CellPool.open() starts the minimum", async () => {
  const { cells, pool } = await setUp(3, 8);
  assert.equal(cells.length, 3);
  assert.ok(pool.isReady);
  await pool.kill("closed");
});

Deno.test("CellPool.lease() lends a cell to one caller at a time", async () => {
  const { pool, clock } = await setUp(1, 1);
  const first = await pool.lease(wait(clock));
  const second = Promise.resolve(pool.lease(wait(clock)));
  await settle();
  pool.release(first);
  assert.equal(await second, first);
  await pool.kill("closed");
});

Deno.test("CellPool replaces a cell that died, and never lends the dead one", async () => {
  const { pool, clock, cells } = await setUp(1, 1);
  const first = await pool.lease(wait(clock));
  first.kill("deadline_elapsed");
  pool.release(first);
  await settle();
  assert.equal(cells.length, 2);
  assert.equal(await pool.lease(wait(clock)), cells[1]);
  await pool.kill("closed");
});

Deno.test("CellPool grows while the line stands, to its maximum, and not while it moves", async () => {
  const { pool, clock, cells } = await setUp(1, 2);
  const first = await pool.lease(wait(clock));
  const waiting = [pool.lease(wait(clock)), pool.lease(wait(clock))];
  clock.advance(49);
  await settle();
  assert.equal(cells.length, 1);
  clock.advance(1);
  await settle();
  assert.equal(cells.length, 2);
  clock.advance(500);
  await settle();
  assert.equal(cells.length, 2);
  pool.release(first);
  await Promise.all(waiting);
  await pool.kill("closed");
});

Deno.test("CellPool shrinks to its minimum when cells idle", async () => {
  const { pool, clock, cells } = await setUp(1, 2);
  const first = await pool.lease(wait(clock));
  const second = Promise.resolve(pool.lease(wait(clock)));
  clock.advance(50);
  await settle();
  pool.release(await second);
  pool.release(first);
  clock.advance(59_999);
  await settle();
  assert.equal(cells.filter((cell) => !cell.isDead).length, 2);
  clock.advance(1);
  await settle();
  assert.equal(cells.filter((cell) => !cell.isDead).length, 1);
  assert.equal(cells.length, 2);
  await pool.kill("closed");
});

Deno.test("CellPool tries again, with growing pauses, when cells do not start", async () => {
  const { pool, clock, cells } = await setUp(1, 1, 3);
  assert.equal(pool.isReady, false);
  for (const pauseMs of [100, 200, 400]) {
    assert.equal(cells.length, 0);
    clock.advance(pauseMs);
    await settle();
  }
  assert.equal(cells.length, 1);
  assert.ok(pool.isReady);
  await pool.kill("closed");
});

Deno.test("CellPool.close() refuses whoever waits and ends leased cells when they come back", async () => {
  const { pool, clock, cells } = await setUp(1, 1);
  const first = await pool.lease(wait(clock));
  const waiting = Promise.resolve(pool.lease(wait(clock)));
  pool.close();
  await assert.rejects(waiting, { code: "capacity_exhausted" });
  await assert.rejects(Promise.resolve(pool.lease(wait(clock))), { code: "capacity_exhausted" });
  pool.release(first);
  assert.ok(first.isDead);
  assert.equal(cells.length, 1);
  await pool.kill("closed");
  assert.equal(clock.timerCount, 0);
});

Deno.test("CellPool.lease() puts calls behind a moving cell's running one, up to callsPerCellMax", async () => {
  const { pool, clock, cells } = await setUp(1, 1);
  const [cell] = cells;
  assert.ok(cell);
  cell.isMoving = true;
  assert.equal(await pool.lease(wait(clock)), cell);
  assert.equal(await pool.lease(wait(clock)), cell);
  const third = Promise.resolve(pool.lease(wait(clock)));
  assert.equal(pool.counts().queueDepth, 1);
  pool.release(cell);
  assert.equal(await third, cell);
  await pool.kill("closed");
});

Deno.test("CellPool.release() serves as many of the line as a cell that became free has room for", async () => {
  const { pool, clock, cells } = await setUp(1, 1);
  const [cell] = cells;
  assert.ok(cell);
  await pool.lease(wait(clock));
  const waiting = [pool.lease(wait(clock)), pool.lease(wait(clock))];
  cell.isMoving = true;
  pool.release(cell);
  await Promise.all(waiting);
  assert.equal(pool.counts().queueDepth, 0);
  await pool.kill("closed");
});

Deno.test("CellPool gives a call that was handed back an idle cell only", async () => {
  const { pool, clock, cells } = await setUp(1, 1);
  const [cell] = cells;
  assert.ok(cell);
  cell.isMoving = true;
  await pool.lease(wait(clock));
  let isServed = false;
  const returned = Promise.resolve(pool.lease({ ...wait(clock), hasWaited: true })).then(() =>
    isServed = true
  );
  await settle();
  assert.equal(isServed, false);
  const later = Promise.resolve(pool.lease(wait(clock)));
  pool.release(cell);
  await returned;
  await later;
  await pool.kill("closed");
});

Deno.test("CellPool.lease() lets nobody pass those who wait", async () => {
  const { pool, clock, cells } = await setUp(1, 1);
  const [cell] = cells;
  assert.ok(cell);
  await pool.lease(wait(clock));
  const order: number[] = [];
  const first = Promise.resolve(pool.lease(wait(clock))).then(() => order.push(1));
  cell.isMoving = true;
  const second = Promise.resolve(pool.lease(wait(clock))).then(() => order.push(2));
  pool.release(cell);
  await Promise.all([first, second]);
  assert.deepEqual(order, [1, 2]);
  await pool.kill("closed");
});

Deno.test("CellPool.lease() prefers a brisk cell to an idle one, up to half of callsPerCellMax", async () => {
  const { pool, clock, cells } = await setUp(2, 2, 0, 4);
  const first = await pool.lease(wait(clock));
  first.isBrisk = true;
  first.isMoving = true;
  assert.equal(await pool.lease(wait(clock)), first);
  assert.notEqual(await pool.lease(wait(clock)), first);
  assert.equal(cells.length, 2);
  await pool.kill("closed");
});
