/**
 * One exchange: compiles warp-wide PTX instructions into functions over the saved registers of a warp.
 *
 * Registers are named as in one_instruction.ts. Values stand in the memory of a save area, as they do when a
 * driver has gathered the lanes; who takes part is given with each run. Several instructions, with semicolons
 * between them, become one function each.
 */
import type { PtxType } from "../../../../gpu/ptx/ast.ts";
import { Exchange } from "../../../../gpu/ptx/emit/exchange.ts";
import { KernelFacts } from "../../../../gpu/ptx/analysis/facts.ts";
import { Flattener } from "../../../../gpu/ptx/kernel/flatten.ts";
import type { Instruction, Kernel } from "../../../../gpu/ptx/kernel/ir.ts";
import { linkModule } from "../../../../gpu/ptx/kernel/link.ts";
import { ModuleParts } from "../../../../gpu/ptx/emit/module_parts.ts";
import { membersOf } from "../../../../gpu/ptx/opcodes/row.ts";
import { parsePtx } from "../../../../gpu/ptx/syntax/parser.ts";
import { SavedLayout } from "../../../../gpu/ptx/emit/saved.ts";
import { ModuleWriter } from "../../../../gpu/ptx/wasm/module_writer.ts";

const KINDS: Readonly<Record<string, PtxType>> = {
  p: "pred",
  h: "b16",
  r: "b32",
  l: "b64",
  f: "f32",
  d: "f64",
};
const REGISTERS = 40;
/** Where the save area begins, and where memory is free for what instructions load and store. */
const SAVE_BASE = 0x8000;
/** Place of free memory; as a device address, 0x40000000 more. */
export const FREE = 0x100;
/** Where the block's shared memory begins. */
export const SHARED_BASE = 0x4000;
const SHARED_BYTES = 0x4000;
const DEVICE_BASE = 0x4000_0000n;

/** One compiled warp instruction, or several. */
export class OneExchange {
  readonly instruction: Instruction;
  readonly memory: DataView;
  readonly #saved: SavedLayout;
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #runs: readonly ((first: number, who: number) => void)[];
  readonly #members: (first: number) => void;

  constructor(text: string, { threads = 64, isShared = false, isFused = true } = {}) {
    const { kernel, numbers } = parse(text);
    const instructions = kernel.instructions.filter(({ row }) => row.effect !== "control");
    const [instruction] = instructions;
    if (instruction === undefined) throw new Error(`No instruction: ${text}`);
    this.instruction = instruction;
    this.#numbers = numbers;
    this.#saved = new SavedLayout(kernel, threads);
    const writer = new ModuleWriter();
    const parts = new ModuleParts(writer, { isShared, isFused });
    const facts = new KernelFacts(
      kernel,
      { x: threads, y: 1, z: 1 },
      new Map(),
      new Set(),
      new Uint8Array(kernel.registers.length),
      new Float64Array(kernel.registers.length).fill(Infinity),
    );
    instructions.forEach((each, index) => {
      const run = writer.begin(["i32", "i32"], []);
      if (each.row.exchange === undefined) throw new Error(`Not an exchange: ${text}`);
      each.row.exchange(new Exchange(run.code, facts, parts, this.#saved), each);
      writer.export(`run${index}`, "function", run.index);
    });
    const members = writer.begin(["i32"], []);
    this.#emitMembers(instruction, new Exchange(members.code, facts, parts, this.#saved));
    writer.export("members", "function", members.index);
    for (const name of ["saveBase", "sharedBase", "sharedEnd"] as const) {
      writer.export(name, "global", parts.globals[name]);
    }
    const { exports, memory } = instantiate(writer.finish().bytes, isShared);
    this.memory = new DataView(memory.buffer);
    setGlobal(exports["saveBase"], BigInt(SAVE_BASE));
    setGlobal(exports["sharedBase"], BigInt(SHARED_BASE));
    setGlobal(exports["sharedEnd"], SHARED_BYTES);
    this.#runs = instructions.map((_, index) =>
      exports[`run${index}`] as (first: number, who: number) => void
    );
    this.#members = exports["members"] as (first: number) => void;
    if (SAVE_BASE + this.#saved.byteLength > memory.buffer.byteLength) throw new Error("Memory is too small");
  }

  /** Stores each lane's membermask into scratch memory, for 32 lanes. */
  #emitMembers(instruction: Instruction, exchange: Exchange): void {
    const { code } = exchange;
    const push = membersOf(instruction);
    if (push === undefined) return;
    for (let lane = 0; lane < 32; lane++) {
      const local = code.local("i32");
      code.i32(lane);
      code.set(local);
      exchange.at(local, () => {
        exchange.pushScratch(local);
        push(exchange.emitter);
        code.memory("i32Store", exchange.scratchOffset());
      });
    }
  }

  #place(name: string, thread: number): { at: number; bytes: 4 | 8 } {
    const register = this.#numbers.get(name);
    if (register === undefined) throw new Error(`No register ${name}`);
    const bytes = this.#saved.bytesOf(register);
    return { at: SAVE_BASE + this.#saved.offsetOf(register) + bytes * thread, bytes };
  }

  set(name: string, thread: number, value: bigint): void {
    const { at, bytes } = this.#place(name, thread);
    if (bytes === 8) this.memory.setBigUint64(at, BigInt.asUintN(64, value), true);
    else this.memory.setUint32(at, Number(BigInt.asUintN(32, value)), true);
  }

  get(name: string, thread: number): bigint {
    const { at, bytes } = this.#place(name, thread);
    return bytes === 8 ? this.memory.getBigUint64(at, true) : BigInt(this.memory.getUint32(at, true));
  }

  /** Sets a register of 32 threads from `first`. */
  setAll(name: string, values: readonly bigint[], first = 0): void {
    values.forEach((value, lane) => this.set(name, first + lane, value));
  }

  getAll(name: string, first = 0): bigint[] {
    return Array.from({ length: 32 }, (_, lane) => this.get(name, first + lane));
  }

  /** Runs the instructions one after the other. */
  run(who = -1, first = 0): void {
    for (const run of this.#runs) run(first, who);
  }

  /** The membermask of each lane of the first warp; undefined if the instruction has none. */
  members(): number[] | undefined {
    if (membersOf(this.instruction) === undefined) return undefined;
    this.#members(0);
    const scratch = SAVE_BASE + this.#saved.scratch;
    return Array.from({ length: 32 }, (_, lane) => this.memory.getUint32(scratch + 4 * lane, true));
  }
}

/** The device address of a place in memory. */
export function addressOf(place: number): bigint {
  return DEVICE_BASE + BigInt(place);
}

function parse(text: string): { kernel: Kernel; numbers: ReadonlyMap<string, number> } {
  const declarations = Object.entries(KINDS).map(([kind, type]) => `.reg .${type} %${kind}<${REGISTERS}>;`);
  const lines = [".version 9.0", ".target sm_90a", ".address_size 64", ".visible .entry k() {"];
  const module = parsePtx(
    [...lines, ...declarations, `${text.replace(/;\s*$/, "")};`, "ret;", "}"].join("\n"),
  );
  const [entry] = module.functions;
  if (entry === undefined) throw new Error("Invariant: the text has an entry");
  const kernel = new Flattener(linkModule(module), entry).flatten();
  const numbers = new Map((entry.body?.registers ?? []).map(({ name }, index) => [name, index]));
  return { kernel, numbers };
}

function setGlobal(value: WebAssembly.ExportValue | undefined, to: bigint | number): void {
  if (value instanceof WebAssembly.Global) value.value = to;
}

function instantiate(
  bytes: Uint8Array<ArrayBuffer>,
  isShared: boolean,
): { exports: WebAssembly.Exports; memory: WebAssembly.Memory } {
  // 64-bit addresses are newer than the types of the descriptor.
  const descriptor = { initial: 4n, maximum: 4n, address: "i64", shared: isShared };
  const memory = new WebAssembly.Memory(descriptor as unknown as WebAssembly.MemoryDescriptor);
  const k = {
    memory,
    tick: (): number => 1,
    print: (): void => {},
    clock: (): bigint => 0n,
    imageBase: new WebAssembly.Global({ value: "i64", mutable: false }, 0n),
  };
  return { exports: new WebAssembly.Instance(new WebAssembly.Module(bytes), { k }).exports, memory };
}
