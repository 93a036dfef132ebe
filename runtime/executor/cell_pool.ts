/**
 * CellPool: warm cells, lent to calls.
 *
 * Owns how many cells there are (never fewer than `cellsMin` for longer than it takes to start one, up to
 * `cellsMax` while calls have to wait, back down when they idle) and which one a call gets: an idle one if
 * there is one, else one that is moving and has room behind its running call. It does not run calls
 * (executor.ts does). Invariant: a dead cell is never lent; every lease goes back exactly once.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock } from "../model/clock.ts";
import { fault } from "../model/fault.ts";
import { Admission } from "./admission.ts";
import type { Wait } from "./admission.ts";

/** How long the line may stand before another cell is started for it. */
const GROW_AFTER_MS = 50;
/** How long a cell above the minimum may idle. */
const IDLE_MS_MAX = 60_000;
/** First and longest pause between attempts to start a cell when starting fails. */
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5_000;

/** What the pool needs of a cell; CellProcess is one. */
export interface PooledCell {
  readonly id: number;
  readonly pid: number;
  /** True from the moment its end was ordered or seen. */
  readonly isDead: boolean;
  /** Whether a request sent now is likely to be begun soon. */
  readonly isMoving: boolean;
  /** Whether a request sent now would begin sooner than an idle cell wakes up. */
  readonly isBrisk: boolean;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  readonly deathReason: string;
  kill(reason: string): void;
}

/** What the pool tells of itself. */
export interface PoolObserver {
  cellStarted(cell: PooledCell, startMs: number): void;
  cellEnded(cell: PooledCell): void;
  cellFailedToStart(error: unknown): void;
}

/** Settings of a pool. */
export interface PoolOptions<Cell extends PooledCell> {
  readonly cellsMin: number;
  readonly cellsMax: number;
  /** Most calls that one cell is given at a time, the running one included. */
  readonly callsPerCellMax: number;
  readonly queueDepthMax: number;
  readonly clock: Clock;
  readonly startCell: (id: number) => Promise<Cell>;
  readonly observer: PoolObserver;
}

/** How many cells and waiting calls there are. */
export interface PoolCounts {
  readonly idle: number;
  readonly busy: number;
  readonly starting: number;
  readonly queueDepth: number;
}

interface Member {
  /** Calls that were lent the cell and have not given it back. */
  leases: number;
  cancelIdle: (() => void) | undefined;
}

/** A pool of cells. */
export class CellPool<Cell extends PooledCell> {
  readonly #options: PoolOptions<Cell>;
  readonly #line: Admission<Cell>;
  /** Live cells. */
  readonly #members = new Map<Cell, Member>();
  /** Starts under way and cells not yet ended: what `kill` waits for. */
  readonly #ending = new Set<Promise<void>>();
  /** Runs a function outside any request: a cell outlives the one for which it was started. */
  readonly #outsideRequests = AsyncLocalStorage.snapshot();
  /** Most calls that a brisk cell is given while others idle. */
  readonly #packedMax: number;
  #starting = 0;
  #nextId = 1;
  #failures = 0;
  #cancelGrowth: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;
  #closed = false;
  /** Leases ever granted: growth compares two readings to see whether the line moves. */
  #servedCount = 0;

  constructor(options: PoolOptions<Cell>) {
    this.#options = options;
    this.#line = new Admission(options.clock, options.queueDepthMax);
    this.#packedMax = Math.ceil(options.callsPerCellMax / 2);
  }

  /** Starts the minimum of cells; resolves when the first is ready or has failed to start. */
  async open(): Promise<void> {
    const starts: Promise<void>[] = [];
    for (let count = 0; count < this.#options.cellsMin; count++) starts.push(this.#startOne());
    await Promise.race(starts);
  }

  /** True while at least one cell lives. */
  get isReady(): boolean {
    return !this.#closed && this.#members.size > 0;
  }

  /** The counts as they are now. */
  counts(): PoolCounts {
    let idle = 0;
    for (const member of this.#members.values()) idle += member.leases === 0 ? 1 : 0;
    return { idle, busy: this.#members.size - idle, starting: this.#starting, queueDepth: this.#line.depth };
  }

  /** Takes a cell, or waits in line for one. See Admission.wait for what it throws. */
  lease(wait: Wait): Promise<Cell> | Cell {
    if (this.#closed) return Promise.reject(closing());
    const cell = this.#line.depth > 0 ? undefined : this.#choose(wait.hasWaited === true);
    if (cell !== undefined) {
      this.#lend(cell);
      return cell;
    }
    const waiting = this.#line.wait(wait);
    if (this.#line.depth > 0) this.#growLater();
    return waiting;
  }

  /** Gives a cell back. */
  release(cell: Cell): void {
    const member = this.#members.get(cell);
    if (member === undefined) return;
    member.leases--;
    this.#serveLine(cell, member);
    if (member.leases > 0) return;
    if (this.#closed) cell.kill("closed");
    else if (this.#count() > this.#options.cellsMin && !cell.isDead) {
      member.cancelIdle = this.#options.clock.after(IDLE_MS_MAX, () => this.#shrink(cell, member));
    }
  }

  /** Refuses whoever waits and everyone after; ends idle cells now and leased ones when they come back. */
  close(): void {
    this.#closed = true;
    this.#cancelGrowth?.();
    this.#cancelRetry?.();
    this.#line.refuseAll(closing);
    for (const [cell, member] of this.#members) {
      member.cancelIdle?.();
      if (member.leases === 0) cell.kill("closed");
    }
  }

  /** Kills every cell and resolves when all have ended. */
  async kill(reason: string): Promise<void> {
    this.close();
    for (const cell of this.#members.keys()) cell.kill(reason);
    while (this.#ending.size > 0) await Promise.all(this.#ending);
  }

  /**
   * A brisk cell with few calls: waking another would cost more than the wait. Else an idle cell, else the
   * moving one with the most room. A call that was handed back unbegun gets an idle
   * one or waits: behind another it could be handed back for ever.
   */
  #choose(isReturned: boolean): Cell | undefined {
    let best: Cell | undefined;
    let bestLeases = isReturned ? 1 : this.#options.callsPerCellMax;
    for (const [cell, { leases }] of this.#members) {
      if (cell.isDead) continue;
      if (!isReturned && leases > 0 && leases < this.#packedMax && cell.isBrisk) return cell;
      if (leases >= bestLeases || (leases > 0 && !cell.isMoving)) continue;
      best = cell;
      bestLeases = leases;
    }
    return best;
  }

  #lend(cell: Cell): void {
    const member = this.#members.get(cell);
    if (member === undefined) return;
    member.cancelIdle?.();
    member.cancelIdle = undefined;
    member.leases++;
    this.#servedCount++;
  }

  /** Lends a cell to as many of the line as it has room for. */
  #serveLine(cell: Cell, member: Member): void {
    while (!cell.isDead && this.#line.depth > 0 && member.leases < this.#options.callsPerCellMax) {
      if (member.leases > 0 && (this.#line.isFirstReturned || !cell.isMoving)) return;
      this.#lend(cell);
      this.#line.grant(cell);
    }
  }

  /** A cell has idled for long: it goes, unless others went meanwhile and it is needed for the minimum. */
  #shrink(cell: Cell, member: Member): void {
    member.cancelIdle = undefined;
    if (this.#count() > this.#options.cellsMin) cell.kill("idle");
  }

  #startOne(): Promise<void> {
    const started = this.#outsideRequests(() => this.#startAndWelcome());
    this.#ending.add(started);
    return started.finally(() => this.#ending.delete(started));
  }

  async #startAndWelcome(): Promise<void> {
    this.#starting++;
    const startedAtMs = this.#options.clock.nowMs();
    let cell: Cell | undefined;
    try {
      cell = await this.#options.startCell(this.#nextId++);
      this.#failures = 0;
    } catch (error) {
      this.#failures++;
      this.#options.observer.cellFailedToStart(error);
    }
    this.#starting--;
    if (cell === undefined) this.#retryLater();
    else {
      this.#welcome(cell, this.#options.clock.nowMs() - startedAtMs);
      this.#replenish();
    }
  }

  #welcome(cell: Cell, startMs: number): void {
    const member: Member = { leases: 0, cancelIdle: undefined };
    this.#members.set(cell, member);
    const ended = cell.ended.then(() => this.#bury(cell));
    this.#ending.add(ended);
    void ended.finally(() => this.#ending.delete(ended));
    this.#options.observer.cellStarted(cell, startMs);
    // As if it had been lent: the line is served, and idling begins to count.
    member.leases++;
    this.release(cell);
  }

  #bury(cell: Cell): void {
    this.#members.get(cell)?.cancelIdle?.();
    this.#members.delete(cell);
    this.#options.observer.cellEnded(cell);
    this.#replenish();
  }

  /** Starts what is missing to the minimum; while starts fail, only the retry does. */
  #replenish(): void {
    if (this.#closed || this.#failures > 0) return;
    while (this.#count() < this.#options.cellsMin) void this.#startOne();
  }

  #retryLater(): void {
    if (this.#closed || this.#cancelRetry !== undefined) return;
    const pauseMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(this.#failures - 1, 10));
    this.#cancelRetry = this.#options.clock.after(pauseMs, () => {
      this.#cancelRetry = undefined;
      while (!this.#closed && this.#count() < this.#options.cellsMin) void this.#startOne();
    });
  }

  #growLater(): void {
    if (this.#cancelGrowth !== undefined || this.#count() >= this.#options.cellsMax) return;
    const depthThen = this.#line.depth;
    const servedThen = this.#servedCount;
    this.#cancelGrowth = this.#options.clock.after(GROW_AFTER_MS, () => {
      this.#cancelGrowth = undefined;
      if (this.#closed || this.#line.depth === 0) return;
      // A line that moves needs no more cells: growth is for calls that hold theirs.
      const served = this.#servedCount - servedThen;
      if (served < depthThen && this.#count() < this.#options.cellsMax) void this.#startOne();
      this.#growLater();
    });
  }

  /** Cells that live or are about to; one whose end is ordered no longer counts. */
  #count(): number {
    let live = 0;
    for (const cell of this.#members.keys()) live += cell.isDead ? 0 : 1;
    return live + this.#starting;
  }
}

function closing(): Error {
  return fault("capacity_exhausted", "The gateway is shutting down", { retryAfterSeconds: 1 });
}
