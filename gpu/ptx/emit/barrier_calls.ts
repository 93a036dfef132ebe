/**
 * Barrier calls: functions that tell of the barrier that a thread waits at, and that end its wait.
 *
 * Owns the reading of a barrier's operands for one thread, in emitted code. Who may go on is barriers.ts's to say.
 * Invariant: a thread's state says which instruction it waits at, so nothing else need be kept of it.
 */
import type { Cut } from "../analysis/regions.ts";
import {
  barrierOperands,
  isAlignedBarrier,
  isQuestion,
  pushBarrierCount,
  pushBarrierId,
  pushBarrierPredicate,
} from "../opcodes/barrier.ts";
import type { Code } from "../wasm/code.ts";
import { QUESTION } from "./barrier_words.ts";
import { emitSwitch } from "./driver.ts";
import type { DriverParts } from "./driver.ts";
import { Exchange } from "./exchange.ts";
import { BARRIER_COUNT } from "./saved.ts";

/** Bits of a barrier's number in what emitBarrierInfo packs. */
export const NUMBER_MASK = 31;

/** Runs `emitCase` for the barrier that a thread (local 0) waits at, by its state (local 1). */
function forBarrier(
  driver: DriverParts,
  code: Code,
  emitCase: (cut: Cut, exchange: Exchange, lane: number) => void,
): void {
  const { context } = driver;
  const exchange = new Exchange(code, context.facts, context.parts, context.saved);
  const cuts = context.plan.cuts.filter((cut) => !cut.isWarp);
  const [thread, selector] = [code.local("i32"), code.local("i32")];
  // An exchange counts lanes from its first thread; here that is thread 0.
  code.get(0);
  code.set(thread);
  code.i32(0);
  code.set(0);
  code.get(1);
  code.i32(context.plan.warpCutCount + 1);
  code.op("i32Sub");
  code.set(selector);
  emitSwitch(code, selector, cuts.length, (which) => {
    const cut = cuts[which];
    if (cut !== undefined) emitCase(cut, exchange, thread);
  });
}

/** (thread, state) -> barrier, whether its predicate holds << 5, whether it is aligned << 6, threads << 8. */
export function emitBarrierInfo(driver: DriverParts): number {
  const { index, code } = driver.writer.begin(["i32", "i32"], ["i32"]);
  forBarrier(driver, code, ({ instruction }, exchange, lane) => {
    if (isQuestion(instruction)) {
      code.i32(QUESTION);
      return code.op("return");
    }
    exchange.at(lane, () => {
      pushBarrierId(exchange.emitter, instruction);
      code.i32(BARRIER_COUNT - 1);
      code.op("i32And");
      if (barrierOperands(instruction).reduction !== undefined) {
        pushBarrierPredicate(exchange.emitter, instruction);
        code.i32(5);
        code.op("i32Shl", "i32Or");
      }
      if (isAlignedBarrier(instruction)) {
        code.i32(1 << 6);
        code.op("i32Or");
      }
      pushBarrierCount(exchange.emitter, instruction);
      code.i32(8);
      code.op("i32Shl", "i32Or");
    });
    code.op("return");
  });
  code.op("unreachable");
  return index;
}

/** (thread, state, how many held the predicate, how many waited) -> (): the result of a reduction. */
export function emitBarrierFinish(driver: DriverParts): number {
  const { index, code } = driver.writer.begin(["i32", "i32", "i32", "i32"], []);
  forBarrier(driver, code, ({ instruction }, exchange, lane) => {
    if (isQuestion(instruction)) {
      exchange.at(lane, () => instruction.row.scalar?.(exchange.emitter, instruction));
      return code.op("return");
    }
    const { reduction, result } = barrierOperands(instruction);
    if (reduction !== undefined && result !== undefined) {
      exchange.at(lane, () => {
        code.get(2);
        if (reduction === "or") {
          code.i32(0);
          code.op("i32Ne");
        } else if (reduction === "and") {
          code.get(3);
          code.op("i32Eq");
        }
        exchange.emitter.set(result, reduction === "popc" ? "u32" : "pred");
      });
    }
    code.op("return");
  });
  return index;
}
