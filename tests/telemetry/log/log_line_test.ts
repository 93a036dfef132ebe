import assert from "node:assert/strict";
import fc from "fast-check";
import { LineWriter, type LogEvent } from "../../../telemetry/log/log_line.ts";
import type { LoggedEvent } from "../../../telemetry/log/log_tap.ts";
import { Redactor } from "../../../telemetry/log/plain_value.ts";

const IDS = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 };
const AT_MS = Date.UTC(2026, 10, 21, 4, 5, 6, 7);

function anEvent({ fields = {}, ...event }: Partial<LogEvent> = {}): LoggedEvent {
  return {
    atMs: AT_MS,
    level: "info",
    target: "t",
    message: "request.received",
    ids: IDS,
    ...event,
    fields: new Redactor().fields(fields),
  };
}

function jsonOf(event: Partial<LogEvent>): string {
  return new LineWriter("svc").toJson(anEvent(event));
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
    JSON.parse(writer.toJson(anEvent({ atMs: AT_MS + plus }))).timestamp.slice(17)
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
  const event = anEvent({ level: "warn", message: "a\nb", fields: { method: "GET", n: 1, token: "hush" } });
  assert.equal(
    writer.toPretty(event),
    `04:05:06.007 WARN  t a\\nb method="GET" n=1 trace_id=${IDS.traceId}`,
  );
});
