/**
 * Waiting for a trace to arrive at the collector.
 *
 * The root of a request's trace ends last, so once it has arrived the rest has too, or it will never. A job outlives
 * its request; its own span ends last of what is below it. Invariant: every span that is handed out is as the
 * vocabulary has it: its scope, all that is required, and nothing that no row knows.
 */
import assert from "node:assert/strict";
import { type SpanName, SPANS } from "../../telemetry/mod.ts";
import type { Collector, DecodedSpan } from "./collector.ts";

const POLL_MS = 10;
const WAIT_MS_MAX = 60_000;

/** The spans of a trace, once its `http.request` span has arrived, and that of each job if it is to have any. */
export async function awaitTrace(
  collector: Collector,
  traceId: string,
  jobSpansCount = 0,
): Promise<readonly DecodedSpan[]> {
  for (let waitedMs = 0; waitedMs < WAIT_MS_MAX; waitedMs += POLL_MS) {
    const spans = collector.trace(traceId);
    const jobSpans = spans.filter((span) => span.name === "async_invoke.job").length;
    if (jobSpans >= jobSpansCount && spans.some((span) => span.name === "http.request")) {
      for (const span of spans) assertVocabulary(span);
      return spans;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`Trace ${traceId} did not arrive within ${WAIT_MS_MAX} ms`);
}

function assertVocabulary({ name, scope, attributes }: DecodedSpan): void {
  assert.ok(Object.hasOwn(SPANS, name), `${name} is a span of the vocabulary`);
  const row = SPANS[name as SpanName];
  assert.deepEqual([scope, attributes["target"]], [row.scope, row.scope], name);
  for (const required of row.required) {
    // An export may be called nothing at all.
    const isThere = attributes[required] !== undefined &&
      (attributes[required] !== "" || required === "export");
    assert.ok(isThere, `${name} has ${required}`);
  }
  const known: readonly string[] = ["target", ...row.required, ...row.optional];
  assert.deepEqual(Object.keys(attributes).filter((attribute) => !known.includes(attribute)), [], name);
}
