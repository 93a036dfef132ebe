/**
 * Cases for tests of number opcodes: values worth trying of each format, and the check of one instruction.
 *
 * Everything is bits. Values are made from the format's parameters, so that no format is special: zeros,
 * subnormals, the neighbours of powers of two, halves of units, infinities, NaNs; and seeded random ones with
 * exponents near each other, where sums cancel.
 */
import assert from "node:assert/strict";
import { Random } from "../../kernels/references/random.ts";
import { decode, F32, F64 } from "../interpreter/softfloat.ts";
import type { FloatFormat } from "../interpreter/softfloat.ts";
import { compileInstructions } from "./one_instruction.ts";
import type { OneInstructionOptions } from "./one_instruction.ts";

/** An instruction, what its inputs may be, and what it gives. */
export interface Case {
  readonly text: string;
  /** Tuples of inputs. */
  readonly inputs: Iterable<readonly bigint[]>;
  readonly expected: (...inputs: readonly bigint[]) => bigint | readonly bigint[];
  /** Results are of this format, in which one NaN is as good as another; bits are compared if absent. */
  readonly format?: FloatFormat;
}

export function isNan(format: FloatFormat, bits: bigint): boolean {
  return decode(format, bits).kind === "nan";
}

/** Runs every case, all of them in one module. */
export function checkCases(cases: readonly Case[], options: OneInstructionOptions = {}): void {
  const compiled = compileInstructions(cases.map(({ text }) => text), options);
  cases.forEach(({ text, inputs, expected, format }, index) => {
    const { run } = compiled[index] ?? assert.fail();
    for (const input of inputs) {
      const wanted = [expected(...input)].flat();
      const got = run(...input);
      const isSame = wanted.length === got.length && wanted.every((bits, at) => {
        const other = got[at] ?? 0n;
        return bits === other || (format !== undefined && isNan(format, bits) && isNan(format, other));
      });
      if (isSame) continue;
      const shown = (list: readonly bigint[]): string =>
        list.map((bits) => `0x${bits.toString(16)}`).join(", ");
      assert.fail(`${text} of ${shown(input)}: expected ${shown(wanted)}, got ${shown(got)}`);
    }
  });
}

/** Awkward values of a format. */
export function edgesOf({ bits, precision, bias }: FloatFormat): bigint[] {
  const fraction = BigInt(precision - 1);
  const unit = 1n << fraction;
  const one = BigInt(bias) << fraction;
  const infinity = BigInt(2 * bias + 1) << fraction;
  const at = (exponent: number): bigint => BigInt(bias + exponent) << fraction;
  const half = precision >> 1;
  const positive = [
    ...[0n, 1n, 2n, 3n, unit >> 1n, unit - 1n, unit, unit + 1n, unit + (unit >> 1n)],
    ...[one - 1n, one, one + 1n, one + (unit >> 1n), one + unit, one + unit + 1n],
    ...[
      at(-1),
      at(-1) + 1n,
      at(precision - 1) + 1n,
      at(precision) + 1n,
      at(half),
      at(-half) + 3n,
      at(-precision),
    ],
    ...[infinity - unit, infinity - 2n, infinity - 1n, infinity, infinity + 1n, infinity + (unit >> 1n)],
  ];
  const sign = 1n << BigInt(bits - 1);
  return positive.flatMap((value) => [value, value | sign]);
}

/** A few of them, for triples. */
export function fewEdgesOf(format: FloatFormat): bigint[] {
  const fraction = BigInt(format.precision - 1);
  const one = BigInt(format.bias) << fraction;
  const infinity = BigInt(2 * format.bias + 1) << fraction;
  const sign = 1n << BigInt(format.bits - 1);
  const positive = [0n, 1n, (1n << fraction) - 1n, one - 1n, one, one + 1n, infinity - 1n, infinity];
  return [...positive.flatMap((value) => [value, value | sign]), infinity + 1n];
}

/** Any bits, or with an exponent near the middle, or near the last one, or with few bits set. */
export class RandomBits {
  readonly #random: Random;
  readonly #format: FloatFormat;
  #last = 0n;

  constructor(name: string, format: FloatFormat) {
    this.#random = new Random(name);
    this.#format = format;
  }

  next(): bigint {
    const { bits, precision, bias } = this.#format;
    const fraction = BigInt(precision - 1);
    const width = BigInt(bits);
    const all = (BigInt(this.#random.u32()) << 32n) | BigInt(this.#random.u32());
    let value = BigInt.asUintN(bits, all);
    const keep = (1n << fraction) - 1n;
    const kind = this.#random.below(6);
    const near = BigInt(bias - 3 + this.#random.below(7));
    const sign = value & (1n << (width - 1n));
    if (kind === 1 || kind === 2) value = sign | (near << fraction) | (value & keep);
    else if (kind === 3) {
      value = sign | ((this.#last + BigInt(this.#random.below(5)) - 2n) & ((1n << (width - 1n)) - 1n));
    } else if (kind === 4) value = sign | (value & keep);
    else if (kind === 5) value &= ~0n << BigInt(this.#random.below(precision));
    this.#last = value & ((1n << (width - 1n)) - 1n);
    return value;
  }

  tuples(count: number, size: number): bigint[][] {
    return Array.from({ length: count }, () => Array.from({ length: size }, () => this.next()));
  }
}

export function singles(values: readonly bigint[]): bigint[][] {
  return values.map((value) => [value]);
}

export function pairs(values: readonly bigint[]): bigint[][] {
  return values.flatMap((a) => values.map((b) => [a, b]));
}

export function triples(values: readonly bigint[]): bigint[][] {
  return values.flatMap((a) => values.flatMap((b) => values.map((c) => [a, b, c])));
}

/** Inputs of an instruction of so many operands: awkward ones and random ones. */
export function inputsOf(format: FloatFormat, size: 1 | 2 | 3, count = 300): bigint[][] {
  const awkward = size === 1
    ? singles(edgesOf(format))
    : size === 2
    ? pairs(edgesOf(format))
    : triples(fewEdgesOf(format));
  return [
    ...awkward,
    ...new RandomBits(`${format.bits} ${format.precision} ${size}`, format).tuples(count, size),
  ];
}

/** The letter of the harness for a register of a format, and its type. */
export const SINGLE = { format: F32, letter: "f", type: "f32" } as const;
export const DOUBLE = { format: F64, letter: "d", type: "f64" } as const;
