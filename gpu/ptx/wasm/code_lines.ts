/**
 * CodeLines: which line of the PTX the code at an offset of a module was emitted for.
 *
 * Owns the table and the reading of the engine's stack traces, which name a trap's place by function and offset. It
 * has places of memory accesses only: nothing else traps by itself. Invariant: a place that is not known is line 0,
 * never another line.
 */

/** `wasm://wasm/2f1a:wasm-function[3]:0x1f2` in a stack trace: a module, and an offset in it (V8 stack trace API). */
const FRAME = /(wasm:[^\s(]*):wasm-function\[[0-9]+\]:0x([0-9a-f]+)/g;

/** The lines of one module's code. */
export class CodeLines {
  readonly #offsets: Uint32Array;
  readonly #lines: Uint32Array;

  /** @param pairs offset, line, offset, line …, ascending; code from an offset on is for its line, of none if that is 0 */
  constructor(pairs: readonly number[]) {
    this.#offsets = new Uint32Array(pairs.length / 2);
    this.#lines = new Uint32Array(pairs.length / 2);
    for (let index = 0; index < pairs.length; index += 2) {
      this.#offsets[index / 2] = pairs[index] ?? 0;
      this.#lines[index / 2] = pairs[index + 1] ?? 0;
    }
  }

  /** The line of the innermost frame of the module that has one, or 0. */
  ofTrap(error: unknown): number {
    const stack = error instanceof Error ? error.stack ?? "" : "";
    let trapped: string | undefined;
    for (const [, module, offset = ""] of stack.matchAll(FRAME)) {
      // Whoever launched may be further out, and is another module.
      if (module !== (trapped ??= module)) continue;
      const line = this.lineAt(Number.parseInt(offset, 16));
      if (line > 0) return line;
    }
    return 0;
  }

  /** The line of the code at an offset of the module, or 0. */
  lineAt(offset: number): number {
    let low = 0;
    let high = this.#offsets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#offsets[middle] ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return this.#lines[low - 1] ?? 0;
  }
}
