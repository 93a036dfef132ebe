/**
 * Prometheus text: a strict parser of the exposition format (version 0.0.4) for tests.
 *
 * Owns the grammar and the rules of a well-made exposition: a family's help and type once and before its samples,
 * its samples together, no series twice, histograms that add up. Invariant: what it returns obeys all of them.
 */
import assert from "node:assert/strict";

/** One series and its value. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric with all of its series. */
export interface MetricFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)/;
const NUMBER = /^(?:[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[-+]?Inf|NaN)$/;

/** Parses a whole exposition. Throws AssertionError for whatever breaks a rule. */
export function parsePrometheusText(text: string): ReadonlyMap<string, MetricFamily> {
  assert.match(text, /\n$/, "the last line ends");
  const families = new Map<string, MetricFamily & { samples: Sample[] }>();
  const helps = new Map<string, string>();
  let current: (MetricFamily & { samples: Sample[] }) | undefined;
  for (const line of text.split("\n").slice(0, -1)) {
    if (line === "") continue;
    const [, keyword, name = "", rest = ""] = new RegExp(`^# (HELP|TYPE) (${NAME}) ?(.*)$`).exec(line) ?? [];
    if (keyword === "HELP") {
      assert.ok(!helps.has(name), `${name} has one help`);
      helps.set(name, rest);
    } else if (keyword === "TYPE") {
      assert.ok(!families.has(name), `${name} has one type`);
      assert.match(rest, /^(?:counter|gauge|histogram|summary|untyped)$/);
      current = { name, type: rest, help: helps.get(name) ?? "", samples: [] };
      families.set(name, current);
    } else {
      assert.ok(!line.startsWith("#"), `a comment: ${line}`);
      assert.ok(current !== undefined, "a sample follows its type");
      const sample = parseSample(line);
      assert.ok(isOf(sample.name, current), `${sample.name} stands among those of ${current.name}`);
      current.samples.push(sample);
    }
  }
  for (const family of families.values()) assertWellMade(family);
  return families;
}

/** The value of the one series with these labels, 0 when there is none. */
export function valueOf(
  families: ReadonlyMap<string, MetricFamily>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const family = families.get(name) ?? families.get(name.replace(/_(?:bucket|sum|count)$/, ""));
  return family?.samples.find((sample) => sample.name === name && keyOf(sample.labels) === keyOf(labels))
    ?.value ?? 0;
}

function parseSample(line: string): Sample {
  const [, name = "", , labelsText = "", number = ""] =
    new RegExp(`^(${NAME})(\\{(.*)\\})? (\\S+)$`, "s").exec(line) ?? [];
  assert.notEqual(name, "", `a sample: ${line}`);
  assert.match(number, NUMBER, line);
  const labels: Record<string, string> = {};
  for (let rest = labelsText; rest !== "";) {
    const match = LABEL.exec(rest);
    assert.ok(match !== null, `labels: ${line}`);
    const [whole, label = "", value = ""] = match;
    assert.ok(!Object.hasOwn(labels, label), `a label once: ${line}`);
    labels[label] = value.replace(/\\(.)/gs, (_, escaped) => escaped === "n" ? "\n" : escaped);
    rest = rest.slice(whole.length);
  }
  return { name, labels, value: Number(number.replace("Inf", "Infinity")) };
}

function isOf(sampleName: string, family: MetricFamily): boolean {
  const suffix = sampleName.startsWith(family.name) ? sampleName.slice(family.name.length) : undefined;
  return suffix === ""
    ? family.type !== "histogram"
    : family.type === "histogram" && /^_(?:bucket|sum|count)$/.test(suffix ?? "");
}

function assertWellMade(family: MetricFamily): void {
  assert.notEqual(family.help, "", `${family.name} has a help text`);
  const series = family.samples.map(({ name, labels }) => `${name} ${keyOf(labels)}`);
  assert.equal(new Set(series).size, series.length, `${family.name} has each series once`);
  const names = new Set(
    family.samples.map(({ labels }) => Object.keys(labels).filter((name) => name !== "le").join()),
  );
  assert.ok(names.size <= 1, `${family.name} has the same labels on all series`);
  if (family.type === "counter") {
    assert.match(family.name, /_total$/);
    for (const { value } of family.samples) assert.ok(value >= 0);
  }
  if (family.type === "histogram") assertHistogram(family);
}

function assertHistogram({ name, samples }: MetricFamily): void {
  const groups = Map.groupBy(samples, ({ labels }) => keyOf(withoutBound(labels)));
  for (const [key, group] of groups) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => Number((labels["le"] ?? "").replace("Inf", "Infinity")));
    assert.deepEqual(bounds, bounds.toSorted((a, b) => a - b), `${name} ${key}: bounds rise`);
    assert.equal(bounds.at(-1), Infinity, `${name} ${key}: the last bucket takes everything`);
    const counts = buckets.map(({ value }) => value);
    assert.deepEqual(counts, counts.toSorted((a, b) => a - b), `${name} ${key}: buckets are cumulative`);
    const count = group.find((sample) => sample.name === `${name}_count`)?.value;
    assert.equal(count, counts.at(-1), `${name} ${key}: the count is that of the last bucket`);
    assert.equal(group.filter((sample) => sample.name === `${name}_sum`).length, 1);
  }
}

function withoutBound(labels: Readonly<Record<string, string>>): Record<string, string> {
  const { le: _bound, ...rest } = labels;
  return rest;
}

function keyOf(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
