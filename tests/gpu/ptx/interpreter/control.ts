/**
 * Control flow: instructions that end a basic block.
 *
 * Owns branches, returns, traps and the two kinds of waiting; calls are in calls.ts. Invariant: an end either
 * answers the next block, or leaves the thread in a state other than "ready".
 */
import { accessSpace } from "./address.ts";
import { barrierAction } from "./barrier.ts";
import { callEnd, returnFrom } from "./calls.ts";
import { GuestFault } from "./fault.ts";
import { loadMatrix, moveMatrix, storeMatrix } from "./matrix_moves.ts";
import { storeStep } from "./memory.ts";
import { matrixMultiply } from "./mma.ts";
import type { End, Program } from "./program.ts";
import type { Site } from "./site.ts";
import type { Block, WarpOperation } from "./thread.ts";
import {
  activeMask,
  elect,
  match,
  redux,
  shuffle,
  vote,
  type WarpAction,
  warpBarrier,
} from "./warp_operations.ts";
import { wmmaOperation } from "./wmma.ts";

const WARP_ACTIONS: Readonly<Record<string, (site: Site) => WarpAction>> = {
  shfl: shuffle,
  vote,
  match,
  redux,
  activemask: activeMask,
  elect,
  ldmatrix: loadMatrix,
  stmatrix: storeMatrix,
  movmatrix: moveMatrix,
  mma: matrixMultiply,
  wmma: wmmaOperation,
};

/** The end that the instruction makes of its block, undefined if it makes none. */
export function controlEnd(
  program: Program,
  site: Site,
  blockAt: (index: number) => Block,
  next: () => Block,
): End | undefined {
  const { opcode } = site.ins;
  if ((opcode === "bar" || opcode === "barrier") && site.has("warp")) {
    return warpEnd(site, warpBarrier(site), next());
  }
  const action = WARP_ACTIONS[opcode];
  if (action !== undefined) return warpEnd(site, action(site), next());
  if (opcode === "st" && site.has("volatile") && accessSpace(site) === "shared") {
    return warpEnd(site, lockstepStore(site), next());
  }
  switch (opcode) {
    case "bra": {
      const target = site.operand(0);
      if (target.kind !== "label") throw site.unknown("needs a label");
      const block = blockAt(target.target);
      return () => block;
    }
    case "brx":
      return indexedBranch(site, blockAt);
    case "ret":
      return returnFrom;
    case "exit":
      return (t) => {
        t.state = "exited";
        return undefined;
      };
    case "trap":
    case "brkpt":
      return () => {
        throw new GuestFault(719, `line ${site.line}: ${opcode}`);
      };
    case "call":
      return callEnd(program, site, next());
    case "bar":
    case "barrier":
      if (site.has("cluster")) throw site.unknown();
      return barrierEnd(program, site, next());
    default:
      return undefined;
  }
}

function indexedBranch(site: Site, blockAt: (index: number) => Block): End {
  const table = site.operand(1);
  if (table.kind !== "targets") throw site.unknown("needs branch targets");
  const blocks = table.targets.map(blockAt);
  const slot = site.source(0, "u32");
  const { u32 } = site.registers;
  return (t) => {
    const block = blocks[u32[(t.base + slot) << 1] as number];
    if (block === undefined) throw new GuestFault(719, `line ${site.line}: branch index out of range`);
    return block;
  };
}

function warpEnd(site: Site, action: WarpAction, next: Block): End {
  const { u32 } = site.registers;
  const { mask, execute } = action;
  const operation: WarpOperation = { place: site.place, execute };
  return (t) => {
    t.state = "warp";
    t.block = next;
    t.operation = operation;
    t.memberMask = u32[(t.base + mask) << 1] as number;
    return undefined;
  };
}

/** Lanes store to volatile shared memory together, as programs without `.sync` count on; none is waited for. */
function lockstepStore(site: Site): WarpAction {
  const step = storeStep(site);
  return { mask: site.scope.constant(0n), execute: (lanes) => lanes.forEach((t) => step(t)) };
}

function barrierEnd(program: Program, site: Site, next: Block): End {
  const action = barrierAction(site, program.barriers);
  if (action.kind === "arrive") {
    return (t) => {
      action.arrive(t);
      return next;
    };
  }
  return (t) => {
    t.state = "barrier";
    t.block = next;
    t.barrier = action.wait(t);
    return undefined;
  };
}
