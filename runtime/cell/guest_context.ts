/**
 * GuestContext: what the host functions of one call may see and touch.
 *
 * Owns the interface between a running guest and its imports, the checked views of linear memory, and the
 * error that unwinds a guest. It does not instantiate or call anything (instance.ts does).
 * Invariant: memory is looked up again at every access, because `memory.grow` detaches the old buffer; no
 * pointer or length of a guest is used before it was checked against the memory as it is now.
 */
import type { GpuSession } from "../../gpu/mod.ts";
import type { Outcome } from "../model/outcome.ts";
import type { FunctionType } from "../model/value_type.ts";

/** Thrown by a host function to end the guest; carries how the call ended. */
export class GuestStop extends Error {
  override readonly name = "GuestStop";
  readonly outcome: Outcome;

  constructor(outcome: Outcome) {
    super(outcome.type);
    this.outcome = outcome;
  }
}

/** Where a guest's log line comes from; `device` is what its kernels print. */
export type GuestLogSource = "stdout" | "stderr" | "log" | "device";

/** The levels of a guest's log line, least severe first; the ABI passes the index. */
export const GUEST_LOG_LEVELS = ["trace", "debug", "info", "warn", "error"] as const;
/** A level of a guest's log line. */
export type GuestLogLevel = (typeof GUEST_LOG_LEVELS)[number];

/** What one call's host functions share. Made anew for every call, dropped with it. */
export interface GuestContext {
  /** The bytes staged as the guest's input: WASI stdin and `read-input`. */
  readonly input: Uint8Array;
  /** WASI arguments; the first is the program's name. */
  readonly args: readonly string[];
  /** WASI environment as `NAME=value` strings. */
  readonly environment: readonly string[];
  /** Most bytes that the in-memory files of this call may hold together. */
  readonly fileBytesMax: number;
  /** Most bytes of one `emit-chunk`. */
  readonly chunkBytesMax: number;
  /** Milliseconds until the deadline, never negative. */
  deadlineRemainingMs(): number;
  /** The linear memory exported as `memory`, or undefined if the guest has none (yet). */
  memory(): WebAssembly.Memory | undefined;
  /** The call's session on the device, or undefined if there is no device for it. */
  gpu(): GpuSession | undefined;
  /** Whether the output is sent while the guest runs: then `writeOutput` may have the guest wait. */
  readonly isStream: boolean;
  /**
   * Appends to the guest's output; throws GuestStop `exhausted` past the limit. Copies the bytes. Undefined once
   * they are taken; in a stream a promise where the guest must wait for its reader, which rejects with GuestStop
   * when the call is over before.
   */
  writeOutput(bytes: Uint8Array): Promise<void> | undefined;
  /** Counts a chunk that was refused to the guest with a code. */
  rejectChunk(): void;
  /** Names the content type of the output; false if it is not a valid media type, or output has left already. */
  setContentType(contentType: string): boolean;
  /** Logs bytes that a guest wrote, split into lines; never throws, counts what the limits suppress. */
  writeLog(source: GuestLogSource, level: GuestLogLevel, bytes: Uint8Array): void;
  /** Adds an event to the span of the call. */
  addSpanEvent(name: string): void;
  /**
   * For a host function that works for long or whose guest offers to give way: undefined to go on at once, a
   * promise while others run. Throws GuestStop, or rejects with it, when the call is over.
   */
  checkpoint(isOffered: boolean): Promise<void> | undefined;
  /** As `checkpoint(false)`, for a function that is called often and is quick: it looks only now and then. */
  rest(): Promise<void> | undefined;
  /** Suspends the guest for a time; rejects with GuestStop when the call is over before. */
  sleep(durationMs: number): Promise<void>;
  /** Time that the call has had the thread. */
  cpuMs(): number;
  /** Ends the guest: remembers the outcome, so that a guest that catches the throw is stopped all the same. */
  stop(outcome: Outcome): never;
}

/** The functions of one host module, bound to one call. Values are what WebAssembly.instantiate links. */
export type HostFunctions = Record<string, (...args: never[]) => unknown>;

/** A host module: the names it answers to, its functions' signatures, and how to bind them to a call. */
export interface HostModule {
  /** Import module names, versioned and unversioned. */
  readonly names: readonly string[];
  /** Signature of every function by import name: the link check at deploy compares against it. */
  readonly functions: Readonly<Record<string, FunctionType>>;
  /** Names of the functions that may answer with a promise, while which the guest is suspended. */
  readonly suspending?: readonly string[];
  /** Likewise, where the output is a stream: those that write to it. */
  readonly suspendingInStreams?: readonly string[];
  /**
   * Binds the functions to one call. Called only for modules that the guest imports; `names` are those of the
   * functions that it does, all of them ours. Others may be there as well.
   */
  open(context: GuestContext, names: readonly string[]): HostFunctions;
}

/**
 * A view of `[pointer, pointer + length)` of the guest's memory as it is now, or undefined if the range is
 * not wholly inside. `pointer` and `length` are i32 as the engine passes them: read as unsigned.
 */
export function guestBytes(context: GuestContext, pointer: number, length: number): Uint8Array | undefined {
  const memory = context.memory();
  if (memory === undefined) return undefined;
  const start = pointer >>> 0;
  const size = length >>> 0;
  if (start + size > memory.buffer.byteLength) return undefined;
  return new Uint8Array(memory.buffer, start, size);
}
