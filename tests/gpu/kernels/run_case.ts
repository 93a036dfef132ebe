/**
 * Runs a case of the table on a context, and compares.
 *
 * Owns how arguments become buffers and a parameter block, guard bytes around every buffer, and the text of a
 * difference. It does not know which device it is. Invariant: buffers that a case says nothing of, and the
 * guards, must be as they were.
 */
import type { GpuContext, GpuModule, KernelInfo } from "../../../gpu/device.ts";
import type {
  Expected,
  KernelArg,
  KernelCase,
  NumericArray,
  ScalarType,
  Tolerance,
} from "./references/kernel_case.ts";
import { Random } from "./references/random.ts";

const GUARD_BYTES = 64;
const GUARD = 0xa5;
const DIFFERENCES_SHOWN = 8;

/** A buffer on the device: guard, contents, guard. */
interface Placed {
  readonly data: NumericArray;
  /** Of the contents, not of the guard in front of them. */
  readonly pointer: bigint;
  readonly allocation: bigint;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Told of a result and of what was wanted in its place. */
export type OnResult = (want: Expected, got: ArrayLike<number | bigint>) => void;

/** Launches a case. @returns what is wrong, empty if nothing is. @throws GpuError what the device reports */
export async function runCase(
  context: GpuContext,
  module: GpuModule,
  kernelCase: KernelCase,
  onResult?: OnResult,
): Promise<string[]> {
  const kernel = module.kernels.get(kernelCase.kernel);
  if (kernel === undefined) throw new RangeError(`No kernel ${kernelCase.kernel} in ${kernelCase.ptx}`);
  const buffers = new Map<NumericArray, Placed>();
  try {
    for (const arg of kernelCase.args) await placeBuffers(context, arg, buffers);
    for (const [name, data] of kernelCase.variables ?? []) {
      const variable = module.findGlobal(name);
      if (variable === undefined) throw new RangeError(`No variable ${name} in ${kernelCase.ptx}`);
      await context.copyToDevice(variable.pointer, bytesOf(data).slice());
    }
    const params = packParams(kernel, kernelCase.args, buffers);
    const { grid, block, sharedBytes } = kernelCase;
    for (let launch = 0; launch < (kernelCase.launches ?? 1); launch++) {
      await context.launch({
        module,
        kernel,
        grid,
        block,
        sharedBytes,
        params,
      });
      await context.synchronize();
    }
    return await compare(context, module, kernelCase, buffers, onResult);
  } finally {
    for (const { allocation } of buffers.values()) freeQuietly(context, allocation);
  }
}

/** After an error that is sticky nothing can be freed; the error is on its way already. */
function freeQuietly(context: GpuContext, allocation: bigint): void {
  try {
    context.free(allocation);
  } catch {
    // The caller learns of the first error.
  }
}

async function placeBuffers(
  context: GpuContext,
  arg: KernelArg,
  buffers: Map<NumericArray, Placed>,
): Promise<void> {
  switch (arg.type) {
    case "buffer":
      await place(context, arg.data, bytesOf(arg.data).slice(), buffers);
      break;
    case "pointers": {
      // The table of pointers stands for itself under the list's own identity.
      for (const data of arg.buffers) await place(context, data, bytesOf(data).slice(), buffers);
      break;
    }
    case "struct":
      for (const { value } of arg.fields) await placeBuffers(context, value, buffers);
      break;
    default:
  }
  if (arg.type !== "pointers") return;
  const table = pointerTable(arg.buffers, buffers);
  await place(context, table, bytesOf(table).slice(), buffers);
  tables.set(arg, table);
}

/** The table on the device of each argument that is a list of pointers. */
const tables = new WeakMap<KernelArg, BigUint64Array<ArrayBuffer>>();

function pointerTable(
  list: readonly NumericArray[],
  buffers: ReadonlyMap<NumericArray, Placed>,
): BigUint64Array<ArrayBuffer> {
  return BigUint64Array.from(list, (data) => pointerOf(data, buffers));
}

async function place(
  context: GpuContext,
  data: NumericArray,
  bytes: Uint8Array<ArrayBuffer>,
  buffers: Map<NumericArray, Placed>,
): Promise<void> {
  if (buffers.has(data)) return;
  // The guard in front is as long as the alignment of an allocation, so that the contents are aligned as well.
  const front = 256;
  const allocation = context.allocate(front + bytes.length + GUARD_BYTES);
  const whole = new Uint8Array(front + bytes.length + GUARD_BYTES).fill(GUARD);
  whole.set(bytes, front);
  await context.copyToDevice(allocation, whole);
  buffers.set(data, { data, allocation, pointer: allocation + BigInt(front), bytes: whole });
}

function pointerOf(data: NumericArray, buffers: ReadonlyMap<NumericArray, Placed>): bigint {
  const placed = buffers.get(data);
  if (placed === undefined) throw new RangeError("A buffer was not placed");
  return placed.pointer;
}

function packParams(
  kernel: KernelInfo,
  args: readonly KernelArg[],
  buffers: ReadonlyMap<NumericArray, Placed>,
): Uint8Array<ArrayBuffer> {
  if (kernel.params.length !== args.length) {
    throw new RangeError(`${kernel.name} has ${kernel.params.length} parameters, not ${args.length}`);
  }
  const params = new Uint8Array(kernel.paramBytes);
  const view = new DataView(params.buffer);
  for (const [index, arg] of args.entries()) {
    const offset = kernel.params[index]?.offset ?? 0;
    const written = writeArg(view, offset, arg, buffers);
    const declared = kernel.params[index]?.byteLength;
    if (declared !== written) {
      throw new RangeError(`Parameter ${index} of ${kernel.name}: ${declared} bytes, not ${written}`);
    }
  }
  return params;
}

function writeArg(
  view: DataView,
  offset: number,
  arg: KernelArg,
  buffers: ReadonlyMap<NumericArray, Placed>,
): number {
  switch (arg.type) {
    case "buffer":
      view.setBigUint64(offset, pointerOf(arg.data, buffers) + BigInt(arg.offset), true);
      return 8;
    case "pointers": {
      const table = tables.get(arg);
      if (table === undefined) throw new RangeError("A table of pointers was not placed");
      view.setBigUint64(offset, pointerOf(table, buffers), true);
      return 8;
    }
    case "struct":
      for (const field of arg.fields) writeArg(view, offset + field.offset, field.value, buffers);
      return arg.byteLength;
    default:
      return writeScalar(view, offset, arg.type, arg.value);
  }
}

function writeScalar(view: DataView, offset: number, type: ScalarType, value: number | bigint): number {
  switch (type) {
    case "i8":
    case "u8":
      view.setUint8(offset, Number(value));
      return 1;
    case "i16":
    case "u16":
      view.setUint16(offset, Number(value), true);
      return 2;
    case "i32":
    case "u32":
      view.setUint32(offset, Number(value), true);
      return 4;
    case "f32":
      view.setFloat32(offset, Number(value), true);
      return 4;
    case "f64":
      view.setFloat64(offset, Number(value), true);
      return 8;
    case "i64":
    case "u64":
      view.setBigUint64(offset, BigInt.asUintN(64, BigInt(value)), true);
      return 8;
  }
}

async function compare(
  context: GpuContext,
  module: GpuModule,
  kernelCase: KernelCase,
  buffers: ReadonlyMap<NumericArray, Placed>,
  onResult: OnResult | undefined,
): Promise<string[]> {
  const expected = kernelCase.expected();
  const problems: string[] = [];
  for (const { data, allocation, pointer, bytes } of buffers.values()) {
    const got = new Uint8Array(bytes.length);
    await context.copyFromDevice(got, allocation);
    const front = Number(pointer - allocation);
    const contents = got.slice(front, bytes.length - GUARD_BYTES);
    const isGuarded = got.subarray(0, front).every((byte) => byte === GUARD) &&
      got.subarray(bytes.length - GUARD_BYTES).every((byte) => byte === GUARD);
    if (!isGuarded) {
      problems.push(`${labelOf(data, kernelCase)}: written outside of its ${contents.length} bytes`);
    }
    const want = expected.find(({ of }) => of === data);
    if (want !== undefined) {
      const result = viewAs(want.values, contents);
      onResult?.(want, result);
      problems.push(...differences(labelOf(data, kernelCase), result, want));
    } else if (!equalBytes(contents, bytes.subarray(front, bytes.length - GUARD_BYTES))) {
      problems.push(`${labelOf(data, kernelCase)}: changed, but is only read`);
    }
  }
  for (const want of expected) {
    if (typeof want.of !== "string") continue;
    const variable = module.findGlobal(want.of);
    if (variable === undefined) {
      problems.push(`no variable ${want.of}`);
      continue;
    }
    const got = new Uint8Array(variable.byteLength);
    await context.copyFromDevice(got, variable.pointer);
    const result = viewAs(want.values, got);
    onResult?.(want, result);
    problems.push(...differences(want.of, result, want));
  }
  return problems.length === 0 ? [] : [`seed ${new Random(kernelCase.name).seed}`, ...problems];
}

function labelOf(data: NumericArray, { args }: KernelCase): string {
  const index = args.findIndex((arg) => arg.type === "buffer" && arg.data === data);
  return index < 0 ? "buffer" : `argument ${index}`;
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function bytesOf(data: NumericArray): Uint8Array<ArrayBuffer> {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** The bytes as elements of the same type. */
function viewAs(like: NumericArray, bytes: Uint8Array<ArrayBuffer>): ArrayLike<number | bigint> {
  const copy = bytes.slice().buffer;
  switch (like.constructor.name) {
    case "Int8Array":
      return new Int8Array(copy);
    case "Uint8Array":
      return new Uint8Array(copy);
    case "Int16Array":
      return new Int16Array(copy);
    case "Uint16Array":
      return new Uint16Array(copy);
    case "Int32Array":
      return new Int32Array(copy);
    case "Uint32Array":
      return new Uint32Array(copy);
    case "BigInt64Array":
      return new BigInt64Array(copy);
    case "BigUint64Array":
      return new BigUint64Array(copy);
    case "Float16Array":
      return new Float16Array(copy);
    case "Float32Array":
      return new Float32Array(copy);
    default:
      return new Float64Array(copy);
  }
}

/** The first elements that differ, by index. */
export function differences(label: string, got: ArrayLike<number | bigint>, want: Expected): string[] {
  const { values, tolerance } = want;
  if (got.length !== values.length) return [`${label}: ${got.length} elements, not ${values.length}`];
  const [ours, theirs] = tolerance.kind === "multiset" ? [sorted(got), sorted(values)] : [got, values];
  const wrong: string[] = [];
  let count = 0;
  for (let i = 0; i < ours.length; i++) {
    const [a, b] = [ours[i], theirs[i]];
    if (a === undefined || b === undefined || isWithin(a, b, tolerance, values)) continue;
    if (count++ < DIFFERENCES_SHOWN) wrong.push(`[${i}] got ${show(a)}, want ${show(b)}`);
  }
  return count === 0 ? [] : [`${label}: ${count} of ${ours.length} differ: ${wrong.join("; ")}`];
}

function sorted(values: ArrayLike<number | bigint>): (number | bigint)[] {
  return Array.from(values).sort((a, b) => a < b ? -1 : a > b ? 1 : 0);
}

function show(value: number | bigint): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

/** Whether a result is near enough. NaN is equal to any NaN; infinities only to themselves. */
export function isWithin(
  got: number | bigint,
  want: number | bigint,
  tolerance: Tolerance,
  like: NumericArray,
): boolean {
  if (Object.is(got, want)) return true;
  if (typeof got === "bigint" || typeof want === "bigint") return got === want;
  if (!Number.isFinite(got) || !Number.isFinite(want)) {
    return tolerance.kind === "ulp" && ulpsApart(got, want, like) <= tolerance.ulps;
  }
  switch (tolerance.kind) {
    case "exact":
    case "multiset":
      return false;
    case "ulp":
      return ulpsApart(got, want, like) <= tolerance.ulps;
    case "relative":
      return Math.abs(got - want) <= Math.max(tolerance.bound * Math.abs(want), tolerance.floor);
    case "absolute":
      return Math.abs(got - want) <= tolerance.bound;
  }
}

const scratch = new DataView(new ArrayBuffer(8));

/** How many floats of the array's type lie between two; NaN if one of them is NaN. */
function ulpsApart(a: number, b: number, like: NumericArray): number {
  return Number.isNaN(a) || Number.isNaN(b) ? NaN : Math.abs(Number(ordinal(a, like) - ordinal(b, like)));
}

/** The place of a float among those of its type, so that neighbours are one apart. */
function ordinal(value: number, like: NumericArray): bigint {
  const magnitude = Math.abs(value);
  scratch.setBigUint64(0, 0n);
  if (like instanceof Float32Array) scratch.setFloat32(4, magnitude);
  else if (like instanceof Float16Array) scratch.setBigUint64(0, BigInt(halfBits(magnitude)));
  else if (like instanceof Float64Array) scratch.setFloat64(0, magnitude);
  else scratch.setBigUint64(0, BigInt(magnitude));
  return value < 0 ? -scratch.getBigUint64(0) : scratch.getBigUint64(0);
}

function halfBits(value: number): number {
  scratch.setFloat16(0, value);
  return scratch.getUint16(0);
}
