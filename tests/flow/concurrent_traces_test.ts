/**
 * 64 calls at a time, some of which trap, exit or are killed: 64 whole traces that share nothing, and log lines that
 * belong where they say.
 */
import assert from "node:assert/strict";
import { awaitTrace } from "../support/await_trace.ts";
import { Collector, type DecodedSpan } from "../support/collector.ts";
import { TestGateway } from "../support/gateway.ts";
import { buildSpanTree, walkSpans } from "../support/span_tree.ts";
import { assertNested, CALL_SPANS, linesOf } from "./call_trace.ts";
import { assertTraceId } from "./problem.ts";

/** Lines that belong to no request. */
const PROCESS_MESSAGES = ["gpu.fallback", "cell.started", "cell.ended", "drain.started", "drain.finished"];

interface Kind {
  readonly guest: string;
  readonly body: unknown;
  readonly status: number;
  readonly deadline?: string;
  /** Lines of the guest and of the failure, between the first and the last. */
  readonly between: readonly string[];
}

const KINDS: readonly Kind[] = [
  { guest: "add", body: { export: "add", args: [1, 2] }, status: 200, between: [] },
  { guest: "trap_unreachable", body: { export: "run" }, status: 500, between: ["request.failed"] },
  { guest: "exit_code", body: {}, status: 500, between: ["guest.stdout", "request.failed"] },
  { guest: "log_lines", body: { argv: ["1"] }, status: 200, between: ["guest.stdout", "guest.stderr"] },
];
const LATE: Kind = {
  guest: "spin",
  body: { export: "run" },
  status: 504,
  deadline: "1500",
  between: ["request.failed"],
};
const CALLS_COUNT = 64;
/** Fewer than there are cells: a call that gets none has no instance, and so not all spans. */
const LATE_COUNT = 4;
const CELLS_COUNT = 6;

Deno.test("64 calls at a time, some of them trapped, exited or killed, leave 64 whole traces", async (t) => {
  await using collector = new Collector();
  await using many = await TestGateway.start({
    flags: ["--cells-min", String(CELLS_COUNT), "--cells-max", String(CELLS_COUNT)],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_BSP_SCHEDULE_DELAY: "50" },
  });
  for (const { guest } of [...KINDS, LATE]) await many.deploy(guest);
  const kinds = Array.from({ length: CALLS_COUNT }, (_, index) => {
    const isLate = index % (CALLS_COUNT / LATE_COUNT) === 3;
    return isLate ? LATE : KINDS[index % KINDS.length] ?? LATE;
  });
  const calls = await Promise.all(kinds.map(async (kind) => {
    const headers = kind.deadline === undefined ? {} : { "x-tensorwasm-deadline-ms": kind.deadline };
    const response = await many.invoke(kind.guest, kind.body, headers);
    await response.body?.cancel();
    assert.equal(response.status, kind.status, kind.guest);
    const traceId = assertTraceId(response);
    return { kind, traceId, spans: await awaitTrace(collector, traceId) };
  }));

  await t.step("no trace id repeats", () => {
    assert.equal(new Set(calls.map(({ traceId }) => traceId)).size, CALLS_COUNT);
  });

  await t.step("each span fires exactly once in each call, in one tree, on every way out", () => {
    for (const { spans, kind } of calls) {
      const tree = buildSpanTree(spans);
      assertNested(tree);
      assert.deepEqual([...walkSpans(tree)].map((span) => span.name).sort(), CALL_SPANS, kind.guest);
    }
  });

  await t.step("no span and no instance is shared", () => {
    const all: DecodedSpan[] = calls.flatMap(({ spans }) => spans);
    assert.equal(new Set(all.map((span) => span.spanId)).size, all.length);
    const instances = all.map((span) => span.attributes["instance_id"]).filter((id) => id !== undefined);
    assert.equal(new Set(instances).size, CALLS_COUNT);
  });

  await t.step("the lines of each call are its own, in order, under its own spans", async () => {
    for (const { kind, traceId, spans } of calls) {
      const lines = await linesOf(many, traceId);
      assert.deepEqual(
        lines.map((line) => line.message),
        ["request.received", ...kind.between, "request.completed"],
        kind.guest,
      );
      const ids = new Set(spans.map((span) => span.spanId));
      for (const line of lines) assert.ok(ids.has(String(line["span_id"])));
      assert.equal(lines.at(-1)?.["status"], kind.status);
    }
  });

  await t.step("only lines of the process itself are without a trace id, and they have none", () => {
    const without = many.lines.filter((line) => line.trace_id === undefined).map((line) => line.message);
    assert.deepEqual(without.filter((message) => !PROCESS_MESSAGES.includes(message)), []);
    const withIds = many.lines.filter((line) => line.trace_id !== undefined).map((line) => line.message);
    assert.deepEqual(withIds.filter((message) => PROCESS_MESSAGES.includes(message)), []);
  });

  await t.step("tensor_wasm_log_lines_total agrees", async () => {
    const printed = (hasTrace: boolean): number =>
      many.lines.filter((line) => (line.trace_id !== undefined) === hasTrace).length;
    // Cells that were killed are still being replaced, with a line each, and lines leave in batches.
    for (let attempt = 0;; attempt++) {
      const counted = await countedLines(many.url);
      try {
        assert.deepEqual(counted, [printed(true), printed(false)]);
        return;
      } catch (error) {
        if (attempt === 50) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  });
});

/** The log lines that a gateway has counted: with a trace id, and without. */
async function countedLines(url: string): Promise<number[]> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return [true, false].map((hasTrace) => {
    const line = new RegExp(`^tensor_wasm_log_lines_total\\{has_trace="${hasTrace}"\\} (\\d+)$`, "m");
    return Number(line.exec(text)?.[1]);
  });
}
