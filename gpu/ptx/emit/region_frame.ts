/**
 * Region frame: the locals of a region's function.
 *
 * Owns which local holds a register, the values that are computed once a function or once a thread because
 * something asked for them, and the reuse of locals by registers that live inside one block: kernels have many
 * thousands of those, and the engine's time grows with the number of locals. Invariant: a local is shared only
 * by registers that are never alive at the same time.
 */
import type { Block } from "../analysis/cfg.ts";
import type { Frame, SpecialName } from "./emitter.ts";
import { storageOf } from "../kernel/ir.ts";
import { terminatorUses } from "../analysis/liveness.ts";
import type { RegionContext } from "./region_context.ts";
import type { RegionRegisters } from "./region_registers.ts";
import type { Code } from "../wasm/code.ts";
import type { ValueName } from "../wasm/opcode.ts";

/** Where registers and special values are while a region is emitted. */
export class RegionFrame implements Frame {
  /** The local that counts threads. */
  readonly thread: number;
  readonly #code: Code;
  readonly #context: RegionContext;
  readonly #registers: RegionRegisters;
  readonly #locals = new Map<number, number>();
  readonly #blockLocals = new Map<number, number>();
  /** In the order in which they were asked for. */
  readonly #specials = new Map<SpecialName, number>();
  /** Registers by the index of the block's instruction that touches them last. */
  #lastTouched: ReadonlyMap<number, readonly number[]> | undefined;

  constructor(code: Code, context: RegionContext, registers: RegionRegisters) {
    this.#code = code;
    this.#context = context;
    this.#registers = registers;
    this.thread = code.local("i32");
  }

  read(register: number): void {
    this.#code.get(this.#localOf(register));
  }

  write(register: number): void {
    this.#code.set(this.#localOf(register));
  }

  storageOf(register: number): ValueName {
    return storageOf(this.#context.facts.kernel.registers[register] ?? "b32");
  }

  special(name: SpecialName): number {
    if (name === "thread") return this.thread;
    const known = this.#specials.get(name);
    if (known !== undefined) return known;
    const { block } = this.#context.facts;
    if (name === "tid.x" && block.y === 1 && block.z === 1) return this.thread;
    const local = this.#code.local(name.endsWith("Base") ? "i64" : "i32");
    this.#specials.set(name, local);
    return local;
  }

  /** Emits the special values that were asked for: those of each thread, or those of the function. */
  computeSpecials(which: "thread" | "function"): void {
    for (const [name, local] of this.#specials) {
      if (isOfThread(name) !== (which === "thread")) continue;
      this.#pushSpecial(name);
      this.#code.set(local);
    }
  }

  /** From here on registers that live in this block alone share locals. */
  enterBlock(block: Block): void {
    this.#lastTouched = lastTouches(block);
  }

  /** The block's instruction of this index is done. */
  passInstruction(index: number): void {
    for (const register of this.#lastTouched?.get(index) ?? []) {
      const local = this.#blockLocals.get(register);
      if (local === undefined) continue;
      this.#code.release(this.storageOf(register), local);
      this.#blockLocals.delete(register);
    }
  }

  leaveBlock(): void {
    for (const [register, local] of this.#blockLocals) this.#code.release(this.storageOf(register), local);
    this.#blockLocals.clear();
    this.#lastTouched = undefined;
  }

  #localOf(register: number): number {
    const known = this.#locals.get(register) ?? this.#blockLocals.get(register);
    if (known !== undefined) return known;
    const storage = this.storageOf(register);
    const staysInBlock = this.#lastTouched !== undefined && !this.#registers.isEarly(register) &&
      (this.#context.liveness.universe.places[register] ?? -1) < 0;
    const local = staysInBlock ? this.#code.temp(storage) : this.#code.local(storage);
    (staysInBlock ? this.#blockLocals : this.#locals).set(register, local);
    return local;
  }

  #pushSpecial(name: SpecialName): void {
    const code = this.#code;
    const { parts, facts } = this.#context;
    const { x, y, z } = facts.block;
    const indexAlong = (divisor: number, extent: number | undefined): void => {
      code.get(this.thread);
      if (divisor > 1) {
        code.i32(divisor);
        code.op("i32DivU");
      }
      if (extent === undefined) return;
      code.i32(extent);
      code.op("i32RemU");
    };
    switch (name) {
      case "thread":
        return code.get(this.thread);
      case "tid.x":
        return indexAlong(1, x);
      case "tid.y":
        return indexAlong(x, z === 1 ? undefined : y);
      case "tid.z":
        return indexAlong(x * y, undefined);
      case "localBase":
        code.globalGet(parts.globals.localBase);
        code.get(this.thread);
        code.op("i64ExtendI32U");
        code.i64(BigInt(facts.kernel.localBytes));
        return code.op("i64Mul", "i64Add");
      default:
        return code.globalGet(parts.globals[name]);
    }
  }
}

function isOfThread(name: SpecialName): boolean {
  return name.startsWith("tid.") || name === "localBase";
}

/** What the block's end needs is touched by none of its instructions last. */
function lastTouches(block: Block): ReadonlyMap<number, readonly number[]> {
  const last = new Map<number, number>();
  block.instructions.forEach(({ uses, defs }, index) => {
    for (const register of uses) last.set(register, index);
    for (const register of defs) last.set(register, index);
  });
  for (const register of terminatorUses(block.terminator)) last.delete(register);
  const byIndex = new Map<number, number[]>();
  for (const [register, index] of last) {
    const list = byIndex.get(index);
    if (list === undefined) byIndex.set(index, [register]);
    else list.push(register);
  }
  return byIndex;
}
