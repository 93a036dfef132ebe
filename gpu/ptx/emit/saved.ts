/**
 * Saved registers: where the registers of waiting threads lie in memory.
 *
 * Owns the layout of a block's save area: the state of every thread, scratch memory for what lanes exchange, and
 * one array over the threads for each register that is alive where threads are gathered. Neighbouring threads
 * are neighbours in every array, as the vector body will want them. Invariant: an array is aligned to its
 * elements.
 */
import type { Kernel } from "../kernel/ir.ts";
import { storageOf } from "../kernel/ir.ts";
import type { ValueName } from "../wasm/opcode.ts";

/** Bytes that an exchange may use as it likes. */
export const SCRATCH_BYTES = 8192;

/** Barriers of a block. */
export const BARRIER_COUNT = 16;

/** The save area of one block shape. */
export class SavedLayout {
  readonly kernel: Kernel;
  readonly threads: number;
  /** Offset of the states: an i32 a thread, the region to run next, or EXITED. */
  readonly states = 0;
  readonly scratch: number;
  /** Offset of arrivals at barriers without waiting: an i32 for each barrier. */
  readonly arrivals: number;
  /** Offset of each warp's region to run next: an i32 a warp. */
  readonly groups: number;
  readonly #offsets = new Map<number, number>();
  readonly #commonOffsets = new Map<number, number>();
  #byteLength: number;

  constructor(kernel: Kernel, threads: number) {
    this.kernel = kernel;
    this.threads = threads;
    this.arrivals = align(4 * threads, 16);
    this.groups = this.arrivals + 4 * BARRIER_COUNT;
    this.scratch = align(this.groups + 4 * Math.ceil(threads / 32), 16);
    this.#byteLength = this.scratch + SCRATCH_BYTES;
  }

  get byteLength(): number {
    return align(this.#byteLength, 16);
  }

  /** Offset of a register's array, which it gets when it is first asked for. */
  offsetOf(register: number): number {
    const known = this.#offsets.get(register);
    if (known !== undefined) return known;
    const bytes = this.bytesOf(register);
    const offset = align(this.#byteLength, 16);
    this.#offsets.set(register, offset);
    this.#byteLength = offset + bytes * this.threads;
    return offset;
  }

  /** Offset of a register that is saved once a group of threads, 8 bytes each. */
  commonOffsetOf(register: number): number {
    const known = this.#commonOffsets.get(register);
    if (known !== undefined) return known;
    const offset = align(this.#byteLength, 16);
    this.#commonOffsets.set(register, offset);
    this.#byteLength = offset + 8 * Math.ceil(this.threads / 32);
    return offset;
  }

  storageOf(register: number): ValueName {
    return storageOf(this.kernel.registers[register] ?? "b32");
  }

  bytesOf(register: number): 4 | 8 {
    const storage = this.storageOf(register);
    return storage === "i64" || storage === "f64" ? 8 : 4;
  }
}

function align(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
