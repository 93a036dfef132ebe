/** A trace as text: the tree, what is left out of it, why it failed, terminals of any width. */
import assert from "node:assert/strict";
import type { TraceDetail } from "../../../runtime/cli/trace_body.ts";
import { viewTrace } from "../../../runtime/cli/trace_view.ts";
import { assertGolden } from "../../support/golden.ts";

const START = Date.UTC(2026, 0, 2, 3, 4, 5);

/** A call that trapped after its guest had said something, and a job that still runs. */
const TRACE: TraceDetail = {
  trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
  root: "http.request",
  route: "/functions/:id/invoke",
  method: "POST",
  http_status: 500,
  status: "error",
  error: true,
  complete: true,
  tenant: "7",
  function: "resize",
  start_unix_ms: START,
  duration_ms: 200,
  span_count: 4,
  log_count: 4,
  truncated: false,
  spans: [
    {
      span_id: "a1",
      parent_span_id: "of-the-caller",
      name: "http.request",
      start_unix_ms: START,
      duration_ms: 200,
      error: "HTTP 500",
      attributes: { method: "POST", uri: "/functions/resize/invoke", "http.response.status_code": 500 },
    },
    {
      span_id: "a2",
      parent_span_id: "a1",
      name: "http.invoke_function",
      start_unix_ms: START + 1,
      duration_ms: 198,
      error: "Guest trapped: an unreachable instruction was executed",
      attributes: { function_id: "f", tenant: "7", name: "resize" },
    },
    {
      span_id: "a3",
      parent_span_id: "a2",
      name: "invoke.run",
      start_unix_ms: START + 2,
      duration_ms: 20,
      attributes: { wasm_bytes_len: 142, queue_ms: 0.25, cold: true },
      events: [{ name: "half way", unix_ms: START + 12 }],
    },
    {
      span_id: "a4",
      parent_span_id: "a2",
      name: "async_invoke.job",
      start_unix_ms: START + 100,
      attributes: { job_id: "j" },
    },
  ],
  logs: [
    {
      unix_ms: START + 0.2,
      level: "info",
      target: "tensor_wasm_api",
      message: "request.received",
      span_id: "a1",
      fields: { uri: "/functions/resize/invoke" },
    },
    {
      unix_ms: START + 10,
      level: "warn",
      target: "guest",
      message: "guest.stderr",
      span_id: "a3",
      fields: { tenant: "7", function_id: "f", line: "too large" },
    },
    {
      unix_ms: START + 50,
      level: "error",
      target: "tensor_wasm_api",
      message: "request.failed",
      span_id: "a2",
      fields: { kind: "wasmtime", status: 500 },
    },
    {
      unix_ms: START + 199,
      level: "info",
      target: "tensor_wasm_api",
      message: "request.completed",
      span_id: "a1",
      fields: { status: 500 },
    },
  ],
};

Deno.test("viewTrace() shows spans as a tree, and each line under its span at its time", async () => {
  await assertGolden("cli/trace.txt", viewTrace(TRACE, { hasColour: false }));
});

Deno.test("viewTrace() in colour says the same", () => {
  const coloured = viewTrace(TRACE, { hasColour: true });
  assert.ok(coloured.includes("\x1b[31mhttp.request"));
  // deno-lint-ignore no-control-regex -- colours are what is taken away
  assert.equal(coloured.replace(/\x1b\[[0-9]+m/g, ""), viewTrace(TRACE, { hasColour: false }));
});

Deno.test("viewTrace() says that a trace runs, and that something is missing", () => {
  const text = viewTrace({ ...TRACE, complete: false, truncated: true }, { hasColour: false });
  assert.match(text.split("\n")[0] ?? "", / running /);
  assert.match(text, /missing/);
});

Deno.test("viewTrace() lets nothing of a caller or guest act on the terminal", () => {
  const hostile = "\x1b[2J\x07\u009b31m\u202e\r\nx";
  const [span] = TRACE.spans;
  const [line] = TRACE.logs;
  assert.ok(span !== undefined && line !== undefined);
  const text = viewTrace({
    ...TRACE,
    route: hostile,
    function: hostile,
    tenant: hostile,
    spans: [{ ...span, name: hostile, error: hostile, attributes: { [hostile]: hostile, list: [hostile] } }],
    logs: [{ ...line, message: hostile, fields: { line: hostile } }, {
      ...line,
      span_id: "?",
      fields: { a: hostile },
    }],
  }, { hasColour: false });
  // deno-lint-ignore no-control-regex -- these are what must not be there
  assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  assert.ok(text.includes("\\u001b[2J"));
});

const EXECUTOR = "tensor_wasm_exec::executor::";

/** The same, with names as long as the executor's. */
const DEEP: TraceDetail = {
  ...TRACE,
  spans: TRACE.spans.map((span) =>
    span.span_id === "a3" ? { ...span, name: `${EXECUTOR}spawn_instance` } : span
  ),
};

for (const columns of [80, 48]) {
  Deno.test(`viewTrace() fits a terminal of ${columns} columns`, async () => {
    const text = viewTrace(DEEP, { hasColour: false, columns });
    await assertGolden(`cli/trace_${columns}.txt`, text);
    // What cannot be folded: a word that is longer by itself.
    const long = text.split("\n").filter((line) => line.length > columns);
    for (const line of long) assert.ok(line.trim().replace(/^[│└─├ ]+/, "").split(" ").length === 1, line);
  });
}

Deno.test("viewTrace() says why a trace failed: by the line that tells of it, else by its last span", () => {
  const why = (trace: TraceDetail): string | undefined =>
    viewTrace(trace, { hasColour: false }).split("\n").find((line) => line.startsWith("why: "));
  const [line] = TRACE.logs;
  assert.ok(line !== undefined);
  const failed = (fields: Record<string, unknown>): TraceDetail => ({
    ...TRACE,
    logs: [line, { ...line, message: "request.failed", fields }],
  });
  assert.equal(
    why(failed({ kind: "invoke_timeout", stage: "run", error: "too late" })),
    "why: invoke_timeout at run: too late",
  );
  assert.equal(
    why(failed({ kind: "internal", error: { name: "Error", message: "a bug" } })),
    "why: internal: a bug",
  );
  assert.equal(why(TRACE), "why: Guest trapped: an unreachable instruction was executed");
  assert.equal(why({ ...TRACE, error: false }), undefined);
});

const [ROOT, CALL] = TRACE.spans;

/** A call of many launches: the fifth the longest, the last but one failed, the eleventh with a line. */
function withLaunches(count: number): TraceDetail {
  assert.ok(ROOT !== undefined && CALL !== undefined);
  const launches = Array.from({ length: count }, (_, index) => ({
    span_id: `l${index}`,
    parent_span_id: "a2",
    name: "wasi_cuda.launch",
    start_unix_ms: START + 10 + index,
    duration_ms: index === 4 ? 9 : 1 + index / 1000,
    ...(index === count - 2 ? { error: "CUDA_ERROR_ASSERT" } : {}),
    attributes: { kernel: `k${index}` },
  }));
  const [line] = TRACE.logs;
  assert.ok(line !== undefined);
  const logs = [{
    ...line,
    span_id: "l10",
    unix_ms: START + 20.5,
    message: "guest.device",
    fields: { line: "hello" },
  }];
  return { ...TRACE, spans: [ROOT, CALL, ...launches], logs };
}

Deno.test("viewTrace() leaves out of many spans that are alike all but the first, the longest and what tells something", async () => {
  const text = viewTrace(withLaunches(64), { hasColour: false });
  await assertGolden("cli/trace_alike.txt", text);
  const whole = viewTrace(withLaunches(64), { hasColour: false, isWhole: true });
  assert.equal(whole.match(/kernel=/g)?.length, 64);
});

Deno.test("viewTrace() shows twelve spans that are alike, and leaves some of thirteen out", () => {
  // One of them failed and one has a line: those are not counted.
  assert.equal(viewTrace(withLaunches(14), { hasColour: false }).match(/kernel=/g)?.length, 14);
  assert.equal(viewTrace(withLaunches(15), { hasColour: false }).match(/kernel=/g)?.length, 8);
});
