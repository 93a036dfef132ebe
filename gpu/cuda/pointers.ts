/**
 * Pointers: numbers of the driver that must not be taken for one another, and the cell they are written to.
 *
 * Owns the brands (handles by their C types, device addresses, host addresses) and the out-parameter cell. The
 * driver reads and writes what is behind them; nothing here does. Invariant: a cell is read before the next
 * call that writes to it.
 */

declare const brand: unique symbol;

/** A handle of the driver, by the name of its C type. */
export type HandlePointer<Kind extends string> = bigint & { readonly [brand]: Kind };
export type ContextPointer = HandlePointer<"CUcontext">;
export type StreamPointer = HandlePointer<"CUstream">;
export type EventPointer = HandlePointer<"CUevent">;
export type ModulePointer = HandlePointer<"CUmodule">;
export type FunctionPointer = HandlePointer<"CUfunction">;
/** An address in device memory (CUdeviceptr). */
export type DevicePointer = HandlePointer<"CUdeviceptr">;
/** An address in this process's memory. */
export type HostPointer = HandlePointer<"void*">;
/** A device's ordinal as the driver names it (CUdevice, an int). */
export type DeviceOrdinal = number & { readonly [brand]: "CUdevice" };

/** Eight bytes that a driver call writes its result to. */
export class OutCell {
  /** Its own buffer: a small array of V8 moves with its garbage collection otherwise. */
  readonly bytes = new Uint8Array(new ArrayBuffer(8));
  readonly #words = new BigUint64Array(this.bytes.buffer);
  readonly #ints = new Int32Array(this.bytes.buffer);
  readonly #floats = new Float32Array(this.bytes.buffer);

  /** The handle or address in it. */
  pointer<Kind extends string>(): HandlePointer<Kind> {
    return (this.#words[0] ?? 0n) as HandlePointer<Kind>;
  }

  /** The size_t in it. */
  size(): number {
    return Number(this.#words[0] ?? 0n);
  }

  int(): number {
    return this.#ints[0] ?? 0;
  }

  float(): number {
    return this.#floats[0] ?? 0;
  }

  set(value: bigint): this {
    this.#words[0] = value;
    return this;
  }
}

/** A name as C has it: UTF-8, closed by a zero. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}
