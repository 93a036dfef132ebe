/**
 * DurationQuantile: whether something took longer than nearly all of its kind, from a stream of durations.
 *
 * Owns one histogram with exponential buckets for each kind and their number. It decides on nothing else.
 * Invariant: the memory is bounded, whatever kinds callers make up; the limit that a duration is held against
 * differs from the true quantile of what was seen by one bucket, which is 1 %; old durations count less and less.
 */

const GROWTH = 1.01;
/** Up to 4 hours. */
const BUCKET_COUNT = 1960;
const SMALLEST_MS = 0.05;
/** When so many are counted, all counts are halved: what was usual an hour ago fades. */
const COUNT_MAX = 8192;
/** Observations after which the limit is found anew. */
const REFRESH_COUNT = 32;
const KINDS_MAX = 256;
/** What kinds beyond the most share. */
const OTHERS = "";

/** Durations by kind. */
export class DurationQuantile {
  readonly #quantile: number;
  readonly #countMin: number;
  readonly #kinds = new Map<string, Kind>();

  /** `quantile` is 0 to 1: 0.99 has one in a hundred be slow. */
  constructor(quantile: number) {
    this.#quantile = quantile;
    // Fewer cannot tell where the last hundredth begins.
    this.#countMin = Math.ceil(1 / Math.max(1e-3, 1 - quantile));
  }

  /** Counts a duration; true if it is longer than that share of those before it of its kind. */
  observe(kind: string, durationMs: number): boolean {
    const bucket = bucketOf(durationMs);
    const of = this.#kindOf(kind);
    const isSlow = of.total >= this.#countMin && bucket > of.limitBucket;
    of.add(bucket, this.#quantile);
    return isSlow;
  }

  /** Kinds that are told apart, the shared one included. */
  get kindCount(): number {
    return this.#kinds.size;
  }

  #kindOf(kind: string): Kind {
    const known = this.#kinds.get(kind);
    if (known !== undefined) return known;
    const name = this.#kinds.size < KINDS_MAX - 1 ? kind : OTHERS;
    const shared = this.#kinds.get(name);
    if (shared !== undefined) return shared;
    const made = new Kind();
    this.#kinds.set(name, made);
    return made;
  }
}

class Kind {
  readonly #counts = new Uint16Array(BUCKET_COUNT);
  total = 0;
  limitBucket = BUCKET_COUNT;
  #untilRefresh = 1;

  add(bucket: number, quantile: number): void {
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.total += 1;
    if (this.total >= COUNT_MAX) this.#halve();
    if ((this.#untilRefresh -= 1) > 0) return;
    this.#untilRefresh = this.total < REFRESH_COUNT ? 1 : REFRESH_COUNT;
    this.#refresh(quantile);
  }

  #refresh(quantile: number): void {
    let below = 0;
    for (let bucket = 0; bucket < BUCKET_COUNT; bucket++) {
      below += this.#counts[bucket] ?? 0;
      if (below >= quantile * this.total) {
        this.limitBucket = bucket;
        return;
      }
    }
  }

  #halve(): void {
    this.total = 0;
    for (let bucket = 0; bucket < BUCKET_COUNT; bucket++) {
      const half = (this.#counts[bucket] ?? 0) >> 1;
      this.#counts[bucket] = half;
      this.total += half;
    }
  }
}

function bucketOf(durationMs: number): number {
  if (!(durationMs > SMALLEST_MS)) return 0;
  return Math.min(BUCKET_COUNT - 1, Math.ceil(Math.log(durationMs / SMALLEST_MS) / Math.log(GROWTH)));
}
