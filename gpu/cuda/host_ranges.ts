/**
 * HostRanges: parts of a guest's memory that are registered with the driver, so that copies of them are direct.
 *
 * Owns the chunks of the memory, which of them are worth it (copied as often as they are long), and their
 * registration. It copies nothing. Invariants: what is registered is of the memory that its owner keeps alive
 * (ContextOptions.hostMemory), and is given up before that is; a copy is direct only within one chunk; never more
 * than BYTES_MAX are registered. Kernels of the same driver context can reach registered memory.
 */
import { SUCCESS } from "./checked.ts";
import type { DriverContext } from "./driver_context.ts";
import { DriverHandle } from "./handles.ts";
import { addressOf } from "./launch_block.ts";
import type { HostPointer } from "./pointers.ts";
import type { CudaSymbols } from "./symbols.ts";

/** A multiple of a page: guest memory begins on one. */
const CHUNK_BYTES = 16 * 1024 * 1024;
/** What is smaller is not worth the question. */
const COPY_BYTES_MIN = 64 * 1024;
/** Most bytes of one context: they cannot be paged out. */
const BYTES_MAX = 1024 * 1024 * 1024;

/** A registered range. */
class HostRange extends DriverHandle {
  readonly pointer: HostPointer;
  readonly byteLength: number;
  #isStuck = false;

  constructor(context: DriverContext, pointer: HostPointer, byteLength: number) {
    super(context, "hostRange");
    this.pointer = pointer;
    this.byteLength = byteLength;
  }

  /** Whether the driver did not give it up: it cannot be registered again. */
  get isStuck(): boolean {
    return this.#isStuck;
  }

  protected override close(symbols: CudaSymbols): number {
    const status = symbols.cuMemHostUnregister(this.pointer);
    this.#isStuck = status !== SUCCESS;
    return status;
  }
}

interface Chunk {
  copiedBytes: number;
  range: HostRange | undefined;
}

/** The registered ranges of one context. */
export class HostRanges implements Disposable {
  readonly #context: DriverContext;
  readonly #hostMemory: () => ArrayBufferLike | undefined;
  readonly #chunks = new Map<number, Chunk>();
  #bytes = 0;
  /** The system has refused (its bound on locked memory, often): it will not be otherwise the next time. */
  #isRefused = false;

  constructor(context: DriverContext, hostMemory: () => ArrayBufferLike | undefined) {
    this.#context = context;
    this.#hostMemory = hostMemory;
  }

  /**
   * Whether the driver reaches bytes directly, from now on if they have been copied often enough. Only while no
   * copy is under way: a chunk of a memory that has grown is given up for a longer one.
   *
   * @throws GpuError one that is sticky
   */
  cover({ buffer, byteOffset, length }: Uint8Array): boolean {
    if (length < COPY_BYTES_MIN || buffer !== this.#hostMemory()) return false;
    const index = Math.floor(byteOffset / CHUNK_BYTES);
    const start = index * CHUNK_BYTES;
    const end = byteOffset + length - start;
    if (end > CHUNK_BYTES) return false;
    let chunk = this.#chunks.get(index);
    if (chunk === undefined) this.#chunks.set(index, chunk = { copiedBytes: 0, range: undefined });
    if (chunk.range !== undefined && end <= chunk.range.byteLength) return true;
    const byteLength = Math.min(CHUNK_BYTES, buffer.byteLength - start);
    const isWorthIt = chunk.copiedBytes >= byteLength;
    chunk.copiedBytes += length;
    if (!isWorthIt || this.#bytes + byteLength > BYTES_MAX) return false;
    this.#giveUp(chunk);
    if (this.#isRefused) return false;
    chunk.range = this.#register(buffer, start, byteLength);
    return chunk.range !== undefined;
  }

  [Symbol.dispose](): void {
    for (const chunk of this.#chunks.values()) this.#giveUp(chunk);
    this.#chunks.clear();
  }

  #register(buffer: ArrayBufferLike, start: number, byteLength: number): HostRange | undefined {
    const symbols = this.#context.enter();
    const base = addressOf(symbols, new Uint8Array(buffer) as Uint8Array<ArrayBuffer>);
    const pointer = base + BigInt(start) as HostPointer;
    const status = symbols.cuMemHostRegister(pointer, BigInt(byteLength), 0);
    if (status === SUCCESS) {
      this.#bytes += byteLength;
      return new HostRange(this.#context, pointer, byteLength);
    }
    const error = this.#context.failed("cuMemHostRegister", status);
    if (error.isSticky) throw error;
    this.#isRefused = true;
    return undefined;
  }

  #giveUp(chunk: Chunk): void {
    this.#bytes -= chunk.range?.byteLength ?? 0;
    chunk.range?.[Symbol.dispose]();
    if (chunk.range?.isStuck === true) this.#isRefused = true;
    chunk.range = undefined;
  }
}
