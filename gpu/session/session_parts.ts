/**
 * SessionParts: what the parts of one session share, and what they tell of their work.
 *
 * Owns the shapes only. A session is one guest instance on one device; its parts (kernels, buffers, streams,
 * launches) see each other through this alone. Invariant: nothing in it outlives the session.
 */
import type { Dim3, GpuContext, GpuDeviceInfo, GpuStream, Pacer } from "../device.ts";
import type { Copier } from "./copier.ts";
import type { DeviceMemory } from "./device_memory.ts";
import type { GuestMemory } from "./guest_memory.ts";
import type { GpuLimits } from "../limits.ts";
import type { Failure } from "./refusal.ts";

/** What the parts of a session work with. */
export interface SessionParts {
  readonly info: GpuDeviceInfo;
  readonly limits: GpuLimits;
  readonly memory: GuestMemory;
  readonly pacer: Pacer;
  readonly device: DeviceMemory;
  readonly copier: Copier;
  readonly observer: GpuObserver;
  /** Made by the first call that needs one. */
  context(): GpuContext;
  /** The context, if one was made: without it there is nothing to wait for. */
  madeContext(): GpuContext | undefined;
}

/** A stream as the session sees it: how far it was filled, and how far it is known to be done. */
export interface StreamState {
  /** Undefined for the default stream. */
  readonly stream: GpuStream | undefined;
  launchCount: number;
  doneCount: number;
}

/** How an operation went, in milliseconds on performance.now(). */
export interface OperationRecord {
  readonly startMs: number;
  readonly endMs: number;
  /** Why it failed, if it did. */
  readonly failure: Failure | undefined;
}

/** A load of PTX. */
export interface LoadRecord extends OperationRecord {
  readonly ptxBytes: number;
  readonly entryBytes: number;
  /** Whether the instance had the module already. */
  readonly cached: boolean;
  /** Time that the device took to compile; 0 if it did not. */
  readonly compileMs: number;
}

/** A launch. */
export interface LaunchRecord extends OperationRecord {
  /** Name of the entry; undefined if there is no such kernel. */
  readonly kernel: string | undefined;
  readonly grid: Dim3;
  readonly block: Dim3;
  readonly sharedBytes: number;
  /** Bytes of windows uploaded, and to be written back. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The device's part, if it came to that; its own time where the device tells it at once. */
  readonly dispatch:
    | { readonly startMs: number; readonly endMs: number; readonly deviceTimeUs: number | undefined }
    | undefined;
  /** The observer's clock for this launch, if it was asked for one. */
  readonly clock: LaunchClock | undefined;
}

/** Told of one launch how long the device was busy with it, once that is known: after it was told, or never. */
export interface LaunchClock {
  timed(deviceTimeUs: number): void;
}

/** Who is told what a session did. Called once for each operation, at its end, on every way out. */
export interface GpuObserver {
  /** Asked before a launch whose device may tell its time later; undefined where nobody wants to know it. */
  clock?(): LaunchClock | undefined;
  loaded(record: LoadRecord): void;
  launched(record: LaunchRecord): void;
  synchronized(record: OperationRecord): void;
}
