/**
 * OTLP metrics: a reading of the registry as ExportMetricsServiceRequests in protobuf.
 *
 * Owns the messages of opentelemetry/proto/metrics/v1/metrics.proto: counters are monotonic sums, gauges
 * gauges, histograms have explicit buckets; values are doubles throughout, so that a stream never changes its
 * type. It sends nothing and keeps no state (metric_reader.ts does). Invariant: a series is read whole, without
 * giving way in between.
 */
import type { Resource } from "@opentelemetry/resources";
import type { Exemplar, HistogramReading, NumberReading } from "../metrics/metric_series.ts";
import type { FamilyReading } from "../metrics/metrics.ts";
import { FIRST, OtlpWriter, SECOND, TEXT_LENGTH_MAX } from "./otlp_writer.ts";
import { FIXED64, LENGTH_DELIMITED, tagOf, VARINT } from "./proto_writer.ts";

/** The scope of all our metrics. */
const SCOPE = "tensor-wasm";

/** AggregationTemporality. */
export const TEMPORALITY = { delta: 1, cumulative: 2 } as const;

const METRIC = {
  name: FIRST,
  description: SECOND,
  unit: tagOf(3, LENGTH_DELIMITED),
  gauge: tagOf(5, LENGTH_DELIMITED),
  sum: tagOf(7, LENGTH_DELIMITED),
  histogram: tagOf(9, LENGTH_DELIMITED),
} as const;

/** Of Sum and Histogram; their points are field 1. */
const DATA = { temporality: tagOf(2, VARINT), isMonotonic: tagOf(3, VARINT) } as const;

const NUMBER = {
  start: tagOf(2, FIXED64),
  time: tagOf(3, FIXED64),
  value: tagOf(4, FIXED64),
  exemplars: tagOf(5, LENGTH_DELIMITED),
  attributes: tagOf(7, LENGTH_DELIMITED),
} as const;

const HISTOGRAM = {
  start: tagOf(2, FIXED64),
  time: tagOf(3, FIXED64),
  count: tagOf(4, FIXED64),
  sum: tagOf(5, FIXED64),
  bucketCounts: tagOf(6, LENGTH_DELIMITED),
  bounds: tagOf(7, LENGTH_DELIMITED),
  exemplars: tagOf(8, LENGTH_DELIMITED),
  attributes: tagOf(9, LENGTH_DELIMITED),
} as const;

const EXEMPLAR = {
  time: tagOf(2, FIXED64),
  value: tagOf(3, FIXED64),
  spanId: tagOf(4, LENGTH_DELIMITED),
  traceId: tagOf(5, LENGTH_DELIMITED),
} as const;

/** What a point says, beside its labels: the whole for cumulative points, the difference for delta ones. */
export interface PointValue {
  /** Absent for a gauge. */
  readonly startMs: number | undefined;
  readonly atMs: number;
  /** The value, or the sum of a histogram. */
  readonly value: number;
  /** Of a histogram: by bucket. */
  readonly counts?: ArrayLike<number>;
  /** Exemplars before this instant have been sent already. */
  readonly exemplarsFromMs: number;
}

/** Encodes metrics of one resource, request after request. */
export class MetricEncoder {
  readonly #resource: Resource;
  readonly #writer = new OtlpWriter(64 * 1024, TEXT_LENGTH_MAX);
  #resourceStart = 0;
  #scopeStart = 0;
  #metricStart = 0;
  #dataStart = 0;
  #family: FamilyReading | undefined;

  constructor(resource: Resource) {
    this.#resource = resource;
  }

  /** Bytes of the request so far. */
  get bytes(): number {
    return this.#writer.length;
  }

  /** Begins an ExportMetricsServiceRequest. */
  begin(): void {
    const writer = this.#writer;
    writer.rewind();
    writer.varint(FIRST);
    this.#resourceStart = writer.begin();
    writer.resource(this.#resource.attributes);
    writer.varint(SECOND);
    this.#scopeStart = writer.begin();
    writer.scope(SCOPE);
  }

  /** The request. */
  end(): Uint8Array<ArrayBuffer> {
    const writer = this.#writer;
    writer.end(this.#scopeStart);
    writer.end(this.#resourceStart);
    return writer.take();
  }

  /** Begins a metric; its points follow. */
  beginMetric(family: FamilyReading): void {
    const writer = this.#writer;
    this.#family = family;
    writer.varint(SECOND);
    this.#metricStart = writer.begin();
    writer.text(METRIC.name, family.name);
    writer.text(METRIC.description, family.help);
    const unit = unitOf(family.name);
    if (unit !== "") writer.text(METRIC.unit, unit);
    writer.varint(METRIC[family.type === "counter" ? "sum" : family.type]);
    this.#dataStart = writer.begin();
  }

  /** Ends the metric. */
  endMetric(temporality: keyof typeof TEMPORALITY): void {
    const writer = this.#writer;
    const type = this.#family?.type;
    if (type !== "gauge") {
      writer.varint(DATA.temporality);
      writer.varint(TEMPORALITY[temporality]);
    }
    if (type === "counter") {
      writer.varint(DATA.isMonotonic);
      writer.varint(1);
    }
    writer.end(this.#dataStart);
    writer.end(this.#metricStart);
  }

  /** A point of a counter or gauge. */
  number(series: NumberReading, point: PointValue): void {
    const writer = this.#writer;
    writer.varint(FIRST);
    const message = writer.begin();
    if (point.startMs !== undefined) writer.instant(NUMBER.start, point.startMs);
    writer.instant(NUMBER.time, point.atMs);
    writer.varint(NUMBER.value);
    writer.double(point.value);
    if (this.#family?.type === "counter") this.#exemplar(NUMBER.exemplars, series.exemplar, point);
    this.#labels(NUMBER.attributes, series.labels);
    writer.end(message);
  }

  /** A point of a histogram. */
  histogram(series: HistogramReading, point: PointValue): void {
    const writer = this.#writer;
    const { counts = [] } = point;
    writer.varint(FIRST);
    const message = writer.begin();
    if (point.startMs !== undefined) writer.instant(HISTOGRAM.start, point.startMs);
    writer.instant(HISTOGRAM.time, point.atMs);
    writer.varint(HISTOGRAM.count);
    writer.fixed64(sumOf(counts));
    writer.varint(HISTOGRAM.sum);
    writer.double(point.value);
    writer.varint(HISTOGRAM.bucketCounts);
    writer.varint(counts.length * 8);
    for (let bucket = 0; bucket < counts.length; bucket++) writer.fixed64(counts[bucket] ?? 0);
    writer.varint(HISTOGRAM.bounds);
    writer.varint(series.bounds.length * 8);
    for (const bound of series.bounds) writer.double(bound);
    for (let bucket = 0; bucket < counts.length; bucket++) {
      this.#exemplar(HISTOGRAM.exemplars, series.exemplarOf(bucket), point);
    }
    this.#labels(HISTOGRAM.attributes, series.labels);
    writer.end(message);
  }

  #labels(tag: number, labels: Readonly<Record<string, string>>): void {
    for (const name of Object.keys(labels)) {
      this.#writer.varint(tag);
      this.#writer.keyValue(name, labels[name]);
    }
  }

  #exemplar(tag: number, exemplar: Exemplar | undefined, { exemplarsFromMs }: PointValue): void {
    if (exemplar === undefined || exemplar.atMs < exemplarsFromMs) return;
    const writer = this.#writer;
    writer.varint(tag);
    const message = writer.begin();
    writer.instant(EXEMPLAR.time, exemplar.atMs);
    writer.varint(EXEMPLAR.value);
    writer.double(exemplar.value);
    writer.id(EXEMPLAR.spanId, exemplar.spanId);
    writer.id(EXEMPLAR.traceId, exemplar.traceId);
    writer.end(message);
  }
}

function sumOf(counts: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < counts.length; index++) sum += counts[index] ?? 0;
  return sum;
}

/** UCUM, as the specification asks for: the names say it already, in Prometheus' words. */
function unitOf(name: string): string {
  const plain = name.replace(/_total$/, "");
  return plain.endsWith("_seconds") ? "s" : plain.endsWith("_bytes") ? "By" : "";
}
