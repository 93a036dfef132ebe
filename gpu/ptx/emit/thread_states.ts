/**
 * Thread states: reading, writing and marking what the threads of a block wait for, in emitted code.
 *
 * Owns the pieces of code that the slow ways share: loops over threads, the state array in the save area, and
 * the mark by which a thread sits out while others of its state run. It decides nothing. Invariant: EXITED is
 * never marked.
 */
import type { DriverParts } from "./driver.ts";
import { EXITED, MIXED } from "./region_context.ts";
import type { Code, Label } from "../wasm/code.ts";
import type { ValueName } from "../wasm/opcode.ts";

/** In a state: the thread waits although its region is being run. */
const PARKED = 0x4000_0000;

/** Begins a function that works on states. */
export function beginOverStates(
  { writer, context }: DriverParts,
  params: readonly ValueName[],
  results: readonly ValueName[],
): { index: number; code: Code; base: number; states: ThreadStates } {
  const { index, code } = writer.begin(params, results);
  const base = code.local("i64");
  code.globalGet(context.parts.globals.saveBase);
  code.set(base);
  return { index, code, base, states: new ThreadStates(code, base, context.saved.states) };
}

/** Emits into one function; where a group is meant, its threads are from local 0 up to local 1. */
export class ThreadStates {
  readonly #code: Code;
  readonly #base: number;
  readonly #states: number;

  constructor(code: Code, base: number, states: number) {
    this.#code = code;
    this.#base = base;
    this.#states = states;
  }

  /** Pushes the place of a thread's state, without the array's offset. */
  place(thread: number): void {
    const code = this.#code;
    code.get(this.#base);
    code.get(thread);
    code.i32(2);
    code.op("i32Shl", "i64ExtendI32U", "i64Add");
  }

  /** Pushes a thread's state. */
  loadState(thread: number): void {
    const code = this.#code;
    this.place(thread);
    code.memory("i32Load", this.#states);
  }

  /** Puts a thread's state into a local; of one that has ended, goes to `next`. */
  loadLiving(thread: number, into: number, next: Label): void {
    this.loadState(thread);
    this.#code.tee(into);
    this.#skipExited(next);
  }

  /** Goes to `next` of a thread that has ended. */
  skipEnded(thread: number, next: Label): void {
    this.loadState(thread);
    this.#skipExited(next);
  }

  #skipExited(next: Label): void {
    this.#code.i32(EXITED);
    this.#code.op("i32Eq");
    this.#code.brIf(next);
  }

  /** Pops nothing; `value` pushes the new state. */
  storeState(thread: number, value: () => void): void {
    const code = this.#code;
    this.place(thread);
    value();
    code.memory("i32Store", this.#states);
  }

  /** Emits a loop over threads from one local's value up to another's; `body` may branch to `next`. */
  forThreads(from: number, to: number, body: (thread: number, next: Label) => void): void {
    const code = this.#code;
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

  /** Marks those of the group (locals 0 and 1) in a state for which `isKept` pushes 1. */
  park(state: number, isKept: (thread: number) => void): void {
    const code = this.#code;
    this.forThreads(0, 1, (thread, next) => {
      this.loadState(thread);
      code.get(state);
      code.op("i32Ne");
      code.brIf(next);
      isKept(thread);
      code.op("i32Eqz");
      code.brIf(next);
      this.storeState(thread, () => {
        code.get(state);
        code.i32(PARKED);
        code.op("i32Or");
      });
    });
  }

  /** Takes the marks off. */
  unpark(): void {
    const code = this.#code;
    this.forThreads(0, 1, (thread, next) => {
      this.skipEnded(thread, next);
      this.storeState(thread, () => {
        this.loadState(thread);
        code.i32(~PARKED);
        code.op("i32And");
      });
    });
  }

  /** Pushes the state that all living threads of the group are in, EXITED, or MIXED. */
  uniformState(): void {
    const code = this.#code;
    const [all, state] = [code.local("i32"), code.local("i32")];
    code.i32(EXITED);
    code.set(all);
    this.forThreads(0, 1, (thread, next) => {
      this.loadLiving(thread, state, next);
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
}
