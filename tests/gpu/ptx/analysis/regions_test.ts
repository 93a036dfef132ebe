/**
 * Regions: a kernel cut where threads are gathered.
 */
import assert from "node:assert/strict";
import { PtxError } from "../../../../gpu/ptx/ptx_error.ts";
import { planRegions } from "../../../../gpu/ptx/analysis/regions.ts";
import { GENERATED_SEEDS, passBody, passGenerated } from "../pass_support.ts";

Deno.test("a kernel without cuts is one region", () => {
  const { cfg } = passBody("mov.u32 %r1, 1; @%p1 bra A; mov.u32 %r1, 2; A: ret;");
  const { cuts, regions } = planRegions(cfg, 1);
  assert.deepEqual([cuts.length, regions.length, regions[0]?.blocks.length], [0, 1, cfg.blocks.length]);
});

Deno.test("warp-wide operations are numbered before barriers", () => {
  const { cfg } = passBody(
    "bar.sync 0; shfl.sync.idx.b32 %r1, %r2, 0, 31, -1; bar.sync 1; vote.sync.any.pred %p1, %p2, -1;",
  );
  const { cuts, warpCutCount } = planRegions(cfg, 1);
  assert.deepEqual(cuts.map(({ isWarp }) => isWarp), [true, true, false, false]);
  assert.equal(warpCutCount, 2);
});

Deno.test("a region reaches from its entry to the next cuts and not beyond", () => {
  const { cfg } = passBody(
    "mov.u32 %r1, 1; L: bar.sync 0; add.u32 %r1, %r1, 1; setp.lt.u32 %p1, %r1, 9; @%p1 bra L; mov.u32 %r2, 2;",
  );
  const { regions, cuts } = planRegions(cfg, 1);
  assert.equal(regions.length, 2);
  assert.deepEqual(regions[0]?.cuts, cuts);
  // Behind the barrier: the rest of the loop, its head once more, and the end.
  assert.deepEqual(regions[1]?.cuts, cuts);
  assert.ok((regions[1]?.blocks.length ?? 0) > (regions[0]?.blocks.length ?? 9));
});

Deno.test("code that too many entries reach is refused with a limit", () => {
  const work = "add.u32 %r2, %r2, 1;".repeat(20);
  const body = Array.from({ length: 400 }, (_, i) => `setp.eq.u32 %p1, %r1, ${i}; @%p1 bar.sync 0; ${work}`)
    .join(
      "\n",
    );
  const { cfg } = passBody(body);
  assert.throws(
    () => planRegions(cfg, 3),
    (error) =>
      error instanceof PtxError && error.kind === "limit" && /Max is \d+, got \d+/.test(error.message),
  );
});

Deno.test("of generated kernels, every block is in a region, and no region goes on behind a cut", () => {
  for (const seed of GENERATED_SEEDS) {
    const { cfg } = passGenerated(seed);
    const { regions, cutOfBlock } = planRegions(cfg, 1);
    assert.equal(new Set(regions.flatMap(({ blocks }) => blocks)).size, cfg.blocks.length, `seed ${seed}`);
    for (const { blocks, graph, cuts } of regions) {
      assert.equal(graph.order.length, blocks.length, `seed ${seed}`);
      const inside = new Set(blocks);
      for (const block of blocks) {
        if (cutOfBlock.has(block)) continue;
        for (const to of cfg.blocks[block]?.successors ?? []) assert.ok(inside.has(to), `seed ${seed}`);
      }
      assert.equal(cuts.length, blocks.filter((block) => cutOfBlock.has(block)).length, `seed ${seed}`);
    }
  }
});
