/**
 * Whole warp: emission for all 32 lanes at once, four to a vector, where every lane takes part.
 *
 * Owns access to the saved registers of a warp as eight quads of lanes, which lie one after the other because a
 * register's array runs over the threads. Only registers of four bytes have quads. It does not ask whether all
 * lanes take part (Exchange.ifWhole does). Invariant: nothing is written before `push` has read it.
 */
import type { PtxOperand } from "../ast.ts";
import { bytesOf } from "../ast.ts";
import type { SavedLayout } from "./saved.ts";
import type { Code } from "../wasm/code.ts";

/** Vectors that the lanes of a warp fill. */
export const QUADS = 8;

/** A warp of which every lane takes part. */
export class WholeWarp {
  readonly code: Code;
  readonly #saved: SavedLayout;
  /** The local of the place of the warp's first element in an array of four bytes that begins at 0. */
  readonly #row: number;

  constructor(code: Code, saved: SavedLayout, row: number) {
    this.code = code;
    this.#saved = saved;
    this.#row = row;
  }

  /** The register of an operand whose 32 values can be read as eight vectors, as they are. */
  quadsOf(operand: PtxOperand | undefined): number | undefined {
    if (operand?.kind !== "register" || operand.isNegated === true) return undefined;
    const type = this.#saved.kernel.registers[operand.register] ?? "b32";
    return type === "pred" || bytesOf(type) === 4 ? operand.register : undefined;
  }

  /** Pushes the place of a register of lane 0; the other lanes' follow. */
  pushPlace(register: number): void {
    const { code } = this;
    code.get(this.#row);
    code.i64(BigInt(this.#saved.offsetOf(register)));
    code.op("i64Add");
  }

  /** Pushes the values of four lanes. */
  push(register: number, quad: number): void {
    this.code.get(this.#row);
    this.code.memory("v128Load", this.#saved.offsetOf(register) + 16 * quad);
  }

  /** Pushes a vector of one lane's value. */
  pushSplat(register: number, lane: number): void {
    this.code.get(this.#row);
    this.code.memory("v128Load32Splat", this.#saved.offsetOf(register) + 4 * lane);
  }

  /** Pushes a vector of the value of the lane whose number is in a local. */
  pushSplatAt(register: number, lane: number): void {
    const { code } = this;
    code.get(this.#row);
    code.get(lane);
    code.i32(2);
    code.op("i32Shl", "i64ExtendI32U", "i64Add");
    code.memory("v128Load32Splat", this.#saved.offsetOf(register));
  }

  /** Writes the values of four lanes, which `pushValue` pushes as a vector. */
  store(register: number, quad: number, pushValue: () => void): void {
    this.code.get(this.#row);
    pushValue();
    this.code.memory("v128Store", this.#saved.offsetOf(register) + 16 * quad);
  }

  /** Writes one vector to all quads. */
  fill(register: number, vector: number): void {
    for (let quad = 0; quad < QUADS; quad++) this.store(register, quad, () => this.code.get(vector));
  }

  /** Pushes a bit for each lane; `pushQuad` pushes lanes of all ones or all zeros. */
  pushMask(pushQuad: (quad: number) => void): void {
    const { code } = this;
    for (const half of [0, 1]) {
      for (const pair of [0, 1]) {
        pushQuad(4 * half + 2 * pair);
        pushQuad(4 * half + 2 * pair + 1);
        code.op("i16x8NarrowI32x4S");
      }
      code.op("i8x16NarrowI16x8S", "i8x16Bitmask");
    }
    code.i32(16);
    code.op("i32Shl", "i32Or");
  }
}
