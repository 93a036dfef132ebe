import assert from "node:assert/strict";
import fc from "fast-check";
import { LocalTrace } from "../../../telemetry/trace/local_trace.ts";
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

/** Some pieces of five tenants, which share trace ids at times, between floods of one. */
const PIECES = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ tenant: fc.integer({ min: 1, max: 5 }), times: fc.constant(1) }) },
    { weight: 1, arbitrary: fc.record({ tenant: fc.constant(0), times: fc.integer({ min: 10, max: 100 }) }) },
  ).chain(({ tenant, times }) =>
    fc.record({
      tenant: fc.constant(tenant),
      times: fc.constant(times),
      trace: fc.nat(120),
      textLength: fc.nat(300),
    })
  ),
  { maxLength: 60 },
);

Deno.test("TraceRing: no tenant loses a piece as long as it has no more than its equal part", () => {
  fc.assert(fc.property(
    fc.integer({ min: 4_000, max: 40_000 }),
    fc.integer({ min: 16, max: 400 }),
    PIECES,
    (bytesMax, tracesMax, wanted) => {
      const { ring, evicted } = aRing({ bytesMax, tracesMax });
      const came: { tenant: string; trace: number; bytes: number }[] = [];
      for (const { tenant, trace, textLength, times } of wanted) {
        for (let count = 0; count < times; count++) {
          const id = (trace + count) % 121 + 1;
          ring.append(aPiece(id, textLength, String(tenant)), 1);
          came.push({ tenant: String(tenant), trace: id, bytes: bytesOfLast(ring) ?? textLength });
          assert.ok(ring.byteCount <= bytesMax && ring.traceCount <= tracesMax);
        }
      }
      const kept = numbersOf(ring);
      assert.equal(kept.length + evicted.reduce((sum, [count]) => sum + count, 0), came.length);
      assert.equal(ring.since(1).reduce((sum, { length }) => sum + length, 0), ring.byteCount);
      const tenants = new Set(came.map(({ tenant }) => tenant));
      for (const tenant of tenants) {
        const own = came.flatMap((piece, index) =>
          piece.tenant === tenant ? [{ ...piece, number: index + 1 }] : []
        );
        const left = kept.filter((number) => came[number - 1]?.tenant === tenant);
        // What is left of a tenant is the newest of what came of it, whole, and found by its id.
        assert.deepEqual(left, own.slice(own.length - left.length).map(({ number }) => number));
        for (const number of left) {
          const id = idOf(came[number - 1]?.trace ?? 0);
          assert.deepEqual([ring.summary(number)?.traceId, ring.summary(number)?.tenant], [id, tenant]);
          assert.ok(ring.numbersOf(id).includes(number));
          assert.equal(ring.piece(number)?.lines.length, 1);
        }
        // One block in sixteen is made free at a time; the bound on traces may count two pieces as one trace.
        const part = 15 / 16 / tenants.size;
        const bytes = own.reduce((sum, piece) => sum + piece.bytes, 0);
        const isSmall = bytes <= bytesMax * part && own.length <= Math.floor(tracesMax * part) - 1;
        if (isSmall) {
          assert.equal(left.length, own.length, `tenant ${tenant} had ${bytes} of ${bytesMax} bytes`);
        }
      }
      for (let trace = 1; trace <= 121; trace++) {
        const known = kept.filter((number) => came[number - 1]?.trace === trace);
        assert.deepEqual(ring.numbersOf(idOf(trace)), known);
      }
    },
  ));
});

Deno.test("TraceRing: a flood of one tenant pushes out its own pieces, also where they are newer", () => {
  const { ring, evicted } = aRing({ bytesMax: 200_000 });
  for (let number = 1; number <= 50; number++) ring.append(aPiece(number, 100, String(number % 10)), 1);
  for (let number = 51; number < 10_000; number++) ring.append(aPiece(number, 100, "flood"), 1);
  for (let number = 1; number <= 50; number++) {
    assert.equal(ring.piece(ring.numbersOf(idOf(number))[0] ?? 0)?.summary.tenant, String(number % 10));
  }
  assert.ok(ring.byteCount > 150_000, "and what room there is, it may have");
  assert.ok(evicted.length < 9_950 * 200 / 10_000, `made room ${evicted.length} times`);
});

Deno.test("TraceRing.expire() lets go of a quiet tenant's pieces too, though they share few blocks", () => {
  const { ring } = aRing({ ageMsMax: 1600, bytesMax: 20_000 });
  for (let number = 1; number <= 4000; number++) {
    const isQuiet = number % 100 === 0;
    ring.append(aPiece(number, 100, isQuiet ? "quiet" : "flood"), number);
    ring.expire(number);
    for (const kept of [101, 201, 301].map((age) => number - age).filter(() => isQuiet)) {
      if (kept > 0 && kept % 100 === 0) assert.equal(ring.numbersOf(idOf(kept)).length, 1);
    }
    // To a sixteenth of the age.
    const old = numbersOf(ring).find((piece) => number - piece > 1701);
    assert.equal(old, undefined, `piece ${old} at ${number}`);
  }
});

/** The numbers of all pieces, rising. */
function numbersOf(ring: TraceRing): number[] {
  const numbers: number[] = [];
  for (let number = ring.before(ring.next); number !== undefined; number = ring.before(number)) {
    numbers.unshift(number);
  }
  return numbers;
}

/** The bytes of the newest piece; undefined if it has left at once. */
function bytesOfLast(ring: TraceRing): number | undefined {
  return ring.since(ring.next - 1)[0]?.length;
}
