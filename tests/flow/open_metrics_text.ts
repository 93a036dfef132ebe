/**
 * OpenMetrics text: a strict parser of the exposition format 1.0.0 for tests.
 *
 * Owns what OpenMetrics has and Prometheus' text has not: families without `_total`, units, exemplars, the end. What
 * is left when these are taken away is parsed by prometheus_text.ts. Invariant: what it returns obeys the rules of both.
 */
import assert from "node:assert/strict";
import { type MetricFamily, parsePrometheusText } from "./prometheus_text.ts";

/** An exemplar and the series it stands behind. */
export interface ParsedExemplar {
  /** The sample's name and labels, as printed. */
  readonly series: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly timestampSeconds: number;
}

/** An exposition. */
export interface OpenMetrics {
  /** By the name that samples have, `_total` included. */
  readonly families: ReadonlyMap<string, MetricFamily>;
  readonly units: ReadonlyMap<string, string>;
  readonly exemplars: readonly ParsedExemplar[];
}

const EXEMPLAR = /^(.+?) # \{([^}]*)\} (\S+) (\S+)$/s;

/** Parses a whole exposition. Throws AssertionError for whatever breaks a rule. */
export function parseOpenMetrics(text: string): OpenMetrics {
  assert.ok(text.endsWith("\n# EOF\n"), "the end is there");
  const types = new Map<string, string>();
  const units = new Map<string, string>();
  const exemplars: ParsedExemplar[] = [];
  const plain: string[] = [];
  for (const line of text.slice(0, -"# EOF\n".length).split("\n").slice(0, -1)) {
    assert.notEqual(line, "", "no empty line");
    const [, keyword, name = "", rest = ""] = /^# (HELP|TYPE|UNIT) (\S+) ?(.*)$/.exec(line) ?? [];
    if (keyword === "UNIT") {
      assert.ok(name.endsWith(`_${rest}`), `${name} ends in its unit ${rest}`);
      units.set(name, rest);
    } else if (keyword !== undefined) {
      if (keyword === "TYPE") types.set(name, rest);
      // A help comes before its type here, so counters are known only once both are read.
      plain.push(line);
    } else plain.push(withoutExemplar(line, exemplars));
  }
  for (const [name, type] of types) {
    if (type === "counter") assert.ok(!name.endsWith("_total"), `${name} is a family's name`);
    for (const suffix of ["_total", "_bucket", "_sum", "_count", "_created", "_info"]) {
      assert.ok(!types.has(`${name}${suffix}`), `${name}${suffix} is nobody else's name`);
    }
  }
  const counters = new Set([...types].filter(([, type]) => type === "counter").map(([name]) => name));
  const asPrometheus = plain.map((line) =>
    line.replace(
      /^# (HELP|TYPE) (\S+)/,
      (whole, keyword, name) => counters.has(name) ? `# ${keyword} ${name}_total` : whole,
    )
  );
  const families = parsePrometheusText(`${asPrometheus.join("\n")}\n`);
  return { families, units, exemplars };
}

function withoutExemplar(line: string, exemplars: ParsedExemplar[]): string {
  const [, sample, labelsText = "", value, timestamp] = EXEMPLAR.exec(line) ?? [];
  if (sample === undefined) return line;
  const series = sample.slice(0, sample.lastIndexOf(" "));
  assert.match(series, /^\w+_(bucket|total)(\{|$)/, `exemplars stand behind buckets and totals: ${line}`);
  const labels: Record<string, string> = {};
  let length = 0;
  for (const [, name = "", text = ""] of labelsText.matchAll(/(\w+)="([^"\\]*)"/g)) {
    labels[name] = text;
    length += name.length + text.length;
  }
  assert.ok(length <= 128, "the labels of an exemplar are short");
  const bound = /le="([^"]+)"/.exec(series)?.[1]?.replace("Inf", "Infinity");
  if (bound !== undefined) {
    assert.ok(Number(value) <= Number(bound), `the exemplar is of its bucket: ${line}`);
  }
  exemplars.push({ series, labels, value: Number(value), timestampSeconds: Number(timestamp) });
  return sample;
}
