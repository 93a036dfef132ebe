/**
 * CellSlots: the live cells of a pool and what is lent of each.
 *
 * Owns which cell a call gets: the one with the fewest calls that has room. It starts and ends no cells
 * (cell_pool.ts does) and knows no tenants. A cell may be held: emptied for one call that must run alone, or
 * lent to that call; its slots then count as used. Invariant: a slot is free only in a cell that lives, is not
 * retired and not held; used and free slots add up to all slots of such cells and the calls in retired ones.
 */
import type { TenantMemory } from "../wire/messages.ts";
import type { Loan } from "./slot.ts";

/** What the pool needs of a cell; CellProcess is one. */
export interface PooledCell {
  readonly id: number;
  readonly pid: number;
  /** True from the moment its end was ordered or seen. */
  readonly isDead: boolean;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  readonly deathReason: string;
  /** Device memory of its calls, as last heard. */
  readonly gpuMemoryBytes?: number;
  /** Resident memory, and what tenants' calls hold of it, likewise. */
  readonly residentBytes?: number | undefined;
  readonly tenantMemory?: readonly TenantMemory[];
  /** Of a dedicated cell: whose it is, and which device it has. */
  readonly tenant?: string | undefined;
  readonly device?: string | undefined;
  /** Of a dedicated cell: whether it may soon be of no use, and should be sent no more calls until that is known. */
  readonly isDoubtful?: boolean;
  kill(reason: string): void;
  /** As kill, but lets it close what it has open on a device. Only where nothing runs in it. */
  end?(reason: string): void;
}

/** A cell of the pool. */
export interface Member<Cell extends PooledCell> {
  readonly cell: Cell;
  /** In the order in which they were granted. */
  readonly loans: Set<Loan>;
  /** For whom it is held: for nobody, for the call that it is being emptied for, or for the one that has it. */
  hold: "none" | "emptying" | "alone";
  /** Why it takes no more calls, if it was retired. */
  retiredFor: string | undefined;
  cancelIdle: (() => void) | undefined;
}

/** The cells as they are at one moment. */
export interface Survey<Cell extends PooledCell> {
  /** Cells that may take calls, now or later. */
  usable: number;
  slotsFree: number;
  /** The usable cell with the fewest calls that has a free slot. */
  roomiest: Member<Cell> | undefined;
  /** The usable cell with the fewest calls that no call has to itself. */
  emptiest: Member<Cell> | undefined;
  /** Cells that a call has to itself. */
  alone: number;
}

/** The cells of a pool. */
export class CellSlots<Cell extends PooledCell> {
  readonly #callsPerCellMax: number;
  readonly #members = new Map<Cell, Member<Cell>>();

  constructor(callsPerCellMax: number) {
    this.#callsPerCellMax = callsPerCellMax;
  }

  add(cell: Cell): Member<Cell> {
    const member: Member<Cell> = {
      cell,
      loans: new Set(),
      hold: "none",
      retiredFor: undefined,
      cancelIdle: undefined,
    };
    this.#members.set(cell, member);
    return member;
  }

  get(cell: Cell): Member<Cell> | undefined {
    return this.#members.get(cell);
  }

  remove(cell: Cell): void {
    this.#members.delete(cell);
  }

  /** Every cell that has not ended. */
  members(): IterableIterator<Member<Cell>> {
    return this.#members.values();
  }

  /** Looks at every cell: their ends are not announced, so nothing of this can be kept. */
  survey(): Survey<Cell> {
    const survey: Survey<Cell> = {
      usable: 0,
      slotsFree: 0,
      roomiest: undefined,
      emptiest: undefined,
      alone: 0,
    };
    for (const member of this.#members.values()) {
      if (!isUsable(member)) continue;
      survey.usable++;
      if (member.hold === "alone") {
        survey.alone++;
        continue;
      }
      if (hasFewer(member, survey.emptiest)) survey.emptiest = member;
      if (member.hold === "emptying" || member.loans.size >= this.#callsPerCellMax) continue;
      survey.slotsFree += this.#callsPerCellMax - member.loans.size;
      if (hasFewer(member, survey.roomiest)) survey.roomiest = member;
    }
    return survey;
  }

  /** Cells that live, retired ones included, and their slots. */
  counts(): { cells: number; slotsFree: number; slotsUsed: number; gpuMemoryBytes: number } {
    const { slotsFree } = this.survey();
    let [cells, slotsUsed, gpuMemoryBytes] = [0, 0, 0];
    for (const member of this.#members.values()) {
      if (member.cell.isDead) continue;
      cells++;
      gpuMemoryBytes += member.cell.gpuMemoryBytes ?? 0;
      const isHeld = isUsable(member) && member.hold !== "none";
      slotsUsed += isHeld ? this.#callsPerCellMax : member.loans.size;
    }
    return { cells, slotsFree, slotsUsed, gpuMemoryBytes };
  }

  /**
   * Since when every usable cell has had at least `count` calls that it still has, or a call alone; Infinity
   * if one has fewer, or if there is no cell.
   */
  loadedSinceMs(count: number): number {
    let sinceMs = -Infinity;
    for (const member of this.#members.values()) {
      if (!isUsable(member)) continue;
      sinceMs = Math.max(sinceMs, grantOf(member, member.hold === "alone" ? 1 : count));
    }
    return sinceMs === -Infinity ? Infinity : sinceMs;
  }
}

/** Whether a cell may take calls, now or later. */
export function isUsable(member: Member<PooledCell>): boolean {
  return !member.cell.isDead && member.retiredFor === undefined;
}

function hasFewer(member: Member<PooledCell>, than: Member<PooledCell> | undefined): boolean {
  return than === undefined || member.loans.size < than.loans.size;
}

/** When the cell was lent to the call that is the `count`th by age; Infinity if it has not so many. */
function grantOf(member: Member<PooledCell>, count: number): number {
  if (member.loans.size < count) return Infinity;
  let left = count;
  for (const { grantedAtMs } of member.loans) {
    if (--left === 0) return grantedAtMs;
  }
  return Infinity;
}
