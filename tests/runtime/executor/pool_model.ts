/**
 * A second, plain account of a pool, kept from outside: who holds what and who waits, without any of the pool's
 * own data. Every grant is held against it in the order in which grants were made.
 *
 * What it cannot see is which cell is being emptied for a call that must run alone; it takes that cell's slots
 * for free, so that with such calls its threshold is an upper bound, and without them exact.
 */
import assert from "node:assert/strict";
import type { Wait } from "../../../runtime/executor/admission.ts";
import type { Lease } from "../../../runtime/executor/cell_pool.ts";
import type { FakeCell, Setup } from "./pool_setup.ts";

/** A call and what became of it. */
export interface Call {
  readonly wait: Wait;
  readonly cancel: () => void;
  lease: Lease<FakeCell> | undefined;
  error: { readonly code?: string; readonly name: string } | undefined;
}

/** The account. */
export class PoolModel {
  readonly calls: Call[] = [];
  /** Calls that hold a slot. */
  readonly held = new Set<Call>();
  readonly retired = new Set<FakeCell>();
  readonly #waiting: Call[] = [];
  /** What did not hold when a grant or a refusal arrived. */
  readonly #failures: unknown[] = [];
  /** Tenants with calls waiting, in the order of their turns. */
  #ring: string[] = [];
  readonly #setup: Setup;
  readonly #slotsPerCell: number;
  readonly #isExact: boolean;

  constructor(setup: Setup, slotsPerCell: number, isExact: boolean) {
    this.#setup = setup;
    this.#slotsPerCell = slotsPerCell;
    this.#isExact = isExact;
  }

  get waiting(): readonly Call[] {
    return this.#waiting;
  }

  /** Asks the pool for a slot and follows the call. */
  ask(wait: Wait): void {
    const listeners: (() => void)[] = [];
    const cancellation = { onCancel: (callback: () => void) => void listeners.push(callback) };
    const call: Call = {
      wait: { ...wait, cancellation },
      cancel: () => listeners.forEach((callback) => callback()),
      lease: undefined,
      error: undefined,
    };
    this.calls.push(call);
    const leased = this.#setup.pool.lease(call.wait);
    if (!(leased instanceof Promise)) return this.#granted(call, leased, this.#setup.clock.nowMs());
    this.#waiting.push(call);
    if (wait.alone !== true && !this.#ring.includes(wait.tenant)) this.#ring.push(wait.tenant);
    const served = (lease: Lease<FakeCell>): void =>
      this.#granted(call, lease, this.#setup.servedAtMs.shift() ?? Infinity);
    leased.then(served, (error) => this.#refused(call, error)).catch(
      (error) => this.#failures.push(error),
    );
  }

  giveBack(call: Call): void {
    this.held.delete(call);
    call.lease?.[Symbol.dispose]();
  }

  /** What must hold whenever nothing is under way. */
  checkAtRest(): void {
    if (this.#failures.length > 0) throw this.#failures[0];
    const counts = this.#setup.pool.counts();
    const usable = this.#usable();
    const inRetired = [...this.held].filter(({ lease }) =>
      lease !== undefined && this.retired.has(lease.cell) && !lease.cell.isDead
    );
    assert.equal(counts.slotsFree + counts.slotsUsed, usable.length * this.#slotsPerCell + inRetired.length);
    assert.equal(counts.queueDepth, this.#waiting.length);
    assert.equal(counts.tenantsWaiting, new Set(this.#waiting.map(({ wait }) => wait.tenant)).size);
    if (this.#isExact) assert.equal(counts.slotsFree, this.#slotsFree());
    else assert.ok(counts.slotsFree <= this.#slotsFree());
    for (const tenant of this.#ring) {
      // The tenant's own call that must run alone may have claimed its part.
      if (this.#waiting.some(({ wait }) => wait.tenant === tenant && wait.alone === true)) continue;
      assert.ok(!this.#mayRun(this.#headOf(tenant), counts.slotsFree), `${tenant} waits while it could run`);
    }
  }

  #granted(call: Call, lease: Lease<FakeCell>, atMs: number): void {
    assert.equal(call.lease ?? call.error, undefined, "settled twice");
    assert.ok(call.wait.deadlineAtMs > atMs, "granted after the deadline");
    assert.ok(!this.retired.has(lease.cell), "a retired cell was lent");
    if (call.wait.alone === true) this.#checkAlone(call, lease.cell);
    else this.#checkShared(call, lease.cell);
    call.lease = lease;
    this.held.add(call);
    this.#leave(call);
    if (call.wait.alone === true || !this.#ring.includes(call.wait.tenant)) return;
    this.#ring = [...this.#ring.filter((tenant) => tenant !== call.wait.tenant), call.wait.tenant];
  }

  #checkShared(call: Call, cell: FakeCell): void {
    const { tenant } = call.wait;
    const slotsFree = this.#slotsFree();
    assert.ok(this.#mayRun(call, slotsFree), `${tenant} is over its share`);
    assert.ok(this.#leasesOf(cell) < this.#slotsPerCell, "no slot is lent twice");
    assert.ok(!this.#isAlone(cell), "nobody is put beside a call that runs alone");
    assert.equal(this.#headOf(tenant) ?? call, call, "in order of arrival");
    if (!this.#isExact) return;
    const fewest = Math.min(...this.#usable().map((other) => this.#leasesOf(other)));
    assert.equal(this.#leasesOf(cell), fewest, "the cell with the fewest calls");
    for (const other of this.#waiting.includes(call) ? this.#ring : []) {
      if (other === tenant) break;
      assert.ok(!this.#mayRun(this.#headOf(other), slotsFree), `${other} was passed over for ${tenant}`);
    }
  }

  #checkAlone(call: Call, cell: FakeCell): void {
    const { tenant } = call.wait;
    assert.equal(this.#leasesOf(cell), 0, "a call that runs alone gets an empty cell");
    const first = this.#waiting.find(({ wait }) => wait.tenant === tenant && wait.alone === true);
    assert.equal(first ?? call, call, "in order of arrival");
    const cells = this.#usable();
    const alone = cells.filter((other) => this.#isAlone(other)).length;
    assert.ok(alone < Math.max(1, Math.ceil(cells.length / 2)), "at most half of the cells are lent so");
  }

  #refused(call: Call, error: unknown): void {
    assert.equal(call.lease ?? call.error, undefined, "settled twice");
    call.error = error as { readonly code?: string; readonly name: string };
    this.#leave(call);
  }

  #leave(call: Call): void {
    const index = this.#waiting.indexOf(call);
    if (index >= 0) this.#waiting.splice(index, 1);
    if (call.wait.alone === true || this.#headOf(call.wait.tenant) !== undefined) return;
    this.#ring = this.#ring.filter((tenant) => tenant !== call.wait.tenant);
  }

  #mayRun(call: Call | undefined, slotsFree: number): boolean {
    if (call === undefined) return false;
    const { tenant, concurrentCallsMax } = call.wait;
    const inUse = [...this.held].filter(({ wait }) => wait.tenant === tenant).length;
    return slotsFree > 0 && (inUse === 0 || (inUse < slotsFree && inUse < concurrentCallsMax));
  }

  #headOf(tenant: string): Call | undefined {
    return this.#waiting.find(({ wait }) => wait.tenant === tenant && wait.alone !== true);
  }

  #usable(): FakeCell[] {
    return this.#setup.cells.filter((cell) =>
      this.#setup.events.includes(`started ${cell.id}`) && !cell.isDead && !this.retired.has(cell)
    );
  }

  #slotsFree(): number {
    const free = this.#usable().map((cell) =>
      this.#isAlone(cell) ? 0 : this.#slotsPerCell - this.#leasesOf(cell)
    );
    return free.reduce((sum, count) => sum + count, 0);
  }

  #leasesOf(cell: FakeCell): number {
    return [...this.held].filter(({ lease }) => lease?.cell === cell).length;
  }

  #isAlone(cell: FakeCell): boolean {
    return [...this.held].some(({ lease, wait }) => lease?.cell === cell && wait.alone === true);
  }
}
