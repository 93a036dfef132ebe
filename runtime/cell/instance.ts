/**
 * Instance: one call on one fresh instance, from instantiation to its Outcome.
 *
 * Owns the order spawn → initialize → call → terminate, the timing of each hop as a plain record, and the
 * translation of whatever the guest throws. It does not read frames or keep modules (cell.ts does).
 * Invariant: it always returns a result with every hop that was begun ended, and `terminate` on every way out.
 */
import { invariant } from "../model/invariant.ts";
import type { Limits } from "../model/limits.ts";
import type { TypedValue } from "../model/module_facts.ts";
import type { Outcome } from "../model/outcome.ts";
import type { ValueType } from "../model/value_type.ts";
import type { CallMeta, CellHop, CellSpan, ResultMeta } from "../wire/messages.ts";
import { CallContext } from "./call_context.ts";
import { GuestStop } from "./guest_context.ts";
import { openImports } from "./imports/mod.ts";
import { toTrap } from "./trap.ts";

/** A module that a cell has compiled, with what every call on it needs. */
export interface CompiledModule {
  readonly module: WebAssembly.Module;
  /** Names of the modules it imports from, each once. */
  readonly importModules: readonly string[];
  readonly exportsMemory: boolean;
}

/** Compiles a module and notes its imports. */
export function compileModule(bytes: BufferSource): CompiledModule {
  const module = new WebAssembly.Module(bytes);
  return {
    module,
    importModules: [...new Set(WebAssembly.Module.imports(module).map((entry) => entry.module))],
    exportsMemory: WebAssembly.Module.exports(module).some(
      (entry) => entry.name === "memory" && entry.kind === "memory",
    ),
  };
}

/** What a call leaves behind: the meta of its result frame and the guest's output. */
export interface CallResult {
  readonly meta: ResultMeta;
  readonly output: Uint8Array;
}

/** Runs one call. Never throws for anything a guest does; an InvariantError is a bug of ours. */
export function runCall(
  compiled: CompiledModule,
  callId: number,
  meta: CallMeta,
  input: Uint8Array,
  limits: Limits,
  writeLines: (bytes: Uint8Array) => void,
): CallResult {
  const startedAtMs = performance.now();
  const context = new CallContext(
    {
      callId,
      input,
      programArgs: meta.programArgs,
      environment: meta.environment,
      startedAtMs,
      deadlineMs: meta.deadlineMs,
      deadlineAtMs: startedAtMs + meta.remainingMs,
    },
    limits,
    writeLines,
  );
  const spans: CellSpan[] = [];
  const outcome = runHops(compiled, meta, context, spans, startedAtMs);
  const terminateStartUs = microsSince(startedAtMs);
  const logLines = context.finishLog();
  const endUs = microsSince(startedAtMs);
  spans.push({ hop: "terminate", startUs: terminateStartUs, endUs });
  const reason = failureReason(outcome);
  spans.push(
    reason === undefined ? { hop: "spawn", startUs: 0, endUs } : { hop: "spawn", startUs: 0, endUs, reason },
  );
  const result: ResultMeta = { startedAtMs, outcome, spans, logLines };
  return {
    meta: context.contentType === undefined ? result : { ...result, contentType: context.contentType },
    output: context.takeOutput(),
  };
}

function runHops(
  compiled: CompiledModule,
  meta: CallMeta,
  context: CallContext,
  spans: CellSpan[],
  startedAtMs: number,
): Outcome {
  let instance: WebAssembly.Instance;
  try {
    instance = new WebAssembly.Instance(compiled.module, openImports(compiled.importModules, context));
  } catch (error) {
    return toOutcome(error, context);
  }
  if (compiled.exportsMemory) context.attachMemory(instance.exports["memory"] as WebAssembly.Memory);
  if (meta.initialize) {
    const outcome = callExport(instance, "_initialize", [], [], "initialize", context, spans, startedAtMs);
    if (outcome.type !== "returned") return outcome;
  }
  return callExport(instance, meta.export, meta.args, meta.resultTypes, "call", context, spans, startedAtMs);
}

function callExport(
  instance: WebAssembly.Instance,
  name: string,
  args: readonly TypedValue[],
  resultTypes: readonly ValueType[],
  hop: CellHop,
  context: CallContext,
  spans: CellSpan[],
  startedAtMs: number,
): Outcome {
  const startUs = microsSince(startedAtMs);
  let outcome: Outcome;
  try {
    const exported = instance.exports[name];
    invariant(typeof exported === "function", "The gateway resolves exports before it calls them");
    const returned: unknown = exported(...args.map(toEngineValue));
    outcome = context.stopped ?? { type: "returned", values: fromEngineValues(returned, resultTypes) };
  } catch (error) {
    outcome = toOutcome(error, context);
  }
  const reason = failureReason(outcome);
  spans.push({
    hop,
    startUs,
    endUs: microsSince(startedAtMs),
    ...(reason === undefined ? {} : { reason }),
    ...(hop === "call" && context.events.length > 0 ? { events: context.events } : {}),
  });
  return outcome;
}

/** A guest that catches a stop and goes on is stopped all the same: the context remembers. */
function toOutcome(error: unknown, context: CallContext): Outcome {
  if (context.stopped !== undefined) return context.stopped;
  if (error instanceof GuestStop) return error.outcome;
  const trap = toTrap(error);
  if (trap === undefined) throw error;
  return { type: "trapped", trap };
}

/** The word for a failed outcome on spans and in logs, or undefined for a success. */
function failureReason(outcome: Outcome): string | undefined {
  switch (outcome.type) {
    case "returned":
      return undefined;
    case "exited":
      return outcome.exitCode === 0 ? undefined : `exit_code_${outcome.exitCode}`;
    case "trapped":
      return outcome.trap;
    case "exhausted":
      return outcome.limit;
    default:
      return outcome.type;
  }
}

/** Whole numbers: printing and parsing doubles would cost more than the rest of the record. */
function microsSince(startedAtMs: number): number {
  return Math.round((performance.now() - startedAtMs) * 1000);
}

function toEngineValue(typed: TypedValue): number | bigint {
  return typed.type === "i64" ? BigInt(typed.value) : Number(typed.value);
}

function fromEngineValues(returned: unknown, types: readonly ValueType[]): TypedValue[] {
  if (types.length === 0) return [];
  const values: unknown[] = types.length === 1 ? [returned] : [...returned as Iterable<unknown>];
  return types.map((type, index) => ({ type, value: fromEngineValue(values[index]) }));
}

/** i64 and what JSON has no number for (NaN, infinities, minus zero) become text. */
function fromEngineValue(value: unknown): number | string {
  if (typeof value === "number" && Number.isFinite(value) && !Object.is(value, -0)) return value;
  return Object.is(value, -0) ? "-0" : String(value);
}
