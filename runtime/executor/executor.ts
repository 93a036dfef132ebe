/**
 * Executor: from an Invocation to an Execution, on a slot of a leased cell.
 *
 * Owns the `invoke.run` span, the lease, the one retry of a call that may run twice, and the translation of a
 * cell's death into an Outcome. It knows no HTTP and no storage. Invariant: every run ends with exactly one
 * outcome, one whole span tree per attempt and its lease given back, also when the cell is killed under it.
 */
import type { Counter, Span, SpanIds, Telemetry } from "../../telemetry/mod.ts";
import type { Clock } from "../model/clock.ts";
import { RuntimeFault } from "../model/fault.ts";
import { InvariantError } from "../model/invariant.ts";
import type { Execution, Invocation, OutputStream } from "../model/invocation.ts";
import { DEFAULT_LIMITS } from "../model/limits.ts";
import type { Limits } from "../model/limits.ts";
import { findFunctionExport } from "../model/module_facts.ts";
import type { Outcome } from "../model/outcome.ts";
import { LinkedList } from "../model/linked_list.ts";
import type { LimitsOf } from "../model/tenant_limits.ts";
import { NO_USAGE } from "../model/usage.ts";
import type { CallGpuLimits, ResultMeta, StreamLimits } from "../wire/messages.ts";
import type { Artifact, Artifacts } from "./artifacts.ts";
import { boundedWait } from "./bounded_wait.ts";
import { KILLED_AT_DEADLINE } from "./cell_process.ts";
import type { CellProcess, RunningCall } from "./cell_process.ts";
import type { CellPool } from "./cell_pool.ts";
import type { DedicatedCells } from "./dedicated_cells.ts";
import { Departures } from "./departures.ts";
import type { GuestLines } from "./guest_lines.ts";
import type { GpuMetering } from "./gpu_metering.ts";
import { recordCellSpans, recordLostSpans } from "./hops.ts";
import type { HopContext } from "./hops.ts";
import type { Metering } from "./metering.ts";
import type { Quarantine } from "./quarantine.ts";
import type { GpuPermit } from "./gpu_share.ts";
import type { GpuShares } from "./gpu_shares.ts";
import type { CellAnswer } from "./request_table.ts";

/** What an executor works with. */
export interface ExecutorOptions {
  readonly pool: CellPool<CellProcess>;
  /** Runs calls that use the GPU interface, where there is a GPU. */
  readonly gpuCells?: DedicatedCells<CellProcess> | undefined;
  /** Who may launch kernels on it, and when. */
  readonly gpuShares?: GpuShares | undefined;
  readonly artifacts: Artifacts;
  readonly quarantine: Quarantine;
  readonly metering: Metering;
  readonly gpuMetering: GpuMetering;
  readonly limitsOf: LimitsOf;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly guestLines: GuestLines;
}

/** How the import modules of the GPU interface begin. */
const GPU_MODULES = "wasi:cuda/host@";

/** One attempt: what it led to, and when the cell began it. */
interface Attempt {
  readonly startedAtMs: number;
  readonly cold: boolean;
  readonly result: Omit<Execution, "queueMs" | "cold">;
}

/** Runs invocations. */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #running = new LinkedList<RunningCall>();
  readonly #departures: Departures;
  readonly #spawns: Counter;
  readonly #terminations: Counter;
  readonly #retries: Counter;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    const { metrics } = options.telemetry;
    this.#departures = new Departures(options.clock);
    this.#spawns = metrics.counter("tensor_wasm_instance_spawns_total", {});
    this.#terminations = metrics.counter("tensor_wasm_instance_terminations_total", {});
    this.#retries = metrics.counter("tensor_wasm_call_retries_total", {});
  }

  /**
   * Runs one invocation under the active span.
   *
   * @throws RuntimeFault `capacity_exhausted`, `tenant_capacity_exhausted` or `invoke_timeout` when it never
   * got a cell, `module_quarantined`, `internal` when a cell failed by a bug of ours; ClientGone when the client
   * left while it waited
   */
  async run(invocation: Invocation): Promise<Execution> {
    const { clock, telemetry, metering } = this.#options;
    const span = telemetry.tracer.startSpan("invoke.run", {
      tenant: invocation.tenant,
      function_id: invocation.function.id,
      wasm_bytes_len: invocation.function.moduleBytes,
    });
    const askedAtMs = clock.nowMs();
    const series = metering.begin(invocation.tenant);
    try {
      const { result, cold, startedAtMs } = await this.#attempts(span, invocation);
      const queueMs = wholeMicros(startedAtMs - askedAtMs);
      const execution: Execution = { ...result, cold, queueMs };
      metering.record(series, execution, span.ids, startedAtMs);
      span.setAttribute("queue_ms", queueMs);
      span.setAttribute("cold", cold);
      if (!isSuccess(execution.outcome)) span.fail(execution.outcome.type);
      return execution;
    } catch (error) {
      // It never began, so all its time was queueing.
      const queueMs = wholeMicros(clock.nowMs() - askedAtMs);
      const code = error instanceof RuntimeFault ? error.code : undefined;
      metering.refused(series, code, queueMs, span.ids);
      span.setAttribute("queue_ms", queueMs);
      span.fail(code ?? "error");
      throw error;
    } finally {
      series.end();
      span.end();
    }
  }

  /** Ends every call that runs, because the gateway is shutting down. They are answered as ever. */
  cancelAll(): void {
    for (let link = this.#running.first; link !== undefined; link = link.next) link.value.cancel("drain");
  }

  /** Once; twice if its cell died and the caller said that it may run again. */
  async #attempts(span: Span<"invoke.run">, invocation: Invocation): Promise<Attempt> {
    const attempt = await this.#attempt(span, invocation);
    const { outcome } = attempt.result;
    // What a client has begun to read cannot be taken back.
    const mayRetry = isNotItsFault(outcome) && invocation.idempotent === true &&
      invocation.stream?.hasBegun !== true &&
      this.#options.clock.nowMs() < invocation.deadlineAtMs;
    if (!mayRetry) return attempt;
    this.#retries.inc(1, span.ids);
    span.setAttribute("attempt", 2);
    return await this.#attempt(span, invocation);
  }

  async #attempt(span: Span<"invoke.run">, invocation: Invocation): Promise<Attempt> {
    const { artifacts, gpuCells, limitsOf, pool, quarantine } = this.#options;
    const { digest } = invocation.function;
    const limits = limitsOf(invocation.tenant);
    const alone = quarantine.check(digest) === "alone";
    const artifact = artifacts.find(artifacts.keyOf(digest, limits)) ??
      await boundedWait(
        artifacts.make(digest, { ...this.#timed(invocation), limits }),
        invocation,
        this.#options.clock,
      );
    const cells = usesGpu(invocation) ? gpuCells ?? pool : pool;
    for (;;) {
      using lease = await cells.lease({ ...waitOf(invocation, limits), alone });
      const { cell } = lease;
      // It may have died between the lease and this moment. Nothing was sent yet.
      if (cell.isDead || cell.isDoubtful) continue;
      using permit = await this.#permit(cell, invocation, limits, span);
      // The permit may be that of a call whose kernel has not ended, and this its cell.
      if (cell.isDead || cell.isDoubtful) {
        permit?.forgo();
        continue;
      }
      const cold = !cell.hasModule(artifact.key);
      if (cold) cell.sendModule(artifact.key, artifact.bytes);
      const attempt = await this.#call(cell, artifact, this.#timed(invocation), limits, span.ids, permit);
      if (alone && attempt.result.outcome.type !== "lost") quarantine.ranWell(digest);
      return { ...attempt, cold };
    }
  }

  /** The invocation with its deadline as it is if it begins now. */
  #timed(invocation: Invocation): Invocation {
    if (invocation.deadlineFrom !== "slot") return invocation;
    return { ...invocation, deadlineAtMs: this.#options.clock.nowMs() + invocation.deadlineMs };
  }

  async #call(
    cell: CellProcess,
    artifact: Artifact,
    invocation: Invocation,
    limits: Limits,
    parent: SpanIds | undefined,
    permit: GpuPermit | undefined,
  ): Promise<Omit<Attempt, "cold">> {
    const { clock, telemetry } = this.#options;
    const spawn = telemetry.tracer.allotIds(parent, {
      name: "tensor_wasm_exec::executor::spawn_instance",
      attributes: { tenant: invocation.tenant },
    });
    const initialize = needsInitialize(invocation);
    const { stream } = invocation;
    const sentAtMs = clock.nowMs();
    const call = cell.call({
      key: artifact.key,
      digest: invocation.function.digest,
      meta: {
        tenant: invocation.tenant,
        fuelMax: limits.fuelMax,
        outputBytesMax: limits.outputBytesMax,
        ...(usesGpu(invocation) ? { gpu: gpuLimits(limits) } : {}),
        ...(stream === undefined ? {} : { stream: streamLimits(stream, limits) }),
        export: invocation.export,
        args: invocation.args,
        resultTypes: invocation.resultTypes,
        initialize,
        programArgs: [invocation.function.name, ...invocation.programArgs],
        environment: invocation.environment,
        deadlineMs: invocation.deadlineMs,
        remainingMs: Math.max(0, invocation.deadlineAtMs - sentAtMs),
      },
      input: invocation.input,
      deadlineAtMs: invocation.deadlineAtMs,
      onLine: (line) => this.#options.guestLines.log(invocation, spawn, line),
      onChunk: stream && ((bytes, meta) => stream.take(bytes, meta?.contentType)),
    });
    stream?.open((bytes) => call.credit(bytes));
    const answer = await this.#whileRunning(call, invocation);
    if (answer.type !== "died") permit?.settle((answer.meta.gpu?.deviceUs ?? 0) / 1000);
    this.#spawns.inc();
    this.#terminations.inc();
    const context: HopContext = {
      telemetry,
      invocation,
      instanceId: crypto.randomUUID(),
      parent,
      spawn,
      startedAtMs: answer.type === "died" ? sentAtMs : startOf(answer.meta, cell, sentAtMs, clock.nowMs()),
      initialize,
      device: cell.device ?? this.#options.gpuMetering.device,
    };
    return { startedAtMs: context.startedAtMs, result: this.#finish(cell, answer, context) };
  }

  /** The right to use the GPU that a cell has; undefined for one that has none. */
  async #permit(
    { device }: CellProcess,
    invocation: Invocation,
    { gpuWeight, queuedCallsMax }: Limits,
    span: Span<"invoke.run">,
  ): Promise<GpuPermit | undefined> {
    const { clock, gpuShares } = this.#options;
    if (device === undefined || gpuShares === undefined) return undefined;
    const askedAtMs = clock.nowMs();
    const { tenant, deadlineMs, deadlineAtMs, cancellation } = invocation;
    try {
      return await gpuShares.acquire(device, {
        ...{ tenant, deadlineMs, deadlineAtMs, cancellation, queuedCallsMax },
        weight: gpuWeight / DEFAULT_LIMITS.gpuWeight,
        work: `${invocation.function.digest} ${invocation.export}`,
      });
    } finally {
      span.setAttribute("gpu_wait_ms", wholeMicros(clock.nowMs() - askedAtMs));
    }
  }

  async #whileRunning(call: RunningCall, { cancellation }: Invocation): Promise<CellAnswer<ResultMeta>> {
    const link = this.#running.push(call);
    const unwatch = this.#departures.watch(cancellation, () => call.cancel("client"));
    try {
      return await call.answer;
    } finally {
      unwatch();
      this.#running.remove(link);
    }
  }

  #finish(
    cell: CellProcess,
    answer: CellAnswer<ResultMeta>,
    context: HopContext,
  ): Omit<Execution, "queueMs" | "cold"> {
    const nowMs = this.#options.clock.nowMs();
    const { invocation } = context;
    if (answer.type === "died") {
      const outcome = lostOutcome(cell, answer.reason, invocation, nowMs);
      recordLostSpans(context, outcome, answer.reason, Math.min(nowMs, invocation.deadlineAtMs), nowMs);
      return { outcome, output: new Uint8Array(0), contentType: undefined, usage: NO_USAGE };
    }
    const { meta, blob } = answer;
    if (meta.fault !== undefined) {
      recordLostSpans(context, meta.outcome, "cell_fault", nowMs, nowMs);
      // A cell that hit a bug of ours is not trusted with another call, nor is the module that led there.
      this.#options.quarantine.cellCrashed([invocation.function.digest]);
      cell.kill("quarantined");
      throw new InvariantError(meta.fault.message);
    }
    recordCellSpans(context, meta);
    if (meta.gpu !== undefined) {
      const { gpuMetering, metering } = this.#options;
      gpuMetering.record(meta.gpu, metering.seriesOf(invocation.tenant), context.parent);
    }
    return {
      outcome: meta.outcome,
      output: blob,
      contentType: meta.contentType,
      usage: meta.usage,
      ...(meta.stream === undefined ? {} : { chunksRejected: meta.stream.rejected }),
    };
  }
}

function waitOf(
  { tenant, deadlineMs, deadlineAtMs, cancellation }: Invocation,
  { concurrentCallsMax, queuedCallsMax }: Limits,
): Pick<
  Parameters<CellPool<CellProcess>["lease"]>[0],
  "tenant" | "deadlineMs" | "deadlineAtMs" | "cancellation" | "concurrentCallsMax" | "queuedCallsMax"
> {
  return { tenant, deadlineMs, deadlineAtMs, cancellation, concurrentCallsMax, queuedCallsMax };
}

/** When the cell began, on our clock; held between the sending of the call and the arrival of its answer. */
function startOf(meta: ResultMeta, cell: CellProcess, sentAtMs: number, receivedAtMs: number): number {
  const durationMs = (meta.spans.at(-1)?.endUs ?? 0) / 1000;
  return Math.max(sentAtMs, Math.min(cell.toGatewayMs(meta.startedAtMs), receivedAtMs - durationMs));
}

function usesGpu({ function: { facts } }: Invocation): boolean {
  return facts.imports.some(({ module }) => module.startsWith(GPU_MODULES));
}

/** What can differ from tenant to tenant; the rest the cell knows. */
function gpuLimits(limits: Limits): CallGpuLimits {
  const { gpuMemoryBytesMax, gpuAllocationsMax, gpuKernelsMax, ptxTotalBytesMax } = limits;
  return { gpuMemoryBytesMax, gpuAllocationsMax, gpuKernelsMax, ptxTotalBytesMax };
}

function streamLimits({ windowBytes }: OutputStream, limits: Limits): StreamLimits {
  return { windowBytes, bytesMax: limits.streamBytesMax, chunksMax: limits.streamChunksMax };
}

function isSuccess(outcome: Outcome): boolean {
  return outcome.type === "returned" || (outcome.type === "exited" && outcome.exitCode === 0);
}

/** Milliseconds with three digits; two clocks were read, so a hair below zero is zero. */
function wholeMicros(ms: number): number {
  return Math.max(0, Math.round(ms * 1000) / 1000);
}

/** WASI reactors export `_initialize: () -> ()`, which must run once before any other export. */
function needsInitialize(invocation: Invocation): boolean {
  if (invocation.export === "_initialize" || invocation.export === "_start") return false;
  const type = findFunctionExport(invocation.function.facts, "_initialize");
  return type !== undefined && type.params.length === 0 && type.results.length === 0;
}

/** Whether a call failed because its cell did, or another call in it. */
function isNotItsFault(outcome: Outcome): boolean {
  return outcome.type === "lost" || (outcome.type === "gpu_failed" && outcome.kind === "gpu_reset");
}

/** Deaths of a cell that its device has caused. */
const GPU_DEATHS: readonly string[] = ["gpu_fault", "gpu_timeout"];

function lostOutcome(cell: CellProcess, reason: string, invocation: Invocation, nowMs: number): Outcome {
  if (reason === "closed") return { type: "cancelled", by: "drain" };
  if (GPU_DEATHS.includes(reason)) return { type: "gpu_failed", kind: "gpu_reset", status: reason };
  // A cell that had to be killed because a call would not stop: only that call is to blame.
  const isOwnDeadline = (reason === KILLED_AT_DEADLINE || reason === "overdue") &&
    nowMs >= invocation.deadlineAtMs;
  if (!isOwnDeadline) return { type: "lost", reason };
  // Nothing but the driver can hold up a cell for so long that has the device of its own.
  if (cell.device !== undefined) return { type: "gpu_failed", kind: "gpu_timeout", status: reason };
  const actual = Math.round(invocation.deadlineMs + nowMs - invocation.deadlineAtMs);
  return { type: "exhausted", limit: "deadline_ms", max: invocation.deadlineMs, actual };
}
