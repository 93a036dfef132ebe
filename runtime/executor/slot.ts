/**
 * Slot: a place in a cell, lent to one call.
 *
 * Owns that it comes back once, whoever disposes of it how often. Who gets it is the pool's. Invariant: a slot is
 * counted for its tenant from its making until it is given back.
 */
import type { Account } from "./fair_line.ts";

/** A slot in a cell; disposing of it gives it back. */
export interface Lease<Cell> extends Disposable {
  readonly cell: Cell;
}

/** A slot that was lent. */
export interface Loan {
  readonly account: Account;
  readonly grantedAtMs: number;
}

/** The one kind of lease. */
export class Slot<Cell> implements Lease<Cell>, Loan {
  readonly cell: Cell;
  readonly account: Account;
  readonly grantedAtMs: number;
  #giveBack: ((slot: Slot<Cell>) => void) | undefined;

  constructor(cell: Cell, account: Account, grantedAtMs: number, giveBack: (slot: Slot<Cell>) => void) {
    this.cell = cell;
    this.account = account;
    this.grantedAtMs = grantedAtMs;
    this.#giveBack = giveBack;
  }

  [Symbol.dispose](): void {
    const giveBack = this.#giveBack;
    this.#giveBack = undefined;
    giveBack?.(this);
  }
}
