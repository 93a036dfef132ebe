/**
 * SourcePlaces: where lines of PTX come from, as `.file` and `.loc` say (PTX ISA 11.5): the CUDA source of a kernel
 * that was compiled with `-lineinfo`.
 *
 * Owns the table. What a place is wanted for is the device's. Invariant: a line that nothing is said of has no place,
 * rather than that of a line before it in another function.
 */

/** Most places that are kept; lines behind the last one have none. */
export const PLACES_MAX = 200_000;
const NAME_LENGTH_MAX = 64;

/** The places of one module. */
export class SourcePlaces {
  readonly #files = new Map<number, string>();
  /** In the order of the text. */
  readonly #lines: number[] = [];
  readonly #fileNumbers: number[] = [];
  readonly #sourceLines: number[] = [];

  /** `.file number "name"`. Folders are left out: they say where somebody compiled. */
  addFile(number: number, name: string): void {
    const base = name.slice(Math.max(name.lastIndexOf("/"), name.lastIndexOf("\\")) + 1);
    this.#files.set(number, base.slice(0, NAME_LENGTH_MAX));
  }

  /** From a line of the PTX on: what comes is of a line of a file. */
  add(line: number, fileNumber: number, sourceLine: number): void {
    if (this.#lines.length < PLACES_MAX) {
      this.#lines.push(line);
      this.#fileNumbers.push(fileNumber);
      this.#sourceLines.push(sourceLine);
    } else if (this.#fileNumbers.at(-1) !== 0) this.#fileNumbers[PLACES_MAX - 1] = 0;
  }

  /** From a line on: nothing is known of what comes, a new function. */
  end(line: number): void {
    if (this.#fileNumbers.length > 0 && this.#fileNumbers.at(-1) !== 0) this.add(line, 0, 0);
  }

  /** `kernel.cu:12`, or undefined. */
  placeOf(line: number): string | undefined {
    let low = 0;
    let high = this.#lines.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#lines[middle] ?? 0) <= line) low = middle + 1;
      else high = middle;
    }
    const name = this.#files.get(this.#fileNumbers[low - 1] ?? 0);
    return name === undefined ? undefined : `${name}:${this.#sourceLines[low - 1]}`;
  }
}
