/**
 * SSA: which value of a register each instruction reads.
 *
 * Owns the values of a kernel: one for every write of a register, one where values of a register meet (phi,
 * placed on dominance frontiers where the register is alive), and one a register for what was never written.
 * A write under a guard may leave the old value, which is noted as an input. Registers themselves stay as they
 * are: it says what is known of them, and the bodies are emitted from registers. Invariant: a use has exactly
 * one value, whose definition dominates it.
 */
import { dominatorsOf } from "./cfg.ts";
import type { Cfg } from "./cfg.ts";
import type { Instruction } from "../kernel/ir.ts";
import type { Liveness } from "./liveness.ts";
import { terminatorDefs } from "./liveness.ts";
import { PtxError } from "../ptx_error.ts";

/** Most places where values may meet, and values that meet there. */
const FRONTIERS_MAX = 1_000_000;
const PHIS_MAX = 1_000_000;

/** One value of a register. */
export interface SsaValue {
  readonly register: number;
  readonly block: number;
  /** Absent for a phi and for what was never written. */
  readonly instruction: Instruction | undefined;
  readonly kind: "write" | "phi" | "unwritten";
  /** Of a phi: values by predecessor. Of a write under a guard: the value before it. */
  readonly inputs: number[];
}

/** The values of a kernel. */
export interface Ssa {
  readonly values: readonly SsaValue[];
  /** For each instruction: the values of its `uses`, and of its `defs`. */
  readonly uses: ReadonlyMap<Instruction, readonly number[]>;
  readonly defs: ReadonlyMap<Instruction, readonly number[]>;
  /** The value that a block's branch reads. */
  readonly conditions: ReadonlyMap<number, number>;
  readonly idom: Int32Array;
}

/**
 * Blocks whose dominance each block's ends at (Cooper, Harvey and Kennedy, figure 5).
 *
 * @throws PtxError for loops so nested that there are too many
 */
function dominanceFrontiers(
  predecessors: readonly (readonly number[])[],
  idom: Int32Array,
): readonly ReadonlySet<number>[] {
  const frontiers = predecessors.map(() => new Set<number>());
  let count = 0;
  predecessors.forEach((list, node) => {
    // The entry is a join as well if something jumps back to it.
    if (list.length < 2 && !(node === 0 && list.length > 0)) return;
    for (const from of list) {
      for (let runner = from; node === 0 || runner !== idom[node]; runner = idom[runner] ?? 0) {
        frontiers[runner]?.add(node);
        if (++count > FRONTIERS_MAX) throw tooMany("frontiersMax", FRONTIERS_MAX, count);
        if (runner === 0) break;
      }
    }
  });
  return frontiers;
}

function tooMany(limit: string, max: number, actual: number): PtxError {
  return new PtxError(
    0,
    "limit",
    `The kernel's control flow is too tangled: ${limit} is ${max}, got ${actual}`,
  );
}

/** Puts a kernel into SSA form. @throws PtxError if that takes too many values */
export function buildSsa(cfg: Cfg, liveness: Liveness, registerCount: number): Ssa {
  return new SsaBuilder(cfg, liveness, registerCount).build();
}

class SsaBuilder {
  readonly #cfg: Cfg;
  readonly #liveness: Liveness;
  readonly #values: SsaValue[] = [];
  readonly #uses = new Map<Instruction, readonly number[]>();
  readonly #defs = new Map<Instruction, readonly number[]>();
  readonly #conditions = new Map<number, number>();
  readonly #phis: Map<number, number>[];
  /** The value that each register has while the dominator tree is walked, and what to restore. */
  readonly #current: Int32Array;
  /** The value of each register where it was not written. */
  readonly #unwritten: Int32Array;
  readonly #undo: [register: number, value: number][] = [];
  readonly #idom: Int32Array;

  constructor(cfg: Cfg, liveness: Liveness, registerCount: number) {
    this.#cfg = cfg;
    this.#liveness = liveness;
    this.#idom = dominatorsOf(cfg.predecessors);
    this.#phis = cfg.blocks.map(() => new Map());
    this.#current = new Int32Array(registerCount).fill(-1);
    this.#unwritten = new Int32Array(registerCount).fill(-1);
  }

  build(): Ssa {
    this.#placePhis();
    this.#rename();
    return {
      values: this.#values,
      uses: this.#uses,
      defs: this.#defs,
      conditions: this.#conditions,
      idom: this.#idom,
    };
  }

  #add(register: number, block: number, kind: SsaValue["kind"], instruction?: Instruction): number {
    return this.#values.push({ register, block, kind, instruction, inputs: [] }) - 1;
  }

  #placePhis(): void {
    const { blocks, predecessors } = this.#cfg;
    const frontiers = dominanceFrontiers(predecessors, this.#idom);
    const writers = new Map<number, Set<number>>();
    for (const { index, instructions, terminator } of blocks) {
      const note = (register: number): void => {
        // A register that no block reads from outside meets nothing.
        if ((this.#liveness.universe.places[register] ?? -1) < 0) return;
        const known = writers.get(register);
        if (known === undefined) writers.set(register, new Set([index]));
        else known.add(index);
      };
      for (const { defs } of instructions) defs.forEach(note);
      terminatorDefs(terminator).forEach(note);
    }
    for (const [register, writing] of writers) {
      const pending = [...writing];
      for (let block = pending.pop(); block !== undefined; block = pending.pop()) {
        for (const join of frontiers[block] ?? []) {
          const phis = this.#phis[join];
          if (phis === undefined || phis.has(register)) continue;
          if (this.#liveness.liveIn[join]?.has(register) !== true) continue;
          phis.set(register, this.#add(register, join, "phi"));
          if (this.#values.length > PHIS_MAX) throw tooMany("phisMax", PHIS_MAX, this.#values.length);
          if (!writing.has(join)) pending.push(join);
        }
      }
    }
  }

  #set(register: number, value: number): void {
    this.#undo.push([register, this.#current[register] ?? -1]);
    this.#current[register] = value;
  }

  #get(register: number): number {
    const known = this.#current[register] ?? -1;
    if (known >= 0) return known;
    // Never written on any way here: one value for all such places.
    const unwritten = this.#unwritten[register] ?? -1;
    if (unwritten >= 0) return unwritten;
    const value = this.#add(register, 0, "unwritten");
    this.#unwritten[register] = value;
    return value;
  }

  /** Walks the dominator tree without recursion. */
  #rename(): void {
    const { blocks } = this.#cfg;
    const children: number[][] = blocks.map(() => []);
    this.#idom.forEach((dominator, block) => {
      if (block > 0) children[dominator]?.push(block);
    });
    const stack: { block: number; next: number; undoTo: number }[] = [];
    const enter = (block: number): void => {
      stack.push({ block, next: 0, undoTo: this.#undo.length });
      this.#block(block);
    };
    enter(0);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const child = children[top.block]?.[top.next++];
      if (child !== undefined) {
        enter(child);
        continue;
      }
      stack.pop();
      while (this.#undo.length > top.undoTo) {
        const [register, value] = this.#undo.pop() ?? [0, -1];
        this.#current[register] = value;
      }
    }
  }

  #block(index: number): void {
    const block = this.#cfg.blocks[index];
    if (block === undefined) return;
    for (const [register, value] of this.#phis[index] ?? []) this.#set(register, value);
    for (const instruction of block.instructions) this.#instruction(instruction, index);
    const { terminator } = block;
    if (terminator.kind === "branch") this.#conditions.set(index, this.#get(terminator.register));
    if (terminator.kind === "switch") {
      this.#uses.set(terminator.instruction, terminator.instruction.uses.map((use) => this.#get(use)));
      const [selector] = this.#uses.get(terminator.instruction) ?? [];
      if (selector !== undefined) this.#conditions.set(index, selector);
    }
    if (terminator.kind === "cut") this.#instruction(terminator.instruction, index);
    for (const successor of new Set(block.successors)) {
      for (const [register, phi] of this.#phis[successor] ?? []) {
        this.#values[phi]?.inputs.push(this.#get(register));
      }
    }
  }

  #instruction(instruction: Instruction, block: number): void {
    this.#uses.set(instruction, instruction.uses.map((use) => this.#get(use)));
    const defs = instruction.defs.map((register) => {
      const before = instruction.guard === undefined ? undefined : this.#get(register);
      const value = this.#add(register, block, "write", instruction);
      if (before !== undefined) this.#values[value]?.inputs.push(before);
      return value;
    });
    instruction.defs.forEach((register, place) => this.#set(register, defs[place] ?? -1));
    this.#defs.set(instruction, defs);
  }
}
