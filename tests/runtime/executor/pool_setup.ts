/**
 * A pool of cells without processes, on a clock that is moved by hand.
 */
import type { Wait } from "../../../runtime/executor/admission.ts";
import { CellPool } from "../../../runtime/executor/cell_pool.ts";
import type { Lease, PooledCell, PoolOptions } from "../../../runtime/executor/cell_pool.ts";
import { ManualClock } from "../../support/clock.ts";

/** A cell without a process. */
export class FakeCell implements PooledCell {
  readonly id: number;
  readonly pid = 0;
  readonly #ended = Promise.withResolvers<void>();
  isDead = false;
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

/** A pool and what it did. */
export interface Setup {
  readonly pool: CellPool<FakeCell>;
  readonly clock: ManualClock;
  /** Every cell ever started. */
  readonly cells: FakeCell[];
  /** What the pool told of itself, one line each. */
  readonly events: string[];
  /** When calls were served that had waited, in that order. */
  readonly servedAtMs: number[];
  /** Starts fail while this is positive; each failure takes one off. */
  failures: number;
  /** Starts wait until this is false again; see `letStart`. */
  isSlow: boolean;
  /** Ends the wait of one start. */
  letStart(): void;
}

type Options = Partial<Omit<PoolOptions<FakeCell>, "clock" | "observer" | "startCell">> & {
  readonly failures?: number;
};

/** Opens a pool; what is not given is: one cell, no more than one, 4 slots each, 100 may wait. */
export async function setUp(options: Options = {}): Promise<Setup> {
  const clock = new ManualClock();
  const cells: FakeCell[] = [];
  const events: string[] = [];
  const servedAtMs: number[] = [];
  const slow: (() => void)[] = [];
  let starts = Promise.resolve();
  const startCell = async (id: number): Promise<FakeCell> => {
    // One after the other, and what follows from a start before the next.
    starts = starts.then(() => settle(10));
    await starts;
    if (setup.isSlow) await new Promise<void>((resolve) => slow.push(resolve));
    if (setup.failures-- > 0) throw new Error("no");
    const cell = new FakeCell(id);
    cells.push(cell);
    return cell;
  };
  const { failures = 0, ...given } = options;
  const pool = new CellPool<FakeCell>({
    cellsMin: 1,
    cellsMax: Math.max(1, given.cellsMin ?? 1),
    callsPerCellMax: 4,
    queueDepthMax: 100,
    ...given,
    clock,
    startCell,
    observer: {
      cellStarted: ({ id }) => events.push(`started ${id}`),
      cellEnded: ({ id, deathReason }) => events.push(`ended ${id} ${deathReason}`),
      cellFailedToStart: () => events.push("failed"),
      cellRetired: ({ id }, reason) => events.push(`retired ${id} ${reason}`),
      shed: (kind, tenant) => events.push(`shed ${kind} ${tenant}`),
      waited: (ms) => {
        events.push(`waited ${ms}`);
        servedAtMs.push(clock.nowMs());
      },
    },
  });
  const setup: Setup = {
    pool,
    clock,
    cells,
    events,
    servedAtMs,
    failures,
    isSlow: false,
    letStart: () => slow.shift()?.(),
  };
  await pool.open();
  await settle();
  return setup;
}

/** Lets every promise that is already resolved run its reactions. */
export async function settle(turns = 100): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve();
}

/** A call of a tenant with a minute's time and no limit of its own. */
export function call(clock: ManualClock, tenant: string, rest: Partial<Wait> = {}): Wait {
  const deadlineMs = rest.deadlineMs ?? 60_000;
  const deadlineAtMs = clock.nowMs() + deadlineMs;
  return { tenant, deadlineMs, deadlineAtMs, concurrentCallsMax: 1000, queuedCallsMax: 1000, ...rest };
}

/** A call as its caller sees it. */
export interface Asked<Cell = FakeCell> {
  lease: Lease<Cell> | undefined;
  error: unknown;
  /** Served or refused, and in which place among the calls of the same pool. */
  settledAs: number | undefined;
}

/** Whoever lends cells. */
interface Leasing<Cell> {
  lease(wait: Wait): Promise<Lease<Cell>> | Lease<Cell>;
}

let settledCount = 0;

/** Asks for a slot and follows what becomes of it. */
export function ask<Cell>(pool: Leasing<Cell>, wait: Wait): Asked<Cell> {
  const asked: Asked<Cell> = { lease: undefined, error: undefined, settledAs: undefined };
  const take = (lease: Lease<Cell>): void => {
    asked.lease = lease;
    asked.settledAs = settledCount++;
  };
  const leased = pool.lease(wait);
  if (leased instanceof Promise) {
    leased.then(take, (error: unknown) => {
      asked.error = error;
      asked.settledAs = settledCount++;
    });
  } else take(leased);
  return asked;
}

/** Asks for several slots. */
export function askMany<Cell>(pool: Leasing<Cell>, count: number, make: () => Wait): Asked<Cell>[] {
  return Array.from({ length: count }, () => ask(pool, make()));
}

/** Gives a slot back. */
export function giveBack(asked: Asked<unknown> | undefined): void {
  asked?.lease?.[Symbol.dispose]();
}

/** How many of the calls have a slot. */
export function servedOf(asked: readonly Asked<unknown>[]): number {
  return asked.filter(({ lease }) => lease !== undefined).length;
}

/** The code of the fault with which a call was refused. */
export function codeOf(asked: Asked<unknown> | undefined): unknown {
  return (asked?.error as { code?: unknown } | undefined)?.code;
}
