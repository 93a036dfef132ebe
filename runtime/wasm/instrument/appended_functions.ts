/**
 * AppendedFunctions: the functions that the instrumenter appends to a module.
 *
 * Owns which of them a module needs, their indices and types, and the code of `tick` (asks the host, stops
 * the guest) and of the charges by length; bulk_code.ts has that of fill and copy. Invariants: a helper is
 * appended when the first instruction asks for it, never otherwise, and its index is final at once.
 */
import { invariant } from "../../model/invariant.ts";
import { EMPTY_BLOCK_TYPE, OP } from "../opcode.ts";
import type { Charger, ChunkedOperation, GrowOperation } from "./bulk_code.ts";
import { writeChunked, writeGrow } from "./bulk_code.ts";
import { ByteWriter } from "./byte_writer.ts";
import { I32, I32_GT_U, I32_LT_S, I32_SHL, I32_SHR_U, I32_SUB } from "./numeric.ts";
import { I32_WRAP_I64, I64, I64_CONST, I64_GT_U } from "./numeric.ts";

/** Bytes that one memory.copy or memory.fill moves without being charged: it takes no longer than a call. */
export const UNCHARGED_BYTES_MAX = 256;
/** Most that one operation is charged by its length; a longer one fails anyway. */
const LENGTH_COST_MAX = 2 ** 26;
/** Most bytes of one array of the GC proposal: no check interrupts an allocation. */
const ARRAY_BYTES_MAX = 8 * 1024 * 1024;

/** Signatures of helpers; each becomes one appended type. */
type Signature = readonly [params: readonly ValueTypeBytes[], results: readonly ValueTypeBytes[]];

/** The encoding of a value type. */
export type ValueTypeBytes = readonly number[];

/** A function to append: its type, and local declarations and instructions, `end` included. */
interface Helper {
  readonly type: number;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Where the appended things are. */
export interface AppendedIndices {
  /** The mutable i32 global. */
  readonly fuel: number;
  /** The global that holds the host's tick function. */
  readonly tick: number;
  /** Index of the first appended function and of the first appended type. */
  readonly functionFirst: number;
  readonly typeFirst: number;
}

/** The helpers of one module. */
export class AppendedFunctions implements Charger {
  /** The function `(fuel) -> fuel` that asks the host and traps when the guest is to stop. */
  readonly tick: number;
  /** The mutable i32 global that holds the fuel. */
  readonly fuelGlobal: number;
  readonly #indices: AppendedIndices;
  readonly #helpers: Helper[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #types: string[] = [];
  readonly #signatures: Signature[] = [];

  constructor(indices: AppendedIndices) {
    this.#indices = indices;
    this.fuelGlobal = indices.fuel;
    this.tick = this.#get("tick", [[[I32]], [[I32]]], (out) => this.#writeTick(out));
    invariant(this.#helpers[0]?.type === indices.typeFirst, "The tick's type is the first appended one");
  }

  /** Signatures of the appended types, in order. */
  get signatures(): readonly Signature[] {
    return this.#signatures;
  }

  /** The appended functions, in order. */
  get functions(): readonly Helper[] {
    return this.#helpers;
  }

  /** How many different helpers there are; copies of the module's own functions are not counted. */
  get kindCount(): number {
    return this.#numbers.size;
  }

  /** Appends a function; the answer is its index. */
  append(type: number, body: Uint8Array<ArrayBuffer>): number {
    return this.#indices.functionFirst + this.#helpers.push({ type, body }) - 1;
  }

  /**
   * The function that does a bulk operation on memories in chunks: `(target, source or value, length) -> ()`.
   * It does short ones itself, is small enough to be inlined, and calls another for the others.
   */
  chunkedBytes(operation: ChunkedOperation): number {
    const { instruction, length64 } = operation;
    const key = `bytes ${instruction}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const large = this.chunked(operation, [I32]);
    return this.#get(key, signatureOf(operation, [I32]), (out) => {
      const operands = [OP.localGet, 0, OP.localGet, 1, OP.localGet, 2];
      out.write(OP.localGet, 2, length64 ? I64_CONST : OP.i32Const);
      out.signed(UNCHARGED_BYTES_MAX);
      out.write(length64 ? I64_GT_U : I32_GT_U, OP.if, EMPTY_BLOCK_TYPE, ...operands, OP.call);
      out.unsigned(large);
      out.write(OP.else, ...operands, ...instruction, OP.end);
    });
  }

  /** The function that does any bulk operation in chunks; `value` is the type of what it fills with. */
  chunked(operation: ChunkedOperation, value: ValueTypeBytes): number {
    return this.#get(`chunked ${operation.instruction}`, signatureOf(operation, value), (out) => {
      writeChunked(out, this, operation);
    });
  }

  /** The function that grows a table in chunks: `(value, count) -> size before`. */
  grow(operation: GrowOperation, value: ValueTypeBytes): number {
    const count = address(operation.table.is64);
    const signature: Signature = [[value, count], [count]];
    return this.#get(`grow ${operation.grow}`, signature, (out) => writeGrow(out, this, operation), count);
  }

  /**
   * The function `(length) -> length` that charges for a length, 2^shift units for each: a negative shift
   * for bytes, a positive one for elements that take long.
   */
  charge(is64: boolean, shift: number): number {
    const type = address(is64);
    return this.#get(`charge ${type} ${shift}`, [[type], [type]], (out) => {
      this.writeCharge(out, is64, shift);
      out.u8(OP.localGet);
      out.u8(0);
    });
  }

  /** As `charge`, and traps if an array with elements of `elementBytes` would be larger than allowed. */
  chargeArray(elementBytes: number, shift: number): number {
    return this.#get(`array ${elementBytes} ${shift}`, [[[I32]], [[I32]]], (out) => {
      out.write(OP.localGet, 0, OP.i32Const);
      out.signed(Math.floor(ARRAY_BYTES_MAX / elementBytes));
      out.write(I32_GT_U, OP.if, EMPTY_BLOCK_TYPE, OP.unreachable, OP.end);
      this.writeCharge(out, false, shift);
      out.write(OP.localGet, 0);
    });
  }

  /** fuel -= min(length << shift, LENGTH_COST_MAX); if fuel < 0: tick. The length is local 0. */
  writeCharge(out: ByteWriter, is64: boolean, shift: number, local = 0): void {
    this.#writeUse(out, () => {
      out.write(OP.localGet, local, is64 ? I64_CONST : OP.i32Const);
      out.signed(Math.floor(LENGTH_COST_MAX / 2 ** shift));
      out.write(is64 ? I64_GT_U : I32_GT_U, OP.if, I32, OP.i32Const);
      out.signed(LENGTH_COST_MAX);
      out.write(OP.else, OP.localGet, local);
      if (is64) out.u8(I32_WRAP_I64);
      out.write(OP.i32Const, Math.abs(shift), shift < 0 ? I32_SHR_U : I32_SHL, OP.end);
    });
  }

  /** fuel -= units; if fuel < 0: tick. */
  writeUse(out: ByteWriter, units: number): void {
    this.#writeUse(out, () => {
      out.u8(OP.i32Const);
      out.signed(units);
    });
  }

  /** As `writeUse`, where `writeUnits` puts the units on the stack. */
  #writeUse(out: ByteWriter, writeUnits: () => void): void {
    const onFuel = (opcode: number): void => {
      out.u8(opcode);
      out.unsigned(this.fuelGlobal);
    };
    onFuel(OP.globalGet);
    writeUnits();
    out.u8(I32_SUB);
    onFuel(OP.globalSet);
    onFuel(OP.globalGet);
    out.write(OP.i32Const, 0, I32_LT_S, OP.if, EMPTY_BLOCK_TYPE);
    onFuel(OP.globalGet);
    out.u8(OP.call);
    out.unsigned(this.tick);
    out.write(OP.drop, OP.end);
  }

  /** The function of a key, appended if it is not there; `local` is the type of one more local. */
  #get(
    key: string,
    signature: Signature,
    writeBody: (out: ByteWriter) => void,
    local?: ValueTypeBytes,
  ): number {
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const type = this.#typeOf(signature);
    const out = new ByteWriter(128);
    if (local === undefined) out.u8(0);
    else out.write(1, 1, ...local);
    writeBody(out);
    out.u8(OP.end);
    const index = this.append(type, out.bytes());
    this.#numbers.set(key, index);
    return index;
  }

  #typeOf(signature: Signature): number {
    const key = JSON.stringify(signature);
    let position = this.#types.indexOf(key);
    if (position < 0) {
      position = this.#types.push(key) - 1;
      this.#signatures.push(signature);
    }
    return this.#indices.typeFirst + position;
  }

  /** fuel = host(fuel); if fuel < 0: trap, which no catch_all can catch. */
  #writeTick(out: ByteWriter): void {
    out.write(OP.localGet, 0, OP.globalGet);
    out.unsigned(this.#indices.tick);
    out.u8(OP.callRef);
    out.unsigned(this.#indices.typeFirst);
    out.write(OP.localTee, 0, OP.globalSet);
    out.unsigned(this.fuelGlobal);
    out.write(OP.localGet, 0, OP.i32Const, 0, I32_LT_S, OP.if, EMPTY_BLOCK_TYPE, OP.unreachable, OP.end);
    out.write(OP.localGet, 0);
  }
}

function address(is64: boolean): ValueTypeBytes {
  return [is64 ? I64 : I32];
}

function signatureOf({ target, source, length64 }: ChunkedOperation, value: ValueTypeBytes): Signature {
  const second = source === undefined ? value : address(source !== "segment" && source.is64);
  return [[address(target.is64), second, address(length64)], []];
}
