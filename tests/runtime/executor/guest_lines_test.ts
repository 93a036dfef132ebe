import assert from "node:assert/strict";
import { GuestLines } from "../../../runtime/executor/guest_lines.ts";
import type { Invocation } from "../../../runtime/model/invocation.ts";
import { DEFAULT_LIMITS, type Limits } from "../../../runtime/model/limits.ts";
import type { CellLogLine } from "../../../runtime/wire/messages.ts";
import { ManualClock } from "../../support/clock.ts";
import { type LogLine, TestTelemetry } from "../../support/telemetry.ts";

const LINE: CellLogLine = { call: 1, source: "stdout", level: "info", text: "hello" };
const DROPPED = 'reason="guest_rate"';

/** As much of an invocation as its lines have. */
function callOf(tenant: string, id: string): Invocation {
  return { tenant, function: { id } } as Invocation;
}

/** Guest lines with a clock that stands still. */
class TestLines implements AsyncDisposable {
  readonly test: TestTelemetry;
  readonly clock = new ManualClock();
  readonly lines: GuestLines;

  constructor(limits: Partial<Limits> = {}, filter = "info") {
    this.test = new TestTelemetry({ log: { filter } });
    const all = { ...DEFAULT_LIMITS, guestLogLinesPerSecondMax: 10, guestLogLinesBurstMax: 3, ...limits };
    this.lines = new GuestLines({
      telemetry: this.test.telemetry,
      clock: this.clock,
      limitsOf: (tenant) => tenant === "loud" ? { ...all, guestLogLinesBurstMax: 100 } : all,
    });
  }

  log(count: number, tenant = "1", id = "f"): void {
    for (let index = 0; index < count; index++) this.lines.log(callOf(tenant, id), undefined, LINE);
  }

  /** How many lines of each name there are. */
  counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { message } of this.test.lines as (LogLine & { message: string })[]) {
      counts[message] = (counts[message] ?? 0) + 1;
    }
    return counts;
  }

  async dropped(): Promise<number | undefined> {
    return await this.test.metric("tensor_wasm_log_lines_dropped_total", `{${DROPPED}}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.lines[Symbol.dispose]();
    await this.test[Symbol.asyncDispose]();
  }
}

Deno.test("GuestLines writes a line with tenant, function and the ids of its call", async () => {
  await using test = new TestLines();
  const { tracer } = test.test.telemetry;
  using span = tracer.startSpan("cli ", { command: "x" });
  test.lines.log(callOf("7", "f"), span.ids, { ...LINE, source: "stderr", level: "warn" });
  const [line] = test.test.lines;
  const { target, level, message, trace_id, tenant, function_id, line: text } = line as Record<
    string,
    string
  >;
  assert.deepEqual(
    { target, level, message, trace_id, tenant, function_id, text },
    {
      target: "guest",
      level: "warn",
      message: "guest.stderr",
      trace_id: span.ids?.traceId,
      tenant: "7",
      function_id: "f",
      text: "hello",
    },
  );
});

Deno.test("GuestLines lets a burst through, then so many a second, and counts the rest in one line", async () => {
  await using test = new TestLines();
  test.log(8);
  assert.deepEqual(test.counts(), { "guest.stdout": 3 });
  assert.equal(await test.dropped(), 5);
  test.clock.advance(500);
  test.log(6);
  assert.deepEqual(test.counts(), { "guest.stdout": 6 }, "no more than a burst, however long it was quiet");
  test.clock.advance(500);
  assert.deepEqual(test.counts(), { "guest.stdout": 6, "guest.lines_dropped": 1 });
  const notice = test.test.lines.find((line) => line["message"] === "guest.lines_dropped");
  assert.deepEqual(
    [notice?.["count"], notice?.["tenant"], notice?.["function_id"], notice?.["lines_per_second_max"]],
    [8, "1", "f", 10],
  );
  assert.equal(test.clock.timerCount, 0);
});

Deno.test("GuestLines: the rate is exact over time", async () => {
  await using test = new TestLines();
  for (let ms = 0; ms < 10_000; ms += 50) {
    test.log(2);
    test.clock.advance(50);
  }
  assert.equal(test.counts()["guest.stdout"], 3 + 99);
});

Deno.test("GuestLines: functions and tenants do not feel each other, and have their own limits", async () => {
  await using test = new TestLines();
  test.log(10, "1", "f");
  test.log(3, "1", "g");
  test.log(3, "2", "f");
  test.log(50, "loud", "f");
  assert.equal(test.counts()["guest.stdout"], 3 + 3 + 3 + 50);
  assert.equal(await test.dropped(), 7);
});

Deno.test("GuestLines tells of what was dropped when it ends", async () => {
  await using test = new TestLines();
  test.log(5);
  test.lines[Symbol.dispose]();
  assert.deepEqual(test.counts(), { "guest.stdout": 3, "guest.lines_dropped": 1 });
  assert.equal(test.clock.timerCount, 0);
});

Deno.test("GuestLines neither counts nor limits lines that the filter does not want", async () => {
  await using test = new TestLines({}, "warn");
  test.log(10);
  test.lines.log(callOf("1", "f"), undefined, { ...LINE, level: "error" });
  assert.deepEqual(test.counts(), { "guest.stdout": 1 });
  assert.equal(await test.dropped(), 0);
});

Deno.test("GuestLines takes no name of an event and no level from a cell but those there are", async () => {
  await using test = new TestLines();
  for (const word of ["constructor", "__proto__", 'x"\ny']) {
    test.lines.log(callOf("1", "f"), undefined, { ...LINE, source: word, level: word });
  }
  const lines = test.test.lines.map((line) => [line["message"], line["level"]]);
  assert.deepEqual(lines, Array.from({ length: 3 }, () => ["guest.stdout", "info"]));
});
