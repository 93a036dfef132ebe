/**
 * Metric series: one set of label values of a metric, what is counted in it, and its exemplars.
 *
 * Owns counting and the exemplars, the last of each bucket; metrics.ts owns which series there are, and
 * exposition.ts their text. Invariant: counting is an addition and a few stores, allocates nothing and never
 * throws, because requests pay for it.
 */
import { SAMPLED, type SpanIds } from "../trace/ids.ts";

/** Goes up. */
export interface Counter {
  /** Adds `count`, 1 if absent; `ids` of a sampled span become the exemplar. */
  inc(count?: number, ids?: SpanIds): void;
}

/** Goes up and down. */
export interface Gauge {
  inc(count?: number): void;
  dec(count?: number): void;
  set(value: number): void;
}

/** Counts values by size. */
export interface Histogram {
  /**
   * Counts `value`; `ids` of a sampled span become the exemplar of its bucket. `atMs` is now, from whoever has
   * looked at the clock already: asking costs more than the rest.
   */
  observe(value: number, ids?: SpanIds, atMs?: number): void;
  /** Adds what somebody else has counted: a count for each bucket and one beyond, and the sum of the values. */
  observeAll(counts: readonly number[], sum: number): void;
  /** Makes `ids` of a sampled span the exemplar of the bucket of a value that was counted by `observeAll`. */
  exemplify(value: number, ids: SpanIds, atMs?: number): void;
}

/** The values of `OTEL_METRICS_EXEMPLAR_FILTER`: of sampled traces, of any, or none. */
export const EXEMPLAR_FILTERS = ["trace_based", "always_on", "always_off"] as const;

/** See EXEMPLAR_FILTERS. */
export type ExemplarFilter = (typeof EXEMPLAR_FILTERS)[number];

/** The flags that an event's trace must have. */
function wantedFlags(filter: ExemplarFilter): number {
  return filter === "trace_based" ? SAMPLED : filter === "always_on" ? 0 : NEVER;
}

/** No flag that any trace has. */
const NEVER = 0x100;

/** One event of those that were counted: whose trace tells more of it. */
export interface Exemplar {
  readonly traceId: string;
  readonly spanId: string;
  /** What was observed or added. */
  readonly value: number;
  /** When, in milliseconds since the epoch. */
  readonly atMs: number;
}

/** What every series has. */
interface SeriesBase {
  readonly labels: Readonly<Record<string, string>>;
  /** When counting began, in milliseconds since the epoch. */
  readonly startMs: number;
}

/** A counter or a gauge, as it is when it is looked at. */
export interface NumberReading extends SeriesBase {
  readonly type: "number";
  readonly value: number;
  /** Of a counter: the last event that had a sampled span. */
  readonly exemplar: Exemplar | undefined;
}

/** A histogram, as it is when it is looked at. */
export interface HistogramReading extends SeriesBase {
  readonly type: "histogram";
  /** Upper bounds, rising, inclusive; there is one count more, for what exceeds them all. */
  readonly bounds: readonly number[];
  /** Observations in each bucket alone, not those below it. The live array: copy what you keep. */
  readonly counts: ArrayLike<number>;
  readonly sum: number;
  /** The last observation in a bucket that had a sampled span. */
  exemplarOf(bucket: number): Exemplar | undefined;
}

/** A series, live: its fields change as it counts. Read it without an await in between, and it is consistent. */
export type SeriesReading = NumberReading | HistogramReading;

/** A counter or a gauge. */
export class NumberSeries implements Counter, Gauge, NumberReading {
  readonly type = "number";
  readonly labels: Readonly<Record<string, string>>;
  readonly startMs: number;
  readonly #nowMs: () => number;
  readonly #wantedFlags: number;
  #value = 0;
  #traceId = "";
  #spanId = "";
  #exemplarValue = 0;
  #exemplarAtMs = 0;

  constructor(
    labels: Readonly<Record<string, string>>,
    nowMs: () => number,
    exemplars: ExemplarFilter = "trace_based",
  ) {
    this.#wantedFlags = wantedFlags(exemplars);
    this.labels = labels;
    this.#nowMs = nowMs;
    this.startMs = nowMs();
  }

  inc(count?: number, ids?: SpanIds): void {
    const added = count ?? 1;
    this.#value += added;
    if (ids === undefined || (ids.traceFlags & this.#wantedFlags) !== this.#wantedFlags) return;
    this.#traceId = ids.traceId;
    this.#spanId = ids.spanId;
    this.#exemplarValue = added;
    this.#exemplarAtMs = this.#nowMs();
  }

  dec(count = 1): void {
    this.#value -= count;
  }

  set(value: number): void {
    this.#value = value;
  }

  get value(): number {
    return this.#value;
  }

  get exemplar(): Exemplar | undefined {
    return makeExemplar(this.#traceId, this.#spanId, this.#exemplarValue, this.#exemplarAtMs);
  }
}

/** A histogram. */
export class HistogramSeries implements Histogram, HistogramReading {
  readonly type = "histogram";
  readonly labels: Readonly<Record<string, string>>;
  readonly startMs: number;
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  readonly #nowMs: () => number;
  readonly #wantedFlags: number;
  #sum = 0;
  /** By bucket; made with the first exemplar. The ids alone: what else a span's ids hold must not live on here. */
  #traceIds: string[] | undefined;
  #spanIds: string[] | undefined;
  #exemplarValues: Float64Array | undefined;
  #exemplarAtMs: Float64Array | undefined;

  constructor(
    labels: Readonly<Record<string, string>>,
    nowMs: () => number,
    bounds: readonly number[],
    exemplars: ExemplarFilter = "trace_based",
  ) {
    this.#wantedFlags = wantedFlags(exemplars);
    this.labels = labels;
    this.#nowMs = nowMs;
    this.startMs = nowMs();
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number, ids?: SpanIds, atMs?: number): void {
    const bucket = this.#bucketOf(value);
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.#sum += value;
    if (ids !== undefined && (ids.traceFlags & this.#wantedFlags) === this.#wantedFlags) {
      this.#keep(bucket, value, ids, atMs ?? this.#nowMs());
    }
  }

  observeAll(counts: readonly number[], sum: number): void {
    for (const bucket of this.counts.keys()) {
      this.counts[bucket] = (this.counts[bucket] ?? 0) + (counts[bucket] ?? 0);
    }
    this.#sum += sum;
  }

  exemplify(value: number, ids: SpanIds, atMs?: number): void {
    const bucket = this.#bucketOf(value);
    if ((ids.traceFlags & this.#wantedFlags) !== this.#wantedFlags || this.counts[bucket] === 0) return;
    this.#keep(bucket, value, ids, atMs ?? this.#nowMs());
  }

  get sum(): number {
    return this.#sum;
  }

  exemplarOf(bucket: number): Exemplar | undefined {
    return makeExemplar(
      this.#traceIds?.[bucket] ?? "",
      this.#spanIds?.[bucket] ?? "",
      this.#exemplarValues?.[bucket] ?? 0,
      this.#exemplarAtMs?.[bucket] ?? 0,
    );
  }

  #bucketOf(value: number): number {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] ?? Infinity)) bucket += 1;
    return bucket;
  }

  #keep(bucket: number, value: number, ids: SpanIds, atMs: number): void {
    this.#traceIds ??= new Array<string>(this.counts.length).fill("");
    this.#spanIds ??= new Array<string>(this.counts.length).fill("");
    this.#exemplarValues ??= new Float64Array(this.counts.length);
    this.#exemplarAtMs ??= new Float64Array(this.counts.length);
    this.#traceIds[bucket] = ids.traceId;
    this.#spanIds[bucket] = ids.spanId;
    this.#exemplarValues[bucket] = value;
    this.#exemplarAtMs[bucket] = atMs;
  }
}

function makeExemplar(traceId: string, spanId: string, value: number, atMs: number): Exemplar | undefined {
  return traceId === "" ? undefined : { traceId, spanId, value, atMs };
}
