/**
 * TenantCells: the dedicated cells that live, by the tenant they belong to and the device they have.
 *
 * Owns which of a tenant's cells a call gets, which cell must go when another tenant needs its room, and which
 * device the next one is for. It starts and ends none (dedicated_cells.ts does). Invariant: a cell counts until
 * its process has ended, as it has its part of the device until then.
 */
import type { PooledCell } from "./cell_slots.ts";
import type { Loan } from "./slot.ts";

/** Whose a cell is, and which device it has, by its place among those of the pool. */
export interface Seat {
  readonly tenant: string;
  readonly device: number;
}

/** A cell with its tenant. */
export interface Dedicated<Cell extends PooledCell> {
  readonly cell: Cell;
  readonly seat: Seat;
  readonly startedAtMs: number;
  readonly loans: Set<Loan>;
  /** Whether a call has it to itself. */
  isAlone: boolean;
  /** Why it takes no more calls. */
  retiredFor: string | undefined;
  /** When it was last in use. */
  usedAtMs: number;
  cancelIdle: (() => void) | undefined;
}

/** The cells. */
export class TenantCells<Cell extends PooledCell> {
  readonly #callsPerCellMax: number;
  readonly #deviceCount: number;
  readonly #byCell = new Map<Cell, Dedicated<Cell>>();
  readonly #byTenant = new Map<string, Set<Dedicated<Cell>>>();
  /** Starts under way. */
  readonly #starting = new Set<Seat>();

  constructor(deviceCount: number, callsPerCellMax: number) {
    this.#deviceCount = deviceCount;
    this.#callsPerCellMax = callsPerCellMax;
  }

  /** Cells that have room on a device, those on their way in or out included. */
  get size(): number {
    return this.#byCell.size + this.#starting.size;
  }

  get starting(): number {
    return this.#starting.size;
  }

  /** A cell is being started. */
  begin(seat: Seat): void {
    this.#starting.add(seat);
  }

  /** A start has ended, with or without a cell. */
  end(seat: Seat): void {
    this.#starting.delete(seat);
  }

  add(cell: Cell, seat: Seat, nowMs: number): void {
    const member: Dedicated<Cell> = {
      ...{ cell, seat, startedAtMs: nowMs, usedAtMs: nowMs, loans: new Set<Loan>() },
      ...{ isAlone: false, retiredFor: undefined, cancelIdle: undefined },
    };
    this.#byCell.set(cell, member);
    const known = this.#byTenant.get(seat.tenant);
    if (known === undefined) this.#byTenant.set(seat.tenant, new Set([member]));
    else known.add(member);
  }

  get(cell: Cell): Dedicated<Cell> | undefined {
    return this.#byCell.get(cell);
  }

  remove(member: Dedicated<Cell>): void {
    this.#byCell.delete(member.cell);
    const known = this.#byTenant.get(member.seat.tenant);
    known?.delete(member);
    if (known?.size === 0) this.#byTenant.delete(member.seat.tenant);
  }

  members(): IterableIterator<Dedicated<Cell>> {
    return this.#byCell.values();
  }

  /** The tenant's cell with the fewest calls that has room for one more. */
  roomFor(tenant: string, alone: boolean): Dedicated<Cell> | undefined {
    const callsMax = alone ? 1 : this.#callsPerCellMax;
    let best: Dedicated<Cell> | undefined;
    for (const member of this.#byTenant.get(tenant) ?? []) {
      if (!takesCalls(member) || member.isAlone || member.loans.size >= callsMax) continue;
      if (best === undefined || member.loans.size < best.loans.size) best = member;
    }
    return best;
  }

  /** Calls of a tenant that run. */
  inUse(tenant: string): number {
    let count = 0;
    for (const { loans } of this.#byTenant.get(tenant) ?? []) count += loans.size;
    return count;
  }

  /** Cells of a tenant that take calls, now or soon. */
  countOf(tenant: string): number {
    let count = 0;
    for (const seat of this.#starting) if (seat.tenant === tenant) count++;
    for (const member of this.#byTenant.get(tenant) ?? []) if (isUsable(member)) count++;
    return count;
  }

  /** Cells of a tenant that are on their way. */
  startingOf(tenant: string): number {
    let count = 0;
    for (const seat of this.#starting) if (seat.tenant === tenant) count++;
    return count;
  }

  /** Cells that have each device, likewise as `size`. */
  countsByDevice(): number[] {
    const counts = Array<number>(this.#deviceCount).fill(0);
    for (const { device } of this.#starting) counts[device] = (counts[device] ?? 0) + 1;
    for (const { seat: { device } } of this.#byCell.values()) counts[device] = (counts[device] ?? 0) + 1;
    return counts;
  }

  /** Cells that end as soon as they can, or are about to. */
  get leaving(): number {
    let count = 0;
    for (const member of this.#byCell.values()) if (!isUsable(member)) count++;
    return count;
  }

  /** The idle cell that was used longest ago. */
  longestIdle(): Dedicated<Cell> | undefined {
    return this.#least((member) => member.loans.size === 0, (member) => member.usedAtMs);
  }

  /** The cell in use that its tenant has had longest. */
  longestHeld(): Dedicated<Cell> | undefined {
    return this.#least((member) => member.loans.size > 0, (member) => member.startedAtMs);
  }

  #least(
    accept: (member: Dedicated<Cell>) => boolean,
    rank: (member: Dedicated<Cell>) => number,
  ): Dedicated<Cell> | undefined {
    let best: Dedicated<Cell> | undefined;
    for (const member of this.#byCell.values()) {
      if (!isUsable(member) || !accept(member)) continue;
      if (best === undefined || rank(member) < rank(best)) best = member;
    }
    return best;
  }

  /** What lives, and its slots. */
  counts(): { cells: number; slotsFree: number; slotsUsed: number; gpuMemoryBytes: number } {
    const counts = { cells: 0, slotsFree: 0, slotsUsed: 0, gpuMemoryBytes: 0 };
    for (const member of this.#byCell.values()) {
      if (member.cell.isDead) continue;
      counts.cells++;
      counts.gpuMemoryBytes += member.cell.gpuMemoryBytes ?? 0;
      const used = member.isAlone ? this.#callsPerCellMax : member.loans.size;
      counts.slotsUsed += used;
      if (takesCalls(member)) counts.slotsFree += this.#callsPerCellMax - used;
    }
    return counts;
  }
}

function takesCalls(member: Dedicated<PooledCell>): boolean {
  return isUsable(member) && member.cell.isDoubtful !== true;
}

/** Whether a cell may take calls, now or later. */
export function isUsable(member: Dedicated<PooledCell>): boolean {
  return !member.cell.isDead && member.retiredFor === undefined;
}
