/**
 * Streams: how many there are, whose they are, and what they hold, over all requests.
 *
 * Owns the bound on their number, a tenant's part of it, the metrics, and their end when the gateway ends. It runs and
 * frames none. Invariants: every stream that was let in is counted out once; together they hold no more than
 * `streamsMax` windows; a tenant that is alone gets half of the places, and leaves the rest to others.
 */
import type { Counter, Gauge, Metrics } from "../../../telemetry/mod.ts";
import { fault } from "../../model/fault.ts";
import { limitMessage } from "../../model/limits.ts";
import type { OutboxObserver } from "./outbox.ts";

/** How long a client is asked to wait when there are too many streams. */
const RETRY_AFTER_SECONDS = 1;

/** A place for one stream. */
export interface StreamPlace extends Disposable {
  /** Called when the gateway ends before the stream does. */
  onAbort: () => void;
}

/** The streams of a gateway. */
export class Streams implements OutboxObserver {
  readonly #streamsMax: number;
  readonly #places = new Set<StreamPlace>();
  readonly #tenants = new Map<string, number>();
  readonly #active: Gauge;
  readonly #heldBytes: Gauge;
  readonly #emitted: Counter;
  readonly #rejected: Counter;
  readonly #bytes: Counter;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(streamsMax: number, metrics: Metrics) {
    this.#streamsMax = streamsMax;
    this.#active = metrics.gauge("tensor_wasm_streams_active", {});
    this.#heldBytes = metrics.gauge("tensor_wasm_stream_held_bytes", {});
    this.#emitted = metrics.counter("tensor_wasm_streaming_chunks_emitted_total", {});
    this.#rejected = metrics.counter("tensor_wasm_streaming_chunks_rejected_total", {});
    this.#bytes = metrics.counter("tensor_wasm_streaming_bytes_total", {});
  }

  /**
   * Takes a place, to be disposed when the stream has ended.
   *
   * @throws RuntimeFault `capacity_exhausted` if there are too many, `tenant_capacity_exhausted` if the tenant has
   * as many as are free
   */
  enter(tenant: string): StreamPlace {
    const free = this.#streamsMax - this.#places.size;
    const own = this.#tenants.get(tenant) ?? 0;
    if (free <= 0) {
      throw fault(
        "capacity_exhausted",
        limitMessage("Too many streams", "streamsMax", this.#streamsMax, this.#places.size + 1),
        { retryAfterSeconds: RETRY_AFTER_SECONDS },
      );
    }
    if (own >= free) {
      const what = "Too many streams of this tenant, which leaves places to others";
      throw fault(
        "tenant_capacity_exhausted",
        limitMessage(what, "its part of streamsMax", own, own + 1),
        { retryAfterSeconds: RETRY_AFTER_SECONDS },
      );
    }
    const place: StreamPlace = { onAbort: () => {}, [Symbol.dispose]: () => this.#leave(place, tenant) };
    this.#places.add(place);
    this.#tenants.set(tenant, own + 1);
    this.#active.inc();
    return place;
  }

  /** Breaks off what there still is, once no cell runs any more; resolves when all have said how they ended. */
  abort(): Promise<void> {
    for (const place of [...this.#places]) place.onAbort();
    if (this.#places.size === 0) return Promise.resolve();
    this.#idle ??= Promise.withResolvers<void>();
    return this.#idle.promise;
  }

  arrived(bytes: number): void {
    this.#emitted.inc();
    this.#bytes.inc(bytes);
  }

  held(difference: number): void {
    this.#heldBytes.inc(difference);
  }

  /** Chunks were refused to a guest with a code. */
  rejected(count: number): void {
    this.#rejected.inc(count);
  }

  #leave(place: StreamPlace, tenant: string): void {
    if (!this.#places.delete(place)) return;
    this.#active.dec();
    if (this.#places.size === 0) this.#idle?.resolve();
    const own = (this.#tenants.get(tenant) ?? 1) - 1;
    if (own === 0) this.#tenants.delete(tenant);
    else this.#tenants.set(tenant, own);
  }
}
