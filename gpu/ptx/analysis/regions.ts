/**
 * Regions: the pieces of a kernel between the places where threads are gathered.
 *
 * Owns the numbering of cuts (warp-wide operations, then questions, then barriers) and the blocks of each
 * region: what can be reached from its entry without crossing a cut. Region 0 begins the kernel, region n goes
 * on behind cut n - 1. Invariant: a thread runs a region from its entry to a cut or to its end, without waiting in between.
 */
import type { Cfg } from "./cfg.ts";
import type { Instruction } from "../kernel/ir.ts";
import { isQuestion } from "../opcodes/barrier.ts";
import { PtxError } from "../ptx_error.ts";
import { orderGraph } from "../emit/structure.ts";
import type { GraphOrder } from "../emit/structure.ts";

/** A place where threads are gathered. */
export interface Cut {
  readonly id: number;
  /** The block that it ends. */
  readonly block: number;
  readonly instruction: Instruction;
  readonly isWarp: boolean;
}

/** Code that a thread runs through. */
export interface Region {
  /** Also the state of a thread that is to run it. */
  readonly index: number;
  /** Blocks of the kernel; the graph's nodes are indices into this. */
  readonly blocks: readonly number[];
  readonly graph: GraphOrder;
  /** Cuts that it can reach. */
  readonly cuts: readonly Cut[];
}

/** A kernel cut into regions. */
export interface RegionPlan {
  readonly cuts: readonly Cut[];
  /** So many of the cuts are warp-wide operations; they come first. */
  readonly warpCutCount: number;
  /** So many are questions, where nobody is waited for; they come next. */
  readonly questionCount: number;
  readonly cutOfBlock: ReadonlyMap<number, Cut>;
  readonly regions: readonly Region[];
}

/** Most instructions of all regions together: code that several entries reach is written several times. */
const REGION_INSTRUCTIONS_MAX = 1_000_000;

/** @throws PtxError if cutting makes the kernel too large */
export function planRegions(cfg: Cfg, line: number): RegionPlan {
  const gathered = cfg.blocks.filter(({ terminator }) => terminator.kind === "cut");
  const isWarp = (block: (typeof gathered)[number]): boolean =>
    block.terminator.kind === "cut" && block.terminator.instruction.row.effect === "warp";
  const asks = ({ terminator }: (typeof gathered)[number]): boolean =>
    terminator.kind === "cut" && isQuestion(terminator.instruction);
  const rank = (block: (typeof gathered)[number]): number => isWarp(block) ? 0 : asks(block) ? 1 : 2;
  const ordered = [0, 1, 2].flatMap((wanted) => gathered.filter((block) => rank(block) === wanted));
  const cuts = ordered.flatMap(({ index, terminator }, id): Cut[] =>
    terminator.kind === "cut"
      ? [{
        id,
        block: index,
        instruction: terminator.instruction,
        isWarp: terminator.instruction.row.effect === "warp",
      }]
      : []
  );
  const cutOfBlock = new Map(cuts.map((cut) => [cut.block, cut] as const));
  const entries = [0, ...ordered.map(({ terminator }) => terminator.kind === "cut" ? terminator.to : 0)];
  let instructions = 0;
  const regions = entries.map((entry, index) => {
    const region = regionFrom(cfg, entry, index, cutOfBlock);
    for (const block of region.blocks) instructions += (cfg.blocks[block]?.instructions.length ?? 0) + 1;
    if (instructions > REGION_INSTRUCTIONS_MAX) {
      const text = `Too much code between barriers: regionInstructionsMax is ${REGION_INSTRUCTIONS_MAX}, ` +
        `got ${instructions}`;
      throw new PtxError(line, "limit", text);
    }
    return region;
  });
  const warpCutCount = cuts.filter((cut) => cut.isWarp).length;
  const questionCount = cuts.filter(({ instruction }) => isQuestion(instruction)).length;
  return { cuts, warpCutCount, questionCount, cutOfBlock, regions };
}

function regionFrom(
  { blocks }: Cfg,
  entry: number,
  index: number,
  cutOfBlock: ReadonlyMap<number, Cut>,
): Region {
  const numbers = new Map([[entry, 0]]);
  const found = [entry];
  for (let at = 0; at < found.length; at++) {
    const block = blocks[found[at] ?? 0];
    if (block === undefined || block.terminator.kind === "cut") continue;
    for (const to of block.successors) {
      if (numbers.has(to)) continue;
      numbers.set(to, found.length);
      found.push(to);
    }
  }
  const successors = found.map((number) => {
    const block = blocks[number];
    if (block === undefined || block.terminator.kind === "cut") return [];
    return block.successors.map((to) => numbers.get(to) ?? 0);
  });
  const cuts = found.flatMap((number) => {
    const cut = cutOfBlock.get(number);
    return cut === undefined ? [] : [cut];
  });
  return { index, blocks: found, graph: orderGraph({ successors }), cuts };
}
