import assert from "node:assert/strict";
import fc from "fast-check";
import { LocalTrace } from "../../../telemetry/local_trace.ts";
import type { PieceContent } from "../../../telemetry/trace_store/piece_writer.ts";
import {
  type EvictionReason,
  type RingBounds,
  TraceRing,
} from "../../../telemetry/trace_store/trace_ring.ts";

const WIDE: RingBounds = { bytesMax: 1e9, tracesMax: 1e6, ageMsMax: 1e9, bytesPerTraceMax: 1e9 };

function aRing(bounds: Partial<RingBounds> = {}): { ring: TraceRing; evicted: [number, EvictionReason][] } {
  const evicted: [number, EvictionReason][] = [];
  const ring = new TraceRing({ ...WIDE, ...bounds }, {
    evicted: (count, reason) => evicted.push([count, reason]),
    sealed: () => {},
  });
  return { ring, evicted };
}

function idOf(number: number): string {
  return number.toString(16).padStart(32, "0");
}

/** A piece of a trace with one line of some length. */
function aPiece(number: number, textLength = 10, tenant = "1"): PieceContent {
  const local = new LocalTrace(idOf(number), 1);
  local.tenant = tenant;
  const fields = { line: "x".repeat(textLength) };
  return {
    local,
    spans: [],
    lines: [{
      atMs: number,
      level: "info",
      target: "guest",
      message: "guest.stdout",
      ids: undefined,
      fields,
    }],
    droppedCount: 0,
  };
}

Deno.test("TraceRing keeps its bounds after every piece, and lets go of the oldest first", () => {
  fc.assert(fc.property(
    fc.integer({ min: 500, max: 20_000 }),
    fc.integer({ min: 1, max: 60 }),
    fc.array(fc.record({ trace: fc.nat(80), textLength: fc.nat(600) }), { maxLength: 300 }),
    (bytesMax, tracesMax, pieces) => {
      const { ring, evicted } = aRing({ bytesMax, tracesMax });
      for (const [index, { trace, textLength }] of pieces.entries()) {
        ring.append(aPiece(trace + 1, textLength), index);
        assert.ok(ring.byteCount <= bytesMax, `${ring.byteCount} of ${bytesMax} bytes`);
        assert.ok(ring.traceCount <= tracesMax, `${ring.traceCount} of ${tracesMax} traces`);
      }
      // What is left is the newest part of what came, whole, and found by its id.
      const gone = evicted.reduce((sum, [count]) => sum + count, 0);
      for (let number = 1; number < ring.next; number++) {
        const summary = ring.summary(number);
        assert.equal(summary !== undefined, number > gone, `piece ${number}, ${gone} are gone`);
        if (summary === undefined) continue;
        assert.equal(summary.traceId, idOf((pieces[number - 1]?.trace ?? 0) + 1));
        assert.ok(ring.numbersOf(summary.traceId).includes(number));
        assert.equal(ring.piece(number)?.lines.length, 1);
      }
      const kept = new Set(pieces.slice(gone).map(({ trace }) => idOf(trace + 1)));
      assert.equal(ring.traceCount, kept.size);
      for (const id of kept) {
        assert.deepEqual(ring.numbersOf(id), [...ring.numbersOf(id)].sort((a, b) => a - b));
      }
    },
  ));
});

Deno.test("TraceRing.expire() lets go of what is too old, and of nothing else", () => {
  const { ring, evicted } = aRing({ ageMsMax: 1000, tracesMax: 32 });
  for (let number = 1; number <= 10; number++) ring.append(aPiece(number), number * 100);
  ring.expire(1200);
  assert.equal(ring.traceCount, 10);
  ring.expire(1650);
  assert.deepEqual([ring.traceCount, ring.summary(6), ring.summary(7)?.traceId], [4, undefined, idOf(7)]);
  assert.deepEqual(new Set(evicted.map(([, reason]) => reason)), new Set(["age"]));
  ring.expire(1e9);
  assert.deepEqual([ring.traceCount, ring.byteCount], [0, 0]);
});

Deno.test("TraceRing.append() refuses more of a trace than its share, for each tenant by itself", () => {
  const { ring } = aRing({ bytesPerTraceMax: 2000 });
  const taken = { "1": 0, "2": 0 };
  for (let count = 0; count < 100; count++) {
    if (ring.append(aPiece(1, 100, "1"), 1)) taken["1"] += 1;
  }
  for (let count = 0; count < 3; count++) {
    if (ring.append(aPiece(1, 100, "2"), 1)) taken["2"] += 1;
  }
  assert.ok(taken["1"] > 5 && taken["1"] < 20, `took ${taken["1"]}`);
  assert.equal(taken["2"], 3, "one tenant's share is not another's");
  assert.ok(ring.append(aPiece(2, 100), 1), "nor one trace's another's");
});

Deno.test("TraceRing.append() takes more of a trace again once its old pieces have left", () => {
  const { ring } = aRing({ bytesPerTraceMax: 1000, bytesMax: 20_000 });
  while (ring.append(aPiece(1, 100), 1));
  for (let number = 2; number < 200; number++) ring.append(aPiece(number, 100), 1);
  assert.deepEqual(ring.numbersOf(idOf(1)), []);
  assert.ok(ring.append(aPiece(1, 100), 1));
});

Deno.test("TraceRing.since() gives the bytes of the pieces from a number on", () => {
  const { ring } = aRing({ tracesMax: 64 });
  for (let number = 1; number <= 10; number++) ring.append(aPiece(number), 1);
  const { ring: other } = aRing();
  for (const bytes of ring.since(4)) other.restore(bytes, ring.texts, 1);
  assert.equal(other.traceCount, 7);
  assert.deepEqual([other.numbersOf(idOf(3)), other.numbersOf(idOf(4)), other.numbersOf(idOf(10))], [
    [],
    [1],
    [
      7,
    ],
  ]);
  assert.deepEqual(other.piece(7)?.lines[0]?.fields, ring.piece(10)?.lines[0]?.fields);
  assert.deepEqual(ring.since(11), []);
});
