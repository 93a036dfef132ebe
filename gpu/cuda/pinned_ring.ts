/**
 * PinnedRing: pinned memory of the host in slots, used in turn by copies that are under way.
 *
 * Owns the memory, made when it is first needed, an event for each slot that tells when its copy is done, and rings
 * that nobody uses: the driver may wait for all that runs to take memory back. It copies nothing. Invariants: a slot
 * is given out only when who had it has given it back, and what was marked on it is done; where the system gives no
 * such memory there are no slots.
 */
import { GpuError } from "../gpu_error.ts";
import type { DriverContext } from "./driver_context.ts";
import { CudaEvent, PinnedBuffer } from "./handles.ts";
import type { CudaStream } from "./handles.ts";
import type { HostPointer } from "./pointers.ts";

/** A slot's memory, for whoever took it. */
export class PinnedSlot {
  readonly pointer: HostPointer;
  readonly byteLength: number;
  readonly #event: CudaEvent;
  #isTaken = false;

  constructor(pointer: HostPointer, byteLength: number, event: CudaEvent) {
    this.pointer = pointer;
    this.byteLength = byteLength;
    this.#event = event;
  }

  /** Whether it can be taken. @throws GpuError what the copy before did wrong */
  get isFree(): boolean {
    return !this.#isTaken && this.isDone();
  }

  take(): this {
    this.#isTaken = true;
    return this;
  }

  /** Marks the end of the copy that uses it. */
  mark(stream: CudaStream): void {
    this.#event.record(stream);
  }

  /** Whether the copy that was marked is done; true if none was. */
  isDone(): boolean {
    return !this.#event.isRecorded || this.#event.isDone();
  }

  /** It is free once what was marked is done. */
  giveBack(): void {
    this.#isTaken = false;
  }

  /** Closes what it has. */
  close(): void {
    this.#event[Symbol.dispose]();
  }
}

/** The slots. */
export class PinnedRing implements Disposable {
  readonly #context: DriverContext;
  readonly #slotBytes: number;
  readonly #slotCount: number;
  #memory: PinnedBuffer | undefined;
  /** Made one by one as they are needed. */
  readonly #slots: PinnedSlot[] = [];
  #turn = 0;
  #isRefused = false;

  constructor(context: DriverContext, slotBytes: number, slotCount: number) {
    this.#context = context;
    this.#slotBytes = slotBytes;
    this.#slotCount = slotCount;
  }

  /** Bytes of this process's memory. */
  get byteLength(): number {
    return this.#memory?.byteLength ?? 0;
  }

  /** Whether there is such memory. @throws GpuError one that is sticky */
  get isThere(): boolean {
    return this.#next() !== undefined;
  }

  /** Whether none of its slots is in use. @throws GpuError */
  get isIdle(): boolean {
    return this.#slots.every((slot) => slot.isFree);
  }

  /** Whether the slot whose turn it is can be taken. @throws GpuError */
  isFree(): boolean {
    return this.#next()?.isFree ?? false;
  }

  /** The slot whose turn it is, unless it is in use. @throws GpuError */
  take(): PinnedSlot | undefined {
    const slot = this.#next();
    if (slot === undefined || !slot.isFree) return undefined;
    this.#turn = (this.#turn + 1) % this.#slotCount;
    return slot.take();
  }

  [Symbol.dispose](): void {
    for (const slot of this.#slots) slot.close();
    this.#slots.length = 0;
    this.#turn = 0;
    if (this.#memory !== undefined) this.#context.closeWhenQuiet(this.#memory);
    this.#memory = undefined;
  }

  #next(): PinnedSlot | undefined {
    const known = this.#slots[this.#turn];
    if (known !== undefined) return known;
    const memory = this.#memory ??= this.#open();
    if (memory === undefined) return undefined;
    const pointer = memory.pointer + BigInt(this.#turn * this.#slotBytes) as HostPointer;
    const slot = new PinnedSlot(pointer, this.#slotBytes, CudaEvent.open(this.#context, false));
    this.#slots.push(slot);
    return slot;
  }

  #open(): PinnedBuffer | undefined {
    if (this.#isRefused) return undefined;
    try {
      return PinnedBuffer.open(this.#context, this.#slotBytes * this.#slotCount);
    } catch (error) {
      // The system has none to give: copies go without.
      if (!(error instanceof GpuError) || error.isSticky) throw error;
      this.#isRefused = true;
      return undefined;
    }
  }
}

/** Most rings that nobody uses and that are kept. */
const IDLE_MAX = 16;

/** Rings of one size, for the sessions of a context one after the other. */
export class RingPool implements Disposable {
  readonly #context: DriverContext;
  readonly #slotBytes: number;
  readonly #slotCount: number;
  readonly #idle: PinnedRing[] = [];

  constructor(context: DriverContext, slotBytes: number, slotCount: number) {
    this.#context = context;
    this.#slotBytes = slotBytes;
    this.#slotCount = slotCount;
  }

  take(): PinnedRing {
    return this.#idle.pop() ?? new PinnedRing(this.#context, this.#slotBytes, this.#slotCount);
  }

  /** Back from somebody who has no copy under way. */
  giveBack(ring: PinnedRing): void {
    const isWanted = this.#context.isUsable && this.#idle.length < IDLE_MAX && ring.byteLength > 0;
    if (isWanted && isSurelyIdle(ring)) this.#idle.push(ring);
    else ring[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    for (const ring of this.#idle.splice(0)) ring[Symbol.dispose]();
  }
}

/** One whose driver does not say so is of no use to anybody else; who gives it back has more to give back. */
function isSurelyIdle(ring: PinnedRing): boolean {
  try {
    return ring.isIdle;
  } catch (error) {
    if (error instanceof GpuError) return false;
    throw error;
  }
}
