import assert from "node:assert/strict";
import fc from "fast-check";
import { LineWriter, type LogFields, type LogLevel } from "../../../telemetry/log/log_line.ts";
import { Redactor } from "../../../telemetry/log/redactor.ts";
import type { SpanIds } from "../../../telemetry/trace/ids.ts";

const IDS = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 };
const AT_MS = Date.UTC(2026, 10, 21, 4, 5, 6, 7);

interface Event {
  readonly atMs: number;
  readonly level: LogLevel;
  readonly target: string;
  readonly message: string;
  readonly ids: SpanIds | undefined;
  readonly fields: LogFields;
}

const EVENT: Event = {
  atMs: AT_MS,
  level: "info",
  target: "t",
  message: "request.received",
  ids: IDS,
  fields: {},
};

function jsonOf(event: Partial<Event>, writer = new LineWriter("svc")): string {
  const { atMs, level, target, message, ids, fields } = { ...EVENT, ...event };
  return writer.toJson(atMs, writer.head(level, target, message), ids, new Redactor().redact(fields).json);
}

Deno.test("LineWriter.toJson() writes the fields of the contract in their order", () => {
  assert.equal(
    jsonOf({ fields: { method: "GET", status: 200 } }),
    `{"timestamp":"2026-11-21T04:05:06.007Z","level":"info","target":"t","message":"request.received",` +
      `"service":"svc","trace_id":"${IDS.traceId}","span_id":"${IDS.spanId}","trace_flags":"01",` +
      `"method":"GET","status":200}`,
  );
});

Deno.test("LineWriter.toJson() leaves ids out where there are none, and says when a trace is not sampled", () => {
  assert.equal(jsonOf({ ids: undefined }).includes("trace"), false);
  assert.match(jsonOf({ ids: { ...IDS, traceFlags: 0 } }), /"trace_flags":"00"/);
});

Deno.test("LineWriter.toJson() writes milliseconds right over the change of a second", () => {
  const writer = new LineWriter("svc");
  const times = [0, 0.999, 7, 99, 100, 992.9, 993, 993.5, 1992.999].map((plus) =>
    JSON.parse(jsonOf({ atMs: AT_MS + plus }, writer)).timestamp.slice(17)
  );
  assert.deepEqual(times, [
    "06.007Z",
    "06.007Z",
    "06.014Z",
    "06.106Z",
    "06.107Z",
    "06.999Z",
    "07.000Z",
    "07.000Z",
    "07.999Z",
  ]);
});

Deno.test("LineWriter.toJson() makes one parseable line of any fields", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.dictionary(
        fc.string({ unit: "binary" }),
        fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true }),
      ),
      (message, fields) => {
        const line = jsonOf({ message, fields });

        // deno-lint-ignore no-control-regex
        assert.equal(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(line), false);
        const parsed = JSON.parse(line);
        assert.equal(parsed.message, message);
        assert.equal(parsed.trace_id, IDS.traceId);
      },
    ),
    { numRuns: 150 },
  );
});

Deno.test("LineWriter.toJson() cannot be made to forge the line's own fields", () => {
  const forged = { trace_id: "x", level: "error", message: "x", timestamp: "x", service: "x", target: "x" };
  const parsed = JSON.parse(jsonOf({ fields: forged }));
  assert.equal(parsed.trace_id, IDS.traceId);
  assert.equal(parsed.level, "info");
  assert.equal(parsed["field.trace_id"], "x");
  assert.equal(jsonOf({ fields: forged }).match(/"trace_id":/g)?.length, 1);
});

Deno.test("LineWriter.toJson() cannot be made to tear a line", () => {
  const line = jsonOf({ message: 'a\r\n{"level":"error"}', fields: { x: "b\n\u2028\u0085c\u001b[31m" } });
  assert.equal(line.split(/[\r\n\u2028\u0085]/).length, 1);
});

Deno.test("LineWriter.toPretty() is for people", () => {
  const writer = new LineWriter("svc");
  const fields = new Redactor().redact({ method: "GET", n: 1, token: "hush" }).plain;
  const event = { ...EVENT, level: "warn", message: "a\nb", fields } as const;
  assert.equal(
    writer.toPretty(event),
    `04:05:06.007 WARN  t a\\nb method="GET" n=1 trace_id=${IDS.traceId}`,
  );
});

const times = fc.oneof(
  fc.integer({ min: 0, max: 8_000_000_000_000 }),
  fc.double({ min: 0, max: 8_000_000_000_000, noNaN: true }),
  fc.constantFrom(AT_MS, AT_MS + 0.5, AT_MS + 1, AT_MS + 992, AT_MS + 993),
);
const ids = fc.constantFrom<SpanIds | undefined>(
  undefined,
  IDS,
  { ...IDS },
  { ...IDS, traceFlags: 0 },
  { ...IDS, spanId: "c".repeat(16) },
  { ...IDS, traceId: "d".repeat(32) },
);

Deno.test("LineWriter.toJson() of one event does not depend on those before it", () => {
  const writer = new LineWriter("svc");
  fc.assert(
    fc.property(fc.array(fc.tuple(times, ids), { minLength: 1, maxLength: 20 }), (events) => {
      for (const [atMs, ids] of events) {
        const own = { timestamp: new Date(Math.floor(atMs)).toISOString(), level: "info", target: "t" };
        const rest = { message: EVENT.message, service: "svc" };
        const flags = ids?.traceFlags === 1 ? "01" : "00";
        const known = ids && { trace_id: ids.traceId, span_id: ids.spanId, trace_flags: flags };
        assert.equal(jsonOf({ atMs, ids }, writer), JSON.stringify({ ...own, ...rest, ...known }));
      }
    }),
  );
});
