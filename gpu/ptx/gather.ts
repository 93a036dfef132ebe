/**
 * Gatherer: warps whose lanes went different ways, barriers that not all threads reach at one place, deadlocks.
 *
 * Owns the slow ways: which lanes of a warp may go on together (those whose membermask has arrived), which
 * barriers are complete, and the check that somebody can go on. States of threads are in the save area. Threads
 * that must not run for the moment are marked by PARKED in their state. Invariant: whoever cannot be released by
 * any rule ends the kernel with error 719, never hangs it.
 */
import { emitSwitch, groupSize } from "./driver.ts";
import type { DriverParts } from "./driver.ts";
import { Exchange } from "./exchange.ts";
import { FAULT } from "./launch_record.ts";
import {
  barrierOperands,
  isAlignedBarrier,
  pushBarrierCount,
  pushBarrierId,
  pushBarrierPredicate,
} from "./opcodes/barrier.ts";
import { EXITED, MIXED } from "./region_emitter.ts";
import type { Cut } from "./regions.ts";
import { BARRIER_COUNT } from "./saved.ts";
import type { Code, Label } from "./wasm/code.ts";

/** In a state: the thread waits although its region is being run. */
const PARKED = 0x4000_0000;
/** In a state: a barrier has let the thread go, and it has not run yet. */
const RELEASED = 0x2000_0000;

/** Words of scratch memory that resolving barriers uses, each an array over barriers. */
const WORDS = { waiting: 0, expected: 1, holders: 2, isReleased: 3, lastState: 4, lastWarp: 5 } as const;

/** Emits the slow ways of one kernel. */
export class Gatherer {
  readonly #driver: DriverParts;
  readonly #runRegion: number;
  readonly #exchanges: readonly number[];
  #gatherWarp: number | undefined;

  constructor(driver: DriverParts, runRegion: number, exchanges: readonly number[]) {
    this.#driver = driver;
    this.#runRegion = runRegion;
    this.#exchanges = exchanges;
  }

  #begin(params: ("i32" | "i64")[], results: "i32"[]): { index: number; code: Code; base: number } {
    const { index, code } = this.#driver.writer.begin(params, results);
    const base = code.local("i64");
    code.globalGet(this.#driver.context.parts.globals.saveBase);
    code.set(base);
    return { index, code, base };
  }

  /** Pushes the place of a thread's state, without the array's offset. */
  #place(code: Code, base: number, thread: number): void {
    code.get(base);
    code.get(thread);
    code.i32(2);
    code.op("i32Shl", "i64ExtendI32U", "i64Add");
  }

  #loadState(code: Code, base: number, thread: number): void {
    this.#place(code, base, thread);
    code.memory("i32Load", this.#driver.context.saved.states);
  }

  /** Pops nothing; `value` pushes the new state. */
  #storeState(code: Code, base: number, thread: number, value: () => void): void {
    this.#place(code, base, thread);
    value();
    code.memory("i32Store", this.#driver.context.saved.states);
  }

  /** Emits a loop over threads from one local's value up to another's; `body` may branch to `next`. */
  #forThreads(code: Code, from: number, to: number, body: (thread: number, next: Label) => void): void {
    const thread = code.temp("i32");
    code.get(from);
    code.set(thread);
    const end = code.block();
    const loop = code.loop();
    code.get(thread);
    code.get(to);
    code.op("i32GeU");
    code.brIf(end);
    const next = code.block();
    body(thread, next);
    code.end();
    code.get(thread);
    code.i32(1);
    code.op("i32Add");
    code.set(thread);
    code.br(loop);
    code.end();
    code.end();
    code.release("i32", thread);
  }

  /**
   * (first thread, end) -> state: lets lanes go on that have what they wait for, until all have ended or wait
   * at barriers.
   */
  gatherWarp(): number {
    if (this.#gatherWarp !== undefined) return this.#gatherWarp;
    const { index, code, base } = this.#begin(["i32", "i32"], ["i32"]);
    this.#gatherWarp = index;
    const chooseLanes = this.#emitChooseLanes();
    const [chosen, state] = [code.local("i32"), code.local("i32")];
    const loop = code.loop();
    code.get(0);
    code.get(1);
    code.call(chooseLanes);
    code.tee(chosen);
    code.if();
    // The state of the lowest chosen lane is that of all.
    const lowest = code.local("i32");
    code.get(0);
    code.get(chosen);
    code.op("i32Ctz", "i32Add");
    code.set(lowest);
    this.#loadState(code, base, lowest);
    code.set(state);
    const selector = code.local("i32");
    code.get(state);
    code.i32(1);
    code.op("i32Sub");
    code.set(selector);
    const done = code.block();
    emitSwitch(code, selector, this.#exchanges.length, (which) => {
      code.get(0);
      code.get(chosen);
      code.call(this.#exchanges[which] ?? 0);
      code.br(done);
    });
    code.end();
    this.#park(code, base, state, (thread) => {
      code.get(chosen);
      code.get(thread);
      code.op("i32ShrU");
      code.i32(1);
      code.op("i32And", "i32Eqz");
    });
    code.get(state);
    code.get(0);
    code.get(1);
    code.call(this.#runRegion);
    code.op("drop");
    this.#unpark(code, base);
    code.br(loop);
    code.end();
    code.end();
    this.#uniformState(code, base);
    return index;
  }

  /** Marks those of the group (locals 0 and 1) in a state for which `isKept` pushes 1. */
  #park(code: Code, base: number, state: number, isKept: (thread: number) => void): void {
    this.#forThreads(code, 0, 1, (thread, next) => {
      this.#loadState(code, base, thread);
      code.get(state);
      code.op("i32Ne");
      code.brIf(next);
      isKept(thread);
      code.op("i32Eqz");
      code.brIf(next);
      this.#storeState(code, base, thread, () => {
        code.get(state);
        code.i32(PARKED);
        code.op("i32Or");
      });
    });
  }

  #unpark(code: Code, base: number): void {
    this.#forThreads(code, 0, 1, (thread, next) => {
      this.#loadState(code, base, thread);
      code.i32(EXITED);
      code.op("i32Eq");
      code.brIf(next);
      this.#storeState(code, base, thread, () => {
        this.#loadState(code, base, thread);
        code.i32(~PARKED);
        code.op("i32And");
      });
    });
  }

  /** Pushes the state that all living threads of the group are in, EXITED, or MIXED. */
  #uniformState(code: Code, base: number): void {
    const [all, state] = [code.local("i32"), code.local("i32")];
    code.i32(EXITED);
    code.set(all);
    this.#forThreads(code, 0, 1, (thread, next) => {
      this.#loadState(code, base, thread);
      code.tee(state);
      code.i32(EXITED);
      code.op("i32Eq");
      code.brIf(next);
      code.get(state);
      code.i32(MIXED);
      code.get(all);
      code.get(state);
      code.op("i32Eq");
      code.get(all);
      code.i32(EXITED);
      code.op("i32Eq", "i32Or", "select");
      code.set(all);
    });
    code.get(all);
  }

  /**
   * (first thread, end) -> lanes: those that wait at one warp-wide operation and whose members are all there.
   * If there are none, those at the first operation that anybody waits at.
   */
  #emitChooseLanes(): number {
    const { index, code, base } = this.#begin(["i32", "i32"], ["i32"]);
    const { warpCutCount } = this.#driver.context.plan;
    const members = this.#emitMembers();
    const [alive, lowest, state, present, chosen, last] = [
      code.local("i32"),
      code.local("i32"),
      code.local("i32"),
      code.local("i32"),
      code.local("i32"),
      code.local("i32"),
    ];
    const lane = (thread: number): void => {
      code.i32(1);
      code.get(thread);
      code.op("i32Shl");
    };
    this.#forThreads(code, 0, 1, (thread, next) => {
      this.#loadState(code, base, thread);
      code.i32(EXITED);
      code.op("i32Eq");
      code.brIf(next);
      code.get(alive);
      lane(thread);
      code.op("i32Or");
      code.set(alive);
    });
    // States in order: of 1 to warpCutCount, the next that is there and above the last one looked at.
    const none = code.block();
    const search = code.loop();
    code.i32(0x7fff_ffff);
    code.set(state);
    code.i32(0);
    code.set(present);
    this.#forThreads(code, 0, 1, (thread, next) => {
      const at = code.temp("i32");
      this.#loadState(code, base, thread);
      code.tee(at);
      code.i32(1);
      code.op("i32Sub");
      code.i32(warpCutCount);
      code.op("i32GeU");
      code.brIf(next);
      code.get(at);
      code.get(last);
      code.op("i32LeU");
      code.brIf(next);
      code.get(at);
      code.get(state);
      code.op("i32GtU");
      code.brIf(next);
      code.i32(0);
      code.get(present);
      code.get(at);
      code.get(state);
      code.op("i32LtU", "select");
      lane(thread);
      code.op("i32Or");
      code.set(present);
      code.get(at);
      code.set(state);
      code.release("i32", at);
    });
    code.get(present);
    code.op("i32Eqz");
    code.brIf(none);
    code.get(lowest);
    code.op("i32Eqz");
    code.if();
    code.get(present);
    code.set(lowest);
    code.end();
    code.i32(0);
    code.set(chosen);
    this.#forThreads(code, 0, 1, (thread, next) => {
      code.get(present);
      lane(thread);
      code.op("i32And", "i32Eqz");
      code.brIf(next);
      // Members that live and are elsewhere.
      code.get(0);
      code.get(thread);
      code.get(state);
      code.call(members);
      code.get(alive);
      code.op("i32And");
      code.get(present);
      code.i32(-1);
      code.op("i32Xor", "i32And");
      code.brIf(next);
      code.get(chosen);
      lane(thread);
      code.op("i32Or");
      code.set(chosen);
    });
    code.get(chosen);
    code.if();
    code.get(chosen);
    code.op("return");
    code.end();
    code.get(state);
    code.set(last);
    code.br(search);
    code.end();
    code.end();
    code.get(lowest);
    return index;
  }

  /** (first thread, thread, state) -> the lanes that the thread waits for; none for whoever is there. */
  #emitMembers(): number {
    const { writer, context } = this.#driver;
    const { index, code } = writer.begin(["i32", "i32", "i32"], ["i32"]);
    const exchange = new Exchange(code, context.facts, context.parts, context.saved);
    const lane = code.local("i32");
    code.get(1);
    code.get(0);
    code.op("i32Sub");
    code.set(lane);
    const selector = code.local("i32");
    code.get(2);
    code.i32(1);
    code.op("i32Sub");
    code.set(selector);
    const cuts = context.plan.cuts.filter((cut) => cut.isWarp);
    emitSwitch(code, selector, cuts.length, (which) => {
      const cut = cuts[which];
      const members = cut?.instruction.row.members;
      if (cut === undefined || members === undefined) code.i32(0);
      else exchange.at(lane, () => members(exchange.emitter, cut.instruction));
      code.op("return");
    });
    code.op("unreachable");
    return index;
  }

  /**
   * The whole of a block: () -> (). `plain` barriers gather all threads of the block and do nothing else, so that
   * no more need be looked at when everybody is at one of them.
   */
  emitBlock(runGroup: number, plain: readonly Cut[]): number {
    const { context } = this.#driver;
    const { facts, saved, plan } = context;
    const group = groupSize(context);
    const resolve = plan.cuts.some((cut) => !cut.isWarp) ? this.#emitResolve() : undefined;
    const runReleased = resolve === undefined ? undefined : this.#emitRunReleased();
    const { index, code, base } = this.#begin([], []);
    const [first, end, state, common, isSlow, threads] = [
      code.local("i32"),
      code.local("i32"),
      code.local("i32"),
      code.local("i32"),
      code.local("i32"),
      code.local("i32"),
    ];
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
    const groups = code.loop();
    code.get(first);
    code.i32(group);
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
    code.memory("i32Load", saved.groups);
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
    code.memory("i32Store", saved.groups);
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

  /** (first thread, end) -> state: runs those of a group that a barrier has let go, then gathers the group. */
  #emitRunReleased(): number {
    const { context } = this.#driver;
    const gather = context.plan.warpCutCount > 0 ? this.gatherWarp() : undefined;
    const { index, code, base } = this.#begin(["i32", "i32"], ["i32"]);
    const [state, at] = [code.local("i32"), code.local("i32")];
    const loop = code.loop();
    code.i32(EXITED);
    code.set(state);
    this.#forThreads(code, 0, 1, (thread, next) => {
      this.#loadState(code, base, thread);
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
    this.#park(code, base, state, () => code.i32(1));
    this.#forThreads(code, 0, 1, (thread, next) => {
      this.#loadState(code, base, thread);
      code.get(state);
      code.i32(RELEASED);
      code.op("i32Or", "i32Ne");
      code.brIf(next);
      this.#storeState(code, base, thread, () => code.get(state));
    });
    code.get(state);
    code.get(0);
    code.get(1);
    code.call(this.#runRegion);
    code.op("drop");
    this.#unpark(code, base);
    code.br(loop);
    code.end();
    code.end();
    if (gather === undefined) this.#uniformState(code, base);
    else {
      code.get(0);
      code.get(1);
      code.call(gather);
    }
    return index;
  }

  /** () -> (): marks the threads that a complete barrier lets go; there is one, or the kernel ends. */
  #emitResolve(): number {
    const info = this.#emitBarrierInfo();
    const finish = this.#emitFinish();
    const { context } = this.#driver;
    const { saved } = context;
    const { index, code, base } = this.#begin([], []);
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
    const word = (which: number): number => saved.scratch + 4 * BARRIER_COUNT * which;
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
    code.i64(BigInt(4 * BARRIER_COUNT * 6));
    code.memoryFill();
    this.#forThreads(code, from, to, (thread, next) => {
      this.#loadState(code, base, thread);
      code.tee(state);
      code.i32(EXITED);
      code.op("i32Eq");
      code.brIf(next);
      code.get(alive);
      code.i32(1);
      code.op("i32Add");
      code.set(alive);
      code.get(thread);
      code.get(state);
      code.call(info);
      code.tee(packed);
      code.i32(BARRIER_COUNT - 1);
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
        code.i32(4);
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
    for (let barrier = 0; barrier < BARRIER_COUNT; barrier++) {
      const skip = code.block();
      code.i32(barrier);
      code.set(id);
      load(WORDS.waiting);
      code.tee(waiting);
      code.op("i32Eqz");
      code.brIf(skip);
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
    this.#forThreads(code, from, to, (thread, next) => {
      this.#loadState(code, base, thread);
      code.tee(state);
      code.i32(EXITED);
      code.op("i32Eq");
      code.brIf(next);
      code.get(thread);
      code.get(state);
      code.call(info);
      code.i32(BARRIER_COUNT - 1);
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
      this.#storeState(code, base, thread, () => {
        code.get(state);
        code.i32(RELEASED);
        code.op("i32Or");
      });
    });
    return index;
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
    code.i32(5);
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

  /** (thread, state) -> barrier, whether its predicate holds << 4, whether it is aligned << 5, threads << 8. */
  #emitBarrierInfo(): number {
    const { index, code } = this.#driver.writer.begin(["i32", "i32"], ["i32"]);
    this.#forBarrier(code, ({ instruction }, exchange, lane) => {
      exchange.at(lane, () => {
        pushBarrierId(exchange.emitter, instruction);
        code.i32(BARRIER_COUNT - 1);
        code.op("i32And");
        if (barrierOperands(instruction).reduction !== undefined) {
          pushBarrierPredicate(exchange.emitter, instruction);
          code.i32(4);
          code.op("i32Shl", "i32Or");
        }
        if (isAlignedBarrier(instruction)) {
          code.i32(1 << 5);
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
