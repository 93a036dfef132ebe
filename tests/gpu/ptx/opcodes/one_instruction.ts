/**
 * One instruction: compiles single PTX instructions into callable functions, without the rest of the compiler.
 *
 * Each becomes a WebAssembly function of its own that takes the registers it reads and gives the registers it
 * writes, as bits. Registers are named by kind: `%p` pred, `%c` b8, `%h` b16, `%r` b32, `%l` b64, `%f` f32,
 * `%d` f64, numbered from 0. A guard is not applied: that is the driver's work.
 */
import type { PtxType } from "../../../../gpu/ptx/ast.ts";
import { bytesOf } from "../../../../gpu/ptx/ast.ts";
import { Emitter } from "../../../../gpu/ptx/emit/emitter.ts";
import type { SpecialName } from "../../../../gpu/ptx/emit/emitter.ts";
import { KernelFacts } from "../../../../gpu/ptx/analysis/facts.ts";
import type { Instruction, Kernel } from "../../../../gpu/ptx/kernel/ir.ts";
import { storageOf } from "../../../../gpu/ptx/kernel/ir.ts";
import { ModuleParts } from "../../../../gpu/ptx/emit/module_parts.ts";
import { rowOf } from "../../../../gpu/ptx/opcodes/mod.ts";
import { accept } from "../../../../gpu/ptx/opcodes/row.ts";
import { parsePtx } from "../../../../gpu/ptx/syntax/parser.ts";
import type { Code } from "../../../../gpu/ptx/wasm/code.ts";
import { ModuleWriter } from "../../../../gpu/ptx/wasm/module_writer.ts";

/** Register types by the letter of their names. */
const KINDS: Readonly<Record<string, PtxType>> = {
  p: "pred",
  c: "b8",
  h: "b16",
  r: "b32",
  l: "b64",
  f: "f32",
  d: "f64",
};
/** Registers of each kind that an instruction may name. */
const REGISTERS = 64;

/** A compiled instruction. */
export interface OneInstruction {
  readonly text: string;
  /** Registers in the order in which `run` takes and gives them: `%f1`. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /**
   * Runs it once. Inputs are the registers that it reads, in order of appearance and each once; a register that
   * it only writes starts with all its bits set. Outputs are the registers that it writes. All are bits, unsigned.
   */
  readonly run: (...inputs: readonly bigint[]) => bigint[];
}

/** How the instructions are compiled and what they run in. */
export interface OneInstructionOptions {
  /** Whether fused multiply-add is the engine's; true unless said. */
  readonly isFused?: boolean;
  /** Whether the memory is shared between threads; `memory` must be so too. */
  readonly isShared?: boolean;
  /** Special values, zero unless said: `{ sharedEnd: 4096n }`. */
  readonly specials?: Readonly<Partial<Record<SpecialName, bigint>>>;
  /** The memory that addresses lead to; one page unless given. Device address 0x40000000 is its first byte. */
  readonly memory?: WebAssembly.Memory;
  readonly sharedBytes?: number;
  readonly localBytes?: number;
}

interface Parsed {
  readonly text: string;
  readonly instruction: Instruction;
  readonly names: readonly string[];
  readonly types: readonly PtxType[];
}

/** Compiles instructions, all of them into one module. @throws PtxError for what is refused */
export function compileInstructions(
  texts: readonly string[],
  options: OneInstructionOptions = {},
): OneInstruction[] {
  const writer = new ModuleWriter();
  const parts = new ModuleParts(writer, {
    isShared: options.isShared ?? false,
    isFused: options.isFused ?? true,
  });
  const parsed = texts.map(parse);
  parsed.forEach((each, index) => {
    writer.export(`f${index}`, "function", writeFunction(each, writer, parts, options));
  });
  const exports = instantiate(writer.finish().bytes, options);
  return parsed.map((each, index) => wrap(each, exports[`f${index}`]));
}

/** Compiles one instruction. @throws PtxError if it is refused */
export function compileInstruction(text: string, options: OneInstructionOptions = {}): OneInstruction {
  const [compiled] = compileInstructions([text], options);
  if (compiled === undefined) throw new Error("Invariant: one text gives one instruction");
  return compiled;
}

function parse(text: string): Parsed {
  const declarations = Object.entries(KINDS).map(([kind, type]) => `.reg .${type} %${kind}<${REGISTERS}>;`);
  const lines = [".version 9.0", ".target sm_90", ".address_size 64", ".visible .entry k() {"];
  const module = parsePtx([...lines, ...declarations, `${text.replace(/;\s*$/, "")};`, "}"].join("\n"));
  const body = module.functions[0]?.body;
  const [source] = body?.instructions ?? [];
  if (body === undefined || source === undefined) throw new Error(`Not one instruction: ${text}`);
  const row = rowOf(source);
  if (row === undefined) throw new Error(`No row for ${source.opcode}`);
  return {
    text,
    instruction: accept(row, { ...source, guard: undefined }, source.operands),
    names: body.registers.map(({ name }) => name),
    types: body.registers.map(({ type }) => type),
  };
}

function inputsOf({ instruction }: Parsed): number[] {
  return [...new Set(instruction.uses)];
}

function writeFunction(
  parsed: Parsed,
  writer: ModuleWriter,
  parts: ModuleParts,
  options: OneInstructionOptions,
): number {
  const { instruction, types } = parsed;
  const { defs } = instruction;
  const inputs = inputsOf(parsed);
  const { index, code } = writer.begin(inputs.map(() => "i64"), defs.map(() => "i64"));
  const locals = types.map((type) => code.local(storageOf(type)));
  const localOf = (register: number): number => {
    const local = locals[register];
    if (local === undefined) throw new Error("Invariant: every register has a local");
    return local;
  };
  types.forEach((type, register) => {
    const input = inputs.indexOf(register);
    if (input >= 0) code.get(input);
    else code.i64(maskOf(type));
    fromBits(code, type);
    code.set(localOf(register));
  });
  const emitter = new Emitter(code, factsOf(types, options), parts, {
    read: (register) => code.get(localOf(register)),
    write: (register) => code.set(localOf(register)),
    special: (name) => constantLocal(code, name, options.specials?.[name] ?? 0n),
  });
  if (instruction.row.scalar === undefined) throw new Error(`${parsed.text} is not emitted by its row alone`);
  instruction.row.scalar(emitter, instruction);
  for (const register of defs) {
    code.get(localOf(register));
    toBits(code, types[register] ?? "b32");
  }
  return index;
}

function fromBits(code: Code, type: PtxType): void {
  const storage = storageOf(type);
  if (storage === "f64") code.op("f64ReinterpretI64");
  else if (storage !== "i64") {
    code.op("i32WrapI64");
    if (storage === "f32") code.op("f32ReinterpretI32");
  }
}

function toBits(code: Code, type: PtxType): void {
  const storage = storageOf(type);
  if (storage === "f64") code.op("i64ReinterpretF64");
  else if (storage !== "i64") {
    if (storage === "f32") code.op("i32ReinterpretF32");
    code.op("i64ExtendI32U");
  }
}

function constantLocal(code: Code, name: SpecialName, value: bigint): number {
  const isWide = name.endsWith("Base");
  const local = code.local(isWide ? "i64" : "i32");
  if (isWide) code.i64(value);
  else code.i32(Number(BigInt.asIntN(32, value)));
  code.set(local);
  return local;
}

function factsOf(
  registers: readonly PtxType[],
  { sharedBytes, localBytes }: OneInstructionOptions,
): KernelFacts {
  const kernel: Kernel = {
    name: "k",
    source: {
      kind: "entry",
      name: "k",
      line: 1,
      linkage: undefined,
      params: [],
      returns: [],
      directives: new Map(),
      body: undefined,
    },
    registers,
    instructions: [],
    placements: new Map(),
    paramBytes: 0,
    sharedBytes: sharedBytes ?? 0,
    localBytes: localBytes ?? 0,
    usesDynamicShared: false,
  };
  return new KernelFacts(
    kernel,
    { x: 32, y: 1, z: 1 },
    new Map(),
    new Set(),
    new Uint8Array(registers.length),
    new Float64Array(registers.length).fill(Infinity),
  );
}

function instantiate(bytes: Uint8Array<ArrayBuffer>, { memory }: OneInstructionOptions): WebAssembly.Exports {
  // 64-bit addresses are newer than the types of the descriptor.
  const descriptor = { initial: 1n, maximum: 1n, address: "i64" } as unknown as WebAssembly.MemoryDescriptor;
  const k = {
    memory: memory ?? new WebAssembly.Memory(descriptor),
    tick: (): number => 1,
    print: (): void => {},
    clock: (): bigint => 0n,
    imageBase: new WebAssembly.Global({ value: "i64", mutable: false }, 0n),
  };
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), { k }).exports;
}

/** Bits of a register's type; a predicate has one. */
function maskOf(type: PtxType): bigint {
  return type === "pred" ? 1n : (1n << BigInt(8 * bytesOf(type))) - 1n;
}

function wrap(parsed: Parsed, exported: WebAssembly.ExportValue | undefined): OneInstruction {
  const { text, names, types, instruction } = parsed;
  if (typeof exported !== "function") throw new Error("Invariant: the function is exported");
  const nameOf = (register: number): string => names[register] ?? "";
  const inputs = inputsOf(parsed);
  const outputs = instruction.defs;
  const isStrict = (register: number, bits: bigint): boolean =>
    bits === (bits & maskOf(types[register] ?? "b32"));
  const run = (...values: readonly bigint[]): bigint[] => {
    if (values.length !== inputs.length) throw new Error(`${text} reads ${inputs.length} registers`);
    const result: unknown = exported(...values);
    const list = (Array.isArray(result) ? result : outputs.length === 0 ? [] : [result]) as bigint[];
    const bits = list.map((each) => BigInt.asUintN(64, each));
    outputs.forEach((register, index) => {
      // What every reader of a narrow register relies on: the bits above its width are zero.
      if (!isStrict(register, bits[index] ?? 0n)) {
        throw new Error(`${text} left ${nameOf(register)} = ${bits[index]?.toString(16)}`);
      }
    });
    return bits;
  };
  return { text, inputs: inputs.map(nameOf), outputs: outputs.map(nameOf), run };
}
