/**
 * CellPool: slots in warm cells, lent to calls.
 *
 * Owns how many cells there are (never fewer than `cellsMin` for longer than it takes to start one, up to
 * `cellsMax` while calls stand or stay, back down when cells idle), their retirement, and each lease. Who waits
 * and whose turn it is belongs to admission.ts, which cell a call gets to cell_slots.ts and alone_turn.ts. It
 * does not run calls (executor.ts does). Invariant: a dead or retired cell is never lent; every lease comes back
 * exactly once, and nobody who may be served waits while there is room.
 */
import type { Clock } from "../model/clock.ts";
import { fault } from "../model/fault.ts";
import { Admission } from "./admission.ts";
import type { ShedKind, Wait } from "./admission.ts";
import { AloneTurn } from "./alone_turn.ts";
import { CellSlots, isUsable } from "./cell_slots.ts";
import type { Member, PooledCell } from "./cell_slots.ts";
import { CellStarter } from "./cell_starter.ts";
import type { Account } from "./fair_line.ts";
import { GrowthWatch } from "./growth_watch.ts";
import { Slot } from "./slot.ts";
import type { Lease } from "./slot.ts";

export type { PooledCell } from "./cell_slots.ts";
export type { Lease } from "./slot.ts";

/** How long a cell above the minimum may idle. */
const IDLE_MS_MAX = 60_000;
const GROW_LEASES = 8;

/** What the pool tells of itself. */
export interface PoolObserver {
  cellStarted(cell: PooledCell, startMs: number): void;
  cellEnded(cell: PooledCell): void;
  cellFailedToStart(error: unknown): void;
  /** A cell takes no more calls and ends when the last it has is done. */
  cellRetired?(cell: PooledCell, reason: string): void;
  /** A call was refused, or displaced from the line. */
  shed?(kind: ShedKind, tenant: string): void;
  /** A call got its slot after it had waited in line that long. */
  waited?(ms: number): void;
}

/** Settings of a pool. */
export interface PoolOptions<Cell extends PooledCell> {
  /** Zero is a pool that starts a cell when a call needs one. */
  readonly cellsMin: number;
  readonly cellsMax: number;
  /** Most calls that a cell runs at a time: its slots. */
  readonly callsPerCellMax: number;
  readonly queueDepthMax: number;
  /** How many calls that stay in every cell are a reason for another cell; 8 if absent. */
  readonly growLeases?: number;
  readonly clock: Clock;
  readonly startCell: (id: number) => Promise<Cell>;
  readonly observer: PoolObserver;
}

/** How many cells, slots and waiting calls there are. */
export interface PoolCounts {
  /** Cells that live, retired ones included. */
  readonly cells: number;
  readonly starting: number;
  readonly slotsFree: number;
  /** Slots lent, and those that cannot be lent because a call has their cell to itself or is about to. */
  readonly slotsUsed: number;
  readonly queueDepth: number;
  readonly tenantsWaiting: number;
  /** Device memory of the calls in all cells, as last heard. */
  readonly gpuMemoryBytes: number;
}

/** A pool of cells. */
export class CellPool<Cell extends PooledCell> {
  readonly #options: PoolOptions<Cell>;
  readonly #line: Admission<Lease<Cell>>;
  readonly #slots: CellSlots<Cell>;
  readonly #alone: AloneTurn<Cell, Lease<Cell>>;
  readonly #starter: CellStarter<Cell>;
  readonly #growth: GrowthWatch;
  readonly #growLeases: number;
  #serving = false;
  #closed = false;

  constructor(options: PoolOptions<Cell>) {
    const { clock, observer, startCell, callsPerCellMax, queueDepthMax } = options;
    this.#options = options;
    // A tenant alone gets half of the slots: more calls than that would never be a reason.
    const growLeasesMax = Math.max(1, Math.floor(callsPerCellMax / 2));
    this.#growLeases = Math.min(options.growLeases ?? GROW_LEASES, growLeasesMax);
    this.#line = new Admission({
      clock,
      queueDepthMax,
      shed: (kind, tenant) => observer.shed?.(kind, tenant),
      waited: (ms) => {
        this.#growth.noteServed();
        observer.waited?.(ms);
      },
      // The cell that was emptied for it is free again.
      left: (wait) => wait.alone === true && this.#serve(),
    });
    this.#slots = new CellSlots(callsPerCellMax);
    this.#alone = new AloneTurn({
      line: this.#line,
      slots: this.#slots,
      lend: ({ value }, member) => value.serve((account) => this.#lend(member, account, "alone")),
      startCell: () => this.#starter.starting > 0 || this.#grow(),
    });
    this.#starter = new CellStarter({
      clock,
      startCell,
      started: (cell, startMs) => this.#welcome(cell, startMs),
      failed: (error) => this.#mourn(error),
      ended: (cell) => this.#bury(cell),
      retry: () => this.#serve(),
    });
    this.#growth = new GrowthWatch({
      clock,
      depth: () => this.#line.depth,
      loadedSinceMs: () => this.#slots.loadedSinceMs(this.#growLeases),
      mayGrow: () => this.#mayGrow(),
      grow: () => this.#grow(),
    });
  }

  /** Starts the minimum of cells; resolves when the first is ready or has failed to start. */
  async open(): Promise<void> {
    const starts: Promise<void>[] = [];
    for (let count = 0; count < this.#options.cellsMin; count++) starts.push(this.#starter.start());
    if (starts.length > 0) await Promise.race(starts);
  }

  /** True while at least one cell lives, or may be started by the next call. */
  get isReady(): boolean {
    return !this.#closed && (this.#options.cellsMin === 0 || this.#slots.counts().cells > 0);
  }

  /** The counts as they are now. */
  counts(): PoolCounts {
    const { depth, tenantsWaiting } = this.#line;
    return { ...this.#slots.counts(), starting: this.#starter.starting, queueDepth: depth, tenantsWaiting };
  }

  /** How many calls of each tenant wait. */
  waiting(): Iterable<readonly [tenant: string, count: number]> {
    return this.#line.waiting();
  }

  /** The cells that live. */
  *cells(): Generator<Cell> {
    for (const { cell } of this.#slots.members()) if (!cell.isDead) yield cell;
  }

  /** Takes a slot, or waits in line for one. See Admission.wait for what it throws. */
  lease(wait: Wait): Promise<Lease<Cell>> | Lease<Cell> {
    if (this.#closed) return Promise.reject(closing());
    const member = wait.alone === true ? this.#alone.idleFor(wait) : this.#roomFor(wait);
    if (member !== undefined) {
      return this.#lend(member, this.#line.take(wait.tenant), wait.alone === true ? "alone" : "shared");
    }
    const waiting = this.#line.wait(wait);
    if (wait.alone === true) this.#serve();
    else this.#adapt();
    return waiting;
  }

  /** Gives a cell no more calls; it is killed when the last it has is done. The first reason counts. */
  retire(cell: Cell, reason: string): void {
    const member = this.#slots.get(cell);
    if (member === undefined || !isUsable(member)) return;
    member.retiredFor = reason;
    this.#options.observer.cellRetired?.(cell, reason);
    if (member.loans.size === 0) cell.kill(reason);
    this.#serve();
  }

  /** Refuses whoever waits and everyone after; ends idle cells now and lent ones when they come back. */
  close(): void {
    this.#closed = true;
    this.#growth.close();
    this.#starter.close();
    this.#line.refuseAll(closing);
    for (const member of this.#slots.members()) {
      cancelIdle(member);
      if (member.loans.size === 0) member.cell.kill("closed");
    }
  }

  /** Kills every cell and resolves when all have ended. */
  async kill(reason: string): Promise<void> {
    this.close();
    for (const { cell } of this.#slots.members()) cell.kill(reason);
    await this.#starter.drained();
  }

  #roomFor(wait: Wait): Member<Cell> | undefined {
    const { roomiest, slotsFree } = this.#slots.survey();
    return roomiest !== undefined && this.#line.mayPass(wait, slotsFree) ? roomiest : undefined;
  }

  #lend(member: Member<Cell>, account: Account, hold: "alone" | "shared"): Lease<Cell> {
    cancelIdle(member);
    const { clock } = this.#options;
    const slot = new Slot(member.cell, account, clock.nowMs(), (given) => this.#takeBack(member, given));
    member.loans.add(slot);
    if (hold === "alone") {
      member.hold = "alone";
      // The others keep a cell.
      const { usable, alone } = this.#slots.survey();
      if (usable === alone) this.#grow();
    }
    if (hold === "alone" || member.loans.size >= this.#growLeases) this.#growth.watch();
    return slot;
  }

  #takeBack(member: Member<Cell>, slot: Slot<Cell>): void {
    member.loans.delete(slot);
    this.#line.giveBack(slot.account);
    const wasAlone = member.hold === "alone";
    if (member.loans.size === 0) {
      if (wasAlone) member.hold = "none";
      if (this.#closed) member.cell.kill("closed");
      else if (member.retiredFor !== undefined) member.cell.kill(member.retiredFor);
    }
    this.#serve(wasAlone);
    this.#watchIdle(member);
  }

  /**
   * Lends what is free to whoever's turn it is. Calls that must run alone come first, or no cell would ever be
   * empty; but after one of them it is the turn of the others, or in a single cell they would never run.
   */
  #serve(othersFirst = false): void {
    // Somebody may leave the line while it is served.
    if (this.#closed || this.#serving) return;
    this.#serving = true;
    try {
      if (this.#line.depth > 0 || this.#alone.hasClaim) {
        if (othersFirst) { while (this.#serveOne()); }
        this.#alone.serve();
        while (this.#serveOne());
      }
    } finally {
      this.#serving = false;
    }
    this.#adapt();
  }

  #serveOne(): boolean {
    const { roomiest, slotsFree } = this.#slots.survey();
    const turn = roomiest === undefined ? undefined : this.#line.next(slotsFree);
    if (roomiest === undefined || turn === undefined) return false;
    turn.value.serve((account) => this.#lend(roomiest, account, "shared"));
    return true;
  }

  /** Starts what is missing now, and watches for what may be missing soon. */
  #adapt(): void {
    while (this.#isShort() && this.#starter.isReady) void this.#starter.start();
    if (this.#line.depth === 0) this.#growth.noteFull(false);
    else {
      this.#growth.noteFull(this.#slots.survey().roomiest === undefined);
      this.#growth.watch();
    }
  }

  /** Whether the minimum is missing, or a call waits and there is no cell at all. */
  #isShort(): boolean {
    const count = this.#count();
    return count < this.#options.cellsMin || (count === 0 && this.#line.depth > 0);
  }

  /** Starts a cell above the minimum if there may be one; whether it did. */
  #grow(): boolean {
    const mayGrow = this.#mayGrow();
    if (mayGrow) void this.#starter.start();
    return mayGrow;
  }

  /** One at a time, and not before retired cells made room: they still hold memory. */
  #mayGrow(): boolean {
    if (!this.#starter.isReady || this.#starter.starting > 0) return false;
    return this.#slots.counts().cells < this.#options.cellsMax;
  }

  #welcome(cell: Cell, startMs: number): void {
    const member = this.#slots.add(cell);
    this.#options.observer.cellStarted(cell, startMs);
    if (this.#closed) return cell.kill("closed");
    // However soon it is full: the next cell needs a reason that lasts from now on.
    this.#growth.noteFull(false);
    this.#serve();
    this.#watchIdle(member);
  }

  #mourn(error: unknown): void {
    this.#options.observer.cellFailedToStart(error);
    // Who waited for that cell alone needs another now.
    this.#serve();
  }

  #bury(cell: Cell): void {
    const member = this.#slots.get(cell);
    if (member !== undefined) cancelIdle(member);
    this.#slots.remove(cell);
    this.#options.observer.cellEnded(cell);
    this.#serve();
  }

  /** Lets an idle cell above the minimum go after a while. */
  #watchIdle(member: Member<Cell>): void {
    if (this.#closed || member.loans.size > 0 || !isUsable(member) || member.cancelIdle !== undefined) return;
    const { cellsMin, clock } = this.#options;
    if (this.#count() <= cellsMin) return;
    member.cancelIdle = clock.after(IDLE_MS_MAX, () => {
      member.cancelIdle = undefined;
      // Others may have gone meanwhile, so that it is needed for the minimum.
      if (this.#count() > cellsMin) member.cell.kill("idle");
    });
  }

  /** Cells that may take calls, or soon will. */
  #count(): number {
    return this.#slots.survey().usable + this.#starter.starting;
  }
}

function cancelIdle(member: Member<PooledCell>): void {
  member.cancelIdle?.();
  member.cancelIdle = undefined;
}

function closing(): Error {
  return fault("capacity_exhausted", "The gateway is shutting down", { retryAfterSeconds: 1 });
}
