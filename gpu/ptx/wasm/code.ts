/**
 * Code: the body of one WebAssembly function, written as it is emitted.
 *
 * Owns the bytes, the locals and the open blocks of a function. Branches name a block, not a depth; temporary
 * locals are handed out and taken back. It knows nothing of PTX. Invariant: a branch to a block that is not
 * open is a bug and throws.
 */
import { ByteSink } from "./byte_sink.ts";
import { checkLimit } from "./limit_error.ts";
import { MEMORY_OP, OP, VALUE } from "./opcode.ts";
import type { MemoryOpName, ValueName } from "./opcode.ts";

/** An open block; a branch to a `loop` goes to its start, to any other past its end. */
export interface Label {
  readonly depth: number;
}

/** A label with the number of branches to it. */
interface OpenLabel extends Label {
  branches: number;
}

/** Opcode of the instruction by name. */
export type OpName = keyof typeof OP;

/** The body of a function. */
export class Code {
  #sink = new ByteSink();
  readonly #params: readonly ValueName[];
  readonly #results: readonly ValueName[];
  readonly #locals: ValueName[] = [];
  readonly #free = new Map<ValueName, number[]>();
  readonly #open: OpenLabel[] = [];
  /** Where code for a line begins: offset, line, offset, line …, ascending. */
  #lines: number[] = [];
  /** Of the first instruction, once the function is finished. */
  #start = 0;

  constructor(params: readonly ValueName[], results: readonly ValueName[]) {
    this.#params = params;
    this.#results = results;
  }

  get params(): readonly ValueName[] {
    return this.#params;
  }

  get results(): readonly ValueName[] {
    return this.#results;
  }

  /** Bytes of instructions so far. */
  get length(): number {
    return this.#sink.length;
  }

  get localCount(): number {
    return this.#params.length + this.#locals.length;
  }

  /** A local for the whole function. */
  local(type: ValueName): number {
    this.#locals.push(type);
    return this.#params.length + this.#locals.length - 1;
  }

  /** A local that `release` takes back. */
  temp(type: ValueName): number {
    return this.#free.get(type)?.pop() ?? this.local(type);
  }

  release(type: ValueName, index: number): void {
    const free = this.#free.get(type);
    if (free === undefined) this.#free.set(type, [index]);
    else free.push(index);
  }

  op(...names: OpName[]): void {
    for (const name of names) this.#opcode(OP[name]);
  }

  #opcode(code: number): void {
    if (code <= 0xff) return this.#sink.byte(code);
    if (code <= 0xffff) {
      this.#sink.byte(code >> 8);
      return this.#sink.unsigned(code & 0xff);
    }
    this.#sink.byte(code >> 16);
    this.#sink.unsigned(code & 0xffff);
  }

  get(local: number): void {
    this.#sink.byte(0x20);
    this.#sink.unsigned(local);
  }

  set(local: number): void {
    this.#sink.byte(0x21);
    this.#sink.unsigned(local);
  }

  tee(local: number): void {
    this.#sink.byte(0x22);
    this.#sink.unsigned(local);
  }

  globalGet(index: number): void {
    this.#sink.byte(0x23);
    this.#sink.unsigned(index);
  }

  globalSet(index: number): void {
    this.#sink.byte(0x24);
    this.#sink.unsigned(index);
  }

  i32(value: number): void {
    this.#sink.byte(0x41);
    this.#sink.signed(value | 0);
  }

  i64(value: bigint): void {
    this.#sink.byte(0x42);
    this.#sink.signed64(BigInt.asIntN(64, value));
  }

  /** A constant by its bits, so that NaNs stay what they are. */
  f32Bits(bits: number): void {
    this.#sink.byte(0x43);
    this.#sink.fixed32(bits);
  }

  f64Bits(bits: bigint): void {
    this.#sink.byte(0x44);
    this.#sink.fixed64(bits);
  }

  f32(value: number): void {
    CONVERT.setFloat32(0, value);
    this.f32Bits(CONVERT.getInt32(0));
  }

  f64(value: number): void {
    CONVERT.setFloat64(0, value);
    this.f64Bits(CONVERT.getBigUint64(0));
  }

  /** A load, store or atomic; the address below its operands on the stack is an i64. */
  memory(name: MemoryOpName, offset: bigint | number = 0): void {
    const [code, align] = MEMORY_OP[name];
    this.#opcode(code);
    this.#sink.byte(align);
    this.#sink.unsigned64(BigInt(offset));
  }

  /** f32x4.extract_lane 0 and its like. */
  lane(name: keyof typeof EXTRACT, lane: number): void {
    this.#sink.byte(0xfd);
    this.#sink.unsigned(EXTRACT[name]);
    this.#sink.byte(lane);
  }

  /** A vector constant by its four i32 lanes. */
  v128(lanes: readonly number[]): void {
    this.#opcode(0xfd0c);
    for (let lane = 0; lane < 4; lane++) this.#sink.fixed32((lanes[lane] ?? 0) >>> 0);
  }

  /** Sixteen bytes out of the 32 of two vectors (0 to 15 are the first's). */
  shuffle8(bytes: readonly number[]): void {
    this.#opcode(0xfd0d);
    for (let byte = 0; byte < 16; byte++) this.#sink.byte(bytes[byte] ?? 0);
  }

  /** Four lanes of 32 bits out of the eight of two vectors (0 to 3 are the first's). */
  shuffle32(lanes: readonly number[]): void {
    this.#opcode(0xfd0d);
    for (let byte = 0; byte < 16; byte++) this.#sink.byte(4 * (lanes[byte >> 2] ?? 0) + (byte & 3));
  }

  call(functionIndex: number): void {
    this.#sink.byte(0x10);
    this.#sink.unsigned(functionIndex);
  }

  callIndirect(typeIndex: number): void {
    this.#sink.byte(0x11);
    this.#sink.unsigned(typeIndex);
    this.#sink.unsigned(0);
  }

  memoryFill(): void {
    this.#opcode(0xfc0b);
    this.#sink.byte(0);
  }

  memoryCopy(): void {
    this.#opcode(0xfc0a);
    this.#sink.byte(0);
    this.#sink.byte(0);
  }

  fence(): void {
    this.#opcode(0xfe03);
    this.#sink.byte(0);
  }

  block(result?: ValueName): Label {
    return this.#enter(0x02, result);
  }

  loop(result?: ValueName): Label {
    return this.#enter(0x03, result);
  }

  if(result?: ValueName): Label {
    return this.#enter(0x04, result);
  }

  else(): void {
    this.#sink.byte(0x05);
  }

  end(): void {
    if (this.#open.pop() === undefined) throw new Error("Invariant: there is an open block to end");
    this.#sink.byte(0x0b);
  }

  #enter(opcode: number, result: ValueName | undefined): Label {
    this.#sink.byte(opcode);
    this.#sink.byte(result === undefined ? 0x40 : VALUE[result]);
    const label = { depth: this.#open.length, branches: 0 };
    this.#open.push(label);
    return label;
  }

  br(label: Label): void {
    this.#sink.byte(0x0c);
    this.#sink.unsigned(this.#relative(label));
  }

  brIf(label: Label): void {
    this.#sink.byte(0x0d);
    this.#sink.unsigned(this.#relative(label));
  }

  /** @throws WasmLimitError for too many targets */
  brTable(labels: readonly Label[], otherwise: Label): void {
    checkLimit("branchTargetsMax", labels.length);
    this.#sink.byte(0x0e);
    this.#sink.unsigned(labels.length);
    for (const label of labels) this.#sink.unsigned(this.#relative(label));
    this.#sink.unsigned(this.#relative(otherwise));
  }

  #relative(label: Label): number {
    const open = this.#open[label.depth];
    if (open !== label) throw new Error("Invariant: a branch goes to an open block");
    checkLimit("labelBranchesMax", ++open.branches);
    return this.#open.length - 1 - label.depth;
  }

  /** What follows is for a line of the source: where an access may trap, the line is wanted. */
  noteLine(line: number): void {
    if (this.#lines.at(-1) !== line) this.#lines.push(this.#sink.length, line);
  }

  /** The noted lines of a finished function that begins at an offset of its module, as CodeLines takes them. */
  linesFrom(offset: number): number[] {
    return this.#lines.map((value, index) => index % 2 === 0 ? offset + this.#start + value : value);
  }

  /** A place in the code where `insert` can put something later. */
  mark(): number {
    return this.#sink.length;
  }

  /** What `emit` writes, without writing it here. It must close the blocks that it opens. Its lines are not kept. */
  capture(emit: () => void): Uint8Array {
    const sink = this.#sink;
    const lines = this.#lines;
    this.#sink = new ByteSink();
    this.#lines = [];
    emit();
    const bytes = this.#sink.take();
    this.#sink = sink;
    this.#lines = lines;
    return bytes;
  }

  /** Puts captured code at a mark. Marks behind it are no longer right. */
  insert(mark: number, bytes: Uint8Array): void {
    const before = this.#sink.take();
    this.#sink = new ByteSink();
    this.#sink.bytes(before.subarray(0, mark));
    this.#sink.bytes(bytes);
    this.#sink.bytes(before.subarray(mark));
    for (let index = 0; index < this.#lines.length; index += 2) {
      const offset = this.#lines[index] ?? 0;
      if (offset >= mark) this.#lines[index] = offset + bytes.length;
    }
  }

  /** The function as it stands in the code section, size first. @throws WasmLimitError if it is too large */
  finish(): Uint8Array {
    if (this.#open.length > 0) throw new Error("Invariant: every block is ended");
    const head = new ByteSink();
    const groups: [ValueName, number][] = [];
    for (const type of this.#locals) {
      const last = groups.at(-1);
      if (last !== undefined && last[0] === type) last[1]++;
      else groups.push([type, 1]);
    }
    head.unsigned(groups.length);
    for (const [type, count] of groups) {
      head.unsigned(count);
      head.byte(VALUE[type]);
    }
    const body = this.#sink.take();
    checkLimit("functionLocalsMax", this.localCount);
    checkLimit("functionBytesMax", head.length + body.length + 1);
    const sized = new ByteSink();
    sized.unsigned(head.length + body.length + 1);
    sized.bytes(head.take());
    this.#start = sized.length;
    sized.bytes(body);
    sized.byte(0x0b);
    return sized.take();
  }
}

/** Sub-opcodes that take a lane out of a vector. */
const EXTRACT = { i32x4Extract: 0x1b, f32x4Extract: 0x1f, f64x2Extract: 0x21 } as const;

const CONVERT = new DataView(new ArrayBuffer(8));
