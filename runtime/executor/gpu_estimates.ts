/**
 * GpuEstimates: how much device time a call will need, from former calls.
 *
 * Owns an exponentially weighted mean for each key (a function's export), bounded in number. It is a guess that
 * orders calls; what they are charged is what they use. Invariant: what is not known yet has the mean of its
 * tenant's calls, or the default, so that an unknown call is never the shortest.
 */

/** Weight of the newest call. */
const NEWEST = 0.25;
/** What a call of an unknown tenant is thought to need. */
const EXPECTED_MS_DEFAULT = 5;
/** Most functions and most tenants remembered; the longest unused go. */
const REMEMBERED_MAX = 4096;

/** Means by key. */
class Means {
  readonly #means = new Map<string, number>();

  get(key: string): number | undefined {
    return this.#means.get(key);
  }

  note(key: string, ms: number): void {
    const mean = this.#means.get(key);
    // Last in the map's order: the newest.
    this.#means.delete(key);
    this.#means.set(key, mean === undefined ? ms : mean + NEWEST * (ms - mean));
    const [oldest] = this.#means.keys();
    if (this.#means.size > REMEMBERED_MAX && oldest !== undefined) this.#means.delete(oldest);
  }
}

/** What calls are expected to need. */
export class GpuEstimates {
  readonly #ofWork = new Means();
  readonly #ofTenant = new Means();

  /** Milliseconds of device time. */
  expectedMs(tenant: string, work: string): number {
    return this.#ofWork.get(`${tenant} ${work}`) ?? this.#ofTenant.get(tenant) ?? EXPECTED_MS_DEFAULT;
  }

  /** A call has used so much. */
  note(tenant: string, work: string, usedMs: number): void {
    this.#ofWork.note(`${tenant} ${work}`, usedMs);
    this.#ofTenant.note(tenant, usedMs);
  }
}
