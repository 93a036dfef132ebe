/**
 * Reading many traces from the trace store of a gateway, as a caller does, and what any whole one has to satisfy.
 */
import assert from "node:assert/strict";
import type { TestGateway } from "../support/gateway.ts";

/** Requests at a time. */
const READERS_COUNT = 16;

interface TreeNode {
  readonly span_id: string;
  readonly name: string;
  readonly children: readonly TreeNode[];
}

/** A trace as GET /traces/{id} shows it, as far as tests look at it. */
export interface ShownTrace {
  readonly trace_id: string;
  readonly complete: boolean;
  readonly truncated: boolean;
  readonly status: string;
  readonly spans: readonly {
    readonly span_id: string;
    readonly parent_span_id?: string;
    readonly name: string;
    readonly duration_ms?: number;
    readonly attributes: Readonly<Record<string, unknown>>;
  }[];
  readonly logs: readonly { readonly message: string; readonly span_id: string }[];
  readonly tree: readonly TreeNode[];
}

/** Every one of these traces, by id; fails for one that the store does not answer for. */
export async function readTraces(
  gateway: TestGateway,
  traceIds: readonly string[],
): Promise<Map<string, ShownTrace>> {
  const traces = new Map<string, ShownTrace>();
  const left = [...traceIds];
  const reader = async (): Promise<void> => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) {
      const response = await fetch(`${gateway.url}/traces/${id}`);
      const text = await response.text();
      assert.equal(response.status, 200, `${id}: ${text}`);
      traces.set(id, JSON.parse(text));
    }
  };
  await Promise.all(Array.from({ length: READERS_COUNT }, reader));
  return traces;
}

/** One tree of all its spans, each ended, and each line under one of them. */
export function assertWhole(trace: ShownTrace): void {
  assert.deepEqual([trace.complete, trace.truncated, trace.tree.length], [true, false, 1], trace.trace_id);
  const ids = trace.spans.map(({ span_id }) => span_id);
  assert.deepEqual(trace.tree.flatMap(idsOf).toSorted(), ids.toSorted());
  for (const { name, duration_ms: durationMs } of trace.spans) {
    assert.ok(typeof durationMs === "number" && durationMs >= 0, `${name} of ${trace.trace_id}`);
  }
  const known = new Set(ids);
  for (const { message, span_id: spanId } of trace.logs) {
    assert.ok(known.has(spanId), `${message} of ${trace.trace_id}`);
  }
}

function idsOf({ span_id: spanId, children }: TreeNode): string[] {
  return [spanId, ...children.flatMap(idsOf)];
}

/** A metric of the gateway, over all of its series. */
export async function metricOf(gateway: TestGateway, name: string): Promise<number> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  const series = [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? ([0-9.e+]+)$`, "gm"))];
  assert.ok(series.length > 0, `no series of ${name}`);
  return series.reduce((sum, [, value]) => sum + Number(value), 0);
}
