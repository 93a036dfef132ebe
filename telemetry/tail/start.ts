/**
 * Starting tail sampling: its metric and its turn once a second.
 *
 * Owns what connects the sampler to the rest of telemetry. Invariant: what it starts ends with its owner.
 */
import type { Metrics } from "../metrics/metrics.ts";
import type { SpanRecord } from "../trace/span_record.ts";
import { TAIL_DECISIONS, type TailConfig, TailSampler } from "./tail_sampler.ts";

const SWEEP_MS = 1000;

/** What a sampler is connected to. */
export interface TailPlace {
  readonly metrics: Metrics;
  readonly nowMs: () => number;
  /** Where spans go that are kept. */
  readonly add: (span: SpanRecord) => void;
  /** Takes back what is begun here. */
  readonly owner: DisposableStack;
}

/** Starts a sampler. */
export function startTail(config: TailConfig, { metrics, nowMs, add, owner }: TailPlace): TailSampler {
  const decided = new Map(
    TAIL_DECISIONS.map((decision) =>
      [decision, metrics.counter("tensor_wasm_traces_sampled_total", { decision })] as const
    ),
  );
  const sampler = new TailSampler(config, add, nowMs, (decision) => decided.get(decision)?.inc());
  const sweeping = setInterval(() => sampler.sweep(), SWEEP_MS);
  Deno.unrefTimer(sweeping);
  owner.defer(() => clearInterval(sweeping));
  const spans = metrics.gauge("tensor_wasm_tail_spans", {});
  owner.defer(metrics.beforeRead(() => spans.set(sampler.spanCount)));
  return sampler;
}
