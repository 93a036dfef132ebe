/**
 * Control-flow graphs: blocks, edges, order and dominators.
 */
import assert from "node:assert/strict";
import {
  dominates,
  dominatorsOf,
  EXIT,
  predecessorsOf,
  reversePostorder,
} from "../../../../gpu/ptx/analysis/cfg.ts";
import { PtxError } from "../../../../gpu/ptx/ptx_error.ts";
import { Random } from "../generate/random.ts";
import { GENERATED_SEEDS, passBody, passGenerated } from "../pass_support.ts";

/** A graph of which every node can be reached, numbered in reverse postorder. */
function randomGraph(random: Random, size: number): number[][] {
  const successors = Array.from({ length: size }, (): number[] => []);
  for (let node = 1; node < size; node++) successors[random.below(node)]?.push(node);
  for (let edge = random.below(size * 2); edge > 0; edge--) {
    successors[random.below(size)]?.push(random.below(size));
  }
  const order = reversePostorder(successors);
  const places = new Map(order.map((node, place) => [node, place]));
  return order.map((node) => [...new Set((successors[node] ?? []).map((to) => places.get(to) ?? 0))]);
}

/** Whether every way from node 0 to a node goes through another: that one left out, the node is out of reach. */
function isOnEveryWay(successors: readonly (readonly number[])[], through: number, node: number): boolean {
  if (through === 0 || through === node) return true;
  const seen = new Set([0]);
  const pending = [0];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    for (const to of successors[at] ?? []) {
      if (to === through || seen.has(to)) continue;
      seen.add(to);
      pending.push(to);
    }
  }
  return !seen.has(node);
}

Deno.test("buildCfg() ends blocks where control does and where labels stand that are jumped to", () => {
  const { cfg } = passBody(
    `mov.u32 %r1, 1; unused: mov.u32 %r2, 2; setp.eq.u32 %p1, %r1, %r2; @%p1 bra A; mov.u32 %r3, 3; A: ret;`,
  );
  assert.deepEqual(cfg.blocks.map(({ instructions }) => instructions.length), [3, 1, 0]);
  assert.deepEqual(cfg.blocks.map(({ successors }) => [...successors].sort()), [[1, 2], [2], []]);
  assert.deepEqual(cfg.predecessors, [[], [0], [0, 1]]);
});

Deno.test("buildCfg() cuts behind every instruction that gathers threads", () => {
  const { cfg } = passBody("bar.sync 0; shfl.sync.idx.b32 %r1, %r2, 0, 31, -1; mov.u32 %r3, %r1;");
  assert.deepEqual(cfg.blocks.map(({ terminator }) => terminator.kind), ["cut", "cut", "exit"]);
});

Deno.test("buildCfg() has a guarded exit leave and go on", () => {
  const { cfg } = passBody("@%p1 exit; mov.u32 %r1, 1;");
  const [{ terminator } = { terminator: undefined }] = cfg.blocks;
  assert.equal(terminator?.kind === "branch" ? terminator.taken : undefined, EXIT);
  assert.deepEqual(cfg.blocks[0]?.successors, [1]);
});

Deno.test("buildCfg() leaves out what cannot be reached", () => {
  const { cfg } = passBody("ret; mov.u32 %r1, 1; L: bra L;");
  assert.equal(cfg.blocks.length, 1);
});

Deno.test("buildCfg() of brx keeps every target in order and each edge once", () => {
  const { cfg } = passBody("T: .branchtargets A, B, A; brx.idx %r1, T; A: mov.u32 %r1, 1; B: ret;");
  const [{ terminator, successors } = { terminator: undefined, successors: [] }] = cfg.blocks;
  assert.equal(terminator?.kind === "switch" ? terminator.targets.length : 0, 3);
  assert.equal(successors.length, 2);
});

Deno.test("buildCfg() refuses a branch without a label", () => {
  assert.throws(() => passBody("bra %r1;"), PtxError);
});

Deno.test("reversePostorder() puts every node before those that it dominates, and its first successor first", () => {
  assert.deepEqual(reversePostorder([[1, 2], [3], [3], []]), [0, 1, 2, 3]);
  assert.deepEqual(reversePostorder([[2, 1], [3], [3], []]), [0, 2, 1, 3]);
});

Deno.test("dominatorsOf() of random graphs names exactly the nodes that are on every way", () => {
  for (let seed = 0; seed < 60; seed++) {
    const random = new Random(seed);
    const successors = randomGraph(random, random.between(1, 14));
    const idom = dominatorsOf(predecessorsOf(successors));
    for (let node = 0; node < successors.length; node++) {
      for (let other = 0; other < successors.length; other++) {
        assert.equal(
          dominates(idom, other, node),
          isOnEveryWay(successors, other, node),
          `seed ${seed}: ${other} over ${node}`,
        );
      }
    }
  }
});

Deno.test("buildCfg() of generated kernels: edges and predecessors agree, and blocks are in reverse postorder", () => {
  for (const seed of GENERATED_SEEDS) {
    const { cfg } = passGenerated(seed);
    const successors = cfg.blocks.map((block) => block.successors);
    assert.deepEqual(cfg.predecessors, predecessorsOf(successors), `seed ${seed}`);
    assert.deepEqual(reversePostorder(successors), cfg.blocks.map(({ index }) => index), `seed ${seed}`);
  }
});
