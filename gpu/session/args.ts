/**
 * Args: the argument records of a launch, from a guest's bytes to a kernel's parameter block.
 *
 * Owns the parser (tags, truncation, bounds; reference §2.4 has the order of checks), the comparison with the
 * parameters that the PTX declares, and the block. It copies no window (windows.ts, window_memory.ts do).
 * Invariants: the records are parsed from a copy, so nothing that happens during the launch changes them; a
 * list that passed `checkAgainst` fills the block of that kernel exactly.
 */
import { GPU_ARG_TAGS as TAG } from "../abi.ts";
import type { KernelInfo, KernelParam } from "../device.ts";
import { GpuRefusal } from "./refusal.ts";

interface TagRow {
  readonly name: string;
  /** Bytes of the record's value, and of the parameter that it is for. */
  readonly valueBytes: number;
  readonly paramBytes: number;
}

const POINTER_BYTES = 8;

/** By tag; tags without a row are unknown. */
const ROWS: readonly (TagRow | undefined)[] = tagRows();

function tagRows(): (TagRow | undefined)[] {
  const rows: (TagRow | undefined)[] = [];
  const scalar = (tag: number, name: string, bytes: number): void => {
    rows[tag] = { name, valueBytes: bytes, paramBytes: bytes };
  };
  const pointer = (tag: number, name: string, valueBytes: number): void => {
    rows[tag] = { name, valueBytes, paramBytes: POINTER_BYTES };
  };
  scalar(TAG.i32, "i32", 4);
  scalar(TAG.i64, "i64", 8);
  scalar(TAG.f32, "f32", 4);
  scalar(TAG.f64, "f64", 8);
  scalar(TAG.u32, "u32", 4);
  scalar(TAG.u64, "u64", 8);
  pointer(TAG.windowInOut, "in-out window", 8);
  pointer(TAG.windowIn, "in window", 8);
  pointer(TAG.windowOut, "out window", 8);
  pointer(TAG.buffer, "device buffer", 16);
  return rows;
}

/** Bounds of a list. */
export interface ArgBounds {
  readonly gpuArgsCountMax: number;
  readonly gpuArgsBytesMax: number;
}

/** The address of a place in a device buffer. @throws GpuRefusal */
export type FindBuffer = (what: string, handle: bigint, offset: bigint) => bigint;

/** The records of one launch; used again for the next. */
export class ArgList {
  readonly #bounds: ArgBounds;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #tags: Uint8Array;
  /** Where each value begins in the bytes. */
  readonly #places: Uint32Array;
  /** Device addresses of windows and buffers. */
  readonly #pointers: bigint[] = [];
  #count = 0;
  #length = 0;
  #version = 0;

  constructor(bounds: ArgBounds) {
    this.#bounds = bounds;
    this.#bytes = new Uint8Array(bounds.gpuArgsBytesMax);
    this.#view = new DataView(this.#bytes.buffer);
    this.#tags = new Uint8Array(bounds.gpuArgsCountMax);
    this.#places = new Uint32Array(bounds.gpuArgsCountMax);
  }

  get count(): number {
    return this.#count;
  }

  /** Another one whenever the records are others than those parsed before. */
  get version(): number {
    return this.#version;
  }

  /** The tag of a record. */
  tag(index: number): number {
    return this.#tags[index] ?? 0;
  }

  /** Of a window: where it begins in guest memory, and its length. */
  windowOffset(index: number): number {
    return this.#view.getUint32(this.#places[index] ?? 0, true);
  }
  windowLength(index: number): number {
    return this.#view.getUint32((this.#places[index] ?? 0) + 4, true);
  }

  /** Gives a window its address on the device. */
  setPointer(index: number, pointer: bigint): void {
    this.#pointers[index] = pointer;
  }

  /**
   * Parses the records that are `length` bytes of a memory from `start` on.
   *
   * @throws GpuRefusal kernelArgsUnsupported for too many, invalidArgs for a tag that is none and for a record
   * that is cut off, invalidPointer for a window outside of the memory, invalidHandle
   */
  parse(memory: Uint8Array, start: number, length: number, findBuffer: FindBuffer): void {
    const { gpuArgsBytesMax, gpuArgsCountMax } = this.#bounds;
    this.#count = 0;
    if (length > gpuArgsBytesMax) {
      throw tooMany("Argument records are too long", "gpuArgsBytesMax", gpuArgsBytesMax, length);
    }
    this.#copy(memory, start, length);
    for (let at = 0; at < length;) {
      const index = this.#count;
      if (index >= gpuArgsCountMax) {
        throw tooMany("Too many arguments", "gpuArgsCountMax", gpuArgsCountMax, index + 1);
      }
      const tag = this.#bytes[at] ?? 0;
      const row = ROWS[tag];
      if (row === undefined) {
        throw new GpuRefusal("invalidArgs", `Argument ${index}: unknown tag 0x${hex(tag)}`);
      }
      if (at + 1 + row.valueBytes > length) {
        const got = length - at - 1;
        throw new GpuRefusal(
          "invalidArgs",
          `Argument ${index}: ${row.name} needs ${row.valueBytes} bytes, got ${got}`,
        );
      }
      this.#tags[index] = tag;
      this.#places[index] = at + 1;
      this.#count++;
      if (tag >= TAG.windowInOut) this.#checkPointer(index, tag, at + 1, memory.length, findBuffer);
      at += 1 + row.valueBytes;
    }
  }

  /** Byte by byte: they are few, and a guest that launches the same again is found out by the way. */
  #copy(memory: Uint8Array, start: number, length: number): void {
    let isSame = length === this.#length;
    for (let at = 0; at < length; at++) {
      const byte = memory[start + at] ?? 0;
      if (this.#bytes[at] === byte) continue;
      this.#bytes[at] = byte;
      isSame = false;
    }
    this.#length = length;
    if (!isSame) this.#version++;
  }

  #checkPointer(
    index: number,
    tag: number,
    place: number,
    memoryBytes: number,
    findBuffer: FindBuffer,
  ): void {
    if (tag === TAG.buffer) {
      const [handle, offset] = [
        this.#view.getBigUint64(place, true),
        this.#view.getBigUint64(place + 8, true),
      ];
      this.#pointers[index] = findBuffer(`Argument ${index}`, handle, offset);
      return;
    }
    const [offset, length] = [this.#view.getUint32(place, true), this.#view.getUint32(place + 4, true)];
    if (offset + length <= memoryBytes) return;
    const range = `${length} bytes at ${offset}`;
    throw new GpuRefusal(
      "invalidPointer",
      `Argument ${index}: ${range} exceed the memory of ${memoryBytes} bytes`,
    );
  }

  /** Compares with what a kernel takes. @throws GpuRefusal invalidArgs, naming index, expected and got */
  checkAgainst({ name, params }: KernelInfo): void {
    if (this.#count !== params.length) {
      const expected = `${params.length} ${params.length === 1 ? "argument" : "arguments"}`;
      throw new GpuRefusal("invalidArgs", `Kernel ${name} takes ${expected}, got ${this.#count}`);
    }
    for (let index = 0; index < params.length; index++) {
      const param = params[index];
      const row = ROWS[this.tag(index)];
      if (param === undefined || row === undefined || row.paramBytes === param.byteLength) continue;
      if (this.#isPromoted(index, param)) continue;
      throw new GpuRefusal(
        "invalidArgs",
        `Argument ${index} of ${name}: expected ${param.byteLength} bytes (${param.type}), ` +
          `got ${row.paramBytes} bytes (${row.name})`,
      );
    }
  }

  /**
   * Whether a 32-bit integer stands for one of 8 or 16 bits, as C promotes `bool`, `char` and `short`: it must
   * fit, signed or unsigned.
   */
  #isPromoted(index: number, { byteLength, type }: KernelParam): boolean {
    const tag = this.tag(index);
    if ((tag !== TAG.i32 && tag !== TAG.u32) || byteLength > 2 || !/^[bsu](8|16)$/.test(type)) return false;
    const bits = 8 * byteLength;
    if (type !== `${type[0]}${bits}`) return false;
    const value = this.#view.getInt32(this.#places[index] ?? 0, true);
    return value >= -(2 ** (bits - 1)) && value < 2 ** bits;
  }

  /** Writes the parameter block of a kernel that the list was checked against. */
  writeParams({ params }: KernelInfo, block: DataView): void {
    for (let index = 0; index < params.length; index++) {
      const param = params[index];
      const tag = this.tag(index);
      if (param === undefined) continue;
      const { offset, byteLength } = param;
      const place = this.#places[index] ?? 0;
      if (tag >= TAG.windowInOut) block.setBigUint64(offset, this.#pointers[index] ?? 0n, true);
      else if (byteLength === 4) block.setUint32(offset, this.#view.getUint32(place, true), true);
      else if (byteLength === 8) {
        block.setUint32(offset, this.#view.getUint32(place, true), true);
        block.setUint32(offset + 4, this.#view.getUint32(place + 4, true), true);
      } else if (byteLength === 2) block.setUint16(offset, this.#view.getUint16(place, true), true);
      else block.setUint8(offset, this.#view.getUint8(place));
    }
  }
}

function tooMany(what: string, limit: string, max: number, actual: number): GpuRefusal {
  return new GpuRefusal("kernelArgsUnsupported", `${what}: ${limit} is ${max}, got ${actual}`);
}

function hex(tag: number): string {
  return tag.toString(16).padStart(2, "0");
}
