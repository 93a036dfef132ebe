/**
 * KernelCase: one launch of a kernel of tests/gpu/kernels with its inputs and what must come out.
 *
 * Owns the form of the case table and short makers for it. It runs nothing (run_case.ts does) and never reads
 * PTX: what is expected is reckoned from what the .cu means. Invariant: a case is a pure function of its name,
 * whose digest seeds its random numbers.
 */
import type { Dim3, GpuDeviceInfo } from "../../../../gpu/device.ts";
import type { CudaStatusName } from "../../../../gpu/gpu_error.ts";
import { Random } from "./random.ts";

/** What a buffer holds. Halves of 16 bits that are not IEEE half (bf16) are `Uint16Array`. */
export type NumericArray =
  | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>
  | Float16Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>;

/** Types of arguments passed by value. */
export type ScalarType = "i8" | "u8" | "i16" | "u16" | "i32" | "u32" | "i64" | "u64" | "f32" | "f64";

/** An argument of a kernel. */
export type KernelArg =
  | { readonly type: ScalarType; readonly value: number | bigint }
  /** The address of `offset` bytes into a device buffer that starts as a copy of `data`; one per `data`. */
  | { readonly type: "buffer"; readonly data: NumericArray; readonly offset: number }
  /** The address of a buffer that holds the addresses of others. */
  | { readonly type: "pointers"; readonly buffers: readonly NumericArray[] }
  /** A structure by value. */
  | { readonly type: "struct"; readonly byteLength: number; readonly fields: readonly StructField[] };

/** A field of a structure by value. */
export interface StructField {
  readonly offset: number;
  readonly value: KernelArg;
}

/** How far a result may be from what is expected. NaN equals NaN of any payload. */
export type Tolerance =
  /** Same bits. */
  | { readonly kind: "exact" }
  /** At most so many floats of the array's type apart. */
  | { readonly kind: "ulp"; readonly ulps: number }
  /** |got − want| ≤ bound · |want|, or ≤ `floor`. */
  | { readonly kind: "relative"; readonly bound: number; readonly floor: number }
  | { readonly kind: "absolute"; readonly bound: number }
  /** The same numbers in any order. */
  | { readonly kind: "multiset" };

/** What a buffer must hold after the launch. */
export interface Expected {
  /** The `data` of a buffer argument, or the name of a variable of the module. */
  readonly of: NumericArray | string;
  readonly values: NumericArray;
  readonly tolerance: Tolerance;
}

/** One launch. */
export interface KernelCase {
  readonly name: string;
  /** The file in tests/gpu/kernels. */
  readonly ptx: string;
  readonly kernel: string;
  readonly grid: Dim3;
  readonly block: Dim3;
  /** Dynamic shared memory. */
  readonly sharedBytes: number;
  readonly args: readonly KernelArg[];
  /** How often it is launched, one after the other; 1 unless said. */
  readonly launches?: number;
  /** Variables of the module that the host sets first. */
  readonly variables?: readonly (readonly [name: string, data: NumericArray])[];
  /** What the buffers hold afterwards. Those that are not named must not have changed. */
  expected(): readonly Expected[];
  /** What `printf` must have written, its lines in any order. */
  readonly prints?: readonly string[];
  /** The statuses with one of which the launch must fail, instead of results; on the CPU device it is the first. */
  readonly fails?: readonly CudaStatusName[];
  /** Kinds of devices that refuse the kernel at load, as their documentation says. */
  readonly refusedBy?: readonly GpuDeviceInfo["kind"][];
}

/** What a file of references says about one case. */
export interface CaseSpec {
  readonly grid: number | readonly number[];
  readonly block: number | readonly number[];
  readonly sharedBytes?: number;
  readonly launches?: number;
  readonly args: readonly KernelArg[];
  readonly expected?: () => readonly Expected[];
  readonly prints?: readonly string[];
  readonly variables?: KernelCase["variables"];
  readonly fails?: readonly CudaStatusName[];
  readonly refusedBy?: KernelCase["refusedBy"];
}

/** Collects the cases of one PTX file. */
export class CaseTable {
  readonly cases: KernelCase[] = [];
  readonly #ptx: string;

  constructor(ptx: string) {
    this.#ptx = ptx;
  }

  /** Adds a case: `shape` tells it from the kernel's others; `make` is given its random numbers. */
  add(kernel: string, shape: string, make: (random: Random) => CaseSpec): void {
    const name = `${this.#ptx.replace(/\.ptx$/, "")} ${kernel}: ${shape}`;
    const spec = make(new Random(name));
    const { prints, fails, launches, variables, refusedBy } = spec;
    this.cases.push({
      name,
      ptx: this.#ptx,
      kernel,
      grid: dim3(spec.grid),
      block: dim3(spec.block),
      sharedBytes: spec.sharedBytes ?? 0,
      args: spec.args,
      expected: spec.expected ?? ((): Expected[] => []),
      ...(launches === undefined ? {} : { launches }),
      ...(prints === undefined ? {} : { prints }),
      ...(refusedBy === undefined ? {} : { refusedBy }),
      ...(variables === undefined ? {} : { variables }),
      ...(fails === undefined ? {} : { fails }),
    });
  }
}

function dim3(extent: number | readonly number[]): Dim3 {
  const [x = 1, y = 1, z = 1] = typeof extent === "number" ? [extent] : extent;
  return { x, y, z };
}

/** The address of a buffer. */
export function buffer(data: NumericArray, offset = 0): KernelArg {
  return { type: "buffer", data, offset };
}

export function i32(value: number): KernelArg {
  return { type: "i32", value };
}

export function u32(value: number): KernelArg {
  return { type: "u32", value };
}

export function i64(value: number | bigint): KernelArg {
  return { type: "i64", value: BigInt(value) };
}

export function u64(value: number | bigint): KernelArg {
  return { type: "u64", value: BigInt(value) };
}

export function f32(value: number): KernelArg {
  return { type: "f32", value };
}

export function f64(value: number): KernelArg {
  return { type: "f64", value };
}

/** A buffer's contents, bit for bit. */
export function exactly(of: NumericArray | string, values: NumericArray): Expected {
  return { of, values, tolerance: { kind: "exact" } };
}

/** A buffer's contents, at most `ulps` floats away. */
export function withinUlps(of: NumericArray, values: NumericArray, ulps: number): Expected {
  return { of, values, tolerance: { kind: "ulp", ulps } };
}

/** A buffer's contents, relative to what is expected; what is tinier than `floor` apart is as well. */
export function withinRelative(of: NumericArray, values: NumericArray, bound: number, floor = 0): Expected {
  return { of, values, tolerance: { kind: "relative", bound, floor } };
}

/** A buffer's contents, at most `bound` away. */
export function withinAbsolute(of: NumericArray, values: NumericArray, bound: number): Expected {
  return { of, values, tolerance: { kind: "absolute", bound } };
}

/** A buffer's contents in any order. */
export function inAnyOrder(of: NumericArray, values: NumericArray): Expected {
  return { of, values, tolerance: { kind: "multiset" } };
}

/** Element of an array that is known to be there. */
export function at<T>(array: ArrayLike<T>, index: number): T {
  const value = array[index];
  if (value === undefined) throw new RangeError(`Index ${index} is outside of 0..${array.length - 1}`);
  return value;
}

/** Blocks of `size` that cover `count`, at least one. */
export function blocksFor(count: number, size: number): number {
  return Math.max(1, Math.ceil(count / size));
}
