/**
 * GpuSpans: `wasi_cuda.*` spans, from the records of a cell.
 *
 * Owns their attributes and their place: below the export that was running, or below the instance for a start
 * function. It times nothing. Invariant: a launch that came to the device has exactly one child, its dispatch,
 * and what failed carries its reason as an error.
 */
import { UNKNOWN } from "../../telemetry/mod.ts";
import type { SpanAttributes, SpanIds } from "../../telemetry/mod.ts";
import type { CellSpan, GpuReport, GpuSpan } from "../wire/messages.ts";
import type { HopContext } from "./hops.ts";

/** A hop below which there may be GPU spans, and the ids of its span. */
export interface GpuParent {
  readonly span: CellSpan;
  readonly ids: SpanIds | undefined;
}

/** Records the GPU spans of a call. `parents` are its exports; what is in none of them is the instance's. */
export function recordGpuSpans(context: HopContext, report: GpuReport, parents: readonly GpuParent[]): void {
  for (const span of report.spans) {
    const within = parents.find((parent) =>
      span.startUs >= parent.span.startUs && span.endUs <= parent.span.endUs
    );
    recordGpuSpan(context, span, within === undefined ? context.spawn : within.ids);
  }
}

/** What stands on the span of the export called, for all launches, with and without a span. */
export function launchAttributes(
  { launchCount, launchUs, launchUsMax }: GpuReport,
): Partial<SpanAttributes<"tensor_wasm_exec::executor::call_export_with_args">> {
  if (launchCount === 0) return {};
  return {
    "gpu.launches": launchCount,
    "gpu.launch_ms_mean": wholeMicros(launchUs / launchCount),
    "gpu.launch_ms_max": wholeMicros(launchUsMax),
  };
}

function recordGpuSpan(context: HopContext, span: GpuSpan, parent: SpanIds | undefined): void {
  const { telemetry: { tracer }, instanceId: instance, device } = context;
  const placed = {
    ids: tracer.allotIds(parent),
    parentSpanId: parent?.spanId,
    ...times(context, span),
    ...(span.reason === undefined ? {} : { failure: span.reason }),
  };
  switch (span.type) {
    case "load":
      tracer.recordSpan({
        name: "wasi_cuda.load_ptx",
        ...placed,
        attributes: {
          instance,
          ptx_bytes: span.ptxBytes,
          entry_bytes: span.entryBytes,
          cached: span.cached,
          device,
        },
      });
      return;
    case "sync":
      tracer.recordSpan({ name: "wasi_cuda.sync", ...placed, attributes: { instance } });
      return;
    case "launch": {
      tracer.recordSpan({
        name: "wasi_cuda.launch",
        ...placed,
        attributes: launchOf(span, instance, device),
      });
      const { dispatch } = span;
      if (dispatch === undefined) return;
      tracer.recordSpan({
        name: "wasi_cuda.dispatch",
        ids: tracer.allotIds(placed.ids),
        parentSpanId: placed.ids?.spanId,
        ...times(context, dispatch),
        attributes: {
          instance,
          ...(dispatch.deviceTimeUs === undefined ? {} : { device_time_us: dispatch.deviceTimeUs }),
        },
      });
    }
  }
}

function launchOf(
  { kernel = UNKNOWN, grid, block, sharedBytes, bytesIn, bytesOut }: GpuSpan & { type: "launch" },
  instance: string,
  device: string,
): SpanAttributes<"wasi_cuda.launch"> {
  return {
    instance,
    kernel,
    grid_x: grid[0],
    grid_y: grid[1],
    grid_z: grid[2],
    block_x: block[0],
    block_y: block[1],
    block_z: block[2],
    shared_mem: sharedBytes,
    device,
    bytes_in: bytesIn,
    bytes_out: bytesOut,
  };
}

function times(
  { startedAtMs }: HopContext,
  { startUs, endUs }: { readonly startUs: number; readonly endUs: number },
): { startMs: number; endMs: number } {
  return { startMs: startedAtMs + startUs / 1000, endMs: startedAtMs + endUs / 1000 };
}

/** Milliseconds with three digits. */
function wholeMicros(micros: number): number {
  return Math.round(micros) / 1000;
}
