/**
 * Hops: the executor's part of a call's span tree, from records of a cell or from the death of one.
 *
 * Owns which spans a call has below `invoke.run`, their attributes and the whole tree of a call whose cell
 * died. Ids are allotted before the call leaves, so that a killed guest leaves a complete trace.
 * Invariant: each call yields one spawn span, one span per export called and one terminate span, on every
 * way out, each exactly once.
 */
import type { SpanIds, Telemetry } from "../../telemetry/mod.ts";
import type { Invocation } from "../model/invocation.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Usage } from "../model/usage.ts";
import type { CellHop, CellSpan, GpuReport, ResultMeta } from "../wire/messages.ts";
import { launchAttributes, recordGpuSpans } from "./gpu_spans.ts";
import type { GpuParent } from "./gpu_spans.ts";

/** What the spans of a call need to know of it. */
export interface HopContext {
  readonly telemetry: Telemetry;
  readonly invocation: Invocation;
  readonly instanceId: string;
  readonly parent: SpanIds | undefined;
  readonly spawn: SpanIds | undefined;
  /** When the cell began the call, on the Clock's scale: its offsets count from here. */
  readonly startedAtMs: number;
  readonly initialize: boolean;
  /** The kind of device that GPU spans are of. */
  readonly device: string;
}

/** Records the spans that a cell reported for a finished call. */
export function recordCellSpans(context: HopContext, { spans, outcome, usage, gpu }: ResultMeta): void {
  const exports: GpuParent[] = [];
  const end = { outcome: outcome.type, usage, gpu };
  for (const span of spans) {
    const startMs = context.startedAtMs + span.startUs / 1000;
    const endMs = context.startedAtMs + span.endUs / 1000;
    const { reason, events } = span;
    const ids = recordHop(context, span.hop, startMs, endMs, { ...end, reason, events });
    if (span.hop === "initialize" || span.hop === "call") exports.push({ span, ids });
  }
  // A start function that traps leaves no export called; the contract has a span for the export all the same.
  if (!spans.some((span) => span.hop === "call")) {
    const spawn = spans.find((span) => span.hop === "spawn");
    const terminate = spans.find((span) => span.hop === "terminate");
    const atMs = context.startedAtMs + (terminate?.startUs ?? 0) / 1000;
    recordHop(context, "call", atMs, atMs, { ...end, reason: spawn?.reason ?? "not_started" });
  }
  if (gpu !== undefined) recordGpuSpans(context, gpu, exports);
}

/** Records the whole tree of a call whose cell died: open spans end with the reason as their error. */
export function recordLostSpans(
  context: HopContext,
  outcome: Outcome,
  reason: string,
  killedAtMs: number,
  endedAtMs: number,
): void {
  const end = { outcome: outcome.type, reason };
  if (context.initialize) recordHop(context, "initialize", context.startedAtMs, killedAtMs, end);
  recordHop(context, "call", context.startedAtMs, killedAtMs, end);
  recordHop(context, "terminate", killedAtMs, endedAtMs, end);
  recordHop(context, "spawn", context.startedAtMs, endedAtMs, end);
}

/** How a hop ended. */
interface HopEnd {
  readonly outcome: Outcome["type"];
  readonly reason?: string | undefined;
  readonly events?: CellSpan["events"] | undefined;
  /** Of the whole call; stands on the span of its export. */
  readonly usage?: Usage | undefined;
  readonly gpu?: GpuReport | undefined;
}

function recordHop(
  context: HopContext,
  hop: CellHop,
  startMs: number,
  endMs: number,
  { outcome, reason, events = [], usage, gpu }: HopEnd,
): SpanIds | undefined {
  const { telemetry, invocation, instanceId, parent, spawn, startedAtMs } = context;
  const times = { startMs, endMs };
  const error = reason === undefined ? {} : { failure: reason };
  switch (hop) {
    case "spawn":
      telemetry.tracer.recordSpan({
        name: "tensor_wasm_exec::executor::spawn_instance",
        ids: spawn,
        parentSpanId: parent?.spanId,
        ...times,
        ...error,
        attributes: {
          tenant: invocation.tenant,
          instance_id: instanceId,
          wasm_bytes: invocation.function.moduleBytes,
          ...(reason === undefined ? {} : { reason }),
        },
      });
      return spawn;
    case "initialize":
    case "call": {
      const ids = telemetry.tracer.allotIds(spawn);
      telemetry.tracer.recordSpan({
        name: "tensor_wasm_exec::executor::call_export_with_args",
        ids,
        parentSpanId: spawn?.spanId,
        ...times,
        ...error,
        events: events.map((event) => ({ name: event.name, atMs: startedAtMs + event.atUs / 1000 })),
        attributes: {
          instance: instanceId,
          export: hop === "call" ? invocation.export : "_initialize",
          args_len: hop === "call" ? invocation.args.length : 0,
          outcome,
          ...(hop === "call" && usage !== undefined ? usageAttributes(usage) : {}),
          ...(hop === "call" && gpu !== undefined ? launchAttributes(gpu) : {}),
          ...(reason === undefined ? {} : { reason }),
        },
      });
      return ids;
    }
    case "terminate": {
      const ids = telemetry.tracer.allotIds(spawn);
      telemetry.tracer.recordSpan({
        name: "tensor_wasm_exec::executor::terminate",
        ids,
        parentSpanId: spawn?.spanId,
        ...times,
        attributes: { instance: instanceId, reason: reason ?? outcome },
      });
      return ids;
    }
  }
}

function usageAttributes(usage: Usage): Record<"fuel" | "yields" | "cpu_us" | "memory_bytes", number> {
  return {
    fuel: usage.fuel,
    yields: usage.yields,
    cpu_us: usage.cpuUs,
    memory_bytes: usage.memoryBytes,
  };
}
