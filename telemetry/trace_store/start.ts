/**
 * Starting a trace store: its metrics, its tap on the log, and its turn once a second.
 *
 * Owns what connects a store to the rest of telemetry. Invariant: what it starts ends with its owner.
 */
import type { Log } from "../log/log.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { DROP_REASONS } from "./trace_keeper.ts";
import { EVICTION_REASONS } from "./trace_ring.ts";
import { TraceStore, type TraceStoreConfig } from "./trace_store.ts";

const SWEEP_MS = 1000;
/** How long a piece may be in this process alone: what a kill loses. */
const WRITE_MS = 100;

/** What a store is connected to. */
export interface TraceStorePlace {
  readonly metrics: Metrics;
  readonly log: Log;
  readonly nowMs: () => number;
  /** Takes back what is begun here. */
  readonly owner: DisposableStack;
}

/** Starts a store. It is a sink of spans through its `collector`. */
export function startTraceStore(config: TraceStoreConfig, place: TraceStorePlace): TraceStore {
  const { metrics, log, nowMs, owner } = place;
  // All series are there from the start: an alert on a counter that begins with its first event never fires.
  const evicted = new Map(
    EVICTION_REASONS.map((reason) =>
      [reason, metrics.counter("tensor_wasm_trace_store_evicted_total", { reason })] as const
    ),
  );
  const dropped = new Map(
    DROP_REASONS.map((reason) =>
      [reason, metrics.counter("tensor_wasm_trace_store_dropped_total", { reason })] as const
    ),
  );
  let writing: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  const store: TraceStore = new TraceStore(config, nowMs, {
    evicted: (count, reason) => evicted.get(reason)?.inc(count),
    dropped: (count, reason) => dropped.get(reason)?.inc(count),
    stored: () => {
      // A span may end when all this has ended.
      if (isOver || writing !== undefined) return;
      writing = setTimeout(() => {
        writing = undefined;
        store.write();
      }, WRITE_MS);
      Deno.unrefTimer(writing);
    },
  });
  owner.defer(() => {
    isOver = true;
    clearTimeout(writing);
  });
  owner.use(log.tap(store.line));
  const sweeping = setInterval(() => store.sweep(), SWEEP_MS);
  // Traces that nobody waits for keep no process alive.
  Deno.unrefTimer(sweeping);
  owner.defer(() => clearInterval(sweeping));
  const traces = metrics.gauge("tensor_wasm_trace_store_traces", {});
  const bytes = metrics.gauge("tensor_wasm_trace_store_bytes", {});
  owner.defer(metrics.beforeRead(() => {
    traces.set(store.ring.traceCount);
    bytes.set(store.ring.byteCount);
  }));
  return store;
}
