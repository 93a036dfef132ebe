import assert from "node:assert/strict";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { Pipeline } from "../../../telemetry/export/pipeline.ts";
import { ListBatcher, type SendResult } from "../../../telemetry/export/sender.ts";
import { getSpanKindRow } from "../../../telemetry/trace/span_kind.ts";
import { SpanRecord } from "../../../telemetry/trace/span_record.ts";

const IDS = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 };

function aSpan(): SpanRecord {
  const owner = { resource: resourceFromAttributes({}), nowMs: () => 0, finish: (): void => {} };
  const span = new SpanRecord(owner, getSpanKindRow("wasi_cuda.sync"), IDS, undefined, 0, { instance: 1 });
  span.end(1);
  return span;
}

/** A pipeline before a sender whose batches are settled by hand. */
class TestPipeline {
  readonly pending: { readonly count: number; readonly settle: (result: SendResult) => void }[] = [];
  exported = 0;
  dropped = 0;
  readonly reasons: string[] = [];
  closed = false;
  readonly pipeline: Pipeline<SpanRecord, readonly SpanRecord[]>;

  constructor(queueCountMax: number, batchCountMax: number) {
    const sender = {
      send: (spans: readonly SpanRecord[], _count: number, signal: AbortSignal): Promise<SendResult> => {
        const { promise, resolve } = Promise.withResolvers<SendResult>();
        signal.addEventListener("abort", () => resolve({ acceptedCount: 0, reason: "aborted" }));
        this.pending.push({ count: spans.length, settle: resolve });
        return promise;
      },
      close: (): void => {
        this.closed = true;
      },
    };
    this.pipeline = new Pipeline(new ListBatcher<SpanRecord>(), sender, {
      queueCountMax,
      batchCountMax,
      delayMs: 60_000,
    }, {
      exported: (count) => {
        this.exported += count;
      },
      dropped: (count, reason) => {
        this.dropped += count;
        this.reasons.push(reason);
      },
    });
  }

  add(count: number): void {
    for (let index = 0; index < count; index++) this.pipeline.add(aSpan());
  }

  /** Settles what is on the wire until nothing is left. */
  async settleAll(): Promise<void> {
    const flushed = this.pipeline.flush();
    let settled = 0;
    let isFlushed = false;
    void flushed.then(() => isFlushed = true);
    while (!isFlushed) {
      for (const { count, settle } of this.pending.slice(settled)) {
        settled += 1;
        settle({ acceptedCount: count });
      }
      await Promise.resolve();
    }
  }
}

/** Fills the wire: four batches, handed over one a turn. */
async function fillWire(test: TestPipeline, batchCountMax: number): Promise<void> {
  for (let batch = 0; batch < 4; batch++) {
    test.add(batchCountMax);
    await turn();
  }
  assert.equal(test.pending.length, 4);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("pipeline.add() keeps as many as the queue holds and drops the next one", async () => {
  const test = new TestPipeline(10, 5);
  await fillWire(test, 5);
  test.add(10);
  assert.equal(test.dropped, 0);
  test.add(1);
  assert.equal(test.dropped, 1);
  assert.deepEqual(test.reasons, ["the queue is full"]);
  await test.settleAll();
  assert.deepEqual([test.exported, test.dropped], [30, 1]);
  await test.pipeline.close();
});

Deno.test("pipeline.add() has room again once a batch is on the wire", async () => {
  const test = new TestPipeline(10, 5);
  await fillWire(test, 5);
  test.add(10);
  await turn();
  test.pending[0]?.settle({ acceptedCount: 5 });
  await turn();
  test.add(5);
  assert.equal(test.dropped, 0);
  test.add(1);
  assert.equal(test.dropped, 1);
  await test.pipeline.close();
  assert.equal(test.exported + test.dropped, 36);
});

Deno.test("pipeline: a burst within one turn is bounded by the queue alone", async () => {
  const test = new TestPipeline(1000, 5);
  test.add(1000);
  assert.equal(test.dropped, 0);
  await test.settleAll();
  assert.deepEqual([test.exported, test.dropped], [1000, 0]);
  await test.pipeline.close();
});

Deno.test("pipeline: a queue smaller than the batch still sends and counts", async () => {
  const test = new TestPipeline(3, 512);
  test.add(3);
  assert.equal(test.pending.length, 1);
  test.add(3);
  await test.settleAll();
  assert.equal(test.exported, 6);
  await test.pipeline.close();
});

Deno.test("pipeline counts the part of a batch that was not accepted", async () => {
  const test = new TestPipeline(100, 10);
  test.add(10);
  test.pending[0]?.settle({ acceptedCount: 7, reason: "the collector rejected a part of a batch" });
  await test.pipeline.flush();
  assert.deepEqual([test.exported, test.dropped], [7, 3]);
  await test.pipeline.close();
});

Deno.test("pipeline does not believe a sender that accepts more than it got", async () => {
  const test = new TestPipeline(100, 10);
  test.add(10);
  test.pending[0]?.settle({ acceptedCount: 11 });
  await test.pipeline.flush();
  assert.deepEqual([test.exported, test.dropped], [10, 0]);
  await test.pipeline.close();
});

Deno.test("pipeline.flush() sends a batch that is not full", async () => {
  const test = new TestPipeline(100, 10);
  test.add(3);
  assert.equal(test.pending.length, 0);
  await test.settleAll();
  assert.equal(test.exported, 3);
  await test.pipeline.close();
});

Deno.test("pipeline.flush() waits for what was there, not for what comes later", async () => {
  const test = new TestPipeline(100, 10);
  test.add(10);
  const flushed = test.pipeline.flush();
  await Promise.resolve();
  test.add(10);
  test.pending[0]?.settle({ acceptedCount: 10 });
  await flushed;
  assert.equal(test.exported, 10);
  await test.pipeline.close();
});

Deno.test("pipeline.close() counts every span once: on the wire, waiting, and late", async () => {
  const test = new TestPipeline(1000, 10);
  test.add(65);
  await test.pipeline.close();
  test.add(1);
  assert.equal(test.dropped, 66);
  assert.equal(test.exported, 0);
  assert.equal(test.closed, true);
});
