import assert from "node:assert/strict";
import fc from "fast-check";
import { LocalTrace } from "../../../telemetry/trace/local_trace.ts";
import { PieceFormatError, PieceReader } from "../../../telemetry/trace_store/piece_reader.ts";
import { PieceWriter } from "../../../telemetry/trace_store/piece_writer.ts";
import { getSpanKindRow } from "../../../telemetry/trace/span_kind.ts";
import { SpanRecord } from "../../../telemetry/trace/span_record.ts";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { AttributeValue, SpanIds } from "../../../telemetry/mod.ts";
import { LOG_LEVELS } from "../../../telemetry/log/log_line.ts";
import { UNKNOWN } from "../../../telemetry/names.ts";

const hex = (length: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length });
const value = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.constantFrom("0d9f8f34-7c1e-4b7a-9a52-0123456789ab", "a text that stands in it twice"),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true }),
  fc.boolean(),
  fc.array(fc.integer(), { maxLength: 4 }),
);
const micros = fc.integer({ min: 0, max: 5_000_000 }).map((count) => 1_700_000_000_000 + count / 1000);
const aSpan = fc.record({
  spanId: hex(16),
  parentSpanId: fc.option(hex(16), { nil: undefined }),
  isRemote: fc.boolean(),
  startMs: micros,
  tookUs: fc.integer({ min: 0, max: 1_000_000_000 }),
  failure: fc.option(fc.string({ maxLength: 30 }), { nil: undefined }),
  // A name of its own table entry, or any text at all.
  attributes: fc.dictionary(
    fc.oneof(fc.constantFrom("outcome", "fuel"), fc.string({ maxLength: 20 })),
    value,
  ),
  events: fc.array(fc.record({ name: fc.string(), atMs: micros }), { maxLength: 3 }),
});
const aLine = fc.record({
  atMs: micros,
  level: fc.constantFrom(...LOG_LEVELS),
  message: fc.string({ maxLength: 200 }),
  spanId: hex(16),
  fields: fc.dictionary(fc.string({ maxLength: 20 }), fc.oneof(value, fc.constant(null))),
});

function toRecord(
  given: typeof aSpan extends fc.Arbitrary<infer T> ? T : never,
  local: LocalTrace,
): SpanRecord {
  const owner = { resource: resourceFromAttributes({}), nowMs: () => 0, finish: (): void => {} };
  const ids: SpanIds = { traceId: local.traceId, spanId: given.spanId, traceFlags: 1, local };
  const parent = given.parentSpanId === undefined
    ? undefined
    : { traceId: local.traceId, spanId: given.parentSpanId, traceFlags: 1, isRemote: given.isRemote };
  const row = getSpanKindRow("invoke.run");
  const attributes = given.attributes as Record<string, AttributeValue>;
  const span = new SpanRecord(owner, row, ids, parent, given.startMs, attributes);
  for (const { name, atMs } of given.events) span.addEvent(name, { n: 1 }, atMs);
  if (given.failure !== undefined) span.fail(given.failure);
  span.end(given.startMs + given.tookUs / 1000);
  return span;
}

const near = (a: number, b: number): boolean => Math.abs(a - b) <= 0.002;

Deno.test("PieceReader reads what PieceWriter wrote, piece after piece", () => {
  fc.assert(fc.property(
    fc.array(
      fc.record({ spans: fc.array(aSpan, { maxLength: 5 }), lines: fc.array(aLine, { maxLength: 5 }) }),
      {
        minLength: 1,
        maxLength: 4,
      },
    ),
    (pieces) => {
      const writer = new PieceWriter();
      const local = new LocalTrace("ab".repeat(16), 1);
      local.tenant = "7";
      for (const { spans, lines } of pieces) {
        writer.write({
          local,
          spans: spans.map((span) => toRecord(span, local)),
          lines: lines.map((line) => ({
            ...line,
            target: "test",
            ids: { traceId: local.traceId, spanId: line.spanId, traceFlags: 1 },
            fields: line.fields as Record<string, string>,
          })),
          droppedCount: 3,
        });
      }
      const reader = new PieceReader(writer.take(), writer.strings.texts);
      for (const { spans, lines } of pieces) {
        const read = reader.piece();
        assert.deepEqual([read.summary.traceId, read.summary.tenant], [local.traceId, "7"]);
        assert.deepEqual([read.summary.spanCount, read.summary.lineCount, read.summary.droppedCount], [
          spans.length,
          lines.length,
          3,
        ]);
        assert.equal(read.spans.length, spans.length);
        for (const [index, span] of read.spans.entries()) {
          const given = spans[index];
          assert.ok(given !== undefined);
          assert.equal(span.spanId, given.spanId);
          assert.equal(span.parentSpanId, given.parentSpanId);
          assert.equal(span.isParentRemote, given.parentSpanId !== undefined && given.isRemote);
          assert.deepEqual([span.name, span.scope, span.kind], ["invoke.run", "tensor-wasm-api", "internal"]);
          assert.ok(near(span.startMs, given.startMs) && near(span.durationMs ?? -1, given.tookUs / 1000));
          assert.equal(span.failure, given.failure);
          const { target: _, ...attributes } = given.attributes;
          const required = { tenant: UNKNOWN, function_id: UNKNOWN, wasm_bytes_len: UNKNOWN };
          assert.deepEqual({ ...span.attributes }, { ...required, ...attributes });
          assert.deepEqual(span.events.map(({ name }) => name), given.events.map(({ name }) => name));
        }
        for (const [index, line] of read.lines.entries()) {
          const given = lines[index];
          assert.deepEqual([line.level, line.message, line.spanId, line.target], [
            given?.level,
            given?.message,
            given?.spanId,
            "test",
          ]);
          assert.deepEqual({ ...line.fields }, { ...given?.fields });
        }
      }
      assert.ok(reader.isAtEnd);
    },
  ));
});

Deno.test("PieceReader ends with a piece or a PieceFormatError whatever the bytes are", () => {
  const writer = new PieceWriter();
  const local = new LocalTrace("ab".repeat(16), 1);
  writer.write({
    local,
    spans: [toRecord(
      {
        spanId: "1".repeat(16),
        parentSpanId: undefined,
        isRemote: false,
        startMs: 1,
        tookUs: 2,
        failure: "x",
        attributes: { a: "a text that stands here", b: 1.5, c: [1] },
        events: [{ name: "e", atMs: 1 }],
      },
      local,
    )],
    lines: [],
    droppedCount: 0,
  });
  const bytes = writer.take();
  const read = (damaged: Uint8Array): void => {
    try {
      new PieceReader(damaged, writer.strings.texts).piece();
    } catch (error) {
      assert.ok(error instanceof PieceFormatError, String(error));
    }
  };
  for (let length = 0; length < bytes.length; length++) read(bytes.subarray(0, length));
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
      const damaged = bytes.slice();
      damaged[at] = byte;
      read(damaged);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("PieceWriter cuts texts that are very long, and still reads back", () => {
  const writer = new PieceWriter();
  const local = new LocalTrace("ab".repeat(16), 1);
  const long = "x".repeat(10_000);
  const fields = { line: long, again: long };
  writer.write({
    local,
    spans: [],
    lines: [{ atMs: 1, level: "info", target: "guest", message: "guest.stdout", ids: undefined, fields }],
    droppedCount: 0,
  });
  const [line] = new PieceReader(writer.take(), writer.strings.texts).piece().lines;
  assert.deepEqual({ ...line?.fields }, { line: "x".repeat(4096) + "…", again: "x".repeat(4096) + "…" });
});
