/**
 * The value types of generated modules, by name, and the types of the index space that they speak of.
 *
 * Owns the prelude: the first types of every generated module. It does not know which module uses what.
 * Invariant: the numbers in PRELUDE_INDEX are the places in PRELUDE.
 */
export type Type =
  | "i32"
  | "i64"
  | "f32"
  | "f64"
  | "v128"
  | "funcref"
  | "externref"
  | "anyref"
  | "eqref"
  | "i31ref"
  | "point"
  | "pointSure"
  | "ints"
  | "octets"
  | "points"
  | "floats"
  | "callee"
  | "calleeSure"
  | "exnref";

/** The types that cross to JavaScript as comparable values. */
export const NUMBERS: readonly Type[] = ["i32", "i64", "f32", "f64"];

/** Places of the prelude. */
export const PRELUDE_INDEX = {
  point: 0,
  solid: 1,
  ints: 2,
  octets: 3,
  points: 4,
  floats: 5,
  callee: 6,
  plain: 7,
  tagged: 8,
} as const;

/** Fields of `point`; `solid` is a subtype with one more. Packed ones are read with a sign. */
export const POINT_FIELDS = ["i32", "i64", "i8", "point", "f64"] as const;

export const TYPE_BYTES: Readonly<Record<Type, readonly number[]>> = {
  i32: [0x7f],
  i64: [0x7e],
  f32: [0x7d],
  f64: [0x7c],
  v128: [0x7b],
  funcref: [0x70],
  externref: [0x6f],
  anyref: [0x6e],
  eqref: [0x6d],
  i31ref: [0x6c],
  point: [0x63, PRELUDE_INDEX.point],
  pointSure: [0x64, PRELUDE_INDEX.point],
  ints: [0x63, PRELUDE_INDEX.ints],
  octets: [0x63, PRELUDE_INDEX.octets],
  points: [0x63, PRELUDE_INDEX.points],
  floats: [0x63, PRELUDE_INDEX.floats],
  callee: [0x63, PRELUDE_INDEX.callee],
  calleeSure: [0x64, PRELUDE_INDEX.callee],
  exnref: [0x69],
};

/** The heap type behind `ref.null` of a nullable reference type. */
export const HEAP_BYTES: ReadonlyMap<Type, readonly number[]> = new Map<Type, readonly number[]>([
  ["funcref", [0x70]],
  ["externref", [0x6f]],
  ["anyref", [0x6e]],
  ["eqref", [0x6d]],
  ["i31ref", [0x6c]],
  ["point", [PRELUDE_INDEX.point]],
  ["ints", [PRELUDE_INDEX.ints]],
  ["octets", [PRELUDE_INDEX.octets]],
  ["points", [PRELUDE_INDEX.points]],
  ["floats", [PRELUDE_INDEX.floats]],
  ["callee", [PRELUDE_INDEX.callee]],
  ["exnref", [0x69]],
]);

const POINT_FIELD_BYTES = [0x7f, 1, 0x7e, 1, 0x78, 1, 0x63, 0, 1, 0x7c, 1];

/** Entries of the type section, of which the first is a recursive group of two. */
export const PRELUDE: readonly (readonly number[])[] = [
  [0x4e, 2, 0x50, 0, 0x5f, 5, ...POINT_FIELD_BYTES, 0x4f, 1, 0, 0x5f, 6, ...POINT_FIELD_BYTES, 0x7d, 1],
  [0x5e, 0x7f, 1],
  [0x5e, 0x78, 1],
  [0x5e, 0x63, 0, 1],
  [0x5e, 0x7c, 1],
  [0x60, 1, 0x7f, 1, 0x7f],
  [0x60, 0, 0],
  [0x60, 2, 0x7f, 0x7e, 0],
];

/** How many type indices the prelude takes. */
export const PRELUDE_COUNT = 9;
