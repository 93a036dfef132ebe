/**
 * SpanTree: the spans of a trace as the tree that they are.
 *
 * Owns building it (an orphan is an error), printing it for people, and printing it without what differs from
 * run to run, for golden files.
 */
import type { DecodedAttributes, DecodedSpan, DecodedValue } from "./collector.ts";

/** A span and its children in the order in which they started. */
export interface SpanNode {
  readonly span: DecodedSpan;
  readonly children: readonly SpanNode[];
}

/** The bit of `flags` that says the parent is in another process. */
const PARENT_IS_REMOTE = 0x200;
const KINDS: readonly string[] = ["unspecified", "internal", "server", "client", "producer", "consumer"];

/** Attributes whose values differ from run to run; texts that look like ids are replaced wherever they are. */
export const VOLATILE_ATTRIBUTES: ReadonlySet<string> = new Set([
  "cpu_us",
  "device_time_us",
  "fuel",
  "gpu.launch_ms_max",
  "gpu.launch_ms_mean",
  "instance",
  "instance_id",
  "job_id",
  "queue_ms",
  "gpu_wait_ms",
  "request_id",
  "yields",
]);

/**
 * Builds the trees of spans, one per root.
 *
 * @throws Error when a span's parent is missing and not in another process, when a parent is of another trace,
 * when an id is there twice, or when spans are their own ancestors
 */
export function buildSpanTrees(spans: readonly DecodedSpan[]): SpanNode[] {
  const byId = new Map<string, DecodedSpan>();
  const children = new Map<string, DecodedSpan[]>();
  for (const span of spans) {
    if (byId.has(span.spanId)) throw new Error(`Span id ${span.spanId} is there twice`);
    byId.set(span.spanId, span);
  }
  const roots = spans.filter((span) => {
    if (span.parentSpanId === "") return true;
    const parent = byId.get(span.parentSpanId);
    if (parent === undefined) {
      if ((span.flags & PARENT_IS_REMOTE) !== 0) return true;
      throw new Error(`Span ${span.name} is an orphan: its parent was never exported`);
    }
    if (parent.traceId !== span.traceId) {
      throw new Error(`Span ${span.name} and its parent differ in trace id`);
    }
    const siblings = children.get(span.parentSpanId);
    if (siblings === undefined) children.set(span.parentSpanId, [span]);
    else siblings.push(span);
    return false;
  });
  const trees = roots.toSorted(byStart).map((root) => toNode(root, children));
  const reached = trees.reduce((sum, tree) => sum + countSpans(tree), 0);
  if (reached !== spans.length) throw new Error("Spans are their own ancestors");
  return trees;
}

/** The only tree of the spans. @throws Error when there is another number of roots, or as buildSpanTrees */
export function buildSpanTree(spans: readonly DecodedSpan[]): SpanNode {
  const [tree, ...others] = buildSpanTrees(spans);
  if (tree === undefined || others.length > 0) {
    throw new Error(`Expected one root, got ${tree === undefined ? 0 : others.length + 1}`);
  }
  return tree;
}

/** How many spans a tree has. */
export function countSpans(node: SpanNode): number {
  return node.children.reduce((sum, child) => sum + countSpans(child), 1);
}

/** All spans of a tree, parents before children. */
export function* walkSpans(node: SpanNode): Generator<DecodedSpan> {
  yield node.span;
  for (const child of node.children) yield* walkSpans(child);
}

/** A tree for people: name, duration, where it begins after the root, attributes, events, errors. */
export function printSpanTree(tree: SpanNode): string {
  const { startNanos } = tree.span;
  return printNode(tree, "", "", (span) => {
    const at = milliseconds(span.startNanos - startNanos);
    const took = milliseconds(span.endNanos - span.startNanos);
    return [
      `${span.name}  ${took} ms  (+${at} ms)${attributesText(span.attributes, (_name, value) => value)}`,
    ];
  });
}

/** A tree for golden files: no ids, no times, volatile attributes as placeholders. */
export function normalizeSpanTree(
  tree: SpanNode,
  volatile: ReadonlySet<string> = VOLATILE_ATTRIBUTES,
): string {
  return printNode(tree, "", "", (span) => {
    const kind = KINDS[span.kind] ?? `kind ${span.kind}`;
    const attributes = attributesText(span.attributes, (name, value) => maskValue(name, value, volatile));
    return [`${span.name} (${span.scope}, ${kind})${attributes}`];
    // How far over a limit a call was when it was stopped.
  }).replace(/, got \d+$/gm, ", got <n>");
}

function printNode(
  node: SpanNode,
  first: string,
  rest: string,
  describe: (span: DecodedSpan) => readonly string[],
): string {
  const { span, children } = node;
  const lines = [...describe(span)];
  if (span.status.code === 2) lines.push(`! error: ${maskIds(span.status.message)}`);
  for (const event of span.events) {
    lines.push(`* ${event.name}${attributesText(event.attributes, (_, value) => value)}`);
  }
  const under = rest + (children.length > 0 ? "│ " : "  ");
  let text = lines.map((line, index) => (index === 0 ? first : under) + line + "\n").join("");
  for (const [index, child] of children.entries()) {
    const isLast = index === children.length - 1;
    text += printNode(child, rest + (isLast ? "└─ " : "├─ "), rest + (isLast ? "   " : "│  "), describe);
  }
  return text;
}

function attributesText(
  attributes: DecodedAttributes,
  show: (name: string, value: DecodedValue) => DecodedValue,
): string {
  return Object.entries(attributes)
    .filter(([name]) => name !== "target")
    .map(([name, value]) => `  ${name}=${String(show(name, value))}`)
    .join("");
}

function maskValue(name: string, value: DecodedValue, volatile: ReadonlySet<string>): DecodedValue {
  if (volatile.has(name)) return `<${name}>`;
  return typeof value === "string" ? maskIds(value) : value;
}

/** Replaces UUIDs and hex ids of 16 digits or more. */
function maskIds(text: string): string {
  return text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "<uuid>")
    .replace(/[0-9a-f]{16,}/g, "<hex>");
}

function milliseconds(nanos: bigint): string {
  return (Number(nanos) / 1e6).toFixed(3);
}

function toNode(span: DecodedSpan, children: ReadonlyMap<string, readonly DecodedSpan[]>): SpanNode {
  const own = (children.get(span.spanId) ?? []).toSorted(byStart);
  return { span, children: own.map((child) => toNode(child, children)) };
}

/** By start; siblings that start together by name, so that the order is the same in every run. */
function byStart(a: DecodedSpan, b: DecodedSpan): number {
  if (a.startNanos !== b.startNanos) return a.startNanos < b.startNanos ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
