/**
 * Block: the code that takes the threads of one block from their start to their end, barrier by barrier.
 *
 * Owns the loop over phases and the choice between the fast way and the slow one (barriers.ts). Invariant: a
 * block ends only when all its threads have.
 */
import type { BarrierResolver } from "./barriers.ts";
import { groupSize } from "./driver.ts";
import type { DriverParts } from "./driver.ts";
import { isPlainBarrier } from "../opcodes/barrier.ts";
import { EXITED, MIXED } from "./region_context.ts";
import type { RegionContext } from "./region_context.ts";
import { beginOverStates } from "./thread_states.ts";
import type { Code } from "../wasm/code.ts";

/** What the function of a block works with. */
interface BlockLoop {
  readonly code: Code;
  readonly base: number;
  readonly context: RegionContext;
  /** Locals: the group's threads from and to; its state; the state that all groups are in; threads of the block. */
  readonly first: number;
  readonly end: number;
  readonly state: number;
  readonly common: number;
  /** Local: whether the last phase was left the slow way. */
  readonly isSlow: number;
  readonly threads: number;
}

/**
 * The whole of a block: () -> (). When everybody is at one plain barrier, which gathers all threads and does
 * nothing else, no more need be looked at; all else goes the slow way.
 */
export function emitBlockLoop(
  driver: DriverParts,
  runGroup: number,
  barriers: BarrierResolver | undefined,
): number {
  const { context } = driver;
  const { facts, saved, plan } = context;
  const plain = plan.cuts.filter((cut) => !cut.isWarp && isPlainBarrier(cut.instruction));
  const resolve = barriers?.emitResolve();
  const runReleased = barriers?.emitRunReleased();
  const { index, code, base } = beginOverStates(driver, [], []);
  const local = (): number => code.local("i32");
  const block: BlockLoop = {
    ...{ code, base, context },
    ...{ first: local(), end: local(), state: local(), common: local(), isSlow: local(), threads: local() },
  };
  const { first, common, isSlow, threads } = block;
  code.i32(facts.threads);
  code.set(threads);
  // All states zero, nobody has arrived, every group begins with region 0.
  code.get(base);
  code.i32(0);
  code.i64(BigInt(saved.scratch));
  code.memoryFill();
  const loop = code.loop();
  code.i32(EXITED);
  code.set(common);
  code.i32(0);
  code.set(first);
  emitGroups(block, runGroup, runReleased);
  code.get(common);
  code.i32(EXITED);
  code.op("i32Ne");
  code.if();
  code.i32(0);
  code.set(isSlow);
  for (const cut of plain) {
    code.get(common);
    code.i32(cut.id + 1);
    code.op("i32Eq");
    code.brIf(loop);
  }
  if (resolve === undefined) code.op("unreachable");
  else {
    code.call(resolve);
    code.i32(1);
    code.set(isSlow);
    code.br(loop);
  }
  code.end();
  code.end();
  return index;
}

/** Runs every group that has not ended, to its next state, and finds the state that all are in. */
function emitGroups(block: BlockLoop, runGroup: number, runReleased: number | undefined): void {
  const { code, base, context, first, end, state, common, isSlow, threads } = block;
  const groups = code.loop();
  code.get(first);
  code.i32(groupSize(context));
  code.op("i32Add");
  code.set(end);
  code.get(threads);
  code.get(end);
  code.get(threads);
  code.get(end);
  code.op("i32LtU", "select");
  code.set(end);
  const groupPlace = (): void => {
    code.get(base);
    code.get(first);
    code.i32(5);
    code.op("i32ShrU");
    code.i32(2);
    code.op("i32Shl", "i64ExtendI32U", "i64Add");
  };
  groupPlace();
  code.memory("i32Load", context.saved.groups);
  code.tee(state);
  code.i32(EXITED);
  code.op("i32Ne");
  code.if();
  code.get(isSlow);
  code.if();
  if (runReleased === undefined) code.op("unreachable");
  else {
    code.get(first);
    code.get(end);
    code.call(runReleased);
    code.set(state);
  }
  code.else();
  code.get(state);
  code.get(first);
  code.get(end);
  code.call(runGroup);
  code.set(state);
  code.end();
  groupPlace();
  code.get(state);
  code.memory("i32Store", context.saved.groups);
  code.get(state);
  code.i32(EXITED);
  code.op("i32Ne");
  code.if();
  code.get(state);
  code.i32(MIXED);
  code.get(common);
  code.i32(EXITED);
  code.op("i32Eq");
  code.get(common);
  code.get(state);
  code.op("i32Eq", "i32Or", "select");
  code.set(common);
  code.end();
  code.end();
  code.get(end);
  code.tee(first);
  code.get(threads);
  code.op("i32LtU");
  code.brIf(groups);
  code.end();
}
