import assert from "node:assert/strict";
import { DropReport } from "../../../telemetry/export/drop_report.ts";
import type { LogFields, Logger } from "../../../telemetry/mod.ts";

interface Made {
  readonly report: DropReport;
  readonly told: LogFields[];
  readonly clock: { nowMs: number };
}

function aReport(): Made {
  const told: LogFields[] = [];
  const clock = { nowMs: 5 };
  const log = { warn: (_message: string, fields: LogFields = {}): void => void told.push(fields) } as Logger;
  return { report: new DropReport(log, "telemetry.spans_dropped", () => clock.nowMs), told, clock };
}

Deno.test("DropReport tells of the first loss at once", () => {
  const { report, told } = aReport();
  report.add(1, "a");
  assert.deepEqual(told, [{ count: 1, reason: "a" }]);
});

Deno.test("DropReport tells of later losses after a minute, with their number", () => {
  const { report, told, clock } = aReport();
  report.add(1, "a");
  clock.nowMs += 59_999;
  report.add(2, "b");
  assert.equal(told.length, 1);
  clock.nowMs += 1;
  report.add(3, "c");
  assert.deepEqual(told[1], { count: 5, reason: "c" });
});

Deno.test("DropReport.close() tells of what is left, or nothing", () => {
  const { report, told } = aReport();
  report.close();
  report.add(1, "a");
  report.add(2, "b");
  report.close();
  assert.deepEqual(told, [{ count: 1, reason: "a" }, { count: 2, reason: "b" }]);
});
