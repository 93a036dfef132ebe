import assert from "node:assert/strict";
import type { SamplerConfig, SpanIds } from "../../../telemetry/mod.ts";
import { TestTelemetry } from "../../support/telemetry.ts";

const PARENT: SpanIds = {
  traceId: "0".repeat(31) + "1",
  spanId: "0".repeat(15) + "1",
  traceFlags: 1,
  isRemote: true,
};

const TABLE:
  readonly (readonly [type: SamplerConfig["type"], root: number, sampled: number, unsampled: number])[] = [
    ["always_on", 1, 1, 1],
    ["always_off", 0, 0, 0],
    ["traceidratio", 0, 0, 0],
    ["parentbased_always_on", 1, 1, 0],
    ["parentbased_always_off", 0, 1, 0],
    ["parentbased_traceidratio", 0, 1, 0],
  ];

for (const [type, root, sampled, unsampled] of TABLE) {
  Deno.test(`makeSampler() ${type} decides by root and remote parent`, async () => {
    await using test = new TestTelemetry({ tracing: { sampler: { type, ratio: 0 } } });
    const flags = [null, PARENT, { ...PARENT, traceFlags: 0 }].map((parent) => {
      using span = test.telemetry.tracer.startSpan("cli ", { command: "run" }, { parent });
      return span.ids?.traceFlags;
    });
    assert.deepEqual(flags, [root, sampled, unsampled]);
  });
}

Deno.test("makeSampler() traceidratio samples about its share, and whole traces", async () => {
  await using test = new TestTelemetry({ tracing: { sampler: { type: "traceidratio", ratio: 0.5 } } });
  const { tracer } = test.telemetry;
  let count = 0;
  for (let index = 0; index < 2000; index++) {
    using root = tracer.startSpan("cli ", { command: "run" }, { parent: null });
    using child = tracer.startSpan("wasi_cuda.sync", { instance: 1 }, { parent: root.ids ?? null });
    assert.equal(child.ids?.traceFlags, root.ids?.traceFlags);
    count += root.ids?.traceFlags ?? 0;
  }
  // Twelve standard deviations: it fails by chance never, by a wrong ratio at once.
  assert.ok(Math.abs(count - 1000) < 270, `sampled ${count} of 2000`);
});

Deno.test("a span that is not sampled has ids and is not exported", async () => {
  await using test = new TestTelemetry({ tracing: { sampler: { type: "always_off", ratio: 1 } } });
  const span = test.telemetry.tracer.startSpan("cli ", { command: "run" });
  span.end();
  assert.match(span.ids?.traceId ?? "", /^[0-9a-f]{32}$/);
  assert.deepEqual(await test.spans(), []);
});
