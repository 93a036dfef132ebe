/**
 * Transfers: bytes between a caller's memory and the device.
 *
 * Owns the choice of the way. `direct`: from and to the caller's buffer, which the driver stages itself, when the
 * stream has nothing to do; by way of pinned memory of ours for what is small while the stream is busy, as the
 * driver may hold the thread up until it is not. `staged`: large ones too go through pinned memory, piece by piece.
 * `registered`: guest memory that is copied often is registered, and the device reads and writes it itself. Which
 * is fastest is not measured on hardware. Invariant: when a copy to the device has answered, its source may change.
 */
import type { CudaStream } from "./handles.ts";
import { HostRanges } from "./host_ranges.ts";
import { PinnedRing } from "./pinned_ring.ts";
import type { PinnedSlot } from "./pinned_ring.ts";
import type { CudaSymbols } from "./symbols.ts";
import type { Workspace } from "./workspace.ts";

/** How large copies go. */
export type CopyWay = "direct" | "staged" | "registered";

/** Largest copy that goes through a context's own pinned memory while its stream is busy, and how many may. */
const SLOT_BYTES = 64 * 1024;
const SLOT_COUNT = 16;

/** Waits for something of a stream; undefined where there was nothing to wait for. */
export type Settle = (isDone: () => boolean) => Promise<void> | undefined;

/** Copies of one context. */
export class Transfers implements Disposable {
  readonly #workspace: Workspace;
  readonly #settle: Settle;
  readonly #small: PinnedRing;
  readonly #ranges: HostRanges;

  constructor(workspace: Workspace, settle: Settle, hostMemory: () => ArrayBufferLike | undefined) {
    this.#workspace = workspace;
    this.#settle = settle;
    this.#small = new PinnedRing(workspace.context, SLOT_BYTES, SLOT_COUNT);
    this.#ranges = new HostRanges(workspace.context, hostMemory);
  }

  /** Bytes of this process's memory. */
  get pinnedBytes(): number {
    return this.#small.byteLength;
  }

  toDevice(target: bigint, source: Uint8Array, stream: CudaStream): Promise<void> | undefined {
    if (source.length > SLOT_BYTES && this.#workspace.copies === "staged") {
      return this.#upInParts(target, source, stream);
    }
    if (!stream.isDone()) {
      if (source.length <= SLOT_BYTES && this.#upBySlot(target, source, stream)) return undefined;
      const waits = this.#settle(() => stream.isDone());
      if (waits !== undefined) return waits.then(() => this.#up(target, source, stream));
    }
    return this.#up(target, source, stream);
  }

  fromDevice(target: Uint8Array, source: bigint, stream: CudaStream): Promise<void> | undefined {
    const waits = this.#settle(() => stream.isDone());
    const down = (): Promise<void> | undefined =>
      target.length > SLOT_BYTES && this.#workspace.copies === "staged"
        ? this.#downInParts(target, source, stream)
        : this.#down(target, source, stream);
    return waits === undefined ? down() : waits.then(down);
  }

  [Symbol.dispose](): void {
    this.#ranges[Symbol.dispose]();
    this.#small[Symbol.dispose]();
  }

  /** The stream has nothing to do. */
  #up(target: bigint, source: Uint8Array, stream: CudaStream): Promise<void> | undefined {
    const isDirect = this.#workspace.copies === "registered" && this.#ranges.cover(source);
    const { context } = this.#workspace;
    // Returns when pageable memory has been read (CUDA Driver API, "API synchronization behavior").
    const status = context.enter().cuMemcpyHtoDAsync(
      target,
      whole(source),
      BigInt(source.length),
      stream.pointer,
    );
    stream.enqueued++;
    context.check("copyToDevice", status, `${source.length} bytes`);
    // What is registered is read while it goes on.
    return isDirect ? this.#settle(() => stream.isDone()) : undefined;
  }

  /** The stream has nothing to do. */
  #down(target: Uint8Array, source: bigint, stream: CudaStream): Promise<void> | undefined {
    if (this.#workspace.copies === "registered") this.#ranges.cover(target);
    const { context } = this.#workspace;
    const status = context.enter().cuMemcpyDtoHAsync(
      whole(target),
      source,
      BigInt(target.length),
      stream.pointer,
    );
    stream.enqueued++;
    context.check("copyFromDevice", status, `${target.length} bytes`);
    // For pageable memory it is there already (the same page); the question costs nothing then.
    return this.#settle(() => stream.isDone());
  }

  /** By way of pinned memory, if there is a slot. */
  #upBySlot(target: bigint, source: Uint8Array, stream: CudaStream): boolean {
    const slot = this.#small.take();
    if (slot === undefined) return false;
    this.#upFrom(slot, source, target, stream);
    return true;
  }

  /** All of it by way of pinned memory, a part after the other, waiting for slots where they are in use. */
  #upInParts(target: bigint, source: Uint8Array, stream: CudaStream, done = 0): Promise<void> | undefined {
    const { ring } = this.#workspace;
    for (let at = done; at < source.length;) {
      const slot = ring.take();
      if (slot === undefined) {
        const waits = this.#settle(() => ring.isFree());
        if (waits === undefined) continue;
        const from = at;
        return waits.then(() => this.#upInParts(target, source, stream, from));
      }
      const bytes = source.subarray(at, at + slot.byteLength);
      this.#upFrom(slot, bytes, target + BigInt(at), stream);
      at += bytes.length;
    }
    return undefined;
  }

  #upFrom(slot: PinnedSlot, bytes: Uint8Array, target: bigint, stream: CudaStream): void {
    this.#use(slot, "copyToDevice", bytes.length, stream, (symbols, size) => {
      symbols.copyToAddress(slot.pointer, whole(bytes), size);
      return symbols.cuMemcpyHtoDAsyncPinned(target, slot.pointer, size, stream.pointer);
    });
    slot.giveBack();
  }

  /** Starts a copy that uses a slot. One whose end cannot be marked is never free again. */
  #use(
    slot: PinnedSlot,
    call: string,
    byteLength: number,
    stream: CudaStream,
    copy: (symbols: CudaSymbols, size: bigint) => number,
  ): void {
    const { context } = this.#workspace;
    try {
      const status = copy(context.enter(), BigInt(byteLength));
      stream.enqueued++;
      context.check(call, status, `${byteLength} bytes`);
    } catch (error) {
      slot.giveBack();
      throw error;
    }
    slot.mark(stream);
  }

  /**
   * The same the other way: while one part is taken out of its slot, the next is under way. Who waits for a slot
   * has none, or some who have one each would wait for one another.
   */
  async #downInParts(target: Uint8Array, source: bigint, stream: CudaStream): Promise<void> {
    const { ring } = this.#workspace;
    let before: { readonly slot: PinnedSlot; readonly bytes: Uint8Array } | undefined;
    try {
      for (let at = 0; at < target.length || before !== undefined;) {
        const slot = at < target.length ? ring.take() : undefined;
        const next = slot && { slot, bytes: target.subarray(at, at + slot.byteLength) };
        if (next !== undefined) {
          const from = source + BigInt(at);
          this.#use(next.slot, "copyFromDevice", next.bytes.length, stream, (symbols, size) => {
            return symbols.cuMemcpyDtoHAsyncPinned(next.slot.pointer, from, size, stream.pointer);
          });
          at += next.bytes.length;
        }
        const ready = before;
        before = next;
        if (ready !== undefined) await this.#takeOut(ready.slot, ready.bytes);
        else if (next === undefined) await this.#settle(() => ring.isFree());
      }
    } finally {
      before?.slot.giveBack();
    }
  }

  async #takeOut(slot: PinnedSlot, bytes: Uint8Array): Promise<void> {
    try {
      await this.#settle(() => slot.isDone());
      const symbols = this.#workspace.context.enter();
      symbols.copyFromAddress(whole(bytes), slot.pointer, BigInt(bytes.length));
    } finally {
      slot.giveBack();
    }
  }
}

/** The type of a buffer parameter leaves shared memory out, which the call takes as well. */
function whole(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}
