/**
 * Region registers: where the registers of a region come from and what has to be kept of them.
 *
 * Owns the choice for one region: computed before its threads, computed at the head of each thread's turn, loaded
 * from the save area, saved at a cut. It emits nothing. Invariant: what is read in the region is written there
 * before, or is in one of the first three.
 */
import type { Instruction } from "../kernel/ir.ts";
import { terminatorUses } from "../analysis/liveness.ts";
import type { RegionContext } from "./region_context.ts";
import type { Cut, Region } from "../analysis/regions.ts";

/** The registers of one region. */
export class RegionRegisters {
  /** The same for all threads of a block, operands before what uses them. */
  readonly hoisted: readonly number[];
  /** Computed again by each thread at its head. */
  readonly recomputed: readonly number[];
  readonly #region: Region;
  readonly #context: RegionContext;
  readonly #read = new Set<number>();
  readonly #written = new Set<number>();
  readonly #isEarly = new Set<number>();

  constructor(region: Region, context: RegionContext) {
    this.#region = region;
    this.#context = context;
    this.#noteAccesses();
    const hoisted = new Set<number>();
    const recomputed = new Set<number>();
    const need = (register: number): void => {
      const constant = context.constants.get(register);
      if (constant === undefined || hoisted.has(register) || recomputed.has(register)) return;
      for (const use of constant.instruction.uses) need(use);
      // Sets keep the order in which they were filled.
      if (constant.isUniform) hoisted.add(register);
      else recomputed.add(register);
      this.#isEarly.add(register);
    };
    const entry = context.liveness.liveIn[region.blocks[0] ?? 0];
    for (const register of this.#read) {
      const constant = context.constants.get(register);
      if (constant === undefined) continue;
      // A varying one that the region itself computes before it reads it stays where it is.
      if (constant.isUniform || !this.#written.has(register) || entry?.has(register) === true) need(register);
    }
    this.hoisted = [...hoisted];
    this.recomputed = [...recomputed];
  }

  /** Whether a register is computed at a head, so that the region's own instruction for it is left out. */
  isEarly(register: number): boolean {
    return this.#isEarly.has(register);
  }

  /** Whether an instruction's result was computed at a head already, or is read by other regions alone. */
  isDone(instruction: Instruction): boolean {
    const [def] = instruction.defs;
    if (def === undefined || this.#context.constants.get(def)?.instruction !== instruction) return false;
    return this.#isEarly.has(def) || !this.#read.has(def);
  }

  /** Registers to load from the save area by each thread at the entry. */
  loaded(): number[] {
    return this.#entering().filter((register) => !this.#context.common.has(register));
  }

  /** Registers to load once, before the threads; those that the region writes are copied for each thread. */
  loadedOnce(): { readonly register: number; readonly isWritten: boolean }[] {
    return this.#entering().filter((register) => this.#context.common.has(register)).map((register) => ({
      register,
      isWritten: this.#written.has(register),
    }));
  }

  /** Registers to save once, after the threads. */
  savedOnce(): number[] {
    const saved = new Set<number>();
    for (const cut of this.#region.cuts) {
      for (const register of this.#leaving(cut)) if (this.#context.common.has(register)) saved.add(register);
    }
    return [...saved];
  }

  /** Registers to save at a cut: those that this region may have changed and that are read behind it or by it. */
  savedAt(cut: Cut): number[] {
    const { constants, common } = this.#context;
    const saved = new Set(this.#leaving(cut).filter((register) => !common.has(register)));
    // What the gathered instruction reads must lie in memory even if it could be computed again.
    for (const use of cut.instruction.uses) {
      if (this.#written.has(use) || constants.has(use)) saved.add(use);
    }
    return [...saved];
  }

  #entering(): number[] {
    const { liveness, constants } = this.#context;
    if (this.#region.index === 0) return [];
    return [...liveness.liveIn[this.#region.blocks[0] ?? 0] ?? []].filter((register) =>
      !constants.has(register) && (this.#read.has(register) || this.#written.has(register))
    );
  }

  #leaving(cut: Cut): number[] {
    const { liveness, cfg, constants } = this.#context;
    const to = cfg.blocks[cut.block]?.successors[0] ?? 0;
    const results = new Set(cut.instruction.defs);
    return [...liveness.liveIn[to] ?? []].filter((register) =>
      this.#written.has(register) && !constants.has(register) && !results.has(register)
    );
  }

  #noteAccesses(): void {
    for (const number of this.#region.blocks) {
      const block = this.#context.cfg.blocks[number];
      if (block === undefined) continue;
      for (const { uses, defs } of block.instructions) {
        for (const use of uses) this.#read.add(use);
        for (const def of defs) this.#written.add(def);
      }
      for (const use of terminatorUses(block.terminator)) this.#read.add(use);
    }
  }
}
