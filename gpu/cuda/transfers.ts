/**
 * Transfers: bytes between a caller's memory and the device.
 *
 * Owns the choice of the way. Small copies to the device go through pinned memory of ours, and nobody waits. Large
 * ones, and all from the device, when the stream has nothing to do, as the driver may hold the thread up until it
 * has not: `direct`, from and to the caller's buffer, which the driver stages itself; `staged`, through pinned memory
 * of ours, piece by piece; `registered`, where guest memory that is copied often is registered, and the device reads
 * and writes it itself. Which is fastest is not measured on hardware. Invariants: when a copy has answered, its
 * source may change and its target is whole, so the driver's copies are waited for: those of pageable memory "may" be
 * synchronous, no more (CUDA Driver API, "API synchronization behavior"); a buffer is kept until its copy is done.
 */
import type { CudaStream } from "./handles.ts";
import { HostRanges } from "./host_ranges.ts";
import type { PinnedRing, PinnedSlot } from "./pinned_ring.ts";
import type { CudaSymbols } from "./symbols.ts";
import { SMALL_SLOT_BYTES } from "./workspace.ts";
import type { Workspace } from "./workspace.ts";

/** How large copies go. */
export type CopyWay = "direct" | "staged" | "registered";

/** Waits for something of a stream; undefined where there was nothing to wait for. */
export type Settle = (isDone: () => boolean) => Promise<void> | undefined;

/** Copies of one context. */
export class Transfers implements Disposable {
  readonly #workspace: Workspace;
  readonly #settle: Settle;
  /** Taken when it is first needed. */
  #small: PinnedRing | undefined;
  readonly #ranges: HostRanges;

  constructor(workspace: Workspace, settle: Settle, hostMemory: () => ArrayBufferLike | undefined) {
    this.#workspace = workspace;
    this.#settle = settle;
    this.#ranges = new HostRanges(workspace.context, hostMemory);
  }

  /** Bytes of this process's memory. */
  get pinnedBytes(): number {
    return this.#small?.byteLength ?? 0;
  }

  toDevice(target: bigint, source: Uint8Array, stream: CudaStream): Promise<void> | undefined {
    if (source.length <= SMALL_SLOT_BYTES) {
      if (this.#upBySlot(target, source, stream)) return undefined;
    } else if (this.#isStaged) {
      return this.#upInParts(target, source, stream);
    }
    const waits = this.#settle(() => stream.isDone());
    return waits === undefined
      ? this.#up(target, source, stream)
      : waits.then(() => this.#up(target, source, stream));
  }

  fromDevice(target: Uint8Array, source: bigint, stream: CudaStream): Promise<void> | undefined {
    const waits = this.#settle(() => stream.isDone());
    const down = (): Promise<void> | undefined =>
      target.length > SMALL_SLOT_BYTES && this.#isStaged
        ? this.#downInParts(target, source, stream)
        : this.#down(target, source, stream);
    return waits === undefined ? down() : waits.then(down);
  }

  [Symbol.dispose](): void {
    this.#ranges[Symbol.dispose]();
    if (this.#small !== undefined) this.#workspace.smallRings.giveBack(this.#small);
    this.#small = undefined;
  }

  get #isStaged(): boolean {
    const { copies, ring } = this.#workspace;
    return copies === "staged" && ring.isThere;
  }

  /** The stream has nothing to do. */
  #up(target: bigint, source: Uint8Array, stream: CudaStream): Promise<void> | undefined {
    const { context } = this.#workspace;
    const parts = this.#partsOf(source);
    for (const part of parts) {
      const at = target + BigInt(part.byteOffset - source.byteOffset);
      const size = BigInt(part.length);
      const status = context.enter().cuMemcpyHtoDAsync(at, whole(part), size, stream.pointer);
      stream.enqueued++;
      context.check("copyToDevice", status, `${part.length} bytes`);
    }
    return this.#keep(parts, stream);
  }

  /** The stream has nothing to do. */
  #down(target: Uint8Array, source: bigint, stream: CudaStream): Promise<void> | undefined {
    const { context } = this.#workspace;
    const parts = this.#partsOf(target);
    for (const part of parts) {
      const at = source + BigInt(part.byteOffset - target.byteOffset);
      const size = BigInt(part.length);
      const status = context.enter().cuMemcpyDtoHAsync(whole(part), at, size, stream.pointer);
      stream.enqueued++;
      context.check("copyFromDevice", status, `${part.length} bytes`);
    }
    return this.#keep(parts, stream);
  }

  #partsOf(bytes: Uint8Array): readonly Uint8Array[] {
    return this.#workspace.copies === "registered" ? this.#ranges.cover(bytes) : [bytes];
  }

  /** Waits for a copy; its buffer is not collected before it is done. */
  #keep(parts: readonly Uint8Array[], stream: CudaStream): Promise<void> | undefined {
    return this.#settle(() => parts.length === 0 || stream.isDone());
  }

  /** By way of pinned memory, if there is a slot. */
  #upBySlot(target: bigint, source: Uint8Array, stream: CudaStream): boolean {
    const slot = (this.#small ??= this.#workspace.smallRings.take()).take();
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
