import assert from "node:assert/strict";
import { METRICS, type SpanName, SPANS } from "../../telemetry/mod.ts";
import { assertGolden } from "../support/golden.ts";
import { TestTelemetry } from "../support/telemetry.ts";

const NAMES = Object.keys(SPANS) as SpanName[];

Deno.test("SPANS and METRICS are what they were: a change of this golden file is a breaking change", async () => {
  const spans = NAMES.toSorted().map((name) => {
    const { scope, kind, required, optional } = SPANS[name];
    return `${name} (${scope}, ${kind})\n  required ${required.join(" ")}\n  optional ${optional.join(" ")}`;
  });
  const metrics = Object.entries(METRICS).toSorted().map(([name, row]) => {
    const buckets = "buckets" in row ? ` [${row.buckets.join(" ")}]` : "";
    return `${name} ${row.type} {${row.labels.join(", ")}}${buckets}`;
  });
  await assertGolden("telemetry/names.txt", [...spans, "", ...metrics, ""].join("\n"));
});

Deno.test("SPANS: a span started without a required attribute does not compile", () => {
  // Never run: the compiler is the test.
  const attempt = ({ telemetry }: TestTelemetry): void => {
    // @ts-expect-error tenant is missing
    telemetry.tracer.startSpan("http.invoke_function", { function_id: "f" });
    // @ts-expect-error no span is called so
    telemetry.tracer.startSpan("http.invoke", {});
    const run = telemetry.tracer.startSpan("invoke.run", { tenant: "", function_id: "", wasm_bytes_len: 0 });
    // @ts-expect-error no attribute of this span is called so
    run.setAttribute("x", 1);
    // @ts-expect-error a label is missing
    telemetry.metrics.counter("tensor_wasm_http_requests_total", { route: "/", method: "GET" });
    // @ts-expect-error a gauge is no counter
    telemetry.metrics.counter("tensor_wasm_queue_depth", {});
  };
  assert.equal(typeof attempt, "function");
});

for (const name of NAMES) {
  Deno.test(`SPANS: ${name} has its scope as target and "unknown" for what nobody set`, async () => {
    await using test = new TestTelemetry();
    const { required, scope } = SPANS[name];
    test.telemetry.tracer.startSpan(name, {} as never, { parent: null }).end();
    const [span] = await test.spans();
    assert.equal(span?.scope, scope);
    assert.deepEqual(span?.attributes, {
      target: scope,
      ...Object.fromEntries(required.map((attribute) => [attribute, "unknown"])),
    });
  });
}
