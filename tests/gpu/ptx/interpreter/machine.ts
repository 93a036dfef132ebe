/**
 * Machine: registers, memory and fuel of one launch.
 *
 * Owns where each state space lies in the generic address space and turns addresses into a segment and an
 * index, with the checks of a device. It does not know instructions. Invariant: `locate` returns only segments
 * in which the whole access fits at its natural alignment; everything else is a GuestFault.
 */
import { GuestFault } from "./fault.ts";
import type { Extent, Thread } from "./thread.ts";
import { type Views, viewsOf } from "./views.ts";

/** Generic addresses of the windows; device memory lies wherever the caller put it, below them. */
export const WINDOWS = {
  shared: 2 ** 50,
  local: 2 ** 50 + 2 ** 40,
  param: 2 ** 50 + 2 * 2 ** 40,
  /** Module variables that the caller did not place. */
  constant: 2 ** 50 + 3 * 2 ** 40,
  global: 2 ** 50 + 4 * 2 ** 40,
  function: 2 ** 50 + 5 * 2 ** 40,
} as const;
const WINDOW_BYTES = 2 ** 40;

/** Spaces that a load or store can name. `param` holds generic addresses, and so do `const` and `global`. */
export type AccessSpace = "generic" | "global" | "const" | "shared" | "local" | "param";

/** A piece of memory with its generic address. */
export interface Segment extends Views {
  readonly start: number;
  readonly length: number;
}

function segment(start: number, bytes: Uint8Array): Segment {
  return { ...viewsOf(bytes), start, length: bytes.length };
}

/** Everything that a launch is made of, in bytes and slots. */
export interface MachineOptions {
  readonly grid: Extent;
  readonly block: Extent;
  /** Device memory and the address of its first byte. */
  readonly memory: Uint8Array;
  readonly memoryBase: bigint;
  readonly params: Uint8Array;
  readonly sharedBytes: number;
  readonly dynamicSharedBytes: number;
  /** What is reserved of shared memory, behind everything else. */
  readonly reservedSharedBytes: number;
  readonly localBytesPerThread: number;
  readonly slotsPerThread: number;
  readonly globals: Uint8Array;
  readonly constants: Uint8Array;
  readonly fuel: number;
  readonly print: (text: string) => void;
}

export class Machine {
  readonly options: MachineOptions;
  readonly threadCount: number;
  /** Registers of all threads, one slot of 8 bytes each. */
  readonly registers: Views;
  readonly memory: Segment;
  readonly globals: Segment;
  readonly constants: Segment;
  readonly params: Segment;
  readonly shared: Segment;
  readonly local: Segment;
  /** The running block. */
  ctaid: Extent = { x: 0, y: 0, z: 0 };
  fuel: number;
  /** Instructions run so far; the clock. */
  executed = 0;
  /** Index that goes with the segment of the last `locate`. */
  index = 0;

  constructor(options: MachineOptions) {
    const { block } = options;
    this.options = options;
    this.threadCount = block.x * block.y * block.z;
    this.fuel = options.fuel;
    this.registers = viewsOf(new Uint8Array(options.slotsPerThread * this.threadCount * 8));
    const base = Number(options.memoryBase);
    if (base % 16 !== 0 || base < 0 || base + options.memory.length > WINDOWS.shared) {
      throw new RangeError(`Cannot put device memory at ${options.memoryBase}`);
    }
    this.memory = segment(base, options.memory);
    this.globals = segment(WINDOWS.global, options.globals);
    this.constants = segment(WINDOWS.constant, options.constants);
    this.params = segment(WINDOWS.param, options.params);
    const shared = new Uint8Array(options.sharedBytes + options.reservedSharedBytes);
    this.shared = segment(WINDOWS.shared, shared);
    this.local = segment(WINDOWS.local, new Uint8Array(options.localBytesPerThread * this.threadCount));
  }

  /** The address in the space's own terms as a generic one; NaN if it cannot be one. */
  toGeneric(space: AccessSpace, address: number): number {
    if (space !== "shared" && space !== "local") return address;
    return address < WINDOW_BYTES ? WINDOWS[space] + address : Number.NaN;
  }

  /** The space that a generic address points into. */
  spaceOf(address: number): "shared" | "local" | "param" | "const" | "global" {
    const is = (start: number): boolean => address >= start && address < start + WINDOW_BYTES;
    if (is(WINDOWS.shared)) return "shared";
    if (is(WINDOWS.local)) return "local";
    if (is(WINDOWS.param)) return "param";
    return is(WINDOWS.constant) ? "const" : "global";
  }

  /**
   * Finds the memory behind an address. `index` then says where in the segment the access starts.
   *
   * @throws GuestFault 716 if the address is not a multiple of `bytes`, 700 if nothing is there
   */
  locate(thread: Thread, space: AccessSpace, address: number, bytes: number, line: number): Segment {
    if (address % bytes !== 0) {
      throw new GuestFault(716, `line ${line}: ${bytes} bytes at ${space} address 0x${address.toString(16)}`);
    }
    const memory = this.memory;
    if (space === "generic" || space === "global") {
      const index = address - memory.start;
      if (index >= 0 && index + bytes <= memory.length) {
        this.index = index;
        return memory;
      }
    }
    const generic = this.toGeneric(space, address);
    const found = this.#window(thread, generic, bytes);
    if (found === undefined) {
      throw new GuestFault(700, `line ${line}: ${bytes} bytes at ${space} address 0x${address.toString(16)}`);
    }
    return found;
  }

  #window(thread: Thread, address: number, bytes: number): Segment | undefined {
    if (address >= WINDOWS.local && address < WINDOWS.param) {
      const size = this.options.localBytesPerThread;
      const offset = address - WINDOWS.local;
      if (offset + bytes > size) return undefined;
      this.index = thread.index * size + offset;
      return this.local;
    }
    for (const each of [this.shared, this.params, this.constants, this.globals, this.memory]) {
      const index = address - each.start;
      if (index >= 0 && index + bytes <= each.length) {
        this.index = index;
        return each;
      }
    }
    return undefined;
  }
}
