/**
 * Transfers: bytes between a caller's memory and the device.
 *
 * Owns the one choice of the way: directly from and to the caller's buffer, which the driver stages itself, when
 * the stream has nothing to do; by way of pinned memory of ours for what is small while the stream is busy, as
 * the driver may hold the thread up until it is not. The bound between the two is not measured on hardware.
 * Invariant: when a copy to the device has answered, its source may change.
 */
import { CudaEvent, PinnedBuffer } from "./handles.ts";
import type { CudaStream } from "./handles.ts";
import type { Workspace } from "./workspace.ts";

/** Largest copy through pinned memory, and how many may be under way. */
const SLOT_BYTES = 64 * 1024;
const SLOT_COUNT = 16;

/** Waits for something of a stream; undefined where there was nothing to wait for. */
export type Settle = (isDone: () => boolean) => Promise<void> | undefined;

/** Copies of one context. */
export class Transfers implements Disposable {
  readonly #workspace: Workspace;
  readonly #settle: Settle;
  #pinned: PinnedBuffer | undefined;
  /** When each slot's last copy is done. */
  readonly #slots: (CudaEvent | undefined)[] = Array.from({ length: SLOT_COUNT }, () => undefined);
  #nextSlot = 0;

  constructor(workspace: Workspace, settle: Settle) {
    this.#workspace = workspace;
    this.#settle = settle;
  }

  /** Bytes of this process's memory. */
  get pinnedBytes(): number {
    return this.#pinned?.byteLength ?? 0;
  }

  toDevice(target: bigint, source: Uint8Array, stream: CudaStream): Promise<void> | undefined {
    if (!stream.isDone()) {
      if (source.length <= SLOT_BYTES && this.#stage(target, source, stream)) return undefined;
      const waits = this.#settle(() => stream.isDone());
      if (waits !== undefined) return waits.then(() => this.#up(target, source, stream));
    }
    return this.#up(target, source, stream);
  }

  fromDevice(target: Uint8Array, source: bigint, stream: CudaStream): Promise<void> | undefined {
    const waits = this.#settle(() => stream.isDone());
    return waits === undefined
      ? this.#down(target, source, stream)
      : waits.then(() => this.#down(target, source, stream));
  }

  [Symbol.dispose](): void {
    for (const event of this.#slots) event?.[Symbol.dispose]();
    this.#slots.fill(undefined);
    this.#pinned?.[Symbol.dispose]();
    this.#pinned = undefined;
  }

  #up(target: bigint, source: Uint8Array, stream: CudaStream): undefined {
    const { context } = this.#workspace;
    const symbols = context.enter();
    // Returns when pageable memory has been read (CUDA Driver API, "API synchronization behavior").
    const status = symbols.cuMemcpyHtoDAsync(
      target,
      whole(source),
      BigInt(source.length),
      stream.pointer,
    );
    stream.enqueued++;
    context.check("copyToDevice", status, `${source.length} bytes`);
    return undefined;
  }

  #down(target: Uint8Array, source: bigint, stream: CudaStream): Promise<void> | undefined {
    const { context } = this.#workspace;
    const symbols = context.enter();
    const status = symbols.cuMemcpyDtoHAsync(
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

  /** Copies by way of pinned memory, if there is a slot. */
  #stage(target: bigint, source: Uint8Array, stream: CudaStream): boolean {
    const { context } = this.#workspace;
    const slot = this.#nextSlot;
    const busy = this.#slots[slot];
    if (busy !== undefined && !busy.isDone()) return false;
    this.#pinned ??= PinnedBuffer.open(context, SLOT_BYTES * SLOT_COUNT);
    const event = this.#slots[slot] ??= CudaEvent.open(context, false);
    const from = this.#pinned.pointer + BigInt(slot * SLOT_BYTES);
    const size = BigInt(source.length);
    const symbols = context.enter();
    symbols.copyToAddress(from, whole(source), size);
    const status = symbols.cuMemcpyHtoDAsyncPinned(target, from, size, stream.pointer);
    stream.enqueued++;
    context.check("copyToDevice", status, `${source.length} bytes`);
    event.record(stream);
    this.#nextSlot = (slot + 1) % SLOT_COUNT;
    return true;
  }
}

/** The type of a buffer parameter leaves shared memory out, which the call takes as well. */
function whole(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}
