/**
 * Documents of operation: what tests read of docs/alerts, docs/dashboards and docs/runbooks.
 *
 * Owns finding alerts, queries and metric names in them. It judges nothing. Invariant: a name that stands in an
 * expression is found, with the suffix of a histogram's sample taken off.
 */
import { METRICS } from "../../telemetry/mod.ts";

const DOCS = new URL("../../docs/", import.meta.url);

/** Files of rules, under docs/. */
export const ALERT_FILES = ["alerts/recording.yaml", "alerts/slo.yaml", "alerts/parts.yaml"];
export const DASHBOARD = "dashboards/tensor-wasm-overview.json";

/** The path of a file under docs/. */
export function docsPath(file: string): string {
  return new URL(file, DOCS).pathname;
}

/** The text of a file under docs/. */
export async function readDoc(file: string): Promise<string> {
  return await Deno.readTextFile(new URL(file, DOCS));
}

/** The names of the files in a folder under docs/ that end in `suffix`. */
export function listDocs(folder: string, suffix: string): string[] {
  return [...Deno.readDirSync(new URL(`${folder}/`, DOCS))].map(({ name }) => name)
    .filter((name) => name.endsWith(suffix)).sort();
}

/** The alerts of the rule files, each with its part of the text. */
export async function alertsOf(): Promise<{ readonly name: string; readonly text: string }[]> {
  const texts = await Promise.all(ALERT_FILES.map(readDoc));
  return texts.flatMap((text) => text.split(/^ {6}- (?=alert: )/m).slice(1)).map((text) => ({
    name: /^alert: (\w+)/.exec(text)?.[1] ?? "",
    text,
  }));
}

/** The names that recording rules make. */
export async function recordedNames(): Promise<ReadonlySet<string>> {
  const texts = await Promise.all(ALERT_FILES.map(readDoc));
  return new Set(
    texts.flatMap((text) => [...text.matchAll(/- record: (\S+)/g)].map(([, name = ""]) => name)),
  );
}

/** The names of metrics that stand in a text: ours, the process', and recorded ones. */
export function metricNamesIn(text: string): Set<string> {
  const words =
    text.match(/\b(?:tensor_wasm(?::|_(?!exec\b|api\b))|process_(?:cpu|resident|open|start)_)[\w:]+/g) ?? [];
  return new Set(words.map(baseName));
}

/** A histogram's samples are named after it. */
function baseName(word: string): string {
  const base = word.replace(/_(?:bucket|sum|count)$/, "");
  return Object.hasOwn(METRICS, base) ? base : word;
}
