import assert from "node:assert/strict";
import type { DecodedSpan } from "./collector.ts";
import {
  buildSpanTree,
  buildSpanTrees,
  countSpans,
  normalizeSpanTree,
  printSpanTree,
  walkSpans,
} from "./span_tree.ts";

function aSpan(name: string, spanId: string, parentSpanId: string, startNanos: bigint): DecodedSpan {
  return {
    traceId: "t".repeat(32),
    spanId,
    parentSpanId,
    traceState: "",
    name,
    scope: "scope",
    kind: 1,
    startNanos,
    endNanos: startNanos + 1_500_000n,
    attributes: { target: "scope", tenant: "a", instance: 17, id: "0d9f8f34-7c1e-4b7a-9a52-0123456789ab" },
    events: [],
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    status: { code: 0, message: "" },
    flags: 0x101,
    resource: {},
  };
}

const SPANS = [
  aSpan("leaf", "4", "2", 30n),
  aSpan("second", "3", "1", 25n),
  aSpan("first", "2", "1", 20n),
  aSpan("root", "1", "", 10n),
];

Deno.test("buildSpanTree() orders children by their start", () => {
  assert.deepEqual([...walkSpans(buildSpanTree(SPANS))].map((span) => span.name), [
    "root",
    "first",
    "leaf",
    "second",
  ]);
});

Deno.test("buildSpanTree() refuses a span whose parent is missing", () => {
  assert.throws(() => buildSpanTree([...SPANS, aSpan("lost", "9", "8", 1n)]), /lost is an orphan/);
});

Deno.test("buildSpanTree() takes a span whose parent is in another process as a root", () => {
  const [tree] = buildSpanTrees([{ ...aSpan("entry", "9", "8", 1n), flags: 0x301 }]);
  assert.equal(tree?.span.name, "entry");
});

Deno.test("buildSpanTree() refuses two roots", () => {
  assert.throws(() => buildSpanTree([...SPANS, aSpan("other", "9", "", 1n)]), /Expected one root, got 2/);
});

Deno.test("buildSpanTree() refuses an id that is there twice", () => {
  assert.throws(() => buildSpanTree([...SPANS, aSpan("again", "4", "1", 1n)]), /there twice/);
});

Deno.test("buildSpanTrees() refuses spans that are their own ancestors", () => {
  assert.throws(() => buildSpanTrees([aSpan("a", "1", "2", 1n), aSpan("b", "2", "1", 1n)]), /own ancestors/);
});

Deno.test("buildSpanTree() refuses a parent of another trace", () => {
  const stray = { ...aSpan("stray", "9", "1", 1n), traceId: "u".repeat(32) };
  assert.throws(() => buildSpanTree([...SPANS, stray]), /differ in trace id/);
});

Deno.test("normalizeSpanTree() leaves out ids, times and volatile values", () => {
  const attributes = "  tenant=a  instance=<instance>  id=<uuid>";
  assert.equal(
    normalizeSpanTree(buildSpanTree(SPANS)),
    `root (scope, internal)${attributes}\n` +
      `├─ first (scope, internal)${attributes}\n` +
      `│  └─ leaf (scope, internal)${attributes}\n` +
      `└─ second (scope, internal)${attributes}\n`,
  );
});

Deno.test("printSpanTree() shows durations and the error of a span", () => {
  const failed = { ...aSpan("only", "1", "", 5n), status: { code: 2, message: "killed" } };
  const text = printSpanTree(buildSpanTree([failed]));
  assert.match(text, /^only {2}1\.500 ms {2}\(\+0\.000 ms\)/);
  assert.match(text, /\n {2}! error: killed\n$/);
});

Deno.test("countSpans() counts the whole tree", () => {
  assert.equal(countSpans(buildSpanTree(SPANS)), 4);
});
