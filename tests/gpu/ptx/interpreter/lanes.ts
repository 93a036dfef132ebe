/**
 * Lanes: steps that apply a function of numbers to register slots.
 *
 * Owns the reading and writing of slots; what is computed comes as a function. There is one copy per kind of
 * view, because one closure that met all ten views would run several times slower. Invariant: a step reads all
 * of its sources before it writes.
 */
import type { Step } from "./thread.ts";
import type { Views } from "./views.ts";

type Small = Int32Array | Uint32Array | Int16Array | Uint16Array;
type Large = BigInt64Array | BigUint64Array;

export type Unary<T> = (a: T) => T;
export type Binary<T> = (a: T, b: T) => T;
export type Ternary<T> = (a: T, b: T, c: T) => T;

/** Slots of an instruction: destination, then sources. */
export type Slots = readonly number[];

function four(slots: Slots): [number, number, number, number] {
  const [d = 0, a = 0, b = 0, c = 0] = slots;
  return [d, a, b, c];
}

/** Integers of up to 32 bits; `shift` is 1 for views of 32 bits, 2 for those of 16. */
export function smallStep(view: Small, shift: number, slots: Slots, fn: unknown): Step {
  const [d, a, b, c] = four(slots);
  const at = (thread: { base: number }, slot: number): number => (thread.base + slot) << shift;
  switch (slots.length) {
    case 2: {
      const apply = fn as Unary<number>;
      return (t) => void (view[at(t, d)] = apply(view[at(t, a)] as number));
    }
    case 3: {
      const apply = fn as Binary<number>;
      return (t) => void (view[at(t, d)] = apply(view[at(t, a)] as number, view[at(t, b)] as number));
    }
    default: {
      const apply = fn as Ternary<number>;
      return (t) =>
        void (view[at(t, d)] = apply(
          view[at(t, a)] as number,
          view[at(t, b)] as number,
          view[at(t, c)] as number,
        ));
    }
  }
}

/** Integers of 64 bits. */
export function largeStep(view: Large, slots: Slots, fn: unknown): Step {
  const [d, a, b, c] = four(slots);
  switch (slots.length) {
    case 2: {
      const apply = fn as Unary<bigint>;
      return (t) => void (view[t.base + d] = apply(view[t.base + a] as bigint));
    }
    case 3: {
      const apply = fn as Binary<bigint>;
      return (t) => void (view[t.base + d] = apply(view[t.base + a] as bigint, view[t.base + b] as bigint));
    }
    default: {
      const apply = fn as Ternary<bigint>;
      return (t) =>
        void (view[t.base + d] = apply(
          view[t.base + a] as bigint,
          view[t.base + b] as bigint,
          view[t.base + c] as bigint,
        ));
    }
  }
}

/** Bits of the NaN that arithmetic makes. */
const NAN_F32 = 0x7fff_ffff;
const NAN_F64 = 0x7ff8_0000_0000_0000n;

/** Single precision. A NaN result becomes the one that devices make. */
export function singleStep(registers: Views, slots: Slots, fn: unknown): Step {
  const { f32, u32 } = registers;
  const [d, a, b, c] = four(slots);
  const put = (index: number, value: number): void => {
    if (Number.isNaN(value)) u32[index] = NAN_F32;
    else f32[index] = value;
  };
  switch (slots.length) {
    case 2: {
      const apply = fn as Unary<number>;
      return (t) => put((t.base + d) << 1, apply(f32[(t.base + a) << 1] as number));
    }
    case 3: {
      const apply = fn as Binary<number>;
      return (t) =>
        put((t.base + d) << 1, apply(f32[(t.base + a) << 1] as number, f32[(t.base + b) << 1] as number));
    }
    default: {
      const apply = fn as Ternary<number>;
      return (t) =>
        put(
          (t.base + d) << 1,
          apply(
            f32[(t.base + a) << 1] as number,
            f32[(t.base + b) << 1] as number,
            f32[(t.base + c) << 1] as number,
          ),
        );
    }
  }
}

/** Double precision. */
export function doubleStep(registers: Views, slots: Slots, fn: unknown): Step {
  const { f64, u64 } = registers;
  const [d, a, b, c] = four(slots);
  const put = (index: number, value: number): void => {
    if (Number.isNaN(value)) u64[index] = NAN_F64;
    else f64[index] = value;
  };
  switch (slots.length) {
    case 2: {
      const apply = fn as Unary<number>;
      return (t) => put(t.base + d, apply(f64[t.base + a] as number));
    }
    case 3: {
      const apply = fn as Binary<number>;
      return (t) => put(t.base + d, apply(f64[t.base + a] as number, f64[t.base + b] as number));
    }
    default: {
      const apply = fn as Ternary<number>;
      return (t) =>
        put(
          t.base + d,
          apply(f64[t.base + a] as number, f64[t.base + b] as number, f64[t.base + c] as number),
        );
    }
  }
}
