/**
 * BranchHints: the custom section that tells the engine which branches are hardly ever taken.
 *
 * Owns its format (branch hinting proposal, "Binary format"). Without it the engine keeps registers free for
 * the call of tick in every loop. Invariant: functions and offsets come in ascending order.
 */
import { ByteWriter } from "./byte_writer.ts";

const SECTION_NAME = new TextEncoder().encode("metadata.code.branch_hint");
const UNLIKELY = 0;

/** Gathers the hints of a module. */
export class BranchHints {
  readonly #entries = new ByteWriter(1024);
  #functionCount = 0;

  /** Hints for one function: offsets of branches from the start of its local declarations. */
  add(functionIndex: number, offsets: readonly number[]): void {
    if (offsets.length === 0) return;
    this.#functionCount++;
    this.#entries.unsigned(functionIndex);
    this.#entries.unsigned(offsets.length);
    for (const offset of offsets) {
      this.#entries.unsigned(offset);
      this.#entries.unsigned(1);
      this.#entries.u8(UNLIKELY);
    }
  }

  /** The content of the custom section; undefined without hints. */
  section(): ByteWriter | undefined {
    if (this.#functionCount === 0) return undefined;
    const out = new ByteWriter(this.#entries.length + 64);
    out.sized(SECTION_NAME);
    out.unsigned(this.#functionCount);
    out.append(this.#entries.bytes());
    return out;
  }
}
