/**
 * Handles: streams, events, modules and pinned memory of a DriverContext, each closed once by its owner.
 *
 * Owns how each is opened and closed. What they are used for is context.ts's and its neighbours'. Invariants: a
 * handle has a parent, and is of no use after it; closing one twice is nothing; of a context that failed none is
 * closed by itself, as destroying the context takes all of them.
 */
import type { GpuEvent, GpuStream } from "../device.ts";
import { GpuError } from "../gpu_error.ts";
import { NOT_READY, SUCCESS } from "./checked.ts";
import { FLAG } from "./constants.ts";
import type { DriverContext } from "./driver_context.ts";
import type { HandleKind } from "./ledger.ts";
import type { EventPointer, HostPointer, ModulePointer, StreamPointer } from "./pointers.ts";
import type { CudaSymbols } from "./symbols.ts";

/** What is open in a context. */
export abstract class DriverHandle implements Disposable {
  readonly parent: DriverContext;
  readonly id: number;
  readonly #kind: HandleKind;
  #isOpen = true;

  constructor(parent: DriverContext, kind: HandleKind) {
    this.parent = parent;
    this.#kind = kind;
    this.id = parent.driver.ledger.opened(kind, this);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.parent.driver.ledger.closed(this.#kind, this);
    if (!this.parent.isUsable) return;
    try {
      const status = this.close(this.parent.enter());
      // A failure to close is often one of work before it: if it is sticky, the next call is told.
      if (status !== SUCCESS) this.parent.failed("close", status);
    } catch (error) {
      if (!(error instanceof GpuError)) throw error;
    }
  }

  /** @returns the status */
  protected abstract close(symbols: CudaSymbols): number;
}

/** A stream, and how far it is known to be done. */
export class CudaStream extends DriverHandle implements GpuStream {
  readonly pointer: StreamPointer;
  /** How much was put on it, and how much of that is known to be done. */
  enqueued = 0;
  #done = 0;
  /** The allocations that its work comes after (device_heap.ts). */
  allocationsSeen = 0;
  /** Called once, while it can still be used. */
  beforeClose: ((stream: CudaStream) => void) | undefined;

  static open(context: DriverContext): CudaStream {
    const { cell } = context.driver;
    // Non-blocking: the null stream, which nobody here uses, would otherwise order all of them.
    const status = context.enter().cuStreamCreate(cell.bytes, FLAG.CU_STREAM_NON_BLOCKING);
    context.check("cuStreamCreate", status);
    return new CudaStream(context, cell.pointer<"CUstream">());
  }

  private constructor(context: DriverContext, pointer: StreamPointer) {
    super(context, "stream");
    this.pointer = pointer;
    context.streamOpened(this);
  }

  override [Symbol.dispose](): void {
    super[Symbol.dispose]();
    this.parent.streamClosed(this);
  }

  /** Whether it was given work that is not known to be done. Asks nobody. */
  get isBusy(): boolean {
    return this.#done !== this.enqueued;
  }

  /** Whether everything on it is done. @throws GpuError what that work did wrong */
  isDone(): boolean {
    if (this.#done === this.enqueued) return true;
    const at = this.enqueued;
    const status = this.parent.enter().cuStreamQuery(this.pointer);
    if (status === NOT_READY) return false;
    this.parent.check("synchronize", status, "work on the stream failed");
    this.#done = at;
    return true;
  }

  protected override close(symbols: CudaSymbols): number {
    try {
      this.beforeClose?.(this);
    } catch (error) {
      if (!(error instanceof GpuError)) throw error;
    }
    return this.parent.isUsable ? symbols.cuStreamDestroy(this.pointer) : SUCCESS;
  }
}

/** An event. */
export class CudaEvent extends DriverHandle implements GpuEvent {
  readonly pointer: EventPointer;
  isRecorded = false;

  static open(context: DriverContext, isTimed: boolean): CudaEvent {
    const { cell } = context.driver;
    const flags = isTimed ? FLAG.CU_EVENT_DEFAULT : FLAG.CU_EVENT_DISABLE_TIMING;
    context.check("cuEventCreate", context.enter().cuEventCreate(cell.bytes, flags));
    return new CudaEvent(context, cell.pointer<"CUevent">());
  }

  private constructor(context: DriverContext, pointer: EventPointer) {
    super(context, "event");
    this.pointer = pointer;
  }

  record(stream: CudaStream): void {
    const status = this.parent.enter().cuEventRecord(this.pointer, stream.pointer);
    this.parent.check("cuEventRecord", status);
    stream.enqueued++;
    this.isRecorded = true;
  }

  /** Makes what comes on the stream wait for it. */
  holdUp(stream: CudaStream): void {
    const symbols = this.parent.enter();
    const status = symbols.cuStreamWaitEvent(stream.pointer, this.pointer, FLAG.CU_EVENT_WAIT_DEFAULT);
    this.parent.check("cuStreamWaitEvent", status);
    stream.enqueued++;
  }

  /** Whether everything before it is done; one that was not recorded is. */
  isDone(): boolean {
    const status = this.parent.enter().cuEventQuery(this.pointer);
    if (status === NOT_READY) return false;
    this.parent.check("synchronizeEvent", status, "work before the event failed");
    return true;
  }

  /** Milliseconds from this one to another. @throws GpuError NOT_READY unless both are done */
  millisecondsTo(end: CudaEvent): number {
    const { cell } = this.parent.driver;
    const status = this.parent.enter().cuEventElapsedTime(cell.bytes, this.pointer, end.pointer);
    this.parent.check("elapsedMs", status, "the time between two events");
    return cell.float();
  }

  protected override close(symbols: CudaSymbols): number {
    return symbols.cuEventDestroy(this.pointer);
  }
}

/** A CUmodule. */
export class ModuleHandle extends DriverHandle {
  readonly pointer: ModulePointer;

  constructor(context: DriverContext, pointer: ModulePointer) {
    super(context, "module");
    this.pointer = pointer;
  }

  protected override close(symbols: CudaSymbols): number {
    return symbols.cuModuleUnload(this.pointer);
  }
}

/** Pinned memory of the host, by its address alone: what is copied there goes through `copyToAddress`. */
export class PinnedBuffer extends DriverHandle {
  readonly pointer: HostPointer;
  readonly byteLength: number;

  static open(context: DriverContext, byteLength: number): PinnedBuffer {
    const { cell } = context.driver;
    const status = context.enter().cuMemHostAlloc(
      cell.bytes,
      BigInt(byteLength),
      FLAG.CU_MEMHOSTALLOC_PORTABLE,
    );
    context.check("cuMemHostAlloc", status);
    return new PinnedBuffer(context, cell.pointer<"void*">(), byteLength);
  }

  private constructor(context: DriverContext, pointer: HostPointer, byteLength: number) {
    super(context, "hostBuffer");
    this.pointer = pointer;
    this.byteLength = byteLength;
  }

  protected override close(symbols: CudaSymbols): number {
    return symbols.cuMemFreeHost(this.pointer);
  }
}
