/**
 * The chaos run: a gateway under mixed load from many tenants while its cells are killed.
 *
 * Owns the order of a run: start, deploy, warm up, chaos, settle, stop, and the checks at its end. What a right
 * answer is belongs to the call kinds, what a whole trace is to trace_check.ts. Invariant: a run leaves no process
 * and no file behind, whatever it found.
 */
import { Collector } from "../support/collector.ts";
import type { LogLine } from "../support/gateway.ts";
import { makeRandom } from "../runtime/store/random.ts";
import type { Random } from "./call_kind.ts";
import { type CallerOptions, callUntilOver, type Tenant } from "./caller.ts";
import { deploy, deployUntilOver, makeTenants } from "./deploys.ts";
import { ChaosGateway } from "./gateway.ts";
import { Killer } from "./killer.ts";
import { Ledger } from "./ledger.ts";
import { readCoreTime } from "./process_facts.ts";
import { checkEnd, checkRest, levelOf, settle } from "./remains.ts";
import { Probe } from "./probe.ts";
import { Report } from "./report.ts";
import { Samples } from "./samples.ts";
import type { CallRecord, WholeTrace } from "./trace_check.ts";

/** What a run is. */
export interface ChaosOptions {
  readonly durationMs: number;
  readonly seed: number;
  readonly tenantsCount: number;
  /** Calls under way at a time. */
  readonly concurrency: number;
  readonly killIntervalMs: number;
  readonly cellsMin: number;
  readonly cellsMax: number;
  /** Whether the pool has the minute that it needs to shrink, before what is left is counted. */
  readonly waitsForShrinking: boolean;
  /** Bound on the event loop's delay that all but 1 % of all time keeps; none if absent. */
  readonly loopDelayMsMax?: number;
  readonly say: (text: string) => void;
}

const WARM_UP_MS = 3_000;
const IDLE_MS = 3_000;
const PROGRESS_MS = 10_000;
const SWEEP_MS = 250;

/** Runs chaos; the report has its violations. */
export async function runChaos(options: ChaosOptions): Promise<Report> {
  const report = new Report(options.say);
  await new ChaosRun(options, report).run();
  return report;
}

class ChaosRun {
  readonly #options: ChaosOptions;
  readonly #report: Report;
  readonly #random: Random;
  readonly #killer = new Killer();
  readonly #ledger: Ledger;

  constructor(options: ChaosOptions, report: Report) {
    this.#options = options;
    this.#report = report;
    this.#random = makeRandom(options.seed);
    this.#ledger = new Ledger({
      closed: (record, trace) => this.#closed(record, trace),
      violation: (traceId, reason) => report.violation(reason, traceId),
    });
  }

  async run(): Promise<void> {
    const { say, cellsMin, cellsMax } = this.#options;
    await using collector = new Collector();
    await using gateway = await ChaosGateway.start({
      flags: [
        ...["--cells-min", String(cellsMin), "--cells-max", String(cellsMax)],
        ...["--output-bytes-max", String(4 * 1024 * 1024), "--guest-log-lines-max", "20"],
      ],
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_BSP_SCHEDULE_DELAY: "100" },
      onLine: (line) => this.#takeLine(line),
    });
    const sweeping = setInterval(() => this.#sweep(collector), SWEEP_MS);
    try {
      const tenants = makeTenants(this.#options.tenantsCount, this.#random);
      say(`${await deploy(gateway.url, tenants)} modules deployed for ${tenants.length} tenants`);
      await this.#callFor(gateway, tenants, WARM_UP_MS, "warm");
      const idleDelays = await this.#loopDelaysDuring(gateway, () => sleep(IDLE_MS));
      say(`event loop when idle: ${idleDelays.text}`);
      const level = await levelOf(gateway);
      const delays = await this.#loopDelaysDuring(gateway, () => this.#chaos(gateway, tenants));
      this.#checkDelays(delays);
      await settle(gateway, this.#options.waitsForShrinking ? cellsMin : cellsMax + 2);
      this.#sweep(collector);
      await sleep(1_000);
      this.#sweep(collector);
      this.#ledger.sweep(true);
      for (const text of await checkRest(gateway, level, this.#report)) say(text);
    } finally {
      clearInterval(sweeping);
    }
    this.#sweep(collector);
    await checkEnd(await gateway.stop(), this.#killer, this.#report);
  }

  async #chaos(gateway: ChaosGateway, tenants: readonly Tenant[]): Promise<void> {
    const { durationMs, killIntervalMs, say } = this.#options;
    await using _probe = new Probe(gateway.url, (trips) => this.#report.probes.addAll(trips));
    const startMs = performance.now();
    const isOver = (): boolean => performance.now() - startMs >= durationMs;
    const progress = setInterval(() => {
      const seconds = Math.round((performance.now() - startMs) / 1000);
      const { callsCount, violationsCount, probes, tracesCount } = this.#report;
      say(
        `${seconds} s: ${callsCount} calls, ${tracesCount} traces whole, ${this.#ledger.openCount} open, ` +
          `${this.#killer.killsCount} kills, ${violationsCount} violations; /healthz ${probes}`,
      );
    }, PROGRESS_MS);
    try {
      await Promise.all([
        this.#callFor(gateway, tenants, durationMs, "call"),
        this.#killUntil(isOver, killIntervalMs),
        deployUntilOver(gateway.url, tenants, this.#random, isOver, this.#report),
      ]);
    } finally {
      clearInterval(progress);
    }
  }

  async #callFor(
    gateway: ChaosGateway,
    tenants: readonly Tenant[],
    durationMs: number,
    name: string,
  ): Promise<void> {
    const endMs = performance.now() + durationMs;
    using client = Deno.createHttpClient({});
    const options: CallerOptions = {
      url: gateway.url,
      client,
      tenants,
      random: this.#random,
      isOver: () => performance.now() >= endMs,
      record: (record, tookMs) => this.#record(record, tookMs, tenants),
      violation: (traceId, reason) => this.#report.violation(reason, traceId),
    };
    const callers = Array.from(
      { length: this.#options.concurrency },
      (_, index) => callUntilOver(options, `${name}-${index}`),
    );
    await Promise.all(callers);
  }

  async #killUntil(isOver: () => boolean, intervalMs: number): Promise<void> {
    while (!isOver()) {
      // On average one in each interval.
      await sleep(this.#random() * 2 * intervalMs);
      if (!isOver()) this.#killer.killOne(this.#random);
    }
  }

  #record(record: CallRecord, tookMs: number, [tenant]: readonly Tenant[]): void {
    this.#report.countAnswer(record.answer);
    const isHonest = tenant?.honest.some(({ guest }) => guest === record.guest) ?? false;
    this.#report.roundTrips[isHonest ? "honest" : "hostile"].add(tookMs);
    this.#ledger.takeRecord(record);
  }

  #closed(record: CallRecord, { root, attempts }: WholeTrace): void {
    const report = this.#report;
    report.tracesCount++;
    if (attempts.length > 1) report.retriesCount++;
    const last = attempts.at(-1);
    if (last === undefined) return;
    const endedAtMs = Number(last.call.endNanos) / 1e6;
    if (record.leftAtMs !== undefined && last.outcome === "cancelled") {
      report.cancelling.add(endedAtMs - record.leftAtMs);
    }
    if (record.answer === "504 invoke_timeout" && last.outcome === "exhausted") {
      report.addOvershoot(record.guest, endedAtMs - Number(root.startNanos) / 1e6 - record.deadlineMs);
    }
  }

  #takeLine(line: LogLine): void {
    this.#killer.takeLine(line);
    for (const reason of this.#killer.takeUnexpected()) this.#report.violation(reason);
    if (line["kind"] === "internal") this.#report.violation(`a bug: ${JSON.stringify(line)}`, line.trace_id);
    this.#ledger.takeLine(line);
  }

  /** Hands on what the collector has, so that it keeps nothing. */
  #sweep(collector: Collector): void {
    collector.requests.length = 0;
    this.#ledger.takeSpans(collector.spans.splice(0));
    this.#ledger.sweep(false);
  }

  async #loopDelaysDuring(gateway: ChaosGateway, work: () => Promise<void>): Promise<Delays> {
    const [before, coreBefore] = [await gateway.loopDelays(), await readCoreTime(gateway.pid)];
    await work();
    const [after, core] = [await gateway.loopDelays(), await readCoreTime(gateway.pid)];
    const [all, own] = [new Samples(), new Samples()];
    all.addAll(after.all.slice(before.all.length));
    own.addAll(after.own.slice(before.own.length));
    const [ran, waited] = [core.ranMs - coreBefore.ranMs, core.waitedMs - coreBefore.waitedMs]
      .map((ms) => (ms / 1000).toFixed(1));
    const text = `${all}; by its own work at most: ${own}; ` +
      `its thread ran ${ran} s and waited ${waited} s for a core; load average ${
        Deno.loadavg()[0]?.toFixed(1)
      }`;
    return { all, text };
  }

  #checkDelays({ all, text }: Delays): void {
    const { loopDelayMsMax, say } = this.#options;
    say(`event loop during chaos: ${text}`);
    const { p99 } = all.summary();
    if (loopDelayMsMax !== undefined && p99 > loopDelayMsMax) {
      this.#report.violation(`event loop's delay p99 is ${p99} ms, bound ${loopDelayMsMax} ms`);
    }
  }
}

/** Delays of the event loop, and all that is to be said of them. */
interface Delays {
  readonly all: Samples;
  readonly text: string;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
