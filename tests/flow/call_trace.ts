/**
 * The trace of one call: which spans it has, how they lie in time, and its log lines.
 */
import assert from "node:assert/strict";
import type { LogLine, TestGateway } from "../support/gateway.ts";
import type { SpanNode } from "../support/span_tree.ts";

/** The spans of a call on an instance, by name. */
export const CALL_SPANS = [
  "http.invoke_function",
  "http.request",
  "invoke.run",
  "tensor_wasm_exec::executor::call_export_with_args",
  "tensor_wasm_exec::executor::spawn_instance",
  "tensor_wasm_exec::executor::terminate",
];
/** A child lies within its parent. Milliseconds since the epoch are exact to a quarter of a microsecond. */
export function assertNested({ span, children }: SpanNode): void {
  const roundingNanos = 1000n;
  assert.ok(span.startNanos <= span.endNanos, span.name);
  for (const event of span.events) {
    assert.ok(event.nanos >= span.startNanos - roundingNanos && event.nanos <= span.endNanos + roundingNanos);
  }
  for (const child of children) {
    const before = span.startNanos - child.span.startNanos;
    const after = child.span.endNanos - span.endNanos;
    assert.ok(before <= roundingNanos, `${child.span.name} starts ${before} ns before ${span.name}`);
    assert.ok(after <= roundingNanos, `${child.span.name} ends ${after} ns after ${span.name}`);
    assertNested(child);
  }
}

/** The log lines of a trace, once its last is there. */
export async function linesOf(from: TestGateway, traceId: string): Promise<LogLine[]> {
  await from.line((line) => line.message === "request.completed" && line.trace_id === traceId);
  return from.lines.filter((line) => line.trace_id === traceId);
}
