/**
 * Ledger: which handles of the driver are open.
 *
 * Owns the count by kind, and the report of those whose objects were collected while open. It closes nothing: a
 * finaliser runs at no particular time, and a handle may have to be closed before another. Invariant: what is
 * opened here is closed here once, by its owner.
 */

/** What can be open. */
export type HandleKind = "context" | "stream" | "event" | "buffer" | "hostBuffer" | "hostRange" | "module";

/** How many of each kind. */
export type HandleCounts = Readonly<Record<HandleKind, number>>;

/** What was open when nobody had it any more. */
export interface HandleLeak {
  readonly kind: HandleKind;
  readonly id: number;
}

/** The open handles of one device. */
export class HandleLedger {
  readonly #counts: Record<HandleKind, number> = {
    context: 0,
    stream: 0,
    event: 0,
    buffer: 0,
    hostBuffer: 0,
    hostRange: 0,
    module: 0,
  };
  readonly #registry: FinalizationRegistry<HandleLeak>;
  #nextId = 1;

  /** @param onLeak told of a handle that was collected while it was open */
  constructor(onLeak: (leak: HandleLeak) => void) {
    this.#registry = new FinalizationRegistry(onLeak);
  }

  get counts(): HandleCounts {
    return { ...this.#counts };
  }

  /** All kinds together. */
  get openCount(): number {
    return Object.values(this.#counts).reduce((sum, count) => sum + count, 0);
  }

  /** @returns the handle's number, for reports */
  opened(kind: HandleKind, owner: object): number {
    const id = this.#nextId++;
    this.#counts[kind]++;
    this.#registry.register(owner, { kind, id }, owner);
    return id;
  }

  closed(kind: HandleKind, owner: object): void {
    this.#counts[kind]--;
    this.#registry.unregister(owner);
  }

  /** Memory is counted, not watched: an allocation is no object of its own. */
  count(kind: HandleKind, change: 1 | -1): void {
    this.#counts[kind] += change;
  }
}
