import assert from "node:assert/strict";
import fc from "fast-check";
import { LineWriter, type LogEvent } from "../../telemetry/log_line.ts";

const IDS = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 };
const AT_MS = Date.UTC(2026, 10, 21, 4, 5, 6, 7);

function anEvent(event: Partial<LogEvent> = {}): LogEvent {
  return {
    atMs: AT_MS,
    level: "info",
    target: "t",
    message: "request.received",
    ids: IDS,
    fields: {},
    ...event,
  };
}

function jsonOf(event: Partial<LogEvent>): string {
  return new LineWriter("svc").toJson(anEvent(event));
}

function fieldsOf(fields: LogEvent["fields"]): Record<string, unknown> {
  const { timestamp: _a, level: _b, target: _c, message: _d, service: _e, ...rest } = JSON.parse(
    jsonOf({ fields, ids: undefined }),
  );
  return rest;
}

/** An object that `value` is `depth` levels inside of. */
function nest(value: unknown, depth: number): Record<string, unknown> {
  return depth === 0 ? { inner: value } : { inner: nest(value, depth - 1) };
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

for (const depth of [0, 1, 5]) {
  Deno.test(`LineWriter.toJson() drops secrets ${depth} levels deep`, () => {
    const line = jsonOf({ fields: nest({ token: "hush", ok: 1, list: [{ api_key: "hush", n: 2 }] }, depth) });
    assert.equal(line.includes("hush"), false);
    assert.equal(line.includes('"ok":1'), true);
    assert.equal(line.includes('"n":2'), true);
  });
}

Deno.test("LineWriter.toJson() drops secrets in errors and their causes", () => {
  const cause = Object.assign(new Error("inner"), { password: "hush" });
  const error = Object.assign(new TypeError("outer", { cause }), { token: "hush", code: "E1" });
  const fields = fieldsOf({ error });
  assert.equal(JSON.stringify(fields).includes("hush"), false);
  const { name, message, code, cause: inner } = fields["error"] as Record<string, unknown>;
  assert.deepEqual([name, message, code], ["TypeError", "outer", "E1"]);
  assert.equal((inner as Record<string, unknown>)["message"], "inner");
});

Deno.test("LineWriter.toJson() writes values that JSON has no word for", () => {
  const fields = fieldsOf({
    big: 2n ** 70n,
    nan: NaN,
    infinite: -Infinity,
    nothing: null,
    absent: undefined,
    call: () => 1,
    symbol: Symbol("s"),
    date: new Date(0),
    bad_date: new Date(NaN),
    bytes: new Uint8Array(5),
    set: new Set([1, "a"]),
    map: new Map([["k", "value is not shown"]]),
    list: [undefined, 1],
  });
  assert.deepEqual(fields, {
    big: "1180591620717411303424",
    nan: "NaN",
    infinite: "-Infinity",
    nothing: null,
    date: "1970-01-01T00:00:00.000Z",
    bad_date: "invalid",
    bytes: "[5 bytes]",
    set: [1, "a"],
    map: ["k"],
    list: [null, 1],
  });
});

Deno.test("LineWriter.toJson() survives cycles, and shows a value twice that is no cycle", () => {
  const cycle: Record<string, unknown> = { n: 1 };
  cycle["self"] = cycle;
  const shared = { n: 2 };
  assert.deepEqual(fieldsOf({ cycle, a: [shared, shared] }), {
    cycle: { n: 1, self: "[circular]" },
    a: [{ n: 2 }, { n: 2 }],
  });
});

Deno.test("LineWriter.toJson() survives getters and proxies that throw", () => {
  const hostile = {
    get bad(): string {
      throw new Error("no");
    },
    good: 1,
  };
  const proxy = new Proxy({}, {
    ownKeys(): string[] {
      throw new Error("no");
    },
  });
  assert.deepEqual(fieldsOf({ hostile, proxy }), {
    hostile: { bad: "[unreadable]", good: 1 },
    proxy: "[unreadable]",
  });
});

Deno.test("LineWriter.toJson() bounds depth, lists and texts", () => {
  const fields = fieldsOf({
    deep: nest(1, 20),
    list: Array.from({ length: 101 }, () => 1),
    long: "x".repeat(16_385),
  });
  assert.ok(JSON.stringify(fields["deep"]).includes("[too deep]"));
  assert.equal((fields["list"] as unknown[]).length, 101);
  assert.equal((fields["list"] as unknown[]).at(-1), "… (1 more)");
  assert.equal(fields["long"], `${"x".repeat(16_384)}… (1 more)`);
});

Deno.test("LineWriter.toPretty() is for people", () => {
  const writer = new LineWriter("svc");
  const event = anEvent({ level: "warn", message: "a\nb", fields: { method: "GET", n: 1, token: "hush" } });
  assert.equal(
    writer.toPretty(event),
    `04:05:06.007 WARN  t a\\nb method="GET" n=1 trace_id=${IDS.traceId}`,
  );
});
