/**
 * Driver: the functions of a compiled kernel that choose what runs: blocks, warps, regions.
 *
 * Owns the loop over the grid's blocks and the fast way through a block, in which all threads of a warp (or of
 * the block, if nothing is warp-wide) come to the same cut. What else may happen is the business of gather.ts and
 * barriers.ts. Invariant: every block of the grid is run once, by whoever counted it.
 */
import { BarrierResolver } from "./barriers.ts";
import { emitBlockLoop } from "./block.ts";
import { emitConvergentBlock } from "./convergent_block.ts";
import { Exchange } from "./exchange.ts";
import { Gatherer } from "./gather.ts";
import { RECORD } from "../launch_record.ts";
import { MIXED } from "./region_context.ts";
import type { RegionContext } from "./region_context.ts";
import type { Code } from "../wasm/code.ts";
import type { ModuleWriter } from "../wasm/module_writer.ts";

/** Fuel for each block besides its threads'. */
const BLOCK_FUEL = 20;

/** What the driver calls. */
export interface DriverParts {
  readonly writer: ModuleWriter;
  readonly context: RegionContext;
  /** Functions of the regions, by index. */
  readonly regionFunctions: readonly number[];
}

/** Emits the driver. @returns the function to export: (place of the launch record) -> nothing */
export function emitDriver(parts: DriverParts): number {
  const runBlock = parts.context.plan.cuts.length === 0 ? undefined : emitBlock(parts);
  return emitGrid(parts, runBlock);
}

/** Threads that run a region together. */
export function groupSize({ plan, facts }: RegionContext): number {
  return plan.warpCutCount > 0 ? 32 : facts.threads;
}

/** Takes blocks from the counter, some at a time and in order, until none is left. */
function emitGrid({ writer, context, regionFunctions }: DriverParts, runBlock: number | undefined): number {
  const { index, code } = writer.begin(["i64"], []);
  const { globals, isShared } = context.parts;
  const [counter, block, last, chunk, count, gridX, gridY] = [
    code.local("i64"),
    code.local("i64"),
    code.local("i64"),
    code.local("i64"),
    code.local("i64"),
    code.local("i64"),
    code.local("i64"),
  ];
  emitLaunchGlobals(code, context);
  const field = (type: "i32" | "i64", offset: number, into: number): void => {
    code.get(0);
    code.memory(type === "i32" ? "i64Load32U" : "i64Load", offset);
    code.set(into);
  };
  field("i64", RECORD.counter, counter);
  field("i64", RECORD.blockCount, count);
  field("i32", RECORD.gridX, gridX);
  field("i32", RECORD.gridY, gridY);
  field("i64", RECORD.chunk, chunk);
  const end = code.block();
  const chunks = code.loop();
  emitTake(code, { counter, chunk, block }, isShared);
  code.get(block);
  code.get(count);
  code.op("i64GeU");
  code.brIf(end);
  code.get(block);
  code.get(chunk);
  code.op("i64Add");
  code.set(last);
  code.get(last);
  code.get(count);
  code.get(last);
  code.get(count);
  code.op("i64LtU", "select");
  code.set(last);
  const loop = code.loop();
  emitBlockCharge(code, context);
  emitBlockIndex(code, context, block, gridX, gridY);
  if (runBlock === undefined) {
    code.i32(0);
    code.i32(context.facts.threads);
    code.call(regionFunctions[0] ?? 0);
    code.op("drop");
  } else code.call(runBlock);
  code.get(block);
  code.i64(1n);
  code.op("i64Add");
  code.tee(block);
  code.get(last);
  code.op("i64LtU");
  code.brIf(loop);
  code.end();
  code.br(chunks);
  code.end();
  code.end();
  code.get(0);
  code.globalGet(globals.fuel);
  code.memory("i32Store", RECORD.fuelLeft);
  code.get(0);
  code.globalGet(globals.granted);
  code.memory("i32Store", RECORD.fuelGranted);
  return index;
}

/** The next blocks, for nobody else: the first of them is where the counter was. */
function emitTake(
  code: Code,
  { counter, chunk, block }: { readonly counter: number; readonly chunk: number; readonly block: number },
  isShared: boolean,
): void {
  code.get(counter);
  if (isShared) {
    code.get(chunk);
    code.memory("i64AtomicAdd");
    code.set(block);
    return;
  }
  code.get(counter);
  code.memory("i64Load");
  code.tee(block);
  code.get(chunk);
  code.op("i64Add");
  code.memory("i64Store");
}

function emitBlockCharge(code: Code, { parts: { globals, functions } }: RegionContext): void {
  code.globalGet(globals.fuel);
  code.i32(BLOCK_FUEL);
  code.op("i32Sub");
  code.globalSet(globals.fuel);
  code.globalGet(globals.fuel);
  code.i32(0);
  code.op("i32LtS");
  code.if();
  code.globalGet(globals.fuel);
  code.call(functions.refuel);
  code.globalSet(globals.fuel);
  code.end();
}

/** The launch record into globals. */
function emitLaunchGlobals(code: Code, { parts }: RegionContext): void {
  const { globals } = parts;
  code.get(0);
  code.globalSet(globals.record);
  const load = (type: "i32" | "i64", offset: number, global: number): void => {
    code.get(0);
    code.memory(`${type}Load`, offset);
    code.globalSet(global);
  };
  load("i32", RECORD.gridX, globals["nctaid.x"]);
  load("i32", RECORD.gridY, globals["nctaid.y"]);
  load("i32", RECORD.gridZ, globals["nctaid.z"]);
  load("i32", RECORD.sharedBytes, globals.sharedEnd);
  load("i64", RECORD.sharedBase, globals.sharedBase);
  load("i64", RECORD.saveBase, globals.saveBase);
  load("i64", RECORD.localBase, globals.localBase);
  load("i64", RECORD.params, globals.paramBase);
  load("i32", RECORD.fuelGranted, globals.granted);
  load("i32", RECORD.fuelGranted, globals.fuel);
}

function emitBlockIndex(
  code: Code,
  { parts }: RegionContext,
  block: number,
  gridX: number,
  gridY: number,
): void {
  const { globals } = parts;
  const row = code.temp("i64");
  code.get(block);
  code.get(gridX);
  code.op("i64RemU", "i32WrapI64");
  code.globalSet(globals["ctaid.x"]);
  code.get(block);
  code.get(gridX);
  code.op("i64DivU");
  code.tee(row);
  code.get(gridY);
  code.op("i64RemU", "i32WrapI64");
  code.globalSet(globals["ctaid.y"]);
  code.get(row);
  code.get(gridY);
  code.op("i64DivU", "i32WrapI64");
  code.globalSet(globals["ctaid.z"]);
  code.release("i64", row);
}

/** One block, from its threads' start to their end. */
function emitBlock(parts: DriverParts): number {
  const { writer, context } = parts;
  const { plan, saved, facts } = context;
  const runRegion = emitRunRegion(parts);
  const exchanges = plan.cuts.filter((cut) => cut.isWarp).map((cut) => {
    const { index, code } = writer.begin(["i32", "i32"], []);
    const exchange = new Exchange(code, facts, context.parts, saved);
    cut.instruction.row.exchange?.(exchange, cut.instruction);
    return index;
  });
  if (context.isConvergent) return emitConvergentBlock(parts, runRegion, exchanges);
  const gatherWarp = plan.warpCutCount > 0
    ? new Gatherer(parts, runRegion, exchanges).gatherWarp()
    : undefined;
  const runGroup = emitGroup(parts, runRegion, exchanges, gatherWarp);
  const hasBarriers = plan.cuts.some((cut) => !cut.isWarp);
  const barriers = hasBarriers ? new BarrierResolver(parts, runRegion, gatherWarp) : undefined;
  return emitBlockLoop(parts, runGroup, barriers);
}

/** (region, first thread, end) -> state: calls a region by its number. */
function emitRunRegion({ writer, regionFunctions }: DriverParts): number {
  const { index, code } = writer.begin(["i32", "i32", "i32"], ["i32"]);
  emitSwitch(code, 0, regionFunctions.length, (region) => {
    code.get(1);
    code.get(2);
    code.call(regionFunctions[region] ?? 0);
    code.op("return");
  });
  code.op("unreachable");
  return index;
}

/** Emits one case for each number from 0; each must leave. */
export function emitSwitch(
  code: Code,
  selector: number,
  count: number,
  emitCase: (index: number) => void,
): void {
  const labels = Array.from({ length: count }, () => code.block()).reverse();
  const [first] = labels;
  if (first === undefined) return;
  code.get(selector);
  code.brTable(labels, first);
  for (let index = 0; index < count; index++) {
    code.end();
    emitCase(index);
  }
}

/**
 * (state, first thread, end) -> state: runs a group until it has ended or waits at a barrier, one exchange after
 * the other.
 */
function emitGroup(
  { writer, context }: DriverParts,
  runRegion: number,
  exchanges: readonly number[],
  gatherWarp: number | undefined,
): number {
  const { index, code } = writer.begin(["i32", "i32", "i32"], ["i32"]);
  const { plan, parts } = context;
  const loop = code.loop();
  code.get(0);
  code.get(1);
  code.get(2);
  code.call(runRegion);
  code.set(0);
  if (gatherWarp !== undefined) {
    code.get(0);
    code.i32(MIXED);
    code.op("i32Eq");
    code.if();
    code.get(1);
    code.get(2);
    code.call(gatherWarp);
    code.op("return");
    code.end();
    // States of warp-wide cuts are 1 to their count; EXITED is negative.
    code.get(0);
    code.i32(1);
    code.op("i32Sub");
    code.i32(plan.warpCutCount);
    code.op("i32LtU");
    code.if();
    const selector = code.local("i32");
    code.get(0);
    code.i32(1);
    code.op("i32Sub");
    code.set(selector);
    const done = code.block();
    emitSwitch(code, selector, exchanges.length, (which) => {
      code.get(1);
      code.globalGet(parts.globals.arrived);
      code.call(exchanges[which] ?? 0);
      code.br(done);
    });
    code.end();
    code.br(loop);
    code.end();
  }
  code.end();
  code.get(0);
  return index;
}
