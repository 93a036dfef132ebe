/**
 * Barriers: which of a block's barriers are complete, when its threads do not all wait at one plain barrier.
 *
 * Owns named barriers with counts and arrivals, reductions, and the check that somebody can go on (PTX ISA
 * 9.7.13.1). Threads that a barrier lets go are marked in their state until they run. Invariant: whoever cannot
 * be released by any rule ends the kernel with error 719, never hangs it.
 */
import { emitSwitch } from "./driver.ts";
import type { DriverParts } from "./driver.ts";
import { Exchange } from "./exchange.ts";
import { FAULT } from "../launch_record.ts";
import {
  barrierOperands,
  isAlignedBarrier,
  isQuestion,
  pushBarrierCount,
  pushBarrierId,
  pushBarrierPredicate,
} from "../opcodes/barrier.ts";
import { EXITED } from "./region_context.ts";
import type { Cut } from "../analysis/regions.ts";
import { BARRIER_COUNT } from "./saved.ts";
import { beginOverStates } from "./thread_states.ts";
import type { Code, Label } from "../wasm/code.ts";

/** Bits of a barrier's number in what #emitBarrierInfo packs. */
const NUMBER_MASK = 31;

/** In a state: a barrier has let the thread go, and it has not run yet. */
const RELEASED = 0x2000_0000;

/** The number that stands for questions to barrier objects: who asks one is let go with the next barrier. */
const QUESTION = BARRIER_COUNT;
const SLOTS = BARRIER_COUNT + 1;

/** Words of scratch memory that resolving barriers uses, each an array over barriers and QUESTION. */
const WORDS = { waiting: 0, expected: 1, holders: 2, isReleased: 3, lastState: 4, lastWarp: 5 } as const;

/** Emits the slow way through barriers. */
export class BarrierResolver {
  readonly #driver: DriverParts;
  readonly #runRegion: number;
  /** (first thread, end) -> state: gathers a warp; absent if nothing is warp-wide. */
  readonly #gatherWarp: number | undefined;

  constructor(driver: DriverParts, runRegion: number, gatherWarp: number | undefined) {
    this.#driver = driver;
    this.#runRegion = runRegion;
    this.#gatherWarp = gatherWarp;
  }

  /** (first thread, end) -> state: runs those of a group that a barrier has let go, then gathers the group. */
  emitRunReleased(): number {
    const gather = this.#gatherWarp;
    const { index, code, states } = beginOverStates(this.#driver, ["i32", "i32"], ["i32"]);
    const [state, at] = [code.local("i32"), code.local("i32")];
    const loop = code.loop();
    code.i32(EXITED);
    code.set(state);
    states.forThreads(0, 1, (thread, next) => {
      states.loadState(thread);
      code.tee(at);
      code.i32(EXITED);
      code.op("i32Eq");
      code.brIf(next);
      code.get(at);
      code.i32(RELEASED);
      code.op("i32And", "i32Eqz");
      code.brIf(next);
      code.get(at);
      code.set(state);
    });
    code.get(state);
    code.i32(EXITED);
    code.op("i32Ne");
    code.if();
    // Of one region at a time: the others stay marked; those who wait there and were not let go are parked.
    code.get(state);
    code.i32(~RELEASED);
    code.op("i32And");
    code.set(state);
    states.park(state, () => code.i32(1));
    states.forThreads(0, 1, (thread, next) => {
      states.loadState(thread);
      code.get(state);
      code.i32(RELEASED);
      code.op("i32Or", "i32Ne");
      code.brIf(next);
      states.storeState(thread, () => code.get(state));
    });
    code.get(state);
    code.get(0);
    code.get(1);
    code.call(this.#runRegion);
    code.op("drop");
    states.unpark();
    code.br(loop);
    code.end();
    code.end();
    if (gather === undefined) states.uniformState();
    else {
      code.get(0);
      code.get(1);
      code.call(gather);
    }
    return index;
  }

  /** () -> (): marks the threads that a complete barrier lets go; there is one, or the kernel ends. */
  emitResolve(): number {
    const info = this.#emitBarrierInfo();
    const finish = this.#emitFinish();
    const { context } = this.#driver;
    const { saved } = context;
    const { index, code, base, states } = beginOverStates(this.#driver, [], []);
    const [from, to, alive, state, packed, id, released, waiting, expected] = [
      code.local("i32"),
      code.local("i32"),
      code.local("i32"),
      code.local("i32"),
      code.local("i32"),
      code.local("i32"),
      code.local("i32"),
      code.local("i32"),
      code.local("i32"),
    ];
    const word = (which: number): number => saved.scratch + 4 * SLOTS * which;
    const place = (): void => {
      code.get(base);
      code.get(id);
      code.i32(2);
      code.op("i32Shl", "i64ExtendI32U", "i64Add");
    };
    const load = (which: number): void => (place(), code.memory("i32Load", word(which)));
    code.i32(context.facts.threads);
    code.set(to);
    code.get(base);
    code.i64(BigInt(saved.scratch));
    code.op("i64Add");
    code.i32(0);
    code.i64(BigInt(4 * SLOTS * 6));
    code.memoryFill();
    states.forThreads(from, to, (thread, next) => {
      states.loadState(thread);
      code.tee(state);
      code.i32(EXITED);
      code.op("i32Eq");
      code.brIf(next);
      code.get(alive);
      code.i32(1);
      code.op("i32Add");
      code.set(alive);
      this.#skipInWarp(code, state, next);
      code.get(thread);
      code.get(state);
      code.call(info);
      code.tee(packed);
      code.i32(NUMBER_MASK);
      code.op("i32And");
      code.set(id);
      const bump = (which: number, by: () => void): void => {
        place();
        load(which);
        by();
        code.op("i32Add");
        code.memory("i32Store", word(which));
      };
      bump(WORDS.waiting, () => code.i32(1));
      bump(WORDS.holders, () => {
        code.get(packed);
        code.i32(5);
        code.op("i32ShrU");
        code.i32(1);
        code.op("i32And");
      });
      place();
      code.get(packed);
      code.i32(8);
      code.op("i32ShrU");
      code.memory("i32Store", word(WORDS.expected));
      this.#checkAligned(code, { thread, state, packed, place, load, word });
    });
    for (let barrier = 0; barrier < SLOTS; barrier++) {
      const skip = code.block();
      code.i32(barrier);
      code.set(id);
      load(WORDS.waiting);
      code.tee(waiting);
      code.op("i32Eqz");
      code.brIf(skip);
      if (barrier !== QUESTION) {
        // Without a count it is the whole block: everybody who lives must wait here.
        load(WORDS.expected);
        code.tee(expected);
        code.get(alive);
        code.get(expected);
        code.op("select");
        code.get(waiting);
        place();
        code.memory("i32Load", saved.arrivals);
        code.op("i32Add", "i32GtU");
        code.brIf(skip);
        place();
        code.i32(0);
        code.memory("i32Store", saved.arrivals);
      }
      place();
      code.i32(1);
      code.memory("i32Store", word(WORDS.isReleased));
      code.i32(1);
      code.set(released);
      code.end();
    }
    code.get(released);
    code.op("i32Eqz");
    code.if();
    this.#fault(code);
    code.end();
    states.forThreads(from, to, (thread, next) => {
      states.loadState(thread);
      code.tee(state);
      code.i32(EXITED);
      code.op("i32Eq");
      code.brIf(next);
      this.#skipInWarp(code, state, next);
      code.get(thread);
      code.get(state);
      code.call(info);
      code.i32(NUMBER_MASK);
      code.op("i32And");
      code.set(id);
      load(WORDS.isReleased);
      code.op("i32Eqz");
      code.brIf(next);
      code.get(thread);
      code.get(state);
      load(WORDS.holders);
      load(WORDS.waiting);
      code.call(finish);
      states.storeState(thread, () => {
        code.get(state);
        code.i32(RELEASED);
        code.op("i32Or");
      });
    });
    return index;
  }

  /** Lanes may wait in their warp for one that asks a question; they are at no barrier. */
  #skipInWarp(code: Code, state: number, next: Label): void {
    const { warpCutCount, questionCount } = this.#driver.context.plan;
    if (questionCount === 0 || warpCutCount === 0) return;
    code.get(state);
    code.i32(warpCutCount);
    code.op("i32LeU");
    code.brIf(next);
  }

  /** Threads of one warp that wait at one barrier must have come to the same instruction if it says aligned. */
  #checkAligned(
    code: Code,
    at: {
      thread: number;
      state: number;
      packed: number;
      place: () => void;
      load: (which: number) => void;
      word: (which: number) => number;
    },
  ): void {
    const warp = (): void => {
      code.get(at.thread);
      code.i32(5);
      code.op("i32ShrU");
      code.i32(1);
      code.op("i32Add");
    };
    at.load(WORDS.lastWarp);
    warp();
    code.op("i32Eq");
    at.load(WORDS.lastState);
    code.get(at.state);
    code.op("i32Ne", "i32And");
    code.get(at.packed);
    code.i32(6);
    code.op("i32ShrU", "i32And");
    code.i32(1);
    code.op("i32And");
    code.if();
    this.#fault(code);
    code.end();
    at.place();
    warp();
    code.memory("i32Store", at.word(WORDS.lastWarp));
    at.place();
    code.get(at.state);
    code.memory("i32Store", at.word(WORDS.lastState));
  }

  #fault(code: Code): void {
    code.i32(FAULT.launchFailed);
    code.i32(this.#driver.context.plan.cuts.find((cut) => !cut.isWarp)?.instruction.line ?? 0);
    code.call(this.#driver.context.parts.functions.fault);
    code.op("unreachable");
  }

  /** Runs `emitCase` for the barrier that a thread (local 0) waits at, by its state (local 1). */
  #forBarrier(code: Code, emitCase: (cut: Cut, exchange: Exchange, lane: number) => void): void {
    const { context } = this.#driver;
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
  #emitBarrierInfo(): number {
    const { index, code } = this.#driver.writer.begin(["i32", "i32"], ["i32"]);
    this.#forBarrier(code, ({ instruction }, exchange, lane) => {
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
  #emitFinish(): number {
    const { index, code } = this.#driver.writer.begin(["i32", "i32", "i32", "i32"], []);
    this.#forBarrier(code, ({ instruction }, exchange, lane) => {
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
}
