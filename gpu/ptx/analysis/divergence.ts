/**
 * Divergence: where threads that went different ways meet again.
 *
 * Owns post-dominators, and the joins that a divergent branch makes: those between it and the block through which
 * all its ways lead, that block included. Loops that threads leave at different times are among them, as the way
 * back lies between the branch and what comes after the loop. Invariant: a join that is not named is reached by
 * all threads that reach it along the same ways.
 */
import { dominatorsOf, EXIT, predecessorsOf, reversePostorder } from "./cfg.ts";
import type { Cfg } from "./cfg.ts";

/** Most blocks that are visited; beyond it every join counts. A hostile graph makes each branch see all. */
const STEPS_MAX = 1_000_000;

/** The block through which all ways from each block to the end lead first; EXIT where there is none. */
export function postDominators({ blocks, predecessors }: Cfg): Int32Array {
  // Backwards from the end, which is node 0; block n is node n + 1.
  const ends = blocks.flatMap(({ index, terminator }) =>
    terminator.kind === "exit" ||
      (terminator.kind === "branch" && (terminator.taken === EXIT || terminator.otherwise === EXIT))
      ? [index + 1]
      : []
  );
  const backward = [ends, ...predecessors.map((list) => list.map((from) => from + 1))];
  const order = reversePostorder(backward);
  const placeOf = new Int32Array(backward.length).fill(-1);
  order.forEach((node, place) => (placeOf[node] = place));
  const byPlace = order.map((node) => (backward[node] ?? []).map((to) => placeOf[to] ?? -1));
  const dominators = dominatorsOf(predecessorsOf(byPlace));
  const found = new Int32Array(blocks.length).fill(EXIT);
  order.forEach((node, place) => {
    if (node === 0) return;
    const dominator = order[dominators[place] ?? 0] ?? 0;
    found[node - 1] = dominator === 0 ? EXIT : dominator - 1;
  });
  return found;
}

/** Blocks at which the values of threads may differ because some of the branches diverge. */
export function divergentJoins(
  { blocks, predecessors }: Cfg,
  postDominator: Int32Array,
  divergent: ReadonlySet<number>,
): Set<number> {
  const isJoin = (block: number): boolean => block === 0 || (predecessors[block]?.length ?? 0) > 1;
  const joins = new Set<number>();
  let steps = 0;
  for (const branch of divergent) {
    const meeting = postDominator[branch] ?? EXIT;
    const seen = new Set<number>();
    const pending = [...blocks[branch]?.successors ?? []];
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      if (isJoin(at)) joins.add(at);
      if (++steps > STEPS_MAX) return new Set(blocks.map(({ index }) => index).filter(isJoin));
      if (at === meeting) continue;
      for (const to of blocks[at]?.successors ?? []) pending.push(to);
    }
  }
  return joins;
}
