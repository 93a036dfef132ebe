/**
 * Exposition: metrics as text, in Prometheus' format and in OpenMetrics.
 *
 * Owns both grammars: names, escapes, numbers, exemplars, the end. It chooses no format (the gateway does, by
 * the request) and sends nothing. Sources: "Exposition formats" of the Prometheus documentation (text format
 * 0.0.4) and the OpenMetrics specification 1.0.0. Invariant: a series is printed in one go, so that its buckets
 * and its sum are of the same moment, and a bound is written alike in both formats, so that changing the format
 * makes no new series.
 */
import type { Exemplar, HistogramReading, NumberReading } from "./metric_series.ts";
import type { FamilyReading } from "./metrics.ts";

/** `prometheus` is the text format 0.0.4; only `openmetrics` can carry exemplars. */
export type MetricsFormat = "prometheus" | "openmetrics";

/** Media types of the two, as they are answered with. */
export const CONTENT_TYPES: Readonly<Record<MetricsFormat, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** Units that names end in: OpenMetrics wants them named. */
const UNITS = ["seconds", "bytes"] as const;
const TOTAL = "_total";

/** The text of one family, in pieces of at least one series each. */
export function* printFamily(family: FamilyReading, format: MetricsFormat): Generator<string> {
  const { name, type, help } = family;
  const isOpen = format === "openmetrics";
  // In OpenMetrics a counter's family has the name without the suffix of its samples.
  const familyName = isOpen && type === "counter" && name.endsWith(TOTAL)
    ? name.slice(0, -TOTAL.length)
    : name;
  const unit = unitOf(familyName);
  yield `# HELP ${familyName} ${isOpen ? escapeQuoted(help) : escapeHelp(help)}\n` +
    `# TYPE ${familyName} ${type}\n` +
    (isOpen && unit !== "" ? `# UNIT ${familyName} ${unit}\n` : "");
  for (const series of family.series()) {
    yield series.type === "number" ? printNumber(name, series, isOpen) : printHistogram(name, series, isOpen);
  }
}

/** What stands after the last family. */
export function printEnd(format: MetricsFormat): string {
  return format === "openmetrics" ? "# EOF\n" : "";
}

/** The unit in a family's name, which OpenMetrics and OTLP name by itself; "" if it has none. */
export function unitOf(name: string): string {
  return UNITS.find((unit) => name.endsWith(`_${unit}`)) ?? "";
}

function printNumber(name: string, series: NumberReading, isOpen: boolean): string {
  const labels = printLabels(series.labels);
  const exemplar = isOpen ? printExemplar(series.exemplar) : "";
  return `${name}${labels === "" ? "" : `{${labels}}`} ${printValue(series.value)}${exemplar}\n`;
}

function printHistogram(name: string, series: HistogramReading, isOpen: boolean): string {
  const labels = printLabels(series.labels);
  const before = labels === "" ? "" : `${labels},`;
  let text = "";
  let count = 0;
  for (let bucket = 0; bucket < series.counts.length; bucket += 1) {
    count += series.counts[bucket] ?? 0;
    const exemplar = isOpen ? printExemplar(series.exemplarOf(bucket)) : "";
    text += `${name}_bucket{${before}le="${printBound(series.bounds[bucket])}"} ${count}${exemplar}\n`;
  }
  const braced = labels === "" ? "" : `{${labels}}`;
  return `${text}${name}_sum${braced} ${printValue(series.sum)}\n${name}_count${braced} ${count}\n`;
}

/** The label set is bounded by the specification to 128 characters; names and ids make 63. */
function printExemplar(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return "";
  const { traceId, spanId, value, atMs } = exemplar;
  return ` # {trace_id="${traceId}",span_id="${spanId}"} ${printValue(value)} ${(atMs / 1000).toFixed(3)}`;
}

function printLabels(labels: Readonly<Record<string, string>>): string {
  let text = "";
  for (const name of Object.keys(labels)) {
    if (text !== "") text += ",";
    text += `${name}="${escapeQuoted(labels[name] ?? "")}"`;
  }
  return text;
}

/** A whole bound has a `.0`, as OpenMetrics' canonical numbers have. */
function printBound(bound: number | undefined): string {
  if (bound === undefined) return "+Inf";
  return Number.isInteger(bound) && Math.abs(bound) < 1e6 ? `${bound}.0` : String(bound);
}

function printValue(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

/** Values of labels, and OpenMetrics' help; nearly none has anything to escape. A lone surrogate is no text. */
function escapeQuoted(text: string): string {
  if (/^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/.test(text)) return text;
  return escapeHelp(text).replaceAll('"', '\\"').toWellFormed();
}
