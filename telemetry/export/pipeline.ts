/**
 * Pipeline: ended spans on their way to a sender.
 *
 * Owns the bounded queue and the exact count of what left and what was lost; batching by size and time is the
 * SDK's BatchSpanProcessor. It sends nothing itself. Invariant: whoever ends a span never waits and never
 * fails, and every span that was handed over is, by the time the pipeline is closed, counted exactly once:
 * exported or dropped.
 */
import { ExportResultCode } from "@opentelemetry/core";
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter } from "@opentelemetry/sdk-trace-base";
import type { SpanRecord } from "../span_record.ts";
import type { SpanSender } from "./sender.ts";

/** Batches that are on the wire at once. With one, a slow round trip would bound the rate. */
const SENDS_MAX = 4;
const EXPORT_TIMEOUT_MS = 30_000;

/** Sizes and times of the queue. */
export interface BatchConfig {
  /** Most spans that wait. One more is dropped. */
  readonly queueCountMax: number;
  /** Most spans of one export. */
  readonly batchCountMax: number;
  /** How long a span waits for others before it is sent. */
  readonly delayMs: number;
}

/** Who is told what became of spans. */
export interface PipelineCounts {
  exported(count: number): void;
  dropped(count: number, reason: string): void;
}

interface Batch {
  readonly spans: readonly SpanRecord[];
  readonly settled: PromiseWithResolvers<void>;
}

/** A queue of spans before a sender. */
export class SpanPipeline {
  readonly #sender: SpanSender;
  readonly #counts: PipelineCounts;
  readonly #queueCountMax: number;
  readonly #processor: BatchSpanProcessor;
  readonly #batches: Batch[] = [];
  readonly #unsettled = new Set<Promise<void>>();
  readonly #abort = new AbortController();
  #queuedCount = 0;
  #sendCount = 0;
  #closed = false;

  constructor(sender: SpanSender, config: BatchConfig, counts: PipelineCounts) {
    this.#sender = sender;
    this.#counts = counts;
    this.#queueCountMax = config.queueCountMax;
    this.#processor = new BatchSpanProcessor(this.#makeExporter(), {
      maxQueueSize: config.queueCountMax,
      maxExportBatchSize: Math.min(config.batchCountMax, config.queueCountMax),
      scheduledDelayMillis: config.delayMs,
      // Never reached, since every batch is taken at once; what is not given here, the SDK reads from the
      // environment.
      exportTimeoutMillis: EXPORT_TIMEOUT_MS,
    });
  }

  /** Takes an ended span, or drops and counts it. */
  readonly add = (span: SpanRecord): void => {
    if (this.#closed) return this.#counts.dropped(1, "telemetry is closed");
    if (this.#queuedCount >= this.#queueCountMax) return this.#counts.dropped(1, "the queue is full");
    this.#queuedCount += 1;
    this.#processor.onEnd(span);
  };

  /** Sends what waits; settles once the sender has settled all that was there, however long that takes. */
  async flush(): Promise<void> {
    // The processor hands its batches over before it returns, so later ones are not waited for.
    const handedOver = this.#processor.forceFlush();
    const settled = Promise.all(this.#unsettled);
    await handedOver;
    await settled;
  }

  /** Drops and counts what is left, and gives up what is on the wire. */
  async close(): Promise<void> {
    await this.#processor.shutdown();
    this.#closed = true;
    for (const batch of this.#batches.splice(0)) {
      this.#counts.dropped(batch.spans.length, "telemetry was closed first");
      this.#settle(batch);
    }
    this.#abort.abort();
    await Promise.all(this.#unsettled);
    this.#sender.close();
  }

  /**
   * What the SDK sees as the exporter. It takes every batch at once: the processor lets one export run at a
   * time and drops in silence, so both the number of exports and the bound are kept here.
   */
  #makeExporter(): SpanExporter {
    return {
      export: (spans: ReadableSpan[], done): void => {
        const batch = { spans: spans as SpanRecord[], settled: Promise.withResolvers<void>() };
        this.#batches.push(batch);
        this.#unsettled.add(batch.settled.promise);
        this.#pump();
        done({ code: ExportResultCode.SUCCESS });
      },
      shutdown: () => Promise.resolve(),
    };
  }

  #pump(): void {
    while (this.#sendCount < SENDS_MAX && !this.#closed) {
      const batch = this.#batches.shift();
      if (batch === undefined) return;
      this.#queuedCount -= batch.spans.length;
      this.#sendCount += 1;
      void this.#send(batch.spans).then(() => {
        this.#sendCount -= 1;
        this.#settle(batch);
        this.#pump();
      });
    }
  }

  #settle(batch: Batch): void {
    this.#unsettled.delete(batch.settled.promise);
    batch.settled.resolve();
  }

  /** Never rejects. */
  async #send(spans: readonly SpanRecord[]): Promise<void> {
    let acceptedCount = 0;
    let reason = "the exporter failed";
    try {
      const result = await this.#sender.send(spans, this.#abort.signal);
      acceptedCount = Math.min(spans.length, Math.max(0, result.acceptedCount));
      reason = result.reason ?? reason;
    } catch {
      // A sender that throws is a bug of ours; the request that made these spans must still not feel it.
    }
    if (acceptedCount > 0) this.#counts.exported(acceptedCount);
    if (acceptedCount < spans.length) this.#counts.dropped(spans.length - acceptedCount, reason);
  }
}
