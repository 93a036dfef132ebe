/**
 * Copier: bytes between a guest's memory and the device, in pieces that leave room for others.
 *
 * Owns the size of a piece, the fuel that copying costs (as bulk operations of guests: a unit for 16 bytes),
 * and the second look at the guest's memory after every pause. Invariant: a call that must stop copies no
 * further piece.
 */
import type { GpuContext, GpuStream, Pacer } from "./device.ts";
import type { GuestMemory } from "./guest_memory.ts";
import { GpuRefusal } from "./refusal.ts";
import type { Steps } from "./steps.ts";

/** Bytes between two questions whether the call may go on: some 100 µs. */
const PIECE_BYTES = 1024 * 1024;
const BYTES_PER_FUEL_SHIFT = 4;
/** As the instrumentation of guests: so little is not charged. */
const FREE_BYTES_MAX = 256;
/** Zeros to copy where a device cannot fill. */
const ZEROS_BYTES = 64 * 1024;

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
  *toDevice(target: bigint, guestStart: number, length: number, stream: GpuStream | undefined): Steps<void> {
    const context = this.#context();
    for (let done = 0; done < length;) {
      const size = Math.min(PIECE_BYTES, length - done);
      const source = this.#memory.bytes("Source", guestStart + done, size);
      const place = done === 0 ? target : target + BigInt(done);
      yield context.copyToDevice(place, source, stream);
      done += size;
      yield* this.#account(size, done < length);
    }
  }

  /** Copies device memory to the guest, likewise. */
  *toGuest(guestStart: number, source: bigint, length: number, stream: GpuStream | undefined): Steps<void> {
    const context = this.#context();
    for (let done = 0; done < length;) {
      const size = Math.min(PIECE_BYTES, length - done);
      const target = this.#memory.bytes("Target", guestStart + done, size);
      const place = done === 0 ? source : source + BigInt(done);
      yield context.copyFromDevice(target, place, stream);
      done += size;
      yield* this.#account(size, done < length);
    }
  }

  /** Zeroes device memory. */
  *zero(target: bigint, length: number, stream: GpuStream | undefined): Steps<void> {
    const context = this.#context();
    const pieceBytes = context.fillZero === undefined ? ZEROS_BYTES : PIECE_BYTES;
    for (let done = 0; done < length;) {
      const size = Math.min(pieceBytes, length - done);
      const place = done === 0 ? target : target + BigInt(done);
      if (context.fillZero === undefined) {
        this.#zeros ??= new Uint8Array(ZEROS_BYTES);
        yield context.copyToDevice(place, this.#zeros.subarray(0, size), stream);
      } else {
        yield context.fillZero(place, size, stream);
      }
      done += size;
      yield* this.#account(size, done < length);
    }
  }

  *#account(byteLength: number, hasMore: boolean): Steps<void> {
    const fuel = byteLength <= FREE_BYTES_MAX ? 0 : byteLength >> BYTES_PER_FUEL_SHIFT;
    if (!hasMore) {
      if (fuel > 0) this.#pacer.charge(fuel);
      return;
    }
    let granted = this.#pacer.tick(fuel);
    if (typeof granted !== "number") {
      const parked = granted;
      granted = 0;
      yield parked.then((value) => void (granted = value));
    }
    if (granted < 0) throw new GpuRefusal("launchFailed", "The call was stopped");
  }
}
