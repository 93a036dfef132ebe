/**
 * GpuTrace: what a call did with its device, as it goes to the gateway.
 *
 * Owns the bound on spans (observability contract: 64 of `wasi_cuda.*` for a call) and the sums of everything,
 * with and without a span. It makes no span (runtime/executor/hops.ts does). Invariant: its report is of bounded
 * size, however many calls of the interface a guest makes.
 */
import type { GpuObserver, LaunchClock, LaunchRecord, LoadRecord, OperationRecord } from "../../gpu/mod.ts";
import { KERNEL_LATENCY_SECONDS, PTX_COMPILE_SECONDS } from "../model/gpu.ts";
import type { GpuReport, GpuSpan } from "../wire/messages.ts";
import { Buckets } from "./buckets.ts";

/** Most spans of one call. A launch that came to the device has two. */
export const GPU_SPANS_MAX = 64;

/** The reason of an operation during which the call was ended. */
const STOPPED = "call_stopped";

type Dispatch = NonNullable<(GpuSpan & { readonly type: "launch" })["dispatch"]>;

/** Puts the device's own time on the span of a launch when it is told. */
class DispatchClock implements LaunchClock {
  /** The launch's record, from when there is one; its device time is that of the host until it is told. */
  dispatch: { -readonly [Key in keyof Dispatch]: Dispatch[Key] } | undefined;
  hostUs = 0;
  deviceTimeUs: number | undefined;

  timed(deviceTimeUs: number): void {
    this.deviceTimeUs = deviceTimeUs;
    if (this.dispatch !== undefined) this.dispatch.deviceTimeUs = deviceTimeUs;
  }
}

/** Observes the session of one call. */
export class GpuTrace implements GpuObserver {
  readonly #startedAtMs: number;
  readonly #spans: GpuSpan[] = [];
  #spanCount = 0;
  #launchCount = 0;
  #launchMs = 0;
  #launchMsMax = 0;
  readonly #dispatches = new Buckets(KERNEL_LATENCY_SECONDS);
  readonly #compiles = new Buckets(PTX_COMPILE_SECONDS);
  readonly #loads = { compiled: 0, cached: 0, failed: 0 };
  readonly #failures: Record<string, number> = {};
  /** Of launches that count as long as the device takes for them, which may not be known yet. */
  readonly #clocks: DispatchClock[] = [];
  /** Launches that came to the device, those of which it told its time at once, and that time. */
  #dispatchCount = 0;
  #toldCount = 0;
  #toldUs = 0;
  #isUsed = false;
  /** Whether a kernel has failed: everything after it fails with the same, which is no other failure. */
  #isBroken = false;
  readonly #isStopped: () => boolean;
  readonly #isBystander: () => boolean;

  /**
   * @param startedAtMs when the call began: times count from there
   * @param isStopped whether the call is over: then so is a launch that ends, whatever the device says of it
   * @param isBystander whether another call has found out that the device failed, and counts it
   */
  constructor(startedAtMs: number, isStopped: () => boolean, isBystander: () => boolean = () => false) {
    this.#startedAtMs = startedAtMs;
    this.#isStopped = isStopped;
    this.#isBystander = isBystander;
  }

  /**
   * The report, made once when the call is over, or undefined if there is nothing to say.
   *
   * @param waitedMs for how long the call waited for its device
   */
  makeReport(waitedMs = 0): GpuReport | undefined {
    if (!this.#isUsed) return undefined;
    for (const { deviceTimeUs, hostUs } of this.#clocks.splice(0)) {
      this.#dispatches.add((deviceTimeUs ?? hostUs) / 1e6);
      if (deviceTimeUs !== undefined) this.#told(deviceTimeUs);
    }
    return {
      spans: this.#spans,
      launchCount: this.#launchCount,
      launchUs: Math.round(this.#launchMs * 1000),
      launchUsMax: Math.round(this.#launchMsMax * 1000),
      deviceUs: Math.round(this.#deviceUs(waitedMs * 1000)),
      dispatches: this.#dispatches.counts,
      compiles: this.#compiles.counts,
      loads: this.#loads,
      failures: this.#failures,
    };
  }

  loaded(record: LoadRecord): void {
    const { ptxBytes, entryBytes, cached, compileMs, failure } = record;
    this.#note(record);
    if (failure !== undefined) this.#loads.failed++;
    else if (cached) this.#loads.cached++;
    else this.#loads.compiled++;
    if (compileMs > 0) this.#compiles.add(compileMs / 1000);
    if (!this.#admit(1)) return;
    this.#spans.push({ type: "load", ...this.#times(record), ptxBytes, entryBytes, cached });
  }

  /** For launches that may have spans: being timed costs a launch half as much again. */
  clock(): LaunchClock | undefined {
    return this.#spanCount + 2 <= GPU_SPANS_MAX ? new DispatchClock() : undefined;
  }

  launched(record: LaunchRecord): void {
    const { kernel, grid, block, sharedBytes, bytesIn, bytesOut } = record;
    const dispatch = record.dispatch && this.#dispatch(record.dispatch);
    this.#note(record);
    const launchMs = record.endMs - record.startMs;
    this.#launchCount++;
    this.#launchMs += launchMs;
    this.#launchMsMax = Math.max(this.#launchMsMax, launchMs);
    if (record.dispatch !== undefined) this.#measure(record.dispatch, dispatch, record.clock);
    if (!this.#admit(dispatch === undefined ? 1 : 2)) return;
    this.#spans.push({
      type: "launch",
      ...this.#times(record),
      ...(kernel === undefined ? {} : { kernel }),
      grid: [grid.x, grid.y, grid.z],
      block: [block.x, block.y, block.z],
      sharedBytes,
      bytesIn,
      bytesOut,
      ...(dispatch === undefined ? {} : { dispatch }),
    });
  }

  #measure(
    { startMs, endMs, deviceTimeUs }: NonNullable<LaunchRecord["dispatch"]>,
    dispatch: Dispatch | undefined,
    clock: LaunchClock | undefined,
  ): void {
    this.#dispatchCount++;
    if (deviceTimeUs !== undefined) this.#told(deviceTimeUs);
    const hostUs = (endMs - startMs) * 1000;
    if (deviceTimeUs !== undefined || !(clock instanceof DispatchClock)) {
      return this.#dispatches.add((deviceTimeUs ?? hostUs) / 1e6);
    }
    clock.dispatch = dispatch;
    clock.hostUs = hostUs;
    this.#clocks.push(clock);
  }

  #told(deviceTimeUs: number): void {
    this.#toldCount++;
    this.#toldUs += deviceTimeUs;
  }

  /**
   * What the device was busy for the call: as it told, if it told of every launch. Else the others are thought to
   * have been as long, and no shorter altogether than the call waited for them: what is not timed is not free.
   */
  #deviceUs(waitedUs: number): number {
    if (this.#toldCount === this.#dispatchCount) return this.#toldUs;
    const mean = this.#toldCount === 0 ? 0 : this.#toldUs / this.#toldCount;
    return Math.max(mean * this.#dispatchCount, waitedUs);
  }

  synchronized(record: OperationRecord): void {
    this.#note(record);
    if (this.#admit(1)) this.#spans.push({ type: "sync", ...this.#times(record) });
  }

  #note({ failure }: OperationRecord): void {
    this.#isUsed = true;
    if (failure?.status === undefined) return;
    if (failure.isSticky && (this.#isBroken || this.#isBystander())) return;
    this.#isBroken ||= failure.isSticky;
    this.#failures[failure.status] = (this.#failures[failure.status] ?? 0) + 1;
  }

  #admit(spans: number): boolean {
    if (this.#spanCount + spans > GPU_SPANS_MAX) return false;
    this.#spanCount += spans;
    return true;
  }

  #times({ startMs, endMs, failure }: OperationRecord): Pick<GpuSpan, "startUs" | "endUs" | "reason"> {
    const times = { startUs: this.#micros(startMs), endUs: this.#micros(endMs) };
    const reason = failure?.reason ?? (this.#isStopped() ? STOPPED : undefined);
    return reason === undefined ? times : { ...times, reason };
  }

  #dispatch(
    { startMs, endMs, deviceTimeUs }: NonNullable<LaunchRecord["dispatch"]>,
  ): { startUs: number; endUs: number; deviceTimeUs?: number } {
    const times = { startUs: this.#micros(startMs), endUs: this.#micros(endMs) };
    return deviceTimeUs === undefined ? times : { ...times, deviceTimeUs };
  }

  /** Whole, as all times of a call. */
  #micros(atMs: number): number {
    return Math.round((atMs - this.#startedAtMs) * 1000);
  }
}
