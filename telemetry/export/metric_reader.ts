/**
 * MetricReader: the registry, read and sent at intervals.
 *
 * Owns when that happens, how much one request holds, and for delta temporality what was sent already
 * (OpenTelemetry metrics SDK, "Periodic exporting MetricReader"). It counts nothing of its own. Invariants: one
 * export at a time; reading gives way to the event loop between requests; a difference that was not accepted is
 * in the next one.
 */
import type { Resource } from "@opentelemetry/resources";
import type { SeriesReading } from "../metrics/metric_series.ts";
import type { FamilyReading, MetricsReading } from "../metrics/metrics.ts";
import { MetricEncoder, type PointValue } from "./otlp_metrics.ts";
import type { PipelineCounts } from "./pipeline.ts";
import type { BatchSender } from "./sender.ts";

/** Most bytes of a request before its last series; it takes well under a millisecond to write them. */
const REQUEST_BYTES_MAX = 256 * 1024;

/** Whether points say what there was since the start, or since the last export. */
export type MetricTemporality = "cumulative" | "delta";

/** When and how to export. */
export interface MetricReaderConfig {
  readonly intervalMs: number;
  readonly temporality: MetricTemporality;
}

/** What of a series has been accepted. */
interface Sent {
  readonly value: number;
  readonly counts: Float64Array | undefined;
  readonly atMs: number;
}

/** A request, and what will have been sent if it is accepted. */
interface MetricBatch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly count: number;
  readonly sent: readonly (readonly [SeriesReading, Sent])[];
}

/** Sends metrics until it is closed. */
export class MetricReader {
  readonly #read: () => MetricsReading;
  readonly #encoder: MetricEncoder;
  readonly #sender: BatchSender<Uint8Array<ArrayBuffer>>;
  readonly #temporality: MetricTemporality;
  readonly #counts: PipelineCounts;
  readonly #sent = new WeakMap<SeriesReading, Sent>();
  readonly #abort = new AbortController();
  readonly #timer: ReturnType<typeof setInterval>;
  #lastReadMs = -Infinity;
  #exporting: Promise<void> | undefined;

  constructor(
    read: () => MetricsReading,
    resource: Resource,
    sender: BatchSender<Uint8Array<ArrayBuffer>>,
    config: MetricReaderConfig,
    counts: PipelineCounts,
  ) {
    this.#read = read;
    this.#encoder = new MetricEncoder(resource);
    this.#sender = sender;
    this.#temporality = config.temporality;
    this.#counts = counts;
    this.#timer = setInterval(() => void this.#exportOnce(), config.intervalMs);
    Deno.unrefTimer(this.#timer);
  }

  /** Sends everything as it is now; settles once it was accepted or lost. */
  async flush(): Promise<void> {
    // What is on its way was read before now.
    await this.#exporting;
    await this.#exportOnce();
  }

  async reload(): Promise<void> {
    await this.#sender.reload?.();
  }

  /** Gives up what is on the wire. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#abort.abort();
    await this.#exporting;
    this.#sender.close();
  }

  /** Never rejects. An export that is still on its way takes the place of another. */
  #exportOnce(): Promise<void> {
    this.#exporting ??= this.#export().finally(() => this.#exporting = undefined);
    return this.#exporting;
  }

  async #export(): Promise<void> {
    const reading = this.#read();
    const exemplarsFromMs = this.#lastReadMs;
    this.#lastReadMs = reading.atMs;
    for (const batch of this.#batches(reading, exemplarsFromMs)) {
      if (this.#abort.signal.aborted) return;
      await this.#send(batch);
    }
  }

  async #send({ bytes, count, sent }: MetricBatch): Promise<void> {
    let acceptedCount = 0;
    let reason = "the exporter failed";
    try {
      const result = await this.#sender.send(bytes, count, this.#abort.signal);
      acceptedCount = Math.min(count, Math.max(0, result.acceptedCount));
      reason = result.reason ?? reason;
    } catch {
      // As in a pipeline: a bug of ours, and nobody else's to feel.
    }
    if (acceptedCount > 0) {
      this.#counts.exported(acceptedCount);
      // Of a part that was rejected nobody says which points it was; sending all of them twice would be worse.
      for (const [series, state] of sent) this.#sent.set(series, state);
    }
    if (acceptedCount < count) this.#counts.dropped(count - acceptedCount, reason);
  }

  /** Requests, each made when the one before has been sent. */
  *#batches(reading: MetricsReading, exemplarsFromMs: number): Generator<MetricBatch> {
    const encoder = this.#encoder;
    let count = 0;
    let sent: (readonly [SeriesReading, Sent])[] = [];
    encoder.begin();
    for (const family of reading.families) {
      let isOpen = false;
      for (const series of family.series()) {
        const point = this.#pointOf(family, series, reading.atMs, exemplarsFromMs);
        if (point === undefined) continue;
        if (!isOpen) encoder.beginMetric(family);
        isOpen = true;
        if (series.type === "number") encoder.number(series, point);
        else encoder.histogram(series, point);
        count += 1;
        if (this.#temporality === "delta") sent.push([series, stateOf(series, reading.atMs)]);
        if (encoder.bytes < REQUEST_BYTES_MAX) continue;
        encoder.endMetric(this.#temporality);
        yield { bytes: encoder.end(), count, sent };
        encoder.begin();
        isOpen = false;
        count = 0;
        sent = [];
      }
      if (isOpen) encoder.endMetric(this.#temporality);
    }
    if (count > 0) yield { bytes: encoder.end(), count, sent };
  }

  /** What to say of a series; undefined for a difference of nothing. */
  #pointOf(
    family: FamilyReading,
    series: SeriesReading,
    atMs: number,
    exemplarsFromMs: number,
  ): PointValue | undefined {
    const value = series.type === "number" ? series.value : series.sum;
    if (family.type === "gauge") return { startMs: undefined, atMs, value, exemplarsFromMs };
    const whole = { startMs: series.startMs, atMs, value, exemplarsFromMs };
    if (this.#temporality === "cumulative") {
      return series.type === "number" ? whole : { ...whole, counts: series.counts };
    }
    const before = this.#sent.get(series);
    const point = { ...whole, startMs: before?.atMs ?? series.startMs, value: value - (before?.value ?? 0) };
    if (series.type === "number") return point.value === 0 ? undefined : point;
    const counts = Float64Array.from(
      series.counts,
      (count, bucket) => count - (before?.counts?.[bucket] ?? 0),
    );
    return counts.every((count) => count === 0) ? undefined : { ...point, counts };
  }
}

function stateOf(series: SeriesReading, atMs: number): Sent {
  return series.type === "number"
    ? { value: series.value, counts: undefined, atMs }
    : { value: series.sum, counts: Float64Array.from(series.counts), atMs };
}
