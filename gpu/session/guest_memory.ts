/**
 * GuestMemory: the linear memory of a guest as the session reads and writes it.
 *
 * Owns the check of every range against the memory as it is at that moment: `memory.grow` detaches the buffer
 * that was there before. It copies nothing. Invariant: a view that it hands out lies wholly inside the memory,
 * and is used before the guest runs again.
 */
import { GpuRefusal } from "./refusal.ts";

/** A checked memory. */
export class GuestMemory {
  readonly #find: () => WebAssembly.Memory | undefined;
  #whole = new Uint8Array(0);

  /** @param find the memory that the guest exports, or undefined while it has none */
  constructor(find: () => WebAssembly.Memory | undefined) {
    this.#find = find;
  }

  /** The whole memory as it is now. @throws GpuRefusal invalidPointer if the guest exports none */
  whole(): Uint8Array<ArrayBuffer> {
    const buffer = this.#find()?.buffer;
    if (buffer === undefined) throw new GpuRefusal("invalidPointer", "Guest exports no memory");
    if (this.#whole.buffer !== buffer) this.#whole = new Uint8Array(buffer as ArrayBuffer);
    return this.#whole as Uint8Array<ArrayBuffer>;
  }

  /** As `bytes`, without a view: for what is only looked at. Answers with the whole memory. */
  check(what: string, pointer: number, length: number): Uint8Array<ArrayBuffer> {
    const whole = this.whole();
    const [start, size] = [pointer >>> 0, length >>> 0];
    if (start + size <= whole.length) return whole;
    const range = `${size} bytes at ${start}`;
    throw new GpuRefusal("invalidPointer", `${what}: ${range} exceed the memory of ${whole.length} bytes`);
  }

  /**
   * A range; `pointer` and `length` are i32 as the engine passes them, or already unsigned.
   *
   * @throws GpuRefusal invalidPointer, naming what the range is of
   */
  bytes(what: string, pointer: number, length: number): Uint8Array<ArrayBuffer> {
    const start = pointer >>> 0;
    return this.check(what, pointer, length).subarray(start, start + (length >>> 0));
  }
}
