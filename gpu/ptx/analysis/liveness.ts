/**
 * Liveness: which registers hold a value that is still read, at the start of each block.
 *
 * Owns the backward data-flow over registers, in bit sets. Only registers that are read in some block before
 * they are written there take part; the others live inside one block. A definition under a guard does not end
 * the old value. Invariant: a register that is not live into a block is written before it is read there.
 */
import type { Cfg, Terminator } from "./cfg.ts";
import type { Instruction } from "../kernel/ir.ts";
import { PtxError } from "../ptx_error.ts";

/** Most bits of all sets together: three sets a block. */
const BITS_MAX = 2 ** 31;

/** The registers that sets are about, and the place of each in a set: -1 for one that takes no part. */
export interface Universe {
  readonly places: Int32Array;
  readonly registers: readonly number[];
}

/** A set of registers. */
export class RegisterSet {
  readonly words: Int32Array;
  readonly #universe: Universe;

  constructor(universe: Universe) {
    this.#universe = universe;
    this.words = new Int32Array((universe.registers.length + 31) >>> 5);
  }

  has(register: number): boolean {
    const place = this.#universe.places[register] ?? -1;
    return place >= 0 && ((this.words[place >>> 5] ?? 0) >>> (place & 31) & 1) === 1;
  }

  /** A register that takes no part is passed over. */
  add(register: number): void {
    const place = this.#universe.places[register] ?? -1;
    if (place < 0) return;
    this.words[place >>> 5] = (this.words[place >>> 5] ?? 0) | (1 << (place & 31));
  }

  delete(register: number): void {
    const place = this.#universe.places[register] ?? -1;
    if (place < 0) return;
    this.words[place >>> 5] = (this.words[place >>> 5] ?? 0) & ~(1 << (place & 31));
  }

  /** Adds what `other` has and `except` has not. @returns whether it grew */
  addAll(other: RegisterSet, except?: RegisterSet): boolean {
    let grew = false;
    for (let index = 0; index < this.words.length; index++) {
      const before = this.words[index] ?? 0;
      const after = before | ((other.words[index] ?? 0) & ~(except?.words[index] ?? 0));
      if (after === before) continue;
      this.words[index] = after;
      grew = true;
    }
    return grew;
  }

  *[Symbol.iterator](): Generator<number> {
    for (let index = 0; index < this.words.length; index++) {
      let word = this.words[index] ?? 0;
      while (word !== 0) {
        const register = this.#universe.registers[index * 32 + 31 - Math.clz32(word & -word)];
        if (register !== undefined) yield register;
        word &= word - 1;
      }
    }
  }
}

/** Registers read by what ends a block. */
export function terminatorUses(terminator: Terminator): readonly number[] {
  switch (terminator.kind) {
    case "branch":
      return [terminator.register];
    case "switch":
    case "cut":
      return terminator.instruction.uses;
    default:
      return [];
  }
}

/** Registers written by what ends a block. */
export function terminatorDefs(terminator: Terminator): readonly number[] {
  return terminator.kind === "cut" ? terminator.instruction.defs : [];
}

/** Registers whose old value an instruction ends. */
function killsOf({ guard, defs }: Instruction): readonly number[] {
  return guard === undefined ? defs : [];
}

/** What is live where. */
export interface Liveness {
  readonly universe: Universe;
  /** By block: at its start. */
  readonly liveIn: readonly RegisterSet[];
}

/** @throws PtxError for a kernel with too many blocks and registers to analyse */
export function analyzeLiveness(cfg: Cfg, registerCount: number, line: number): Liveness {
  const universe = universeOf(cfg, registerCount);
  const bits = 3 * cfg.blocks.length * universe.registers.length;
  if (bits > BITS_MAX) {
    throw new PtxError(
      line,
      "limit",
      `Too many blocks and registers: livenessBitsMax is ${BITS_MAX}, got ${bits}`,
    );
  }
  const { blocks, predecessors } = cfg;
  const liveIn = blocks.map(() => new RegisterSet(universe));
  const kills = blocks.map((block, index) => {
    const kill = new RegisterSet(universe);
    const live = liveIn[index];
    const note = (uses: readonly number[], defs: readonly number[]): void => {
      for (const use of uses) if (!kill.has(use)) live?.add(use);
      for (const def of defs) kill.add(def);
    };
    for (const instruction of block.instructions) note(instruction.uses, killsOf(instruction));
    note(terminatorUses(block.terminator), terminatorDefs(block.terminator));
    return kill;
  });
  const pending = blocks.map(({ index }) => index);
  const isPending = new Uint8Array(blocks.length).fill(1);
  for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
    isPending[index] = 0;
    const set = liveIn[index];
    const kill = kills[index];
    if (set === undefined || kill === undefined) continue;
    let grew = false;
    for (const successor of blocks[index]?.successors ?? []) {
      const from = liveIn[successor];
      if (from !== undefined && set.addAll(from, kill)) grew = true;
    }
    // A block that only reads has its predecessors wait for nothing; they are all pending at the start.
    if (!grew) continue;
    for (const predecessor of predecessors[index] ?? []) {
      if (isPending[predecessor] === 1) continue;
      isPending[predecessor] = 1;
      pending.push(predecessor);
    }
  }
  return { universe, liveIn };
}

/** Registers that some block reads before it writes them. */
function universeOf({ blocks }: Cfg, registerCount: number): Universe {
  const places = new Int32Array(registerCount).fill(-1);
  const registers: number[] = [];
  const written = new Int32Array(registerCount).fill(-1);
  for (const { index, instructions, terminator } of blocks) {
    const read = (use: number): void => {
      if (written[use] === index || (places[use] ?? 0) >= 0) return;
      places[use] = registers.push(use) - 1;
    };
    for (const instruction of instructions) {
      for (const use of instruction.uses) read(use);
      for (const def of killsOf(instruction)) written[def] = index;
    }
    for (const use of terminatorUses(terminator)) read(use);
    for (const def of terminatorDefs(terminator)) written[def] = index;
  }
  return { places, registers };
}
