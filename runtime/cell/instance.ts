/**
 * Instance: one call on one fresh instance, from instantiation to its Outcome.
 *
 * Owns the order spawn → initialize → call → terminate, the timing of each hop as a plain record, and the
 * translation of whatever the guest throws. It does not read frames or keep modules (cell.ts does).
 * Invariant: it always returns a result with every hop that was begun ended, and `terminate` on every way out.
 */
import { GPU_MODULE_NAMES } from "../../gpu/mod.ts";
import type { GpuDevice } from "../../gpu/mod.ts";
import { invariant } from "../model/invariant.ts";
import type { Limits } from "../model/limits.ts";
import type { TypedValue } from "../model/module_facts.ts";
import type { Outcome } from "../model/outcome.ts";
import type { ValueType } from "../model/value_type.ts";
import type { CallMeta, CellHop, CellSpan, ResultMeta } from "../wire/messages.ts";
import { HOOKS } from "../wasm/instrument.ts";
import { CallContext } from "./call_context.ts";
import type { ChunkSender } from "./chunk_sender.ts";
import type { Fiber, FuelGlobal } from "./fiber.ts";
import { GuestStop } from "./guest_context.ts";
import type { GpuKeeper } from "./gpu_keeper.ts";
import { GuestGpu } from "./guest_gpu.ts";
import { type ImportedModule, openImports } from "./imports/mod.ts";
import { promising } from "./jspi.ts";
import type { MemoryGuard } from "./memory_guard.ts";
import type { Scheduler } from "./scheduler.ts";
import { toTrap } from "./trap.ts";

/** A module that a cell has compiled, with what every call on it needs. */
export interface CompiledModule {
  readonly module: WebAssembly.Module;
  /** What it imports, by module. */
  readonly imports: readonly ImportedModule[];
  /** Whether host functions see its memory: exported as `memory`. */
  readonly exportsMemory: boolean;
  /** Whether it imports the GPU interface. */
  readonly usesGpu: boolean;
}

/** Below this a module is compiled at once: handing it to another thread and back would take longer. */
const COMPILE_AT_ONCE_BYTES_MAX = 64 * 1024;

/** Compiles an instrumented module and notes its imports; a large one while others run. */
export function compileModule(
  bytes: Uint8Array<ArrayBuffer>,
): CompiledModule | Promise<CompiledModule> {
  if (bytes.length <= COMPILE_AT_ONCE_BYTES_MAX) return describe(new WebAssembly.Module(bytes));
  return WebAssembly.compile(bytes).then((module) => describe(module));
}

const GPU_MODULES: readonly string[] = GPU_MODULE_NAMES;

function describe(module: WebAssembly.Module): CompiledModule {
  const imports = importsOf(module);
  return {
    module,
    imports,
    usesGpu: imports.some(({ module: name }) => GPU_MODULES.includes(name)),
    exportsMemory: WebAssembly.Module.exports(module).some(
      (entry) => entry.name === "memory" && entry.kind === "memory",
    ),
  };
}

function importsOf(module: WebAssembly.Module): ImportedModule[] {
  const names = new Map<string, Set<string>>();
  for (const entry of WebAssembly.Module.imports(module)) {
    const known = names.get(entry.module);
    if (known === undefined) names.set(entry.module, new Set([entry.name]));
    else known.add(entry.name);
  }
  return [...names].map(([name, of]) => ({ module: name, names: [...of] }));
}

/** What all calls of a cell share. */
export interface CellSurroundings {
  readonly scheduler: Scheduler;
  readonly memory: MemoryGuard;
  /** What instances are given as HOOKS.tick. */
  readonly tick: WebAssembly.ExportValue;
  readonly limits: Limits;
  /** The device of calls whose guests ask for one. */
  readonly gpu: GpuDevice | undefined;
  /** Who keeps it, if it is a GPU. */
  readonly keeper?: GpuKeeper | undefined;
  /** Writes log lines to the cell's stdout before it returns. */
  readonly writeLines: (bytes: Uint8Array) => void;
}

/** What a call leaves behind: the meta of its result frame and the guest's output. */
export interface CallResult {
  readonly meta: ResultMeta;
  readonly output: Uint8Array;
}

/** One call on its way through the hops. */
interface Call {
  /** Absent if the call was over before there was one. */
  readonly compiled: CompiledModule | undefined;
  readonly meta: CallMeta;
  readonly fiber: Fiber;
  readonly context: CallContext;
  readonly gpu: GuestGpu | undefined;
  readonly around: CellSurroundings;
  readonly spans: CellSpan[];
  readonly startedAtMs: number;
}

/** What a call is run with. */
export interface CallOrder {
  /** Absent if the call was over before there was one. */
  readonly compiled: CompiledModule | undefined;
  readonly callId: number;
  readonly meta: CallMeta;
  readonly input: Uint8Array;
  readonly fiber: Fiber;
  readonly around: CellSurroundings;
  /** Takes the output while the call runs; without it, it is gathered for the result. */
  readonly chunks?: ChunkSender | undefined;
}

/**
 * Runs one call as the fiber that the scheduler has just put on. Never rejects for anything a guest does; an
 * InvariantError is a bug of ours.
 */
export async function runCall(order: CallOrder): Promise<CallResult> {
  const { compiled, callId, meta, input, fiber, around, chunks } = order;
  const startedAtMs = performance.now();
  const gpu = openGpu(order, startedAtMs);
  const context = new CallContext(
    {
      callId,
      input,
      programArgs: meta.programArgs,
      environment: meta.environment,
      outputBytesMax: meta.outputBytesMax,
      startedAtMs,
    },
    fiber,
    around.scheduler,
    around.limits,
    around.writeLines,
    gpu,
    chunks,
  );
  let spans: CellSpan[] = [];
  let outcome: Outcome;
  let memoryBytes = 0;
  try {
    outcome = await runHops({ compiled, meta, fiber, context, gpu, around, spans, startedAtMs });
    if (gpu !== undefined) outcome = await gpu.finish(outcome);
  } finally {
    memoryBytes = around.memory.leave(fiber);
    gpu?.[Symbol.dispose]();
  }
  const judged = gpu?.judge(outcome) ?? outcome;
  if (judged !== outcome) {
    const reason = failureReason(judged) ?? judged.type;
    spans = spans.map((span) => span.reason === undefined ? span : { ...span, reason });
    outcome = judged;
  }
  const terminateStartUs = microsSince(startedAtMs);
  fiber.settle();
  const logLines = context.finishLog();
  const endUs = microsSince(startedAtMs);
  spans.push({ hop: "terminate", startUs: terminateStartUs, endUs });
  const reason = failureReason(outcome);
  spans.push(
    reason === undefined ? { hop: "spawn", startUs: 0, endUs } : { hop: "spawn", startUs: 0, endUs, reason },
  );
  const usage = fiber.usage(around.scheduler.runningMs(), memoryBytes);
  const report = gpu?.makeReport();
  const result: ResultMeta = {
    ...{ startedAtMs, outcome, spans, logLines, usage },
    ...(report === undefined ? {} : { gpu: report }),
    ...(chunks === undefined ? {} : { stream: chunks.report() }),
  };
  return {
    meta: context.contentType === undefined ? result : { ...result, contentType: context.contentType },
    output: context.takeOutput(),
  };
}

function openGpu({ compiled, meta, fiber, around }: CallOrder, startedAtMs: number): GuestGpu | undefined {
  const { gpu, keeper, limits, scheduler, memory } = around;
  if (gpu === undefined || compiled?.usesGpu !== true) return undefined;
  const own = { ...limits, ...meta.gpu };
  return new GuestGpu({ device: gpu, keeper, limits: own, fiber, scheduler, memory, startedAtMs });
}

/** Instance, start function, `_initialize`, the export; each is one await, in which the guest may be parked. */
async function runHops(call: Call): Promise<Outcome> {
  const { compiled, meta, fiber, context, gpu, around } = call;
  // It waited too long for its turn, or was cancelled meanwhile: it never begins.
  if (around.scheduler.isOver(fiber) || compiled === undefined) {
    return fiber.stopped ?? { type: "cancelled", by: "client" };
  }
  let exports: WebAssembly.Exports;
  try {
    const imports = openImports(compiled.imports, context);
    exports = new WebAssembly.Instance(compiled.module, imports).exports;
  } catch (error) {
    return toOutcome(error, fiber);
  }
  fiber.attach(exports[HOOKS.fuel] as unknown as FuelGlobal);
  (exports[HOOKS.tick] as WebAssembly.Global).value = around.tick;
  const memory = exports[HOOKS.memory] as WebAssembly.Memory | undefined;
  if (compiled.exportsMemory) context.attachMemory(exports["memory"] as WebAssembly.Memory);
  const tooLarge = around.memory.enter(fiber, memory, gpu && (() => gpu.residentBytes));
  if (tooLarge !== undefined) return tooLarge;
  const start = exports[HOOKS.start];
  if (start !== undefined) {
    const outcome = await settle(promising(start), [], [], fiber);
    if (outcome.type !== "returned") return outcome;
  }
  if (meta.initialize) {
    const outcome = await callExport(call, exports, "_initialize", [], [], "initialize");
    if (outcome.type !== "returned") return outcome;
  }
  return await callExport(call, exports, meta.export, meta.args, meta.resultTypes, "call");
}

async function settle(
  run: (...args: unknown[]) => Promise<unknown>,
  args: readonly TypedValue[],
  resultTypes: readonly ValueType[],
  fiber: Fiber,
): Promise<Outcome> {
  try {
    const returned = await run(...args.map(toEngineValue));
    return fiber.stopped ?? { type: "returned", values: fromEngineValues(returned, resultTypes) };
  } catch (error) {
    return toOutcome(error, fiber);
  }
}

async function callExport(
  call: Call,
  exports: WebAssembly.Exports,
  name: string,
  args: readonly TypedValue[],
  resultTypes: readonly ValueType[],
  hop: CellHop,
): Promise<Outcome> {
  const { context, spans, startedAtMs } = call;
  const startUs = microsSince(startedAtMs);
  const exported = exports[name];
  invariant(typeof exported === "function", "The gateway resolves exports before it calls them");
  const outcome = await settle(promising(exported), args, resultTypes, call.fiber);
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

/** A guest that catches a stop and goes on is stopped all the same: the fiber remembers. */
function toOutcome(error: unknown, fiber: Fiber): Outcome {
  if (fiber.stopped !== undefined) return fiber.stopped;
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
      return outcome.limit === "deadline_ms" ? "deadline_elapsed" : outcome.limit;
    case "gpu_failed":
      return outcome.kind;
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
