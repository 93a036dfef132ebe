/**
 * Gatherer: warps whose lanes went different ways.
 *
 * Owns which lanes may do a warp-wide operation together: those at one instruction whose members have all
 * arrived or ended (PTX ISA 9.7.9, the membermask of `.sync`). If there are none, those at the first operation
 * that anybody waits at go on with whoever is there, as hardware before independent thread scheduling did.
 * Invariant: a warp that it returns from has ended or waits at barriers.
 */
import { emitSwitch } from "./driver.ts";
import type { DriverParts } from "./driver.ts";
import { Exchange } from "./exchange.ts";
import { beginOverStates } from "./thread_states.ts";
import type { ThreadStates } from "./thread_states.ts";
import type { Code } from "../wasm/code.ts";

/** What the function that chooses lanes works with. */
interface Choosing {
  readonly code: Code;
  readonly states: ThreadStates;
  /** The function that tells whom a lane waits for. */
  readonly members: number;
  /** Locals: lanes that live; those at the first state; the state looked at, its lanes, those chosen; the last state. */
  readonly alive: number;
  readonly lowest: number;
  readonly state: number;
  readonly present: number;
  readonly chosen: number;
  readonly last: number;
}

/** Emits how warps are gathered. */
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

  /**
   * (first thread, end) -> state: lets lanes go on that have what they wait for, until all have ended or wait
   * at barriers.
   */
  gatherWarp(): number {
    if (this.#gatherWarp !== undefined) return this.#gatherWarp;
    const { index, code, states } = beginOverStates(this.#driver, ["i32", "i32"], ["i32"]);
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
    states.loadState(lowest);
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
    states.park(state, (thread) => {
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
    states.unpark();
    code.br(loop);
    code.end();
    code.end();
    states.uniformState();
    return index;
  }

  /**
   * (first thread, end) -> lanes: those that wait at one warp-wide operation and whose members are all there.
   * If there are none, those at the first operation that anybody waits at.
   */
  #emitChooseLanes(): number {
    const { index, code, states } = beginOverStates(this.#driver, ["i32", "i32"], ["i32"]);
    const members = this.#emitMembers();
    const local = (): number => code.local("i32");
    const choosing = {
      ...{ code, states, members },
      ...{
        alive: local(),
        lowest: local(),
        state: local(),
        present: local(),
        chosen: local(),
        last: local(),
      },
    };
    const { alive, lowest, state, present, chosen, last } = choosing;
    states.forThreads(0, 1, (thread, next) => {
      states.skipEnded(thread, next);
      code.get(alive);
      pushLane(code, thread);
      code.op("i32Or");
      code.set(alive);
    });
    const none = code.block();
    const search = code.loop();
    this.#findNextState(choosing);
    code.get(present);
    code.op("i32Eqz");
    code.brIf(none);
    code.get(lowest);
    code.op("i32Eqz");
    code.if();
    code.get(present);
    code.set(lowest);
    code.end();
    chooseComplete(choosing);
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
    this.#waitForQuestions(choosing);
    code.get(lowest);
    return index;
  }

  /** Of states 1 to warpCutCount, the next that is there and above the last one looked at, with its lanes. */
  #findNextState({ code, states, state, present, last }: Choosing): void {
    code.i32(0x7fff_ffff);
    code.set(state);
    code.i32(0);
    code.set(present);
    states.forThreads(0, 1, (thread, next) => {
      const at = code.temp("i32");
      states.loadState(thread);
      code.tee(at);
      code.i32(1);
      code.op("i32Sub");
      code.i32(this.#driver.context.plan.warpCutCount);
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
      pushLane(code, thread);
      code.op("i32Or");
      code.set(present);
      code.get(at);
      code.set(state);
      code.release("i32", at);
    });
  }

  /** Who asks a question will come back; nobody goes on without a lane that may still join. */
  #waitForQuestions({ code, states }: Choosing): void {
    const { warpCutCount, questionCount } = this.#driver.context.plan;
    if (questionCount === 0) return;
    states.forThreads(0, 1, (thread, next) => {
      states.loadState(thread);
      code.i32(warpCutCount + 1);
      code.op("i32Sub");
      code.i32(questionCount);
      code.op("i32GeU");
      code.brIf(next);
      code.i32(0);
      code.op("return");
    });
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
}

/** Of the lanes that are there, those whose members all are: nobody that they wait for lives elsewhere. */
function chooseComplete({ code, states, members, alive, state, present, chosen }: Choosing): void {
  code.i32(0);
  code.set(chosen);
  states.forThreads(0, 1, (thread, next) => {
    code.get(present);
    pushLane(code, thread);
    code.op("i32And", "i32Eqz");
    code.brIf(next);
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
    pushLane(code, thread);
    code.op("i32Or");
    code.set(chosen);
  });
}

/** Pushes the bit of a thread's lane. */
function pushLane(code: Code, thread: number): void {
  code.i32(1);
  code.get(thread);
  code.op("i32Shl");
}
