/**
 * BarrierWords: what is counted about each barrier of a block while it is found out who may go on, in emitted code.
 *
 * Owns the layout of that scratch memory: arrays over the barriers and over QUESTION, which stands for questions to
 * barrier objects. It decides nothing (barriers.ts does). Invariant: a word is read only after `clear`.
 */
import { BARRIER_COUNT } from "./saved.ts";
import type { Code } from "../wasm/code.ts";

/** The number that stands for questions to barrier objects: who asks one is let go with the next barrier. */
export const QUESTION = BARRIER_COUNT;
/** The barriers and QUESTION. */
export const SLOTS = BARRIER_COUNT + 1;

/** The words of each. */
const WORDS = { waiting: 0, expected: 1, holders: 2, isReleased: 3, lastState: 4, lastWarp: 5 } as const;

/** One of them. */
export type BarrierWord = keyof typeof WORDS;

/** Emits into one function, about the barrier whose number is in a local. */
export class BarrierWords {
  readonly #code: Code;
  readonly #base: number;
  readonly #id: number;
  readonly #scratch: number;

  /** @param base local of the save area, @param id local of the barrier's number, @param scratch offset of the words */
  constructor(code: Code, base: number, id: number, scratch: number) {
    this.#code = code;
    this.#base = base;
    this.#id = id;
    this.#scratch = scratch;
  }

  /** All words of all barriers become 0. */
  clear(): void {
    const code = this.#code;
    code.get(this.#base);
    code.i64(BigInt(this.#scratch));
    code.op("i64Add");
    code.i32(0);
    code.i64(BigInt(4 * SLOTS * Object.keys(WORDS).length));
    code.memoryFill();
  }

  /** Pushes the barrier's place in an array of words, without the array's offset. */
  place(): void {
    const code = this.#code;
    code.get(this.#base);
    code.get(this.#id);
    code.i32(2);
    code.op("i32Shl", "i64ExtendI32U", "i64Add");
  }

  load(word: BarrierWord): void {
    this.place();
    this.#code.memory("i32Load", this.#offsetOf(word));
  }

  /** `value` pushes what is stored. */
  store(word: BarrierWord, value: () => void): void {
    this.place();
    value();
    this.#code.memory("i32Store", this.#offsetOf(word));
  }

  /** `by` pushes what is added. */
  add(word: BarrierWord, by: () => void): void {
    this.store(word, () => {
      this.load(word);
      by();
      this.#code.op("i32Add");
    });
  }

  #offsetOf(word: BarrierWord): number {
    return this.#scratch + 4 * SLOTS * WORDS[word];
  }
}
