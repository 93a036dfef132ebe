/**
 * The chaos run's judge of traces: what it must not let pass.
 */
import assert from "node:assert/strict";
import type { DecodedSpan } from "../support/collector.ts";
import { type CallRecord, checkTrace } from "./trace_check.ts";

const EXEC = "tensor_wasm_exec::executor";
const RECORD: CallRecord = {
  traceId: "t",
  guest: "fib",
  answer: "200",
  isIdempotent: false,
  deadlineMs: 100,
};
const RETRIED: CallRecord = { ...RECORD, isIdempotent: true };

function span(
  spanId: string,
  parentSpanId: string,
  name: string,
  attributes: DecodedSpan["attributes"] = {},
  [startMs, endMs] = [0, 50],
): DecodedSpan {
  return {
    traceId: "t",
    spanId,
    parentSpanId,
    name,
    startNanos: BigInt(startMs) * 1_000_000n,
    endNanos: BigInt(endMs) * 1_000_000n,
    attributes,
    traceState: "",
    scope: "",
    kind: 1,
    events: [],
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    status: { code: 0, message: "" },
    flags: 1,
    resource: {},
  };
}

function attempt(id: string, outcome = "returned"): DecodedSpan[] {
  const usage = outcome === "lost" ? {} : { fuel: 1 };
  return [
    span(id, "run", `${EXEC}::spawn_instance`),
    span(`${id}-call`, id, `${EXEC}::call_export_with_args`, { export: "run", outcome, ...usage }),
    span(`${id}-end`, id, `${EXEC}::terminate`),
  ];
}

function trace(attempts: readonly DecodedSpan[], run: DecodedSpan["attributes"] = {}): DecodedSpan[] {
  return [
    ...attempts,
    span("run", "invoke", "invoke.run", run),
    span("invoke", "root", "http.invoke_function"),
    span("root", "", "http.request"),
  ];
}

function without(spanId: string): DecodedSpan[] {
  return trace(attempt("a")).filter((each) => each.spanId !== spanId);
}

Deno.test("whole traces pass: one attempt, two, none", () => {
  assert.equal(checkTrace(trace(attempt("a")), RECORD).attempts.length, 1);
  const two = trace([...attempt("a", "lost"), ...attempt("b")], { attempt: 2 });
  assert.equal(checkTrace(two, RETRIED).attempts.length, 2);
  const refused = { ...RECORD, answer: "503 capacity_exhausted" };
  assert.equal(checkTrace(trace([]), refused).attempts.length, 0);
  assert.equal(checkTrace(trace([]), { ...RECORD, answer: "504 invoke_timeout" }).attempts.length, 0);
});

for (
  const [what, spans, record, message] of [
    ["no terminate", without("a-end"), RECORD, /not one terminate/],
    ["no call", without("a-call"), RECORD, /0 calls/],
    ["an orphan", without("a"), RECORD, /orphan/],
    ["no root", without("root"), RECORD, /orphan/],
    ["no attempt for a result", trace([]), RECORD, /no attempt for 200/],
    ["a span twice", [...trace(attempt("a")), span("a", "run", "invoke.run")], RECORD, /twice/],
    ["two terminates", trace([...attempt("a"), span("x", "a", `${EXEC}::terminate`)]), RECORD, /terminate/],
    [
      "two attempts of a call that may run once",
      trace([...attempt("a", "lost"), ...attempt("b")], { attempt: 2 }),
      RECORD,
      /2 attempts/,
    ],
    [
      "a second attempt after a result",
      trace([...attempt("a"), ...attempt("b")], { attempt: 2 }),
      RETRIED,
      /second attempt after one that was returned/,
    ],
    [
      "a second attempt that is not said",
      trace([...attempt("a", "lost"), ...attempt("b")]),
      RETRIED,
      /attempt 2/,
    ],
    ["another outcome than the answer", trace(attempt("a", "trapped")), RECORD, /trapped for 200/],
    [
      "no second attempt though there was time",
      trace(attempt("a", "lost")),
      { ...RETRIED, answer: "502 cell_lost" },
      /50\.0 ms were left/,
    ],
    [
      "a child that ends after its parent",
      [...without("a-end"), span("a-end", "a", `${EXEC}::terminate`, {}, [0, 51])],
      RECORD,
      /ends 1000000 ns after/,
    ],
  ] as const
) {
  Deno.test(`what must not pass: ${what}`, () => {
    assert.throws(() => checkTrace(spans, record), { message });
  });
}
