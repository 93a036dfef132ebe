/**
 * Barriers: which of a block's barriers are complete, when its threads do not all wait at one plain barrier.
 *
 * Owns named barriers with counts and arrivals, reductions, and the check that somebody can go on (PTX ISA
 * 9.7.13.1). Threads that a barrier lets go are marked in their state until they run. Invariant: whoever cannot
 * be released by any rule ends the kernel with error 719, never hangs it.
 */
import { emitBarrierFinish, emitBarrierInfo, NUMBER_MASK } from "./barrier_calls.ts";
import { BarrierWords, QUESTION, SLOTS } from "./barrier_words.ts";
import type { DriverParts } from "./driver.ts";
import { FAULT } from "../launch_record.ts";
import { EXITED } from "./region_context.ts";
import { beginOverStates } from "./thread_states.ts";
import type { ThreadStates } from "./thread_states.ts";
import type { Code, Label } from "../wasm/code.ts";

/** In a state: a barrier has let the thread go, and it has not run yet. */
const RELEASED = 0x2000_0000;

/** What the function that resolves barriers works with. */
interface Resolving {
  readonly code: Code;
  readonly states: ThreadStates;
  readonly words: BarrierWords;
  /** Locals: the threads from and to, how many live, a state, what emitBarrierInfo says of it, a barrier. */
  readonly from: number;
  readonly to: number;
  readonly alive: number;
  readonly state: number;
  readonly packed: number;
  readonly id: number;
  /** The function that tells what barrier a thread waits at. */
  readonly info: number;
}

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
      states.loadLiving(thread, at, next);
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
    const info = emitBarrierInfo(this.#driver);
    const finish = emitBarrierFinish(this.#driver);
    const { facts, saved } = this.#driver.context;
    const { index, code, base, states } = beginOverStates(this.#driver, [], []);
    const local = (): number => code.local("i32");
    const [from, to, alive, state, packed, id] = [local(), local(), local(), local(), local(), local()];
    const words = new BarrierWords(code, base, id, saved.scratch);
    const resolving = { code, states, words, from, to, alive, state, packed, id, info };
    const released = local();
    const ofBarrier = { waiting: local(), expected: local() };
    code.i32(facts.threads);
    code.set(to);
    words.clear();
    this.#countWaiting(resolving);
    for (let barrier = 0; barrier < SLOTS; barrier++) {
      this.#releaseComplete(resolving, barrier, released, ofBarrier);
    }
    code.get(released);
    code.op("i32Eqz");
    code.if();
    this.#fault(code);
    code.end();
    this.#letGo(resolving, finish);
    return index;
  }

  /** Counts the living, and those who wait at each barrier. */
  #countWaiting(resolving: Resolving): void {
    const { code, states, words, from, to, alive, state, packed, id, info } = resolving;
    states.forThreads(from, to, (thread, next) => {
      states.loadLiving(thread, state, next);
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
      words.add("waiting", () => code.i32(1));
      words.add("holders", () => {
        code.get(packed);
        code.i32(5);
        code.op("i32ShrU");
        code.i32(1);
        code.op("i32And");
      });
      words.store("expected", () => {
        code.get(packed);
        code.i32(8);
        code.op("i32ShrU");
      });
      this.#checkAligned(resolving, thread);
    });
  }

  /** Marks a barrier that all have come to, and notes that there is one. */
  #releaseComplete(
    { code, words, alive, id }: Resolving,
    barrier: number,
    released: number,
    { waiting, expected }: { readonly waiting: number; readonly expected: number },
  ): void {
    const { saved } = this.#driver.context;
    const skip = code.block();
    code.i32(barrier);
    code.set(id);
    words.load("waiting");
    code.tee(waiting);
    code.op("i32Eqz");
    code.brIf(skip);
    if (barrier !== QUESTION) {
      // Without a count it is the whole block: everybody who lives must wait here.
      words.load("expected");
      code.tee(expected);
      code.get(alive);
      code.get(expected);
      code.op("select");
      code.get(waiting);
      words.place();
      code.memory("i32Load", saved.arrivals);
      code.op("i32Add", "i32GtU");
      code.brIf(skip);
      words.place();
      code.i32(0);
      code.memory("i32Store", saved.arrivals);
    }
    words.store("isReleased", () => code.i32(1));
    code.i32(1);
    code.set(released);
    code.end();
  }

  /** Marks the threads of marked barriers, and gives them what these answer. */
  #letGo({ code, states, words, from, to, state, id, info }: Resolving, finish: number): void {
    states.forThreads(from, to, (thread, next) => {
      states.loadLiving(thread, state, next);
      this.#skipInWarp(code, state, next);
      code.get(thread);
      code.get(state);
      code.call(info);
      code.i32(NUMBER_MASK);
      code.op("i32And");
      code.set(id);
      words.load("isReleased");
      code.op("i32Eqz");
      code.brIf(next);
      code.get(thread);
      code.get(state);
      words.load("holders");
      words.load("waiting");
      code.call(finish);
      states.storeState(thread, () => {
        code.get(state);
        code.i32(RELEASED);
        code.op("i32Or");
      });
    });
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
  #checkAligned({ code, words, state, packed }: Resolving, thread: number): void {
    const warp = (): void => {
      code.get(thread);
      code.i32(5);
      code.op("i32ShrU");
      code.i32(1);
      code.op("i32Add");
    };
    words.load("lastWarp");
    warp();
    code.op("i32Eq");
    words.load("lastState");
    code.get(state);
    code.op("i32Ne", "i32And");
    code.get(packed);
    code.i32(6);
    code.op("i32ShrU", "i32And");
    code.i32(1);
    code.op("i32And");
    code.if();
    this.#fault(code);
    code.end();
    words.store("lastWarp", warp);
    words.store("lastState", () => code.get(state));
  }

  #fault(code: Code): void {
    code.i32(FAULT.launchFailed);
    code.i32(this.#driver.context.plan.cuts.find((cut) => !cut.isWarp)?.instruction.line ?? 0);
    code.call(this.#driver.context.parts.functions.fault);
    code.op("unreachable");
  }
}
