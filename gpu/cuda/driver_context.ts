/**
 * DriverContext: a CUcontext, current to this thread while one of its calls is made.
 *
 * Owns the context (an own one, or the device's primary context), which of them the thread has current, the error
 * that made it useless, and what is to be closed when nothing runs in it. What lives in it has it for its parent
 * (handles.ts). Invariants: after a sticky error `enter` throws it; of an abandoned context nothing is called any
 * more, as a call could wait for a kernel that does not end.
 */
import { GpuError } from "../gpu_error.ts";
import { check, driverError, SUCCESS } from "./checked.ts";
import { FLAG } from "./constants.ts";
import type { HandleLedger } from "./ledger.ts";
import type { OutCell } from "./pointers.ts";
import type { ContextPointer, DeviceOrdinal } from "./pointers.ts";
import type { CudaSymbols } from "./symbols.ts";

/** What calls are made with. */
export interface Driver {
  readonly symbols: CudaSymbols;
  readonly cell: OutCell;
  readonly ledger: HandleLedger;
  /** Told once of each context that has become useless. */
  readonly onFailure?: (error: GpuError) => void;
}

/** `own` is apart from all others; `primary` is the device's one, the same for all who ask for it. */
export type ContextKind = "own" | "primary";

/** A stream of a context, as far as closing must know it. */
export interface OpenStream {
  /** Whether everything on it is done. @throws GpuError what that work did wrong */
  isDone(): boolean;
}

/** Most handles that wait for a quiet moment; then they are closed all the same. */
const CLOSING_MAX = 128;

/** A context of the driver. */
export class DriverContext implements Disposable {
  /** The thread has one current context, whoever set it: one word for the thread is the truth. */
  static #current: DriverContext | undefined;

  readonly driver: Driver;
  readonly kind: ContextKind;
  readonly #ordinal: DeviceOrdinal;
  readonly #pointer: ContextPointer;
  readonly #streams = new Set<OpenStream>();
  readonly #closing: Disposable[] = [];
  #failure: GpuError | undefined;
  #isAbandoned = false;
  #isOpen = true;

  /** @throws GpuError */
  constructor(driver: Driver, ordinal: DeviceOrdinal, kind: ContextKind) {
    const { symbols, cell, ledger } = driver;
    this.driver = driver;
    this.kind = kind;
    this.#ordinal = ordinal;
    if (kind === "primary") {
      check("cuDevicePrimaryCtxRetain", symbols.cuDevicePrimaryCtxRetain(cell.bytes, ordinal));
    } else {
      check("cuCtxCreate", symbols.cuCtxCreate(cell.bytes, FLAG.CU_CTX_SCHED_AUTO, ordinal));
      // The new context was pushed on the thread's stack (CUDA Driver API, "Context Management").
      DriverContext.#current = this;
    }
    this.#pointer = cell.pointer<"CUcontext">();
    ledger.opened("context", this);
  }

  /** What made it useless. */
  get failure(): GpuError | undefined {
    return this.#failure;
  }

  /** Whether its handles can still be closed one by one. */
  get isUsable(): boolean {
    return this.#isOpen && this.#failure === undefined;
  }

  get isAbandoned(): boolean {
    return this.#isAbandoned;
  }

  /** Makes it current. @throws GpuError the error that made it useless */
  enter(): CudaSymbols {
    if (this.#failure !== undefined) throw this.#failure;
    const { symbols } = this.driver;
    if (DriverContext.#current !== this) {
      this.check("cuCtxSetCurrent", symbols.cuCtxSetCurrent(this.#pointer));
      DriverContext.#current = this;
    }
    return symbols;
  }

  /** @throws GpuError unless the status is CUDA_SUCCESS; one that is sticky is this context's from now on */
  check(call: string, status: number, detail?: string): void {
    if (status !== SUCCESS) throw this.failed(call, status, detail);
  }

  /** The error of a status, noted if it is sticky. */
  failed(call: string, status: number, detail?: string): GpuError {
    const error = driverError(call, status, detail);
    if (error.isSticky) this.#fail(error);
    return error;
  }

  /** Gives it up with whatever runs in it: the process that has it should end soon. */
  abandon(error: GpuError): void {
    this.#isAbandoned = true;
    this.#fail(error);
  }

  streamOpened(stream: OpenStream): void {
    this.#streams.add(stream);
  }

  streamClosed(stream: OpenStream): void {
    this.#streams.delete(stream);
  }

  /** Whether nothing runs in it, as far as anybody could be told to wait for it. */
  isQuiet(): boolean {
    try {
      return this.#streams.values().every((stream) => stream.isDone());
    } catch (error) {
      // Of a context that failed nothing is closed by itself.
      if (error instanceof GpuError) return true;
      throw error;
    }
  }

  /**
   * Closes a handle whose closing makes the driver wait for all that runs in the context, of other calls too (pinned
   * memory, code): now if nothing does, else at the first `closeWaiting` that finds it so.
   */
  closeWhenQuiet(handle: Disposable): void {
    this.#closing.push(handle);
    this.closeWaiting();
  }

  /** Closes what waits for a quiet moment, if this is one. */
  closeWaiting(): void {
    if (this.#closing.length === 0) return;
    const mustWait = this.isUsable && this.#closing.length <= CLOSING_MAX && !this.isQuiet();
    if (mustWait || this.#isAbandoned) return;
    for (const handle of this.#closing.splice(0)) handle[Symbol.dispose]();
  }

  #fail(error: GpuError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.driver.onFailure?.(error);
  }

  [Symbol.dispose](): void {
    // Destroying waits for what runs: one that is abandoned ends with its process.
    if (!this.#isOpen || this.#isAbandoned) return;
    this.closeWaiting();
    this.#isOpen = false;
    const { symbols, ledger } = this.driver;
    // A status says nothing that could be acted upon: it is gone, or the process is.
    if (this.kind === "primary") symbols.cuDevicePrimaryCtxRelease(this.#ordinal);
    else symbols.cuCtxDestroy(this.#pointer);
    if (DriverContext.#current === this) DriverContext.#current = undefined;
    ledger.closed("context", this);
  }
}
