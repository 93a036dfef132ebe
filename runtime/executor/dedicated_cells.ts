/**
 * DedicatedCells: cells of one tenant each, started when it calls, for a GPU that tenants must not share.
 *
 * Owns how many there are and for whom: at most `cellsMax`, so many of a tenant; started while calls wait, ended
 * when they idle, and taken from one tenant for another that has none: an idle cell first, else the one held
 * longest once it had its turn. Calls wait in the line of the shared cells (admission.ts). It runs no call.
 * Invariants: a cell is lent to its own tenant alone, and while it is in doubt to nobody; every lease comes back
 * once; nobody waits who may be served.
 */
import type { Clock } from "../model/clock.ts";
import { fault } from "../model/fault.ts";
import { Admission } from "./admission.ts";
import type { Turn, Wait } from "./admission.ts";
import type { PoolCounts, PoolObserver } from "./cell_pool.ts";
import type { PooledCell } from "./cell_slots.ts";
import { CellStarter } from "./cell_starter.ts";
import { CrashPause } from "./crash_pause.ts";
import type { Account } from "./fair_line.ts";
import { Slot } from "./slot.ts";
import type { Lease } from "./slot.ts";
import { isUsable, TenantCells } from "./tenant_cells.ts";
import type { Dedicated, Seat } from "./tenant_cells.ts";

/** How long a busy tenant keeps its cell while others wait for one. Making a context takes a driver long. */
const TURN_MS = 2_000;
/** How long a cell that failed may take to answer the calls that it has. */
const CONDEMNED_MS = 500;

/** Ends that say nothing against the tenant. */
const PEACEFUL = new Set(["closed", "idle", "evicted", "turn", "memory", "cell_sigkill"]);

/** What the cells are kept by. */
export interface DedicatedOptions<Cell extends PooledCell> {
  readonly clock: Clock;
  readonly observer: PoolObserver;
  /** How many devices there are; a seat names one by its place among them. */
  readonly deviceCount: number;
  /** Most cells of all tenants together, and of one. */
  readonly cellsMax: number;
  readonly cellsPerTenantMax: number;
  readonly callsPerCellMax: number;
  readonly queueDepthMax: number;
  /** How long a cell may idle. */
  readonly idleMsMax: number;
  readonly startCell: (id: number, seat: Seat) => Promise<Cell>;
}

/** The cells of all tenants. */
export class DedicatedCells<Cell extends PooledCell> {
  readonly #options: DedicatedOptions<Cell>;
  readonly #line: Admission<Lease<Cell>>;
  readonly #cells: TenantCells<Cell>;
  /** One for each device: one that refuses is paused, the others are not. */
  readonly #starters: readonly CellStarter<Cell>[];
  readonly #pause: CrashPause;
  #nextId = 1;
  #cancelTurn: (() => void) | undefined;
  #serving = false;
  #closed = false;

  constructor(options: DedicatedOptions<Cell>) {
    const { clock, observer, deviceCount, queueDepthMax, callsPerCellMax } = options;
    this.#options = options;
    this.#line = new Admission({
      clock,
      queueDepthMax,
      shed: (kind, tenant) => observer.shed?.(kind, tenant),
      waited: (ms) => observer.waited?.(ms),
      left: () => this.#serve(),
    });
    this.#cells = new TenantCells(deviceCount, callsPerCellMax);
    this.#starters = Array.from({ length: deviceCount }, () => this.#makeStarter());
    this.#pause = new CrashPause(clock, () => this.#serve());
  }

  /** The counts as they are now. */
  counts(): PoolCounts {
    const { depth, tenantsWaiting } = this.#line;
    const { starting } = this.#cells;
    return { ...this.#cells.counts(), starting, queueDepth: depth, tenantsWaiting };
  }

  /** How many calls of each tenant wait. */
  waiting(): Iterable<readonly [tenant: string, count: number]> {
    return this.#line.waiting();
  }

  /** The cells that live. */
  *cells(): Generator<Cell> {
    for (const { cell } of this.#cells.members()) if (!cell.isDead) yield cell;
  }

  /** Cells that each device has, those on their way included. */
  countsByDevice(): readonly number[] {
    return this.#cells.countsByDevice();
  }

  /** Takes a slot in a cell of the tenant, or waits in line for one. See Admission.wait for what it throws. */
  lease(wait: Wait): Promise<Lease<Cell>> | Lease<Cell> {
    if (this.#closed) return Promise.reject(closing());
    const mayPass = this.#line.waitingOf(wait.tenant) === 0 && !this.#line.hasPassed(wait);
    const member = mayPass ? this.#roomFor(wait) : undefined;
    if (member !== undefined) return this.#lend(member, this.#line.take(wait.tenant), wait.alone === true);
    // The first of a tenant has to wait for its cell, however few may.
    const waiting = this.#line.wait({ ...wait, queuedCallsMax: Math.max(1, wait.queuedCallsMax) });
    this.#serve();
    return waiting;
  }

  /** Gives a cell no more calls; it ends when the last it has is done. The first reason counts. */
  retire(cell: Cell, reason: string): void {
    const member = this.#cells.get(cell);
    if (member === undefined || !isUsable(member)) return;
    this.#options.observer.cellRetired?.(cell, reason);
    this.#retire(member, reason);
    this.#serve();
  }

  /** The same for one that has failed: it is killed in any case, soon. */
  condemn(cell: Cell, reason: string): void {
    const member = this.#cells.get(cell);
    if (member === undefined || cell.isDead) return cell.kill(reason);
    member.retiredFor = reason;
    cancelIdle(member);
    if (member.loans.size === 0) cell.kill(reason);
    else {
      const cancel = this.#options.clock.after(CONDEMNED_MS, () => cell.kill(reason));
      void cell.ended.then(cancel);
    }
    this.#serve();
  }

  /**
   * A cell has come to be in doubt, or is well again. One in doubt is lent to nobody; it counts for its tenant's
   * bound, so a tenant that is at it waits for the verdict, and one below it has another cell started.
   */
  reconsider(): void {
    this.#serve();
  }

  /** Refuses whoever waits and everyone after; ends idle cells now and lent ones when they come back. */
  close(): void {
    this.#closed = true;
    this.#cancelTurn?.();
    this.#pause.close();
    for (const starter of this.#starters) starter.close();
    this.#line.refuseAll(closing);
    for (const member of this.#cells.members()) {
      cancelIdle(member);
      if (member.loans.size === 0) end(member.cell, "closed");
    }
  }

  /** Ends every cell and resolves when all have ended. */
  async kill(reason: string): Promise<void> {
    this.close();
    for (const { cell } of this.#cells.members()) cell.kill(reason);
    await Promise.all(this.#starters.map((starter) => starter.drained()));
  }

  #makeStarter(): CellStarter<Cell> {
    const { clock, observer } = this.#options;
    return new CellStarter<Cell>({
      clock,
      startCell: () => Promise.reject(new Error("A dedicated cell is started for somebody")),
      started: (cell, startMs) => this.#welcome(cell, startMs),
      failed: (error) => {
        observer.cellFailedToStart(error);
        this.#serve();
      },
      ended: (cell) => this.#bury(cell),
      retry: () => this.#serve(),
    });
  }

  #roomFor({ tenant, alone, concurrentCallsMax }: Pick<Wait, "tenant" | "alone" | "concurrentCallsMax">):
    | Dedicated<Cell>
    | undefined {
    if (this.#cells.inUse(tenant) >= concurrentCallsMax) return undefined;
    return this.#cells.roomFor(tenant, alone === true);
  }

  #lend(member: Dedicated<Cell>, account: Account, alone: boolean): Lease<Cell> {
    cancelIdle(member);
    const nowMs = this.#options.clock.nowMs();
    const slot = new Slot(member.cell, account, nowMs, (given) => this.#takeBack(member, given));
    member.loans.add(slot);
    member.isAlone = alone;
    return slot;
  }

  #takeBack(member: Dedicated<Cell>, slot: Slot<Cell>): void {
    member.loans.delete(slot);
    member.usedAtMs = this.#options.clock.nowMs();
    this.#line.giveBack(slot.account);
    if (member.loans.size === 0) {
      member.isAlone = false;
      if (this.#closed) end(member.cell, "closed");
      else if (member.retiredFor !== undefined) this.#retire(member, member.retiredFor);
    }
    this.#serve();
    this.#watchIdle(member);
  }

  /** Lends what is free to whoever's turn it is, then sees to it that the others get cells. */
  #serve(): void {
    // Somebody may leave the line while it is served.
    if (this.#closed || this.#serving) return;
    this.#serving = true;
    try {
      while (this.#serveOne());
      this.#provide();
    } finally {
      this.#serving = false;
    }
  }

  #serveOne(): boolean {
    const turn = this.#line.nextOldest(({ request }) => this.#roomFor(request) !== undefined);
    const member = turn && this.#roomFor(turn.request);
    if (turn === undefined || member === undefined) return false;
    turn.value.serve((account) => this.#lend(member, account, turn.request.alone === true));
    return true;
  }

  /** Starts cells for tenants that need one, in the order of their turns, and makes room for the rest. */
  #provide(): void {
    const { cellsMax } = this.#options;
    let missing = 0;
    for (const { tenant } of this.#needy()) {
      if (this.#cells.size < cellsMax) {
        if (!this.#start(tenant)) return;
      } else if (this.#cells.countOf(tenant) === 0) missing++;
    }
    this.#makeRoom(missing);
  }

  /** Tenants that wait for a cell and may have one more. */
  #needy(): Account[] {
    const accounts: Account[] = [];
    this.#line.nextOldest((turn) => {
      if (this.#needsCell(turn)) accounts.push(turn.account);
      return false;
    });
    return accounts;
  }

  #needsCell({ request: { tenant, concurrentCallsMax } }: Turn<Lease<Cell>>): boolean {
    if (this.#pause.isPaused(tenant) || this.#cells.startingOf(tenant) > 0) return false;
    // One that waits for its own limit needs no cell.
    if (this.#cells.inUse(tenant) >= concurrentCallsMax) return false;
    return this.#cells.countOf(tenant) < this.#options.cellsPerTenantMax;
  }

  /** Starts a cell on the device that has the fewest; false if none can be tried now. */
  #start(tenant: string): boolean {
    const counts = this.#cells.countsByDevice();
    let device: number | undefined;
    for (const [index, starter] of this.#starters.entries()) {
      if (!starter.isReady) continue;
      if (device === undefined || (counts[index] ?? 0) < (counts[device] ?? 0)) device = index;
    }
    if (device === undefined) return false;
    const seat: Seat = { tenant, device };
    this.#cells.begin(seat);
    void this.#starters[device]?.start(() => this.#startCell(seat));
    return true;
  }

  async #startCell(seat: Seat): Promise<Cell> {
    try {
      const cell = await this.#options.startCell(this.#nextId++, seat);
      this.#cells.add(cell, seat, this.#options.clock.nowMs());
      return cell;
    } finally {
      this.#cells.end(seat);
    }
  }

  /** For so many tenants without a cell: idle ones go now, then one at a time whose tenant had its turn. */
  #makeRoom(count: number): void {
    this.#cancelTurn?.();
    this.#cancelTurn = undefined;
    for (let left = count - this.#cells.leaving; left > 0; left--) {
      const idle = this.#cells.longestIdle();
      if (idle !== undefined) {
        this.#retire(idle, "evicted");
        continue;
      }
      const held = this.#cells.longestHeld();
      if (held === undefined) return;
      const restMs = held.startedAtMs + TURN_MS - this.#options.clock.nowMs();
      if (restMs > 0) {
        this.#cancelTurn = this.#options.clock.after(restMs, () => this.#serve());
        return;
      }
      this.#retire(held, "turn");
    }
  }

  #retire(member: Dedicated<Cell>, reason: string): void {
    member.retiredFor = reason;
    cancelIdle(member);
    if (member.loans.size > 0) return;
    // One that failed has nothing to close any more.
    if (PEACEFUL.has(reason)) end(member.cell, reason);
    else member.cell.kill(reason);
  }

  #welcome(cell: Cell, startMs: number): void {
    this.#options.observer.cellStarted(cell, startMs);
    if (this.#closed) return end(cell, "closed");
    this.#serve();
    const member = this.#cells.get(cell);
    if (member !== undefined) this.#watchIdle(member);
  }

  #bury(cell: Cell): void {
    const member = this.#cells.get(cell);
    if (member !== undefined) {
      cancelIdle(member);
      this.#cells.remove(member);
      if (!this.#closed && !PEACEFUL.has(cell.deathReason)) this.#pause.note(member.seat.tenant);
    }
    this.#options.observer.cellEnded(cell);
    this.#serve();
  }

  #watchIdle(member: Dedicated<Cell>): void {
    if (this.#closed || member.loans.size > 0 || !isUsable(member) || member.cancelIdle !== undefined) return;
    member.cancelIdle = this.#options.clock.after(this.#options.idleMsMax, () => {
      member.cancelIdle = undefined;
      this.#retire(member, "idle");
    });
  }
}

function cancelIdle(member: Dedicated<PooledCell>): void {
  member.cancelIdle?.();
  member.cancelIdle = undefined;
}

/** Nothing runs in it. */
function end(cell: PooledCell, reason: string): void {
  if (cell.end === undefined) cell.kill(reason);
  else cell.end(reason);
}

function closing(): Error {
  return fault("capacity_exhausted", "The gateway is shutting down", { retryAfterSeconds: 1 });
}
