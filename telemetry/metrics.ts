/**
 * Metrics: counters, gauges and histograms of the vocabulary, and their text.
 *
 * Owns the children by label values and one registry per telemetry; prom-client keeps the registry and prints
 * it. It knows no request. Invariant: a metric that is not in names.ts cannot be counted, and counting is an
 * addition, because label values are looked up once and not for each event (prom-client's own children take
 * 110 to 290 ns).
 */
import { type Metric, Registry } from "prom-client";
import { type MetricLabels, type MetricName, type MetricNameOf, METRICS } from "./names.ts";

/** Goes up. */
export interface Counter {
  inc(count?: number): void;
}

/** Goes up and down. */
export interface Gauge {
  inc(count?: number): void;
  dec(count?: number): void;
  set(value: number): void;
}

/** Counts values by size. */
export interface Histogram {
  observe(value: number): void;
  /** Adds what somebody else has counted: a count for each bucket and one beyond, and the sum of the values. */
  observeAll(counts: readonly number[], sum: number): void;
}

/** What `GET /metrics` answers with. */
export interface MetricsText {
  readonly contentType: string;
  readonly body: string;
}

/** The metrics of one process. Keep a child where it is used often; asking for it costs a lookup. */
export interface Metrics {
  counter<N extends MetricNameOf<"counter">>(name: N, labels: MetricLabels<N>): Counter;
  gauge<N extends MetricNameOf<"gauge">>(name: N, labels: MetricLabels<N>): Gauge;
  histogram<N extends MetricNameOf<"histogram">>(name: N, labels: MetricLabels<N>): Histogram;
  /** All metrics as Prometheus text. */
  text(): Promise<MetricsText>;
}

type LabelValues = Readonly<Record<string, string>>;

/** One printed value; prom-client's form. */
interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

interface Child {
  samples(name: string, labels: LabelValues): Sample[];
}

class NumberChild implements Child, Counter, Gauge {
  #value = 0;

  inc(count = 1): void {
    this.#value += count;
  }

  dec(count = 1): void {
    this.#value -= count;
  }

  set(value: number): void {
    this.#value = value;
  }

  samples(name: string, labels: LabelValues): Sample[] {
    return [{ metricName: name, labels, value: this.#value }];
  }
}

class HistogramChild implements Child, Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let index = 0;
    while (index < bounds.length && value > (bounds[index] ?? Infinity)) index += 1;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#sum += value;
  }

  observeAll(counts: readonly number[], sum: number): void {
    for (const index of this.#counts.keys()) {
      this.#counts[index] = (this.#counts[index] ?? 0) + (counts[index] ?? 0);
    }
    this.#sum += sum;
  }

  samples(name: string, labels: LabelValues): Sample[] {
    const samples: Sample[] = [];
    let count = 0;
    for (const [index, bucket] of this.#counts.entries()) {
      count += bucket;
      const le = this.#bounds[index] ?? "+Inf";
      samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: count });
    }
    samples.push({ metricName: `${name}_sum`, labels, value: this.#sum });
    samples.push({ metricName: `${name}_count`, labels, value: count });
    return samples;
  }
}

/** All children of one metric; what prom-client sees as a metric. */
class Family {
  readonly name: MetricName;
  readonly #children = new Map<string, { readonly labels: LabelValues; readonly child: Child }>();

  constructor(name: MetricName) {
    this.name = name;
    if (METRICS[name].labels.length === 0) this.child({});
  }

  child(labels: LabelValues): Child {
    let key = "";
    for (const label of METRICS[this.name].labels) key += `${labels[label]}\u0000`;
    const known = this.#children.get(key);
    if (known !== undefined) return known.child;
    const row = METRICS[this.name];
    const child = row.type === "histogram" ? new HistogramChild(row.buckets) : new NumberChild();
    this.#children.set(key, { labels: { ...labels }, child });
    return child;
  }

  /** Called by prom-client's registry when it prints. */
  get(): Promise<object> {
    const { type, help } = METRICS[this.name];
    const values = [...this.#children.values()].flatMap(({ labels, child }) =>
      child.samples(this.name, labels)
    );
    return Promise.resolve({ name: this.name, help, type, values, aggregator: "sum" });
  }
}

/** Metrics over a registry of their own. */
export class MetricRegistry implements Metrics {
  readonly #registry = new Registry();
  readonly #families: ReadonlyMap<MetricName, Family>;

  constructor() {
    const names = Object.keys(METRICS) as MetricName[];
    this.#families = new Map(names.map((name) => [name, new Family(name)]));
    for (const family of this.#families.values()) {
      // The registry uses a metric's name and get() only; its type asks for prom-client's own classes.
      this.#registry.registerMetric(family as unknown as Metric);
    }
  }

  counter<N extends MetricNameOf<"counter">>(name: N, labels: MetricLabels<N>): Counter {
    return this.#child(name, labels) as NumberChild;
  }

  gauge<N extends MetricNameOf<"gauge">>(name: N, labels: MetricLabels<N>): Gauge {
    return this.#child(name, labels) as NumberChild;
  }

  histogram<N extends MetricNameOf<"histogram">>(name: N, labels: MetricLabels<N>): Histogram {
    return this.#child(name, labels) as HistogramChild;
  }

  async text(): Promise<MetricsText> {
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  #child(name: MetricName, labels: LabelValues): Child {
    const family = this.#families.get(name);
    if (family === undefined) throw new TypeError(`No metric is called ${JSON.stringify(name)}`);
    return family.child(labels);
  }
}
