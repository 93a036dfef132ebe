/**
 * Pipeline: items of one signal on their way to a sender.
 *
 * Owns the bounded queue, batching by size and time, and the exact count of what left and what was lost. It
 * sends and encodes nothing itself: the batcher does the latter as items come, so that what waits is bytes
 * and not objects that the collector of garbage must carry along. Invariant: whoever adds an item never waits
 * and never fails, and every item that was handed over is, by the time the pipeline is closed, counted
 * exactly once: exported or dropped.
 */
import type { Batcher, BatchSender } from "./sender.ts";

/** Batches that are on the wire at once. With one, a slow round trip would bound the rate. */
const SENDS_MAX = 4;
/** Most bytes of a batch before it is sent, whatever its count; many collectors refuse more than 4 MiB. */
const BATCH_BYTES_MAX = 2 * 1024 * 1024;
/** Most bytes that wait, whatever their count. */
export const QUEUE_BYTES_MAX = 64 * 1024 * 1024;

/** Sizes and times of the queue. */
export interface BatchConfig {
  /** Most items that wait. One more is dropped. */
  readonly queueCountMax: number;
  /** Most items of one export. */
  readonly batchCountMax: number;
  /** How long an item waits for others before it is sent. */
  readonly delayMs: number;
}

/** Who is told what became of items. */
export interface PipelineCounts {
  exported(count: number): void;
  dropped(count: number, reason: string): void;
}

interface Batch<B> {
  readonly content: B;
  readonly count: number;
  readonly bytes: number;
  readonly settled: PromiseWithResolvers<void>;
}

/** A queue before a sender. */
export class Pipeline<T, B> {
  readonly #batcher: Batcher<T, B>;
  readonly #sender: BatchSender<B>;
  readonly #config: BatchConfig;
  readonly #batchCountMax: number;
  readonly #counts: PipelineCounts;
  readonly #batches: Batch<B>[] = [];
  readonly #unsettled = new Set<Promise<void>>();
  readonly #abort = new AbortController();
  #openCount = 0;
  #queuedCount = 0;
  #queuedBytes = 0;
  #sendCount = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(batcher: Batcher<T, B>, sender: BatchSender<B>, config: BatchConfig, counts: PipelineCounts) {
    this.#batcher = batcher;
    this.#sender = sender;
    this.#config = config;
    this.#batchCountMax = Math.min(config.batchCountMax, config.queueCountMax);
    this.#counts = counts;
  }

  /** Takes an item, or drops and counts it. */
  readonly add = (item: T): void => {
    if (this.#closed) return this.#counts.dropped(1, "telemetry is closed");
    if (this.#queuedCount >= this.#config.queueCountMax || this.#queuedBytes >= QUEUE_BYTES_MAX) {
      return this.#counts.dropped(1, "the queue is full");
    }
    try {
      this.#batcher.add(item);
    } catch {
      // A bug of ours; the request that made the item must still not feel it.
      return this.#counts.dropped(1, "it could not be encoded");
    }
    this.#queuedCount += 1;
    this.#openCount += 1;
    if (this.#openCount >= this.#batchCountMax || this.#batcher.bytes >= BATCH_BYTES_MAX) this.#handOver();
    else if (this.#timer === undefined) this.#startTimer();
  };

  /** Sends what waits; settles once the sender has settled all that was there, however long that takes. */
  async flush(): Promise<void> {
    this.#handOver();
    await Promise.all(this.#unsettled);
  }

  /** Reads again what the sender is configured with by files. */
  async reload(): Promise<void> {
    await this.#sender.reload?.();
  }

  /** Drops and counts what is left, and gives up what is on the wire. */
  async close(): Promise<void> {
    this.#handOver();
    this.#closed = true;
    for (const batch of this.#batches.splice(0)) {
      this.#counts.dropped(batch.count, "telemetry was closed first");
      this.#settle(batch);
    }
    this.#abort.abort();
    await Promise.all(this.#unsettled);
    this.#sender.close();
  }

  #startTimer(): void {
    this.#timer = setTimeout(() => this.#handOver(), this.#config.delayMs);
    // What waits is sent at the end in any case; it must not be what keeps the process alive.
    Deno.unrefTimer(this.#timer);
  }

  /** Closes the open batch and sends it as soon as the wire has room. */
  #handOver(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#openCount === 0) return;
    const { bytes } = this.#batcher;
    const batch: Batch<B> = {
      content: this.#batcher.take(),
      count: this.#openCount,
      bytes,
      settled: Promise.withResolvers<void>(),
    };
    this.#openCount = 0;
    this.#queuedBytes += bytes;
    this.#batches.push(batch);
    this.#unsettled.add(batch.settled.promise);
    this.#pump();
  }

  #pump(): void {
    while (this.#sendCount < SENDS_MAX && !this.#closed) {
      const batch = this.#batches.shift();
      if (batch === undefined) return;
      this.#queuedCount -= batch.count;
      this.#queuedBytes -= batch.bytes;
      this.#sendCount += 1;
      void this.#send(batch).then(() => {
        this.#sendCount -= 1;
        this.#settle(batch);
        this.#pump();
      });
    }
  }

  #settle(batch: Batch<B>): void {
    this.#unsettled.delete(batch.settled.promise);
    batch.settled.resolve();
  }

  /** Never rejects. */
  async #send({ content, count }: Batch<B>): Promise<void> {
    let acceptedCount = 0;
    let reason = "the exporter failed";
    try {
      const result = await this.#sender.send(content, count, this.#abort.signal);
      acceptedCount = Math.min(count, Math.max(0, result.acceptedCount));
      reason = result.reason ?? reason;
    } catch {
      // A sender that throws is a bug of ours; the request that made these items must still not feel it.
    }
    if (acceptedCount > 0) this.#counts.exported(acceptedCount);
    if (acceptedCount < count) this.#counts.dropped(count - acceptedCount, reason);
  }
}
