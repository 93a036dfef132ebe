/**
 * generateKernel: a random kernel with a launch, from a seed.
 *
 * Owns the shape of a whole kernel: parameters, the registers that templates count on, the statements, and the
 * stores of every variable at the end. Kernels have no undefined behaviour and their memory afterwards does not
 * depend on the order of threads, warps or blocks. Invariant: the same seed gives the same kernel and inputs.
 */
import { Builder, type RegisterClass } from "./builder.ts";
import { emitCall, type GeneratedFunction, generateFunction } from "./functions.ts";
import {
  GLOBAL_BIN_BYTES,
  INPUT_BYTES,
  LOCAL_BYTES,
  SCRATCH_BYTES,
  TABLE_WORDS,
} from "./memory_templates.ts";
import { emitPrologue } from "./prologue.ts";
import { Random } from "./random.ts";
import { makeShape, type Shape } from "./shape.ts";
import { Statements } from "./statements.ts";

/** A part of the memory that two runs must agree on, by bits. */
export interface GeneratedOutput {
  readonly name: string;
  readonly offset: number;
  readonly byteLength: number;
}

/** A kernel and how to launch it. */
export interface GeneratedKernel {
  readonly seed: number;
  readonly ptx: string;
  readonly kernel: string;
  readonly grid: { readonly x: number; readonly y: number; readonly z: number };
  readonly block: { readonly x: number; readonly y: number; readonly z: number };
  readonly sharedBytes: number;
  /** Bytes of device memory, which must be aligned to 256. */
  readonly memoryBytes: number;
  /** What they hold before the launch. A new copy each time. */
  initialMemory(): Uint8Array<ArrayBuffer>;
  /** The parameter block, for memory that starts at the address. */
  params(memoryBase: bigint): Uint8Array<ArrayBuffer>;
  readonly outputs: readonly GeneratedOutput[];
}

/** What may occur in a kernel. */
export interface GenerateOptions {
  readonly hasCalls?: boolean;
  /** f16 and bf16. */
  readonly hasHalves?: boolean;
  /** mma and its kin; left out unless asked for. */
  readonly hasMatrices?: boolean;
  /** Templates that contain one of these are left out: `mad24.hi.sat`, `u16x2`. */
  readonly excludes?: readonly string[];
}

export const KERNEL_NAME = "generated";

/** Instructions of all threads that a kernel is meant to stay below. */
const INSTRUCTIONS_MEANT = 20_000;
/** Even a block of 1024 threads is to do something. */
const BUDGET_MIN = 130;
const BUDGET_MAX = 700;

const VARIABLE_COUNTS: readonly (readonly [type: RegisterClass, count: number])[] = [
  ["b32", 6],
  ["b64", 3],
  ["b16", 4],
  ["f32", 4],
  ["f64", 2],
  ["pred", 3],
];

export function generateKernel(seed: number, options: GenerateOptions = {}): GeneratedKernel {
  const { excludes = [] } = options;
  const random = new Random(seed);
  const shape = makeShape(random);
  const functions: GeneratedFunction[] = [];
  if (options.hasCalls !== false && random.percent(35)) {
    for (let index = 0; index < random.between(1, 3); index++) {
      functions.push(generateFunction(random, index, excludes));
    }
  }
  const budget = Math.min(
    Math.max(Math.floor(INSTRUCTIONS_MEANT / shape.threads / shape.blocks), BUDGET_MIN),
    BUDGET_MAX,
  );
  const builder = new Builder(random, "L");
  emitPrologue(builder, shape, VARIABLE_COUNTS);
  const { spent } = builder;
  const statements = new Statements(
    builder,
    {
      hasBases: true,
      excludes,
      hasMatrices: options.hasMatrices === true,
      hasHalves: options.hasHalves !== false && random.percent(40),
      wholeWarpThreads: shape.threads % 32 === 0 ? shape.threads : undefined,
      ...(functions.length === 0
        ? {}
        : { call: ({ isUniform }) => emitCall(builder, functions, "%localGeneric", isUniform) }),
    },
    Math.max(budget, spent + 40),
  );
  const place = { depth: 0, isUniform: true };
  statements.block(place, random.between(6, 50));
  if (random.percent(25)) {
    emitEarlyExit(builder);
    statements.hasExits = true;
    statements.block(place, random.between(2, 12));
  }
  emitStores(builder, shape);
  builder.emit("ret;");
  return {
    seed,
    ptx: moduleText(random, shape, functions, builder),
    kernel: KERNEL_NAME,
    grid: shape.grid,
    block: shape.block,
    sharedBytes: shape.dynamicSharedBytes,
    memoryBytes: shape.memoryBytes,
    initialMemory: () => initialMemory(seed, shape),
    params: (base) => makeParams(seed, shape, base),
    outputs: [
      { name: "bins", offset: shape.binsOffset, byteLength: GLOBAL_BIN_BYTES },
      {
        name: "scratch",
        offset: shape.scratchOffset,
        byteLength: shape.threads * shape.blocks * SCRATCH_BYTES,
      },
      {
        name: "results",
        offset: shape.resultsOffset,
        byteLength: shape.threads * shape.blocks * shape.resultBytes,
      },
    ],
  };
}

/** Some threads leave for good; their results stay zero. */
function emitEarlyExit(builder: Builder): void {
  const { random } = builder;
  if (random.percent(50)) {
    builder.expand(`setp.ge.u32 <t:pred:x>, %linear, <n:1:60>; @<t:pred:x> <ret|exit>`);
  } else {
    builder.expand(
      `and.b32 <t:b32:y>, <b32>, 7; setp.eq.u32 <t:pred:x>, <t:b32:y>, 3; @<t:pred:x> <ret|exit>`,
    );
  }
}

/** Every variable goes to the thread's own place. A NaN goes as one that is always the same. */
function emitStores(builder: Builder, shape: Shape): void {
  let offset = 0;
  const store = (bytes: 2 | 4 | 8, register: string): void => {
    const place = shape.isStrided
      ? `[%results+${offset}]`
      : `[%results+${offset * shape.threads * shape.blocks}]`;
    if (shape.isStrided) {
      builder.emit(`st.global.b${bytes * 8} ${place}, ${register};`);
    } else {
      const address = builder.register("b64");
      builder.emit(`mad.lo.u64 ${address}, %thread, ${bytes}, %results;`);
      builder.emit(
        `st.global.b${bytes * 8} [${address}+${offset * shape.threads * shape.blocks}], ${register};`,
      );
    }
    offset += bytes;
  };
  for (const each of builder.variables.b64) store(8, each);
  for (const each of builder.variables.f64) {
    const [bits, isNan] = [builder.register("b64"), builder.register("pred")];
    builder.emit(`setp.nan.f64 ${isNan}, ${each}, ${each};`);
    builder.emit(`mov.b64 ${bits}, ${each};`);
    builder.emit(`selp.b64 ${bits}, 0x7ff8000000000000, ${bits}, ${isNan};`);
    store(8, bits);
  }
  for (const each of builder.variables.b32) store(4, each);
  for (const each of builder.variables.f32) {
    const [bits, isNan] = [builder.register("b32"), builder.register("pred")];
    builder.emit(`setp.nan.f32 ${isNan}, ${each}, ${each};`);
    builder.emit(`mov.b32 ${bits}, ${each};`);
    builder.emit(`selp.b32 ${bits}, 0x7fffffff, ${bits}, ${isNan};`);
    store(4, bits);
  }
  for (const each of builder.variables.pred) {
    const bits = builder.register("b32");
    builder.emit(`selp.u32 ${bits}, 1, 0, ${each};`);
    store(4, bits);
  }
  for (const each of builder.variables.b16) store(2, each);
  if (offset > shape.resultBytes) {
    throw new Error(`${offset} bytes of results do not fit ${shape.resultBytes}`);
  }
}

function moduleText(
  random: Random,
  shape: Shape,
  functions: readonly GeneratedFunction[],
  builder: Builder,
): string {
  const words = (): string => Array.from({ length: TABLE_WORDS }, () => random.bits()).join(", ");
  const exchange = shape.dynamicSharedBytes > 0
    ? ".extern .shared .align 16 .b8 exchange[];"
    : `.shared .align 16 .b8 exchange[${shape.exchangeBytes}];`;
  return [
    ".version 8.3",
    ".target sm_90",
    ".address_size 64",
    "",
    `.const .align 8 .u32 constTable[${TABLE_WORDS}] = {${words()}};`,
    `.global .align 8 .u32 globalTable[${TABLE_WORDS}] = {${words()}};`,
    exchange,
    "",
    ...functions.map(({ text }) => `${text}\n`),
    `.visible .entry ${KERNEL_NAME}(`,
    "  .param .u64 memory,",
    "  .param .u32 number,",
    "  .param .f32 single,",
    "  .param .u64 large",
    ")",
    `${shape.threads > 256 || random.percent(30) ? `.maxntid ${shape.threads}, 1, 1` : ""}`,
    "{",
    ...builder.declarations(),
    `  .local .align 16 .b8 localArray[${LOCAL_BYTES}];`,
    ...shape.declarations,
    ...builder.lines,
    "}",
    "",
  ].join("\n");
}

function initialMemory(seed: number, shape: Shape): Uint8Array<ArrayBuffer> {
  const memory = new Uint8Array(shape.memoryBytes);
  const random = new Random(seed ^ 0x5151_5151);
  const view = new DataView(memory.buffer);
  for (let at = 0; at < INPUT_BYTES; at += 4) {
    // Small numbers and singles of ordinary size are as frequent as bits of any kind.
    const kind = random.below(4);
    if (kind === 0) view.setInt32(shape.inputOffset + at, random.between(-50, 50), true);
    else if (kind === 1) view.setFloat32(shape.inputOffset + at, (random.bits() / 2 ** 24) - 128, true);
    else view.setUint32(shape.inputOffset + at, random.bits(), true);
  }
  for (let at = 0; at < GLOBAL_BIN_BYTES; at += 4) {
    view.setUint32(shape.binsOffset + at, random.percent(50) ? 0 : random.bits() >>> 8, true);
  }
  return memory;
}

function makeParams(seed: number, shape: Shape, base: bigint): Uint8Array<ArrayBuffer> {
  const random = new Random(seed ^ 0x7272_7272);
  const params = new Uint8Array(shape.paramBytes);
  const view = new DataView(params.buffer);
  view.setBigUint64(0, base, true);
  view.setUint32(8, random.percent(50) ? random.below(10) : random.bits(), true);
  view.setFloat32(12, (random.bits() / 2 ** 26) - 32, true);
  view.setBigUint64(16, (BigInt(random.bits()) << 32n) | BigInt(random.bits()), true);
  return params;
}
