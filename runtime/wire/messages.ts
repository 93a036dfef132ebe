/**
 * Messages: what the frames between a gateway and a cell mean.
 *
 * Owns the frame types and the shape of each one's meta and blob, in both directions. It does not send or
 * read (frame.ts, frame_writer.ts do). Invariant: everything in a meta is plain JSON data; trace context
 * travels as ids that the gateway allotted, never as objects of a tracing library.
 */
import type { FaultRecord } from "../model/fault.ts";
import type { CudaFound, DeviceFacts, GpuConfig } from "../model/gpu.ts";
import type { Limits } from "../model/limits.ts";
import type { ModuleFacts, TypedValue } from "../model/module_facts.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Usage } from "../model/usage.ts";
import type { ValueType } from "../model/value_type.ts";

/** Frame types. Odd ones go to the cell, even ones come from it. */
export const FRAME = {
  /** Limits, once, before anything else. meta: ConfigureMeta. */
  configure: 1,
  /** The cell is connected and has no permission left. meta: ReadyMeta. */
  ready: 2,
  /** An instrumented module, id = the cell-local module number. blob: its bytes. */
  module: 3,
  /** A call's end, id = the call. meta: ResultMeta, blob: the guest's output. */
  result: 4,
  /** Drop a module, id = its number. */
  forget: 5,
  /**
   * A module's examination, id = the request. meta: PreparedMeta, blob: the module if the body was JSON, then
   * the instrumented module.
   */
  prepared: 6,
  /** Answer to a ping, id = the ping's. meta: PongMeta. */
  pong: 8,
  /** A piece of a streamed call's output, id = the call. meta: ChunkMeta or none, blob: the bytes. */
  chunk: 10,
  /** Run an export, id = the call. meta: CallMeta, blob: the guest's input. */
  call: 7,
  /** Examine and instrument a module, id = the request. meta: PrepareMeta, blob: the body. */
  prepare: 9,
  /** End a call, id = the call. meta: CancelMeta. It is answered by its result as ever. */
  cancel: 11,
  /** Say that you live, id = any number. */
  ping: 13,
  /** Room for more of a streamed call's output, id = the call. meta: CreditMeta. */
  credit: 15,
  /** What the CUDA driver shows: the one frame of a look at it. meta: SurveyedMeta. */
  surveyed: 20,
  /** The cell's device is of no use any more; all calls that had it are being ended. meta: FailingMeta. */
  failing: 22,
  /** A kernel is past its call's deadline, or none is any more. Before the answer of that call. meta: DoubtMeta. */
  doubt: 24,
} as const;

/** Meta of `configure`. */
export interface ConfigureMeta {
  readonly limits: Limits;
  /** Absent for cells that run no guests. */
  readonly gpu?: GpuConfig;
}

/** Meta of `surveyed`. */
export type SurveyedMeta =
  | { readonly found: CudaFound }
  | { readonly tried: readonly { readonly path: string; readonly reason: string }[] };

/** Meta of `failing`. */
export interface FailingMeta {
  /** A kernel did something wrong, or one has not ended long after nobody waits for it any more. */
  readonly reason: "gpu_fault" | "gpu_timeout";
}

/** Meta of `doubt`. */
export interface DoubtMeta {
  /** Whether the cell may soon be of no use: a kernel runs that should have ended. */
  readonly isDoubtful: boolean;
}

/** Meta of `ready`. */
export interface ReadyMeta {
  /** The cell's performance.now() as the frame was made. */
  readonly nowMs: number;
}

/** Meta of `cancel`: who does not want the answer any more. */
export interface CancelMeta {
  readonly by: "client" | "drain";
}

/** Meta of `pong`. */
export interface PongMeta {
  /** The cell's performance.now() as the frame was made. */
  readonly nowMs: number;
  /** Resident memory of the process. */
  readonly residentBytes: number;
  /** Device memory of all calls. */
  readonly gpuMemoryBytes: number;
  /** Memory of the tenants whose calls run. */
  readonly tenants: readonly TenantMemory[];
  /** Compilations since the last answer, in the buckets of model/compile_time.ts. */
  readonly compiles?: BucketCounts;
  /** In the first answer of a cell that has a device. */
  readonly device?: DeviceFacts;
}

/** What a tenant's calls hold in a cell: linear memory, and memory of the device. */
export interface TenantMemory {
  readonly tenant: string;
  readonly memoryBytes: number;
  readonly deviceBytes: number;
}

/** Meta of `call`. */
export interface CallMeta {
  /** Number of a module sent before. */
  readonly module: number;
  /** Whose call it is: tenants get equal turns. */
  readonly tenant: string;
  /** The tenant's limits that the cell enforces. */
  readonly fuelMax: number;
  readonly outputBytesMax: number;
  /** Present if the output leaves in `chunk` frames while the call runs, instead of with its result. */
  readonly stream?: StreamLimits;
  /** Present for a function that imports the GPU interface. */
  readonly gpu?: CallGpuLimits;
  readonly export: string;
  readonly args: readonly TypedValue[];
  readonly resultTypes: readonly ValueType[];
  /** Whether `_initialize` must run first: a WASI reactor. */
  readonly initialize: boolean;
  /** WASI arguments, program name first, and environment as `NAME=value`. */
  readonly programArgs: readonly string[];
  readonly environment: readonly string[];
  /** The call's whole budget, and what was left of it when the frame was sent. */
  readonly deadlineMs: number;
  readonly remainingMs: number;
  /**
   * The same instant on the cell's performance.now(), as well as the gateway knows that clock: never later than
   * it is. Without the time that the frame waits for a busy cell.
   */
  readonly deadlineAtMs?: number;
}

/** The bounds of a streamed output. */
export interface StreamLimits {
  /** How much may be under way, by the account of runtime/model/stream_window.ts. */
  readonly windowBytes: number;
  /** Most bytes and most chunks of the whole stream. */
  readonly bytesMax: number;
  readonly chunksMax: number;
}

/** Meta of `chunk`, if it has one: the first of a call may. */
export interface ChunkMeta {
  readonly contentType: string;
}

/** Meta of `credit`. */
export interface CreditMeta {
  readonly bytes: number;
}

/** What a call streamed. */
export interface StreamReport {
  readonly chunks: number;
  readonly bytes: number;
  /** Chunks that were refused to the guest, with a code. */
  readonly rejected: number;
}

/** The limits on a call's device that can differ from tenant to tenant. */
export type CallGpuLimits = Pick<
  Limits,
  "gpuMemoryBytesMax" | "gpuAllocationsMax" | "gpuKernelsMax" | "ptxTotalBytesMax"
>;

/** The hops of a call that a cell times; the gateway has allotted a span id for each. */
export type CellHop = "spawn" | "initialize" | "call" | "terminate";

/** A span of a cell as a plain record: whole microseconds after the cell began the call. */
export interface CellSpan {
  readonly hop: CellHop;
  readonly startUs: number;
  readonly endUs: number;
  /** Present when the hop failed: the reason, which becomes the span's error status. */
  readonly reason?: string;
  readonly events?: readonly { readonly name: string; readonly atUs: number }[];
}

/** What a guest did with its device, as a plain record; times as in CellSpan. */
export type GpuSpan =
  & {
    readonly startUs: number;
    readonly endUs: number;
    /** Present when it failed: the name of a CUresult or of an ABI code, or call_stopped. */
    readonly reason?: string;
  }
  & (
    | {
      readonly type: "load";
      readonly ptxBytes: number;
      readonly entryBytes: number;
      readonly cached: boolean;
    }
    | {
      readonly type: "launch";
      /** Absent if there was no such kernel. */
      readonly kernel?: string;
      /** Extents as x, y, z. */
      readonly grid: readonly [number, number, number];
      readonly block: readonly [number, number, number];
      readonly sharedBytes: number;
      readonly bytesIn: number;
      readonly bytesOut: number;
      /** The device's part, if it came to that. */
      readonly dispatch?: {
        readonly startUs: number;
        readonly endUs: number;
        readonly deviceTimeUs?: number;
      };
    }
    | { readonly type: "sync" }
  );

/** Observations in the buckets of a histogram of runtime/model/gpu.ts, the last for what exceeds all bounds. */
export interface BucketCounts {
  readonly counts: readonly number[];
  readonly sumSeconds: number;
}

/** What a call did with its device. */
export interface GpuReport {
  /** The first of it, in the order in which it ended; at most 64 spans of `wasi_cuda.*` come of it. */
  readonly spans: readonly GpuSpan[];
  readonly launchCount: number;
  /** Time of all launches, and of the longest. */
  readonly launchUs: number;
  readonly launchUsMax: number;
  /** How long the device was busy for the call, as well as it is known. */
  readonly deviceUs: number;
  /** Kernels that the device was given, by its own time. */
  readonly dispatches: BucketCounts;
  readonly compiles: BucketCounts;
  readonly loads: { readonly compiled: number; readonly cached: number; readonly failed: number };
  /** Failures of the device by the name of the CUresult; a kernel's counts once. */
  readonly failures: Readonly<Record<string, number>>;
}

/** Meta of `result`. */
export interface ResultMeta {
  /** The cell's performance.now() when it began the call. */
  readonly startedAtMs: number;
  readonly outcome: Outcome;
  readonly spans: readonly CellSpan[];
  /** Lines of this call that were written to the cell's stdout before this frame. */
  readonly logLines: number;
  readonly usage: Usage;
  /** Present if the guest used its device. */
  readonly gpu?: GpuReport;
  /** Present if the call was streamed. */
  readonly stream?: StreamReport;
  readonly contentType?: string;
  /** Present instead of a meaningful outcome when the cell itself failed: a bug of ours. */
  readonly fault?: FaultRecord;
}

/** Meta of `prepare`: the body is `{name, wasm_b64}` in JSON, or the module itself. */
export interface PrepareMeta {
  readonly form: "json" | "wasm";
  /** The tenant's limits. */
  readonly limits: Limits;
}

/** Meta of `prepared`. */
export type PreparedMeta =
  | {
    readonly name?: string;
    readonly facts: ModuleFacts;
    /** Bytes of the blob that are the original module: 0 if the gateway has it already. */
    readonly originalBytes: number;
  }
  | { readonly fault: FaultRecord };

/** A guest's log line as a cell prints it on its own stdout, one JSON object a line. */
export interface CellLogLine {
  readonly call: number;
  readonly source: string;
  readonly level: string;
  readonly text: string;
}
