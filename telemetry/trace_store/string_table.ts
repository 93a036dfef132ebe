/**
 * StringTable: texts that recur in every trace, written once.
 *
 * Owns the numbering of names of spans, attributes, log targets and events. It is for names in our code, not for
 * values. Invariant: a number never changes its text, and the table is bounded: what does not fit is written out
 * where it occurs.
 */

const STRINGS_MAX = 4096;
const LENGTH_MAX = 128;

/** Numbers texts in the order in which they come. */
export class StringTable {
  readonly #numbers = new Map<string, number>();
  readonly #texts: string[] = [];

  /** The number of a text, or -1 if it has none and gets none. */
  number(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    if (this.#texts.length === STRINGS_MAX || text.length > LENGTH_MAX) return -1;
    this.#numbers.set(text, this.#texts.length);
    this.#texts.push(text);
    return this.#texts.length - 1;
  }

  /** All texts by number; it grows. */
  get texts(): readonly string[] {
    return this.#texts;
  }
}
