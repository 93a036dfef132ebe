import assert from "node:assert/strict";
import type { LoggedEvent } from "../../../telemetry/mod.ts";
import { LineBuffer } from "../../../telemetry/log/line_buffer.ts";
import { Log } from "../../../telemetry/log/log.ts";
import { parseLogFilter } from "../../../telemetry/log/log_filter.ts";
import { LineWriter } from "../../../telemetry/log/log_line.ts";

const IDS = { traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: 1 };

/** A log and what it wrote. */
class TestLog implements Disposable {
  readonly log: Log;
  readonly events: LoggedEvent[] = [];
  readonly #buffer: LineBuffer;
  #output = "";

  constructor(filter: string) {
    const decoder = new TextDecoder();
    const write = (bytes: Uint8Array): void => {
      this.#output += decoder.decode(bytes);
    };
    this.#buffer = new LineBuffer({ write });
    this.log = new Log({
      filter: parseLogFilter(filter),
      format: "json",
      writer: new LineWriter("svc"),
      buffer: this.#buffer,
      nowMs: () => 1000,
      activeIds: () => IDS,
      onLine: () => {},
    });
  }

  get output(): string {
    this.#buffer.flush();
    return this.#output;
  }

  [Symbol.dispose](): void {
    this.#buffer.flush();
    this.log.close();
  }
}

Deno.test("a tap gets what is written: filtered, redacted, plain, with its ids", () => {
  using test = new TestLog("info");
  using _tap = test.log.tap((event) => test.events.push(event));
  test.log.logger("t").debug("no");
  const error = Object.assign(new Error("why"), { token: "hush" });
  delete error.stack;
  test.log.logger("t").info("event", { token: "hush", n: 1, at: new Date(0), error });
  const fields = { n: 1, at: "1970-01-01T00:00:00.000Z", error: { name: "Error", message: "why" } };
  assert.deepEqual(test.events, [
    { atMs: 1000, level: "info", target: "t", message: "event", ids: IDS, fields },
  ]);
});

Deno.test("a tap that throws is not felt, its first failure is logged, and other taps go on", () => {
  using test = new TestLog("info");
  using _bad = test.log.tap(() => {
    throw new Error("bad tap");
  });
  using _good = test.log.tap((event) => test.events.push(event));
  test.log.logger("t").info("one");
  test.log.logger("t").info("two");
  assert.deepEqual(test.events.map((event) => event.message).toSorted(), ["log.tap_failed", "one", "two"]);
  assert.equal(test.output.match(/bad tap/g)?.length, 2, "message and stack of one line");
});

Deno.test("a tap that was taken away gets nothing more", () => {
  using test = new TestLog("info");
  const tap = test.log.tap((event) => test.events.push(event));
  test.log.logger("t").info("one");
  tap[Symbol.dispose]();
  test.log.logger("t").info("two");
  assert.deepEqual(test.events.map((event) => event.message), ["one"]);
});
