/**
 * EventList: which instructions of a body the instrumenter acts upon, and where they are.
 *
 * Owns the kinds and their packing: an event is one number of 32 bits. It does not decode operands: whoever
 * acts upon an event reads them again at its offset. Invariant: events are in the order of the code.
 */
import { ColumnU32 } from "./column.ts";

/** What an instruction is to the instrumenter. */
export const EVENT = {
  /** Opens a block, an if or a try of any form. */
  open: 0,
  loop: 1,
  /** Else, catch, catch_all: another way into the same block. */
  alternative: 2,
  /** Ends a block; also delegate. */
  end: 3,
  /** br, br_on_null, br_on_non_null. */
  branch: 4,
  branchIf: 5,
  branchTable: 6,
  branchOnCast: 7,
  /** Leaves the function or unwinds: return, throw, throw_ref, rethrow. */
  leave: 8,
  /** Calls a function of the module, or one that is not known before it runs. */
  call: 9,
  /** A call in front of `unreachable`: it does not come back. */
  lastCall: 10,
  /** Calls an import. */
  callImport: 11,
  lastCallImport: 12,
  /** return_call of any form. */
  tailCall: 13,
  /** A bulk operation that a call of a helper replaces. */
  replace: 14,
  /** A bulk operation with its length on top of the stack, in front of which a helper is called. */
  measure: 15,
} as const;

/** Bits for offsets: bodies are shorter than 2^23 bytes (code_section.ts refuses longer ones). */
const OFFSET_BITS = 23;
const OFFSET_MASK = 2 ** OFFSET_BITS - 1;

/** The events of one body. */
export class EventList {
  count = 0;
  readonly #packed = new ColumnU32();
  #bodyStart = 0;

  /** Forgets all; the next events are of a body that starts at `bodyStart`. */
  clear(bodyStart: number): void {
    this.count = 0;
    this.#bodyStart = bodyStart;
  }

  /** Adds the event of an instruction at `offset` of the module. */
  add(kind: number, offset: number): void {
    this.#packed.set(this.count++, ((kind << OFFSET_BITS) | (offset - this.#bodyStart)) >>> 0);
  }

  /** EVENT of the event with a number. */
  kind(number: number): number {
    return this.#packed.get(number) >>> OFFSET_BITS;
  }

  /** Offset of its opcode in the module. */
  offset(number: number): number {
    return this.#bodyStart + (this.#packed.get(number) & OFFSET_MASK);
  }
}
