/**
 * HostRanges: parts of a guest's memory that are registered with the driver, so that copies of them are direct.
 *
 * Owns the chunks of the memory, which of them are worth it (copied as often as they are long), and their
 * registration. It copies nothing. Invariants: what is registered is of the memory that its owner keeps alive
 * (ContextOptions.hostMemory), and each range keeps its owner until it is given up; a copy is direct only within one
 * chunk; never more than BYTES_MAX are registered. Kernels of the same driver context can reach registered memory.
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
  /** Whoever has the memory. */
  readonly owner: unknown;
  #isStuck = false;

  constructor(context: DriverContext, pointer: HostPointer, byteLength: number, owner: unknown) {
    super(context, "hostRange");
    this.pointer = pointer;
    this.byteLength = byteLength;
    this.owner = owner;
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
   * Bytes in the parts in which they can be copied, in order: each is in registered memory, or has none of it, as
   * the driver takes no range that begins in the one and ends in the other. Memory that has been copied often enough
   * is registered on the way. Only while no copy of this memory is under way.
   *
   * @throws GpuError one that is sticky
   */
  cover(bytes: Uint8Array): readonly Uint8Array[] {
    if (bytes.buffer !== this.#hostMemory()) return [bytes];
    const parts: Uint8Array[] = [];
    for (let done = 0; done < bytes.length;) {
      const offset = bytes.byteOffset + done;
      const index = Math.floor(offset / CHUNK_BYTES);
      const length = Math.min(bytes.length - done, (index + 1) * CHUNK_BYTES - offset);
      const part = bytes.subarray(done, done + length);
      const registered = this.#registeredBytes(index, part, bytes.length) - (offset - index * CHUNK_BYTES);
      if (registered > 0 && registered < length) {
        parts.push(part.subarray(0, registered), part.subarray(registered));
      } else {
        parts.push(part);
      }
      done += length;
    }
    return parts;
  }

  /** How much of a chunk is registered, from its start, once a part of it was asked for. */
  #registeredBytes(index: number, part: Uint8Array, copyBytes: number): number {
    let chunk = this.#chunks.get(index);
    if (chunk === undefined) this.#chunks.set(index, chunk = { copiedBytes: 0, range: undefined });
    const start = index * CHUNK_BYTES;
    const end = part.byteOffset + part.length - start;
    const known = chunk.range?.byteLength ?? 0;
    if (copyBytes < COPY_BYTES_MIN || end <= known) return known;
    const byteLength = Math.min(CHUNK_BYTES, part.buffer.byteLength - start);
    const isWorthIt = chunk.copiedBytes >= byteLength;
    chunk.copiedBytes += part.length;
    if (!isWorthIt || this.#isRefused || this.#bytes - known + byteLength > BYTES_MAX) return known;
    // Giving up the shorter range of a memory that has grown waits for all that runs.
    if (known > 0 && !this.#context.isQuiet()) return known;
    this.#giveUp(chunk);
    if (!this.#isRefused) chunk.range = this.#register(part.buffer, start, byteLength);
    return chunk.range?.byteLength ?? 0;
  }

  [Symbol.dispose](): void {
    for (const { range } of this.#chunks.values()) {
      if (range !== undefined) this.#context.closeWhenQuiet(range);
    }
    this.#chunks.clear();
    this.#bytes = 0;
  }

  #register(buffer: ArrayBufferLike, start: number, byteLength: number): HostRange | undefined {
    const symbols = this.#context.enter();
    const base = addressOf(symbols, new Uint8Array(buffer) as Uint8Array<ArrayBuffer>);
    const pointer = base + BigInt(start) as HostPointer;
    const status = symbols.cuMemHostRegister(pointer, BigInt(byteLength), 0);
    if (status === SUCCESS) {
      this.#bytes += byteLength;
      return new HostRange(this.#context, pointer, byteLength, this.#hostMemory);
    }
    const error = this.#context.failed("cuMemHostRegister", status);
    if (error.isSticky) throw error;
    this.#isRefused = true;
    return undefined;
  }

  /** What the driver did not give up stays as it is: memory that is registered must be known to be. */
  #giveUp(chunk: Chunk): void {
    chunk.range?.[Symbol.dispose]();
    if (chunk.range?.isStuck === true) {
      this.#isRefused = true;
      return;
    }
    this.#bytes -= chunk.range?.byteLength ?? 0;
    chunk.range = undefined;
  }
}
