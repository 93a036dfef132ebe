/**
 * Metrics: the registry of one process: which series there are, and how they are read.
 *
 * Owns the families of the vocabulary, their series by label values, and the readings that the scrape and the
 * export are made from. It knows no request; counting is in metric_series.ts, text in exposition.ts.
 * Invariants: a metric that is not in metric_names.ts cannot be counted; label values are looked up once and
 * not for each event; printing gives the event loop its turn, however many series there are.
 */
import { CONTENT_TYPES, type MetricsFormat, printEnd, printFamily } from "./exposition.ts";
import {
  type MetricLabels,
  type MetricName,
  type MetricNameOf,
  METRICS,
  type MetricType,
} from "./metric_names.ts";
import {
  type Counter,
  type ExemplarFilter,
  type Gauge,
  type Histogram,
  HistogramSeries,
  NumberSeries,
  type SeriesReading,
} from "./metric_series.ts";

/** What `GET /metrics` answers with. */
export interface MetricsText {
  readonly contentType: string;
  readonly body: string;
}

/** A family, live. */
export interface FamilyReading {
  readonly name: MetricName;
  readonly type: MetricType;
  readonly help: string;
  /** Label names, in the order in which series have them. */
  readonly labelNames: readonly string[];
  /** Upper bounds of a histogram, without the last, which is infinite; empty for other types. */
  readonly bounds: readonly number[];
  /** The series there are now; those made meanwhile may be among them. */
  series(): Iterable<SeriesReading>;
}

/** All metrics, live and read-only: what an exporter needs. */
export interface MetricsReading {
  /** When the registry was made, in milliseconds since the epoch; counters began at 0 then or later. */
  readonly startMs: number;
  /** When this reading was begun. */
  readonly atMs: number;
  readonly families: readonly FamilyReading[];
}

/** The metrics of one process. Keep a series where it is used often; asking for it costs a lookup. */
export interface Metrics {
  counter<N extends MetricNameOf<"counter">>(name: N, labels: MetricLabels<N>): Counter;
  gauge<N extends MetricNameOf<"gauge">>(name: N, labels: MetricLabels<N>): Gauge;
  histogram<N extends MetricNameOf<"histogram">>(name: N, labels: MetricLabels<N>): Histogram;
  /**
   * Has `refresh` called before every reading: for gauges that are asked for and not counted. It must be quick
   * and not throw. The returned function takes it back.
   */
  beforeRead(refresh: () => void): () => void;
  /**
   * Removes every series whose label `label` has one of the values. Whoever holds one of them counts into
   * nothing from then on and must ask anew.
   */
  forget(label: string, values: ReadonlySet<string>): void;
  /**
   * Everything as it is now, for exporters: families, labels, values, bucket counts, exemplars, start times.
   * Refreshes gauges first. The series are live, not copies: read each without an await in between.
   */
  read(): MetricsReading;
  /** All metrics as text, Prometheus' if nothing else is asked for. */
  text(format?: MetricsFormat): Promise<MetricsText>;
}

type LabelValues = Readonly<Record<string, string>>;
type Series = NumberSeries | HistogramSeries;

/** How long printing keeps the event loop from its other work at a time, about. */
const TURN_MS_MAX = 2;
/** Pieces that are printed before the time is looked at. */
const TURN_PIECES = 32;

/** All series of one metric. */
class Family implements FamilyReading {
  readonly name: MetricName;
  readonly type: MetricType;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly bounds: readonly number[];
  readonly #nowMs: () => number;
  readonly #exemplars: ExemplarFilter;
  readonly #series = new Map<string, Series>();

  constructor(name: MetricName, nowMs: () => number, exemplars: ExemplarFilter) {
    const row = METRICS[name];
    this.name = name;
    this.type = row.type;
    this.help = row.help;
    this.labelNames = row.labels;
    this.bounds = row.type === "histogram" ? row.buckets : [];
    this.#nowMs = nowMs;
    this.#exemplars = exemplars;
  }

  find(labels: LabelValues): Series {
    let key = "";
    for (const label of this.labelNames) key += `${labels[label]}\u0000`;
    let series = this.#series.get(key);
    if (series === undefined) {
      const own = Object.fromEntries(this.labelNames.map((label) => [label, labels[label] ?? ""]));
      series = this.type === "histogram"
        ? new HistogramSeries(own, this.#nowMs, this.bounds, this.#exemplars)
        : new NumberSeries(own, this.#nowMs, this.#exemplars);
      this.#series.set(key, series);
    }
    return series;
  }

  forget(label: string, values: ReadonlySet<string>): void {
    if (!this.labelNames.includes(label)) return;
    for (const [key, { labels }] of this.#series) {
      if (values.has(labels[label] ?? "")) this.#series.delete(key);
    }
  }

  series(): Iterable<SeriesReading> {
    return this.#series.values();
  }
}

/** Metrics over a registry of their own. */
export class MetricRegistry implements Metrics {
  readonly #nowMs: () => number;
  readonly #startMs: number;
  readonly #families: ReadonlyMap<MetricName, Family>;
  readonly #refreshers = new Set<() => void>();

  /** @param nowMs milliseconds since the epoch, for start times and exemplars */
  constructor(
    nowMs: () => number = (): number => performance.timeOrigin + performance.now(),
    exemplars: ExemplarFilter = "trace_based",
  ) {
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
    const names = Object.keys(METRICS) as MetricName[];
    this.#families = new Map(names.map((name) => [name, new Family(name, nowMs, exemplars)]));
    // A metric without labels has one series, and it is there from the start.
    for (const family of this.#families.values()) {
      if (family.labelNames.length === 0 && !("mayBeAbsent" in METRICS[family.name])) family.find({});
    }
  }

  counter<N extends MetricNameOf<"counter">>(name: N, labels: MetricLabels<N>): Counter {
    return this.#find(name, labels) as NumberSeries;
  }

  gauge<N extends MetricNameOf<"gauge">>(name: N, labels: MetricLabels<N>): Gauge {
    return this.#find(name, labels) as NumberSeries;
  }

  histogram<N extends MetricNameOf<"histogram">>(name: N, labels: MetricLabels<N>): Histogram {
    return this.#find(name, labels) as HistogramSeries;
  }

  beforeRead(refresh: () => void): () => void {
    // Wrapped: the same function may be given twice.
    const entry = (): void => refresh();
    this.#refreshers.add(entry);
    return () => void this.#refreshers.delete(entry);
  }

  forget(label: string, values: ReadonlySet<string>): void {
    for (const family of this.#families.values()) family.forget(label, values);
  }

  read(): MetricsReading {
    for (const refresh of this.#refreshers) refresh();
    return { startMs: this.#startMs, atMs: this.#nowMs(), families: [...this.#families.values()] };
  }

  async text(format: MetricsFormat = "prometheus"): Promise<MetricsText> {
    let body = "";
    let pieces = 0;
    let turnAtMs = performance.now();
    for (const family of this.read().families) {
      for (const piece of printFamily(family, format)) {
        body += piece;
        pieces += 1;
        if (pieces % TURN_PIECES !== 0 || performance.now() - turnAtMs < TURN_MS_MAX) continue;
        await giveWay();
        turnAtMs = performance.now();
      }
    }
    return { contentType: CONTENT_TYPES[format], body: body + printEnd(format) };
  }

  #find(name: MetricName, labels: LabelValues): Series {
    const family = this.#families.get(name);
    if (family === undefined) throw new TypeError(`No metric is called ${JSON.stringify(name)}`);
    return family.find(labels);
  }
}

/** Lets everything else that waits for the event loop have its turn. */
function giveWay(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
