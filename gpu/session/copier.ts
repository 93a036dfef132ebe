/**
 * Copier: bytes between a guest's memory and the device, in pieces that leave room for others.
 *
 * Owns the size of a piece, the fuel that copying costs (as bulk operations of guests: a unit for 16 bytes),
 * and the second look at the guest's memory after every pause. What fits in one piece is copied at once, without
 * a promise where the device needs none. Invariant: a call that must stop copies no further piece.
 */
import type { GpuContext, GpuStream, Pacer } from "../device.ts";
import type { GuestMemory } from "./guest_memory.ts";
import { GpuRefusal } from "./refusal.ts";
import { runSteps } from "./steps.ts";
import type { Steps } from "./steps.ts";

/** Bytes between two questions whether the call may go on: some 100 µs. */
const PIECE_BYTES = 1024 * 1024;
const BYTES_PER_FUEL_SHIFT = 4;
/** As the instrumentation of guests: so little is not charged. */
const FREE_BYTES_MAX = 256;
/** Zeros to copy where a device cannot fill. */
const ZEROS_BYTES = 64 * 1024;

/** When a copy is done: at once, or later. */
export type Copied = void | Promise<void>;

/** Copies one piece of what is asked for: so many bytes from a place in it on. */
type CopyPiece = (done: number, size: number) => Promise<void> | undefined;

/** Copies for one session. */
export class Copier {
  readonly #memory: GuestMemory;
  readonly #pacer: Pacer;
  readonly #context: () => GpuContext;
  #zeros: Uint8Array | undefined;

  constructor(memory: GuestMemory, pacer: Pacer, context: () => GpuContext) {
    this.#memory = memory;
    this.#pacer = pacer;
    this.#context = context;
  }

  /** Copies `length` bytes of guest memory to the device, after what was launched on the stream. */
  toDevice(target: bigint, guestStart: number, length: number, stream: GpuStream | undefined): Copied {
    const context = this.#context();
    if (length <= PIECE_BYTES) {
      const source = this.#memory.bytes("Source", guestStart, length);
      this.#charge(length);
      return context.copyToDevice(target, source, stream);
    }
    return this.#inPieces(length, PIECE_BYTES, (done, size) => {
      const source = this.#memory.bytes("Source", guestStart + done, size);
      return context.copyToDevice(target + BigInt(done), source, stream);
    });
  }

  /** Copies device memory to the guest, likewise. */
  toGuest(guestStart: number, source: bigint, length: number, stream: GpuStream | undefined): Copied {
    const context = this.#context();
    if (length <= PIECE_BYTES) {
      const target = this.#memory.bytes("Target", guestStart, length);
      this.#charge(length);
      return context.copyFromDevice(target, source, stream);
    }
    return this.#inPieces(length, PIECE_BYTES, (done, size) => {
      const target = this.#memory.bytes("Target", guestStart + done, size);
      return context.copyFromDevice(target, source + BigInt(done), stream);
    });
  }

  /** Zeroes device memory. */
  zero(target: bigint, length: number, stream: GpuStream | undefined): Copied {
    const context = this.#context();
    if (context.fillZero === undefined) {
      const zeros = this.#zeros ??= new Uint8Array(ZEROS_BYTES);
      return this.#inPieces(
        length,
        ZEROS_BYTES,
        (done, size) => context.copyToDevice(target + BigInt(done), zeros.subarray(0, size), stream),
      );
    }
    if (length <= PIECE_BYTES) {
      this.#charge(length);
      return context.fillZero(target, length, stream);
    }
    return this.#inPieces(
      length,
      PIECE_BYTES,
      (done, size) => context.fillZero?.(target + BigInt(done), size, stream),
    );
  }

  #inPieces(length: number, pieceBytes: number, copy: CopyPiece): Copied {
    return runSteps(this.#pieces(length, pieceBytes, copy));
  }

  *#pieces(length: number, pieceBytes: number, copy: CopyPiece): Steps<void> {
    for (let done = 0; done < length;) {
      const size = Math.min(pieceBytes, length - done);
      yield copy(done, size);
      done += size;
      if (done < length) yield* this.#pause(size);
      else this.#charge(size);
    }
  }

  /** Asks whether the call may go on, and lets others run where it is time. */
  *#pause(byteLength: number): Steps<void> {
    let granted = this.#pacer.tick(byteLength >> BYTES_PER_FUEL_SHIFT);
    if (typeof granted !== "number") {
      const parked = granted;
      granted = 0;
      yield parked.then((value) => void (granted = value));
    }
    if (granted < 0) throw new GpuRefusal("launchFailed", "The call was stopped");
  }

  #charge(byteLength: number): void {
    if (byteLength > FREE_BYTES_MAX) this.#pacer.charge(byteLength >> BYTES_PER_FUEL_SHIFT);
  }
}
