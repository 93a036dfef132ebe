/**
 * TenantShares: how much of a full store each tenant has, and how much of it each may keep.
 *
 * Owns the accounts and the rule: max-min fair. Nobody loses anything as long as others have more, and what goes is
 * taken from those with the most, down to one level. It removes nothing itself (trace_ring.ts does). Invariants: the
 * accounts add up to what is held; who holds nothing has no account, so that they are no more than the pieces.
 */

/** What shares are measured in. */
export type ShareUnit = "bytes" | "pieces";

/** A tenant's failed pieces go before its others where they are more than this part of what it may keep. */
const FAILED_PART = 1 / 4;

/** So much of one unit. */
class Usage {
  all = 0;
  /** Of that, in pieces of traces that failed. */
  failed = 0;
  /** What the tenant is to lose, while the store sheds. */
  excess = 0;
  failedMax = 0;
}

/** What one tenant holds. */
export class TenantShare {
  /** Empty for what belongs to no tenant. */
  readonly tenant: string;
  readonly bytes = new Usage();
  readonly pieces = new Usage();

  constructor(tenant: string) {
    this.tenant = tenant;
  }

  /** Whether a piece is to go, when a store sheds and comes to it, oldest first. */
  isToLose(unit: ShareUnit, isFailed: boolean): boolean {
    const { excess, failed, failedMax } = this[unit];
    return excess > 0 && (!isFailed || failed > failedMax);
  }
}

/** The shares of all. */
export class TenantShares {
  readonly #shares = new Map<string, TenantShare>();
  readonly #total = { bytes: 0, pieces: 0 };

  /** What all hold together. */
  total(unit: ShareUnit): number {
    return this.#total[unit];
  }

  /** Enters a piece; answers its owner's account. */
  add(tenant: string, byteCount: number, isFailed: boolean): TenantShare {
    let share = this.#shares.get(tenant);
    if (share === undefined) {
      share = new TenantShare(tenant);
      this.#shares.set(tenant, share);
    }
    this.#change(share, 1, byteCount, isFailed);
    return share;
  }

  /** Takes a piece off. */
  remove(share: TenantShare, byteCount: number, isFailed: boolean): void {
    this.#change(share, -1, -byteCount, isFailed);
    share.bytes.excess -= byteCount;
    share.pieces.excess -= 1;
    if (share.pieces.all === 0) this.#shares.delete(share.tenant);
  }

  /**
   * Sets what everybody is to lose so that at most `keptMax` is left. It can always be had: whoever has more than
   * the level has it in pieces that did not fail, or in more failed ones than their part of the level.
   */
  plan(unit: ShareUnit, keptMax: number): void {
    const level = levelOf(Float64Array.from(this.#shares.values(), (share) => share[unit].all), keptMax);
    for (const share of this.#shares.values()) {
      share[unit].excess = Math.max(0, share[unit].all - level);
      share[unit].failedMax = level * FAILED_PART;
    }
  }

  #change(share: TenantShare, pieceCount: number, byteCount: number, isFailed: boolean): void {
    share.bytes.all += byteCount;
    share.pieces.all += pieceCount;
    this.#total.bytes += byteCount;
    this.#total.pieces += pieceCount;
    if (!isFailed) return;
    share.bytes.failed += byteCount;
    share.pieces.failed += pieceCount;
  }
}

/** The level to which the largest are to be cut so that all together are at most `sumMax`; Infinity if they are. */
export function levelOf(amounts: Float64Array, sumMax: number): number {
  amounts.sort();
  let left = Math.max(0, sumMax);
  for (const [index, amount] of amounts.entries()) {
    const equal = left / (amounts.length - index);
    if (amount > equal) return equal;
    left -= amount;
  }
  return Infinity;
}
