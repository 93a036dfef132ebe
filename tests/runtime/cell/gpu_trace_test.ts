/** What a call's report says of launches whose device tells its time later. */
import assert from "node:assert/strict";
import type { LaunchClock, LaunchRecord } from "../../../gpu/mod.ts";
import { GPU_SPANS_MAX, GpuTrace } from "../../../runtime/cell/gpu_trace.ts";
import type { GpuReport } from "../../../runtime/wire/messages.ts";

const ONE = { x: 1, y: 1, z: 1 };

function launch(clock: LaunchClock | undefined, deviceTimeUs?: number): LaunchRecord {
  return {
    ...{ startMs: 10, endMs: 12, failure: undefined, kernel: "k", grid: ONE, block: ONE, sharedBytes: 0 },
    ...{ bytesIn: 0, bytesOut: 0, clock, dispatch: { startMs: 11, endMs: 12, deviceTimeUs } },
  };
}

function timesOf(report: GpuReport | undefined): unknown[] {
  return report?.spans.map((span) => span.type === "launch" ? span.dispatch?.deviceTimeUs : "?") ?? [];
}

Deno.test("GpuTrace puts a device time that is told later on the launch's own dispatch", () => {
  const trace = new GpuTrace(0, () => false);
  const [first, second, third] = [trace.clock(), trace.clock(), trace.clock()];
  for (const clock of [first, second, third]) trace.launched(launch(clock));
  second?.timed(30_000);
  first?.timed(7);
  const report = trace.makeReport();
  assert.deepEqual(timesOf(report), [7, 30_000, undefined]);
  // The third counts as long as its launch took: a millisecond.
  assert.ok(Math.abs((report?.dispatches.sumSeconds ?? 0) - 0.031_007) < 1e-9);
  assert.equal(report?.dispatches.counts.reduce((sum, count) => sum + count, 0), 3);
});

Deno.test("GpuTrace takes a time that is told with the launch, whatever its clock says", () => {
  const trace = new GpuTrace(0, () => false);
  trace.launched(launch(trace.clock(), 5));
  assert.deepEqual(timesOf(trace.makeReport()), [5]);
});

Deno.test("GpuTrace wants to know the time of no more launches than may have spans", () => {
  const trace = new GpuTrace(0, () => false);
  let timed = 0;
  for (let count = 0; count < 100; count++) {
    const clock = trace.clock();
    if (clock !== undefined) timed++;
    trace.launched(launch(clock));
  }
  assert.equal(timed, GPU_SPANS_MAX / 2);
});

/** The device time of a call that made so many launches and was told the times of some. */
function deviceUsOf(launches: number, timesUs: readonly number[], waitedMs: number): number | undefined {
  const trace = new GpuTrace(0, () => false);
  const clocks: (LaunchClock | undefined)[] = [];
  for (let count = 0; count < launches; count++) {
    const clock = trace.clock();
    clocks.push(clock);
    trace.launched(launch(clock));
  }
  for (const [index, timeUs] of timesUs.entries()) clocks[index]?.timed(timeUs);
  return trace.makeReport(waitedMs)?.deviceUs;
}

Deno.test("GpuTrace: a call that was told of every launch was as long on the device as it was told", () => {
  assert.equal(deviceUsOf(3, [100, 200, 300], 999), 600);
});

Deno.test("GpuTrace: launches that nobody timed count as the others do, and no less than was waited for them", () => {
  assert.equal(deviceUsOf(100, [100, 200], 0), 15_000);
  assert.equal(deviceUsOf(100, [100, 200], 40), 40_000);
  assert.equal(deviceUsOf(2, [], 7), 7_000);
});

Deno.test("GpuTrace: what a device tells with the launch is its time too", () => {
  const trace = new GpuTrace(0, () => false);
  for (const timeUs of [5, 6]) trace.launched(launch(undefined, timeUs));
  assert.equal(trace.makeReport(1000)?.deviceUs, 11);
});
