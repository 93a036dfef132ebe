/**
 * DeviceHeap: device memory of a DriverContext, zeroed, taken and given back in the order of streams.
 *
 * Owns the two streams on which memory comes and goes, and the event that whoever uses new memory waits for. It
 * counts no quota (context.ts does). Invariants: memory is zero before any work that `orderAfter` has ordered
 * reads it; memory is given back after all work that was on the given streams.
 */
import { CUDA_STATUS, GpuError } from "../gpu_error.ts";
import { CudaEvent, CudaStream } from "./handles.ts";
import type { DriverContext } from "./driver_context.ts";
import type { DevicePointer } from "./pointers.ts";
import type { CudaSymbols } from "./symbols.ts";

/** The functions of stream-ordered memory; drivers before 11.2 and some devices have none. */
type PoolSymbols = Pick<CudaSymbols, "cuMemAllocAsync" | "cuMemFreeAsync">;
type Pool = { readonly [Name in keyof PoolSymbols]: NonNullable<PoolSymbols[Name]> };

/** The memory of one context. */
export class DeviceHeap implements Disposable {
  readonly #context: DriverContext;
  /** Undefined where memory comes and goes without order. Decided by the first allocation, as it is freed alike. */
  #pool: Pool | undefined;
  readonly #stack: DisposableStack;
  /** Apart, so that memory is there at once although something is still to be given back. */
  readonly #takes: CudaStream;
  readonly #returns: CudaStream;
  /** After the newest allocation; and, used again and again, after what a stream has on it. */
  readonly #ready: CudaEvent;
  readonly #gate: CudaEvent;
  #allocations = 0;
  readonly #unreturned: DevicePointer[] = [];

  /** @throws GpuError */
  constructor(context: DriverContext, hasPools: boolean) {
    const { cuMemAllocAsync, cuMemFreeAsync } = context.driver.symbols;
    this.#context = context;
    this.#pool = hasPools && cuMemAllocAsync !== null && cuMemFreeAsync !== null
      ? { cuMemAllocAsync, cuMemFreeAsync }
      : undefined;
    using stack = new DisposableStack();
    this.#takes = stack.use(CudaStream.open(context));
    this.#returns = stack.use(CudaStream.open(context));
    this.#ready = stack.use(CudaEvent.open(context, false));
    this.#gate = stack.use(CudaEvent.open(context, false));
    this.#stack = stack.move();
  }

  /** Zeroed memory. @throws GpuError OUT_OF_MEMORY */
  allocate(byteLength: number): DevicePointer {
    const context = this.#context;
    const symbols = context.enter();
    const { cell, ledger } = context.driver;
    const size = BigInt(byteLength);
    context.check("allocate", this.#take(symbols, size), `${byteLength} bytes of device memory`);
    const pointer = cell.pointer<"CUdeviceptr">();
    ledger.count("buffer", 1);
    try {
      this.#takes.enqueued++;
      context.check("allocate", symbols.cuMemsetD8Async(pointer, 0, size, this.#takes.pointer), "zeroing");
      this.#ready.record(this.#takes);
    } catch (error) {
      this.#giveUp(pointer);
      throw error;
    }
    this.#allocations++;
    return pointer;
  }

  /** Makes what comes on a stream wait for the memory that was allocated last. */
  orderAfter(stream: CudaStream): void {
    if (stream.allocationsSeen === this.#allocations) return;
    this.#ready.holdUp(stream);
    stream.allocationsSeen = this.#allocations;
  }

  /** Gives memory back after everything that is on the streams now. */
  free(pointer: DevicePointer, users: Iterable<CudaStream>): void {
    const context = this.#context;
    try {
      if (this.#pool !== undefined && context.isUsable) this.#returnAfter(users);
    } catch (error) {
      // Without the order somebody may still use it: it goes with the heap.
      this.#unreturned.push(pointer);
      throw error;
    }
    context.check("free", this.#return(pointer));
  }

  /** Whether nothing is to be zeroed or given back any more. */
  isQuiet(): boolean {
    return this.#takes.isDone() && this.#returns.isDone();
  }

  [Symbol.dispose](): void {
    for (const pointer of this.#unreturned) this.#return(pointer);
    this.#stack[Symbol.dispose]();
  }

  /** @returns the status; the address is in the cell */
  #take(symbols: CudaSymbols, size: bigint): number {
    const { cell } = this.#context.driver;
    const status = this.#pool?.cuMemAllocAsync(cell.bytes, size, this.#takes.pointer);
    // Some virtual devices say that they have pools, and have none.
    const hasNone = status === CUDA_STATUS.CUDA_ERROR_NOT_SUPPORTED && this.#allocations === 0;
    if (status !== undefined && !hasNone) return status;
    this.#pool = undefined;
    return symbols.cuMemAlloc(cell.bytes, size);
  }

  /** Gives new memory back, after its zeroing if that was begun. */
  #giveUp(pointer: DevicePointer): void {
    try {
      this.free(pointer, []);
    } catch (error) {
      // It goes with the heap.
      if (!(error instanceof GpuError)) throw error;
    }
  }

  #returnAfter(users: Iterable<CudaStream>): void {
    for (const stream of [this.#takes, ...users]) {
      if (stream.isDone()) continue;
      this.#gate.record(stream);
      this.#gate.holdUp(this.#returns);
    }
  }

  #return(pointer: DevicePointer): number {
    const context = this.#context;
    context.driver.ledger.count("buffer", -1);
    if (!context.isUsable) return 0;
    const symbols = context.enter();
    this.#returns.enqueued++;
    // Without a pool this waits for the whole context (CUDA Driver API, cuMemFree).
    return this.#pool === undefined
      ? symbols.cuMemFree(pointer)
      : this.#pool.cuMemFreeAsync(pointer, this.#returns.pointer);
  }
}
