/**
 * Fragments: the registers of a matrix operand, and where they lie for a whole warp.
 *
 * Owns how a vector operand becomes places in memory: a register's own array, or a row of scratch memory for a
 * constant or a result that is not wanted. Invariant: a place has 32 lanes of four bytes each.
 */
import type { PtxOperand } from "../ast.ts";
import type { Exchange } from "../emit/exchange.ts";
import type { Instruction } from "../kernel/ir.ts";
import { unsupported } from "../opcodes/row.ts";
import { QUADS } from "../emit/whole_warp.ts";
import type { WholeWarp } from "../emit/whole_warp.ts";

/** Scratch memory up to here is for the functions that work on fragments; rows for what is no register follow. */
const ROWS_OFFSET = 4096;
const ROW_BYTES = 128;
/** The row of all results that are not wanted; those before it are for constants, which are 24 at most. */
const SINK_ROW = 31;

/** The registers of an operand. */
export function fragment(operand: PtxOperand): readonly PtxOperand[] {
  return operand.kind === "vector" ? operand.elements : [operand];
}

/** Refuses a fragment of another size. */
export function checkFragment(i: Instruction, operand: PtxOperand, count: number): void {
  const { length } = fragment(operand);
  if (length !== count) throw unsupported(i, `expected a fragment of ${count} registers, got ${length}`);
}

/** The register of an element, if it is one. */
export function registerOf(operand: PtxOperand): number | undefined {
  return operand.kind === "register" ? operand.register : undefined;
}

/** Pushes the places of registers; constants are laid out for all lanes first. */
export class PlacePusher {
  readonly #x: Exchange;
  readonly #warp: WholeWarp;
  readonly #instruction: Instruction;
  #rows = 0;

  constructor(x: Exchange, warp: WholeWarp, instruction: Instruction) {
    this.#x = x;
    this.#instruction = instruction;
    this.#warp = warp;
  }

  push(operand: PtxOperand): void {
    const register = this.#warp.quadsOf(operand);
    if (register !== undefined) return this.#warp.pushPlace(register);
    if (operand.kind === "register") {
      throw unsupported(this.#instruction, "a register that is not 32 bits wide");
    }
    const { code } = this.#x;
    const row = operand.kind === "sink" ? SINK_ROW : this.#rows++;
    const offset = this.#x.scratchOffset(ROWS_OFFSET + ROW_BYTES * row);
    if (operand.kind !== "sink") {
      const value = code.temp("v128");
      this.#x.emitter.push(operand, "b32");
      code.op("i32x4Splat");
      code.set(value);
      for (let quad = 0; quad < QUADS; quad++) {
        this.#x.pushScratch();
        code.get(value);
        code.memory("v128Store", offset + 16 * quad);
      }
      code.release("v128", value);
    }
    this.#x.pushScratch();
    code.i64(BigInt(offset));
    code.op("i64Add");
  }
}
