/**
 * Cases of kernels whose every thread computes some outputs from its own inputs alone.
 *
 * Owns the shapes that such kernels are run with. Invariant: the output array has `width` values an element,
 * in the order that the function returns them.
 */
import {
  blocksFor,
  buffer,
  type CaseTable,
  type Expected,
  i32,
  type NumericArray,
  type Tolerance,
} from "./kernel_case.ts";
import type { Random } from "./random.ts";

/** Elements and threads a block. */
export const ELEMENT_SHAPES = [[1, 1], [500, 128], [0, 32]] as const;

/**
 * Adds a case of each shape. `make` is given the inputs and answers with the function of an element; the
 * kernel's parameters are the inputs, the output and their count.
 */
export function addElementwise<T extends readonly NumericArray[]>(
  table: CaseTable,
  kernel: string,
  options: {
    readonly inputs: (random: Random, n: number) => T;
    readonly output: (length: number) => NumericArray;
    readonly width: number;
    readonly of: (inputs: T) => (i: number) => readonly (number | bigint)[];
    readonly tolerance?: Tolerance;
    readonly shapes?: readonly (readonly [n: number, block: number])[];
  },
): void {
  for (const [n, block] of options.shapes ?? ELEMENT_SHAPES) {
    table.add(kernel, `n=${n} block=${block}`, (random) => {
      const inputs = options.inputs(random, n);
      const out = options.output(n * options.width);
      const expected = (): Expected[] => {
        const of = options.of(inputs);
        const values = filled(options.output(n * options.width), n, options.width, of);
        return [{ of: out, values, tolerance: options.tolerance ?? { kind: "exact" } }];
      };
      return {
        grid: blocksFor(n, block),
        block,
        args: [...inputs.map((data) => buffer(data)), buffer(out), i32(n)],
        expected,
      };
    });
  }
}

/** Writes what `of` says of every element, in any type of array. */
export function filled(
  values: NumericArray,
  n: number,
  width: number,
  of: (i: number) => readonly (number | bigint)[],
): NumericArray {
  for (let i = 0; i < n; i++) {
    const row = of(i);
    if (row.length !== width) throw new RangeError(`${row.length} outputs, not ${width}`);
    for (const [k, value] of row.entries()) {
      if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
        values[i * width + k] = BigInt(value);
      } else values[i * width + k] = Number(value);
    }
  }
  return values;
}
