/**
 * FuelCode: the instructions that charge fuel, ask for more and keep the count, as bytes.
 *
 * Owns their forms and the hints for the branches that are hardly ever taken. Where they stand is decided in
 * rewrite.ts. Invariants: every sequence leaves the operand stack as it found it; and a charge is made before
 * the host is asked, so that what it is asked with is the fuel that was really used.
 */
import { EMPTY_BLOCK_TYPE, OP } from "../opcode.ts";
import { ByteWriter } from "./byte_writer.ts";
import { I32_ADD, I32_LT_S, I32_SUB } from "./numeric.ts";

/** Where the fuel is and whom to ask for more. */
export interface FuelIndices {
  /** The mutable i32 global. */
  readonly fuelGlobal: number;
  /** The function `(fuel) -> fuel` that asks the host. */
  readonly tick: number;
}

/** Writes fuel code into one body after the other. */
export class FuelCode {
  /** Offsets in the body of the branch instructions whose condition is false nearly always. */
  readonly hints: number[] = [];
  readonly #indices: FuelIndices;
  #out: ByteWriter = new ByteWriter(0);
  #bodyStart = 0;
  #local = -1;

  constructor(indices: FuelIndices) {
    this.#indices = indices;
  }

  /** A new body starts at the end of `out`; `local` is the i32 for the fuel, -1 if there is none. */
  begin(out: ByteWriter, local: number): void {
    this.#out = out;
    this.hints.length = 0;
    this.#bodyStart = this.#out.length;
    this.#local = local;
  }

  /** global = local */
  store(): void {
    this.#onLocal(OP.localGet);
    this.#onGlobal(OP.globalSet);
  }

  /** local = global */
  load(): void {
    this.#onGlobal(OP.globalGet);
    this.#onLocal(OP.localSet);
  }

  /** The next instruction is a branch that is hardly ever taken. */
  hint(): void {
    this.hints.push(this.#out.length - this.#bodyStart);
  }

  /** Charges the global: global -= cost; if (global < 0) tick(global). */
  checkGlobal(cost: number): void {
    const hasLocal = this.#local >= 0;
    this.#onGlobal(OP.globalGet);
    this.#subtract(cost);
    if (hasLocal) this.#onLocal(OP.localTee);
    this.#onGlobal(OP.globalSet);
    const get = (): void => hasLocal ? this.#onLocal(OP.localGet) : this.#onGlobal(OP.globalGet);
    get();
    this.#isNegative();
    this.#ifUnlikely();
    get();
    this.#call();
    this.#out.u8(OP.drop);
    this.#out.u8(OP.end);
  }

  /** Charges the local: local -= cost; if (local < 0) local = tick(local). */
  checkLocal(cost: number): void {
    this.#onLocal(OP.localGet);
    this.#subtract(cost);
    this.#onLocal(OP.localTee);
    this.#isNegative();
    this.#ifUnlikely();
    this.#onLocal(OP.localGet);
    this.#call();
    this.#onLocal(OP.localSet);
    this.#out.u8(OP.end);
  }

  /** As `checkLocal`, but leaves for the second label, where `replenish` is, when there is no fuel left. */
  checkLocalAndLeave(cost: number): void {
    this.#onLocal(OP.localGet);
    this.#subtract(cost);
    this.#onLocal(OP.localTee);
    this.#isNegative();
    this.hint();
    this.#out.u8(OP.brIf);
    this.#out.u8(1);
  }

  /** if (local < 0) local = tick(local) + cost: the charge is going to be made a second time. */
  replenish(cost: number): void {
    this.#onLocal(OP.localGet);
    this.#isNegative();
    this.#ifUnlikely();
    this.#onLocal(OP.localGet);
    this.#call();
    this.#constant(cost);
    this.#out.u8(I32_ADD);
    this.#onLocal(OP.localSet);
    this.#out.u8(OP.end);
  }

  #subtract(cost: number): void {
    this.#constant(cost);
    this.#out.u8(I32_SUB);
  }

  #constant(value: number): void {
    this.#out.u8(OP.i32Const);
    this.#out.signed(value);
  }

  #isNegative(): void {
    this.#constant(0);
    this.#out.u8(I32_LT_S);
  }

  #ifUnlikely(): void {
    this.hint();
    this.#out.u8(OP.if);
    this.#out.u8(EMPTY_BLOCK_TYPE);
  }

  #call(): void {
    this.#out.u8(OP.call);
    this.#out.unsigned(this.#indices.tick);
  }

  #onLocal(opcode: number): void {
    this.#out.u8(opcode);
    this.#out.unsigned(this.#local);
  }

  #onGlobal(opcode: number): void {
    this.#out.u8(opcode);
    this.#out.unsigned(this.#indices.fuelGlobal);
  }
}
