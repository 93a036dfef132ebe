/**
 * Executor: from an Invocation to an Execution, on a leased cell.
 *
 * Owns the `invoke.run` span, the lease, the deadline and the translation of a cell's death into an Outcome.
 * It knows no HTTP and no storage. Invariant: every run ends with exactly one outcome, one whole span tree
 * and its lease given back, also when the cell is killed under it.
 */
import type { Counter, Gauge, Span, SpanIds, Telemetry } from "../../telemetry/mod.ts";
import type { Clock } from "../model/clock.ts";
import { fault, fromFaultRecord, RuntimeFault } from "../model/fault.ts";
import { InvariantError } from "../model/invariant.ts";
import type { Execution, Invocation } from "../model/invocation.ts";
import { findFunctionExport } from "../model/module_facts.ts";
import type { ModuleFacts } from "../model/module_facts.ts";
import type { Outcome } from "../model/outcome.ts";
import type { ResultMeta } from "../wire/messages.ts";
import type { Wait } from "./admission.ts";
import { KILLED_AT_DEADLINE } from "./cell_process.ts";
import type { CellAnswer, CellProcess } from "./cell_process.ts";
import type { CellPool } from "./cell_pool.ts";
import { logGuestLine } from "./guest_lines.ts";
import { recordCellSpans, recordLostSpans } from "./hops.ts";
import type { HopContext } from "./hops.ts";

/** What an executor works with. */
export interface ExecutorOptions {
  readonly pool: CellPool<CellProcess>;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** The bytes of a module by its digest. */
  readonly moduleBytes: (digest: string) => Promise<Uint8Array>;
}

/** A deploy body that was found good. */
export interface PreparedModule {
  /** Present when the body was JSON. */
  readonly name: string | undefined;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly facts: ModuleFacts;
}

/** How a call on one cell went: it ended there, or it never began. */
type CallEnd =
  | {
    readonly type: "ended";
    readonly startedAtMs: number;
    readonly result: Omit<Execution, "queueMs" | "cold">;
  }
  | { readonly type: "handed_back" };

/** Runs invocations. */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #active: Gauge;
  readonly #spawns: Counter;
  readonly #terminations: Counter;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    const { metrics } = options.telemetry;
    this.#active = metrics.gauge("tensor_wasm_active_instances", {});
    this.#spawns = metrics.counter("tensor_wasm_instance_spawns_total", {});
    this.#terminations = metrics.counter("tensor_wasm_instance_terminations_total", {});
  }

  /**
   * Runs one invocation under the active span.
   *
   * @throws RuntimeFault `capacity_exhausted` or `invoke_timeout` when it never got a cell, `internal` when
   * a cell failed by a bug of ours; ClientGone when the client left while it waited
   */
  async run(invocation: Invocation): Promise<Execution> {
    const { clock, telemetry } = this.#options;
    const span = telemetry.tracer.startSpan("invoke.run", {
      tenant: invocation.tenant,
      function_id: invocation.function.id,
      wasm_bytes_len: invocation.function.moduleBytes,
    });
    const askedAtMs = clock.nowMs();
    this.#active.inc();
    try {
      const execution = await this.#runUnder(span, invocation);
      span.setAttribute("queue_ms", execution.queueMs);
      span.setAttribute("cold", execution.cold);
      if (!isSuccess(execution.outcome)) span.fail(execution.outcome.type);
      return execution;
    } catch (error) {
      // It never began, so all its time was queueing.
      span.setAttribute("queue_ms", wholeMicros(clock.nowMs() - askedAtMs));
      span.fail(error instanceof RuntimeFault ? error.code : "error");
      throw error;
    } finally {
      this.#active.dec();
      span.end();
    }
  }

  /**
   * Examines a deploy body in a cell.
   *
   * @throws RuntimeFault of the examination, or as `run` does
   */
  async prepare(
    form: "json" | "wasm",
    body: Uint8Array<ArrayBuffer>,
    deadlineMs: number,
  ): Promise<PreparedModule> {
    const deadlineAtMs = this.#options.clock.nowMs() + deadlineMs;
    const answer = await this.#onCell(
      { deadlineMs, deadlineAtMs },
      (cell) => cell.prepare({ form }, body, deadlineAtMs),
    );
    if (answer.type === "died") throw prepareDied(answer.reason, deadlineMs);
    if ("fault" in answer.meta) throw fromFaultRecord(answer.meta.fault);
    const { name, facts } = answer.meta;
    return { name, facts, bytes: form === "json" ? answer.blob : body };
  }

  /** Leases a cell for `work`, and another one each time the work is handed back unbegun. */
  async #onCell<Answer extends { readonly type: "answered" | "died" | "ended" }>(
    wait: Wait,
    work: (cell: CellProcess) => Promise<Answer | { readonly type: "handed_back" }>,
  ): Promise<Answer> {
    const { pool } = this.#options;
    for (let hasWaited = false;; hasWaited = true) {
      const leased = pool.lease(hasWaited ? { ...wait, hasWaited } : wait);
      const cell = leased instanceof Promise ? await leased : leased;
      try {
        const answer = await work(cell);
        if (!isHandedBack(answer)) return answer;
      } finally {
        pool.release(cell);
      }
    }
  }

  async #runUnder(span: Span<"invoke.run">, invocation: Invocation): Promise<Execution> {
    const { clock } = this.#options;
    const askedAtMs = clock.nowMs();
    let cold = false;
    const done = await this.#onCell(invocation, async (cell) => {
      const { digest } = invocation.function;
      if (!cell.hasModule(digest)) {
        cold = true;
        const bytes = await this.#options.moduleBytes(digest);
        // Another call may have sent it while this one was reading.
        if (!cell.hasModule(digest)) cell.sendModule(digest, bytes);
      }
      return await this.#call(cell, invocation, span.ids);
    });
    return { ...done.result, cold, queueMs: wholeMicros(done.startedAtMs - askedAtMs) };
  }

  async #call(cell: CellProcess, invocation: Invocation, parent: SpanIds | undefined): Promise<CallEnd> {
    const { clock, telemetry } = this.#options;
    const spawn = telemetry.tracer.allotIds(parent);
    const initialize = needsInitialize(invocation);
    const sentAtMs = clock.nowMs();
    const answer = await cell.call(
      invocation.function.digest,
      {
        export: invocation.export,
        args: invocation.args,
        resultTypes: invocation.resultTypes,
        initialize,
        programArgs: [invocation.function.name, ...invocation.programArgs],
        environment: invocation.environment,
        deadlineMs: invocation.deadlineMs,
        remainingMs: Math.max(0, invocation.deadlineAtMs - sentAtMs),
      },
      invocation.input,
      invocation.deadlineAtMs,
      (line) => logGuestLine(telemetry, invocation, spawn, line),
    );
    if (answer.type === "handed_back") return answer;
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
    };
    return { type: "ended", startedAtMs: context.startedAtMs, result: this.#finish(cell, answer, context) };
  }

  #finish(
    cell: CellProcess,
    answer: Exclude<CellAnswer<ResultMeta>, { type: "handed_back" }>,
    context: HopContext,
  ): Omit<Execution, "queueMs" | "cold"> {
    const nowMs = this.#options.clock.nowMs();
    const { invocation } = context;
    if (answer.type === "died") {
      const outcome = lostOutcome(answer.reason, invocation, nowMs);
      recordLostSpans(context, outcome, answer.reason, Math.min(nowMs, invocation.deadlineAtMs), nowMs);
      return { outcome, output: new Uint8Array(0), contentType: undefined };
    }
    const { meta, blob } = answer;
    if (meta.fault !== undefined) {
      recordLostSpans(context, meta.outcome, "cell_fault", nowMs, nowMs);
      // A cell that hit a bug of ours is not trusted with another call.
      cell.kill("quarantined");
      throw new InvariantError(meta.fault.message);
    }
    recordCellSpans(context, meta.spans, meta.outcome);
    return { outcome: meta.outcome, output: blob, contentType: meta.contentType };
  }
}

function isHandedBack(answer: { readonly type: string }): answer is { readonly type: "handed_back" } {
  return answer.type === "handed_back";
}

/** When the cell began, on our clock; held between the sending of the call and the arrival of its answer. */
function startOf(meta: ResultMeta, cell: CellProcess, sentAtMs: number, receivedAtMs: number): number {
  const durationMs = (meta.spans.at(-1)?.endUs ?? 0) / 1000;
  return Math.max(sentAtMs, Math.min(cell.toGatewayMs(meta.startedAtMs), receivedAtMs - durationMs));
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

function lostOutcome(reason: string, invocation: Invocation, nowMs: number): Outcome {
  if (reason === "closed") return { type: "cancelled", by: "drain" };
  // The cell may have been killed at the deadline of the call before, whose answer had just left.
  const isOwnDeadline = reason === KILLED_AT_DEADLINE && nowMs >= invocation.deadlineAtMs;
  if (!isOwnDeadline) return { type: "lost", reason };
  const actual = Math.round(invocation.deadlineMs + nowMs - invocation.deadlineAtMs);
  return { type: "exhausted", limit: "deadline_ms", max: invocation.deadlineMs, actual };
}

function prepareDied(reason: string, deadlineMs: number): Error {
  return reason === KILLED_AT_DEADLINE
    ? fault("invoke_timeout", `Module could not be examined within ${deadlineMs} ms`)
    : fault("cell_lost", "The process that examined the module died");
}
