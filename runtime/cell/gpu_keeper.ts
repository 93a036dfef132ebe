/**
 * GpuKeeper: the GPU of a dedicated cell, and which calls suffer when it fails.
 *
 * Owns the opened device, the bound on the memory of all calls together, the wait for kernels whose calls are
 * over, and the verdict on each call when the device is of no use any more. It ends no process: the gateway is
 * told, and kills it. Invariants: after a failure every call that uses the device is stopped, with one outcome;
 * the gateway is told once; of a kernel past its deadline it is told before that call is answered, so that it
 * sends no more calls here until the kernel has ended.
 *
 * All calls share the primary context, so a fault shows at whichever call asks the driver next. Whoever has work
 * that is not known to be done may have caused it, and nobody else can have: those are gpu_fault, all others
 * gpu_reset.
 */
import { openGpuDevice } from "../../gpu/mod.ts";
import type { CudaDevice, GpuError } from "../../gpu/mod.ts";
import type { CudaSeat } from "../model/gpu.ts";
import type { GpuFailure, Outcome } from "../model/outcome.ts";
import type { FailingMeta } from "../wire/messages.ts";

/** How long after its call's deadline a kernel may still end by itself. */
const LINGER_MS_MAX = 250;
/** How often lingering kernels are asked about. */
const REAP_MS = 20;

/** A call that may use the device. */
export interface GpuUser {
  /** Whether it has given the device work that is not known to be done. Asks nobody. */
  readonly isBusy: boolean;
  readonly deadlineAtMs: number;
  stop(outcome: Outcome): void;
}

/** What a keeper needs of its process. */
export interface KeeperHost {
  nowMs(): number;
  /** Calls back once after a time; the answer cancels. */
  after(delayMs: number, callback: () => void): () => void;
}

/** The part of a CUDA device that a keeper uses. */
export type KeptDevice = Pick<CudaDevice, "info" | "createContext" | "reap" | "allocatedBytes"> & Disposable;

/** Keeps one device. */
export class GpuKeeper implements Disposable {
  readonly device: KeptDevice;
  /** Most device memory of all calls together. */
  readonly memoryBytesMax: number;
  readonly #host: KeeperHost;
  readonly #users = new Set<GpuUser>();
  /** Calls that are over and whose work is not, each with the moment from which that is too long. */
  readonly #lingering = new Map<GpuUser, number>();
  #onFailing: ((reason: FailingMeta["reason"]) => void) | undefined;
  #onDoubt: ((isDoubtful: boolean) => void) | undefined;
  #isDoubtful = false;
  #failure: FailingMeta["reason"] | undefined;
  #failureStatus = "";
  #cancelReap: (() => void) | undefined;

  /** Opens the device of a seat, its context made. Rejects with CudaUnavailable or GpuError. */
  static async open(seat: CudaSeat, host: KeeperHost): Promise<GpuKeeper> {
    // It has no calls before it is open.
    let keeper: GpuKeeper | undefined;
    const device = await openGpuDevice({
      driverPath: seat.driverPath,
      deviceIndex: seat.deviceIndex,
      contexts: "primary",
      allowHostMemoryAccess: seat.allowHostMemory,
      copies: seat.copies,
      memoryBytesMax: seat.memoryBytesMax,
      onFailure: (error) => keeper?.deviceFailed(error),
    });
    device.prepare();
    return keeper = new GpuKeeper(device, seat.memoryBytesMax, host);
  }

  constructor(device: KeptDevice, memoryBytesMax: number, host: KeeperHost) {
    this.device = device;
    this.memoryBytesMax = memoryBytesMax;
    this.#host = host;
  }

  /** The device's context is of no use any more. Called from within the call of the driver that found out. */
  deviceFailed({ statusName }: Pick<GpuError, "statusName">): void {
    this.#fail("gpu_fault", statusName);
  }

  /** Who is told when the device has failed. */
  set onFailing(onFailing: (reason: FailingMeta["reason"]) => void) {
    this.#onFailing = onFailing;
    if (this.#failure !== undefined) onFailing(this.#failure);
  }

  /** Who is told when a kernel is past its call's deadline, and when none is any more. */
  set onDoubt(onDoubt: (isDoubtful: boolean) => void) {
    this.#onDoubt = onDoubt;
  }

  /** Device memory of all calls, of those included whose work lingers. */
  get allocatedBytes(): number {
    return this.device.allocatedBytes;
  }

  /** Whether so many bytes more are within the cell's part of the device. */
  hasRoom(byteLength: number): boolean {
    return this.device.allocatedBytes + byteLength <= this.memoryBytesMax;
  }

  /** A call begins to use the device. */
  enter(user: GpuUser): void {
    this.#users.add(user);
    if (this.#failure !== undefined) user.stop(this.#outcome("gpu_reset"));
  }

  /** It is over, and its session disposed. @returns whether it has left work behind that is still under way */
  leave(user: GpuUser): boolean {
    this.#users.delete(user);
    if (this.#failure !== undefined || !user.isBusy) return false;
    this.#lingering.set(user, Math.max(this.#host.nowMs(), user.deadlineAtMs));
    this.#tellDoubt();
    this.#watch();
    return true;
  }

  /** Stops asking, and closes the device, as far as nothing runs on it. */
  [Symbol.dispose](): void {
    this.#cancelReap?.();
    this.device[Symbol.dispose]();
  }

  #watch(): void {
    this.#cancelReap ??= this.#host.after(REAP_MS, () => {
      this.#cancelReap = undefined;
      this.device.reap();
      const nowMs = this.#host.nowMs();
      for (const [user, lateFromMs] of this.#lingering) {
        if (!user.isBusy) this.#lingering.delete(user);
        else if (nowMs >= lateFromMs + LINGER_MS_MAX) this.#fail("gpu_timeout", "CUDA_ERROR_LAUNCH_TIMEOUT");
      }
      if (this.#failure !== undefined) return;
      this.#tellDoubt();
      if (this.#lingering.size > 0) this.#watch();
    });
  }

  #tellDoubt(): void {
    const nowMs = this.#host.nowMs();
    const isDoubtful = this.#lingering.values().some((lateFromMs) => nowMs >= lateFromMs);
    if (isDoubtful === this.#isDoubtful) return;
    this.#isDoubtful = isDoubtful;
    this.#onDoubt?.(isDoubtful);
  }

  #fail(reason: FailingMeta["reason"], status: string): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    this.#failureStatus = status;
    // First: whoever is answered for it must find that the gateway knows.
    this.#onFailing?.(reason);
    for (const user of this.#users) {
      user.stop(this.#outcome(reason === "gpu_fault" && user.isBusy ? "gpu_fault" : "gpu_reset"));
    }
  }

  #outcome(kind: GpuFailure): Outcome {
    return { type: "gpu_failed", kind, status: this.#failureStatus };
  }
}
