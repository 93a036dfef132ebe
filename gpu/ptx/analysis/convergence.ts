/**
 * Convergence: kernels whose threads always come to the same barrier, whatever the data.
 *
 * Owns the proof: in every region, each branch that decides which cut comes next, or whether the thread ends, has
 * a condition that is the same for all threads of a block. Then nobody need keep what each thread waits for.
 * Invariant: it says yes only where no launch of the shape can take threads of one block different ways at such a
 * branch.
 */
import { EXIT } from "./cfg.ts";
import type { Cfg } from "./cfg.ts";
import type { ValueFacts } from "./lattice.ts";
import { isPlainBarrier } from "../opcodes/barrier.ts";
import type { Region, RegionPlan } from "./regions.ts";
import type { Ssa } from "./ssa.ts";

/** Whether all threads of a block go through a kernel's regions together. */
export function isConvergent(cfg: Cfg, plan: RegionPlan, ssa: Ssa, lattice: readonly ValueFacts[]): boolean {
  if (plan.questionCount > 0) return false;
  if (plan.cuts.some((cut) => !cut.isWarp && !isPlainBarrier(cut.instruction))) return false;
  const isUniform = (block: number): boolean => {
    const condition = ssa.conditions.get(block);
    return condition !== undefined && lattice[condition]?.stride === 0n;
  };
  return plan.regions.every((region) => decidesTogether(cfg, region, isUniform));
}

/** Marks of a block: it has not been looked at, or its threads may end in several ways. */
const UNKNOWN = -2;
const SEVERAL = -3;

/**
 * For each block the one way out of the region that it leads to, or SEVERAL; blocks that lead to several must
 * end in a uniform branch, if in a branch at all.
 */
function decidesTogether(cfg: Cfg, region: Region, isUniform: (block: number) => boolean): boolean {
  const numbers = new Map(region.blocks.map((block, number) => [block, number] as const));
  const outcome = new Int32Array(region.blocks.length).fill(UNKNOWN);
  const meet = (a: number, b: number): number => a === UNKNOWN ? b : b === UNKNOWN || a === b ? a : SEVERAL;
  for (let changed = true; changed;) {
    changed = false;
    for (const node of [...region.graph.order].reverse()) {
      const block = cfg.blocks[region.blocks[node] ?? 0];
      if (block === undefined) continue;
      const { terminator } = block;
      let found = outcome[node] ?? UNKNOWN;
      if (terminator.kind === "cut") found = meet(found, block.index);
      else if (terminator.kind === "exit") found = meet(found, EXIT);
      else {
        for (const to of block.successors) found = meet(found, outcome[numbers.get(to) ?? 0] ?? UNKNOWN);
        if (terminator.kind === "branch" && [terminator.taken, terminator.otherwise].includes(EXIT)) {
          found = meet(found, EXIT);
        }
      }
      if (found === outcome[node]) continue;
      outcome[node] = found;
      changed = true;
    }
  }
  return region.blocks.every((number, node) => {
    const kind = cfg.blocks[number]?.terminator.kind;
    return (kind !== "branch" && kind !== "switch") || outcome[node] !== SEVERAL || isUniform(number);
  });
}

/**
 * Registers of a convergent kernel that hold the same value for all threads of a block whenever these wait: every
 * value of theirs is uniform, and no gathered instruction names them.
 */
export function commonRegisters(
  plan: RegionPlan,
  { values }: Ssa,
  lattice: readonly ValueFacts[],
  constants: ReadonlyMap<number, unknown>,
): Set<number> {
  const common = new Set<number>();
  for (const { register } of values) if (!constants.has(register)) common.add(register);
  values.forEach(({ register, kind }, index) => {
    if (kind !== "unwritten" && lattice[index]?.stride !== 0n) common.delete(register);
  });
  for (const { instruction } of plan.cuts) {
    for (const register of [...instruction.uses, ...instruction.defs]) common.delete(register);
  }
  return common;
}
