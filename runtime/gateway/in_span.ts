/**
 * Work under a span of its own.
 *
 * Invariant: the span ends exactly once, and with an error status when the work throws.
 */
import type { Span, SpanName, Tracer } from "../../telemetry/mod.ts";

/** Runs `work` with `span` active, then ends the span. Throws what the work throws. */
export async function inSpan<N extends SpanName, T>(
  tracer: Tracer,
  span: Span<N>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await tracer.withSpan(span, work);
  } catch (error) {
    span.fail(error instanceof Error ? error.message : "error");
    throw error;
  } finally {
    span.end();
  }
}
