/**
 * Prints: what kernels have printed.
 *
 * Owns the reading of the modules' buffers (print.cu) and the text of its records. Kernels can write whatever they
 * like there: a record is bounded by the buffer, and every place in it by the record. Invariant: the buffer is read
 * and emptied only while nothing runs that could write to it.
 */
import { formatPrintf } from "../cpu/printf.ts";
import { PRINT_BUFFER } from "./print_rewrite.ts";

/** Bytes before the records: how many of them are used. */
const HEADER_BYTES = 8;
const RECORD_BYTES_MIN = 16;

/** A module that prints. */
export interface PrintingModule {
  /** Address and size of a variable; undefined once it is disposed. */
  findGlobal(name: string): { readonly pointer: bigint; readonly byteLength: number } | undefined;
}

/** What buffers are read and emptied with; both are done when they answer. */
export interface PrintAccess {
  read(target: Uint8Array<ArrayBuffer>, pointer: bigint): Promise<void> | undefined;
  zero(pointer: bigint, byteLength: number): Promise<void> | undefined;
}

/** The prints of one context. */
export class Prints {
  readonly #access: PrintAccess;
  readonly #print: (text: string) => void;
  readonly #launched = new Set<PrintingModule>();

  constructor(access: PrintAccess, print: (text: string) => void) {
    this.#access = access;
    this.#print = print;
  }

  /** Whether there may be something to read. */
  get isPending(): boolean {
    return this.#launched.size > 0;
  }

  /** A kernel of a module that prints was launched. */
  launched(module: PrintingModule): void {
    this.#launched.add(module);
  }

  /** Hands on what was printed since the last time. Nothing may run meanwhile. */
  async drain(): Promise<void> {
    const modules = [...this.#launched];
    this.#launched.clear();
    for (const module of modules) {
      const buffer = module.findGlobal(PRINT_BUFFER);
      if (buffer !== undefined) await this.#drainOne(buffer.pointer, buffer.byteLength);
    }
  }

  async #drainOne(pointer: bigint, byteLength: number): Promise<void> {
    const header = new Uint8Array(new ArrayBuffer(HEADER_BYTES));
    await this.#access.read(header, pointer);
    const wanted = Number(new DataView(header.buffer).getBigUint64(0, true));
    if (wanted === 0) return;
    // More than there is room for was wanted when something was dropped.
    const records = new Uint8Array(new ArrayBuffer(Math.min(wanted, byteLength - HEADER_BYTES)));
    await this.#access.read(records, pointer + BigInt(HEADER_BYTES));
    await this.#access.zero(pointer, HEADER_BYTES + records.length);
    for (const text of textsOf(records)) this.#print(text);
  }
}

/** The texts of records that lie one after the other, as far as they are whole. */
function* textsOf(records: Uint8Array<ArrayBuffer>): Generator<string, void> {
  for (let at = 0; at + RECORD_BYTES_MIN <= records.length;) {
    const view = new DataView(records.buffer, at);
    const [byteLength, argumentsAt] = [view.getUint32(0, true), view.getUint32(4, true)];
    if (byteLength < RECORD_BYTES_MIN || byteLength % 8 !== 0 || at + byteLength > records.length) return;
    const record = records.subarray(at, at + byteLength);
    // Places in the record stand for addresses; 0, and all that is outside, is nothing.
    const read = (pointer: bigint, count: number): Uint8Array =>
      pointer < BigInt(HEADER_BYTES) || pointer >= BigInt(byteLength)
        ? new Uint8Array(0)
        : record.subarray(Number(pointer), Number(pointer) + count);
    yield formatPrintf(read, BigInt(HEADER_BYTES), BigInt(argumentsAt));
    at += byteLength;
  }
}
