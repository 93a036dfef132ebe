/**
 * The plan of a generated module: what it declares, decided before the bodies are written.
 *
 * Owns signatures, the index spaces and the interned function types. It does not write bodies. Invariant:
 * indices in the plan are final, except that further function types may be interned behind the others.
 */
import type { Choices } from "./choices.ts";
import { PRELUDE_COUNT, type Type } from "./value_type.ts";

export interface Signature {
  readonly params: readonly Type[];
  readonly results: readonly Type[];
}

export interface MemoryPlan {
  readonly is64: boolean;
  readonly pagesMin: number;
}

/** Which exception instructions a module has: V8 takes either the old or the new ones. */
export type ExceptionStyle = "none" | "modern" | "legacy";

/** The type of every imported function, by its name in the module "env". */
export const HOST_FUNCTIONS = {
  note: { params: ["i32"], results: [] },
  ask: { params: ["i64", "f64"], results: ["i32"] },
  fail: { params: ["i32"], results: ["i32"] },
} as const satisfies Record<string, Signature>;

/** Globals of every module: the work left, which bounds everything, then the mutable ones. */
export const WORK_GLOBAL = 0;
export const GLOBAL_TYPES: readonly Type[] = [
  "i32",
  "i32",
  "i64",
  "f32",
  "f64",
  "v128",
  "externref",
  "point",
  "callee",
];

/** Tables of every module: functions, typed functions, points. */
export const FUNCTION_TABLE = 0;
export const CALLEE_TABLE = 1;
export const POINT_TABLE = 2;
export const TABLE_LENGTHS = [24, 8, 12] as const;

/** Passive element segments of every module. */
export const FUNCTION_ELEMENTS = 0;
export const POINT_ELEMENTS = 1;
export const CALLEE_ELEMENTS = 2;

export class ModulePlan {
  readonly choices: Choices;
  /** Imported functions first. */
  readonly functions: Signature[] = [];
  readonly memories: MemoryPlan[] = [];
  readonly exceptions: ExceptionStyle;
  readonly tableIs64: boolean;
  readonly hasStart: boolean;
  /** Sizes of the passive data segments. */
  readonly dataBytes: readonly number[];
  readonly importedCount: number;
  readonly #types = new Map<string, number>();
  readonly #typeList: Signature[] = [];

  constructor(choices: Choices) {
    this.choices = choices;
    this.exceptions = choices.pick(["none", "modern", "modern", "legacy"] as const);
    this.tableIs64 = choices.oneIn(4);
    this.dataBytes = [300, choices.oneIn(8) ? 70_000 : 1500];
    this.hasStart = choices.oneIn(4);
    for (let memory = choices.oneIn(3) ? 2 : 1; memory > 0; memory--) {
      this.memories.push({ is64: choices.oneIn(4), pagesMin: choices.pick([4, 4, 5, 9]) });
    }
    this.functions.push(...Object.values(HOST_FUNCTIONS));
    this.importedCount = this.functions.length;
    const pool = makeSignatures(choices);
    const functionCount = choices.between(2, 7);
    // The first defined function is always callable through a typed reference, the second one may throw.
    this.functions.push({ params: ["i32"], results: ["i32"] }, { params: ["i32"], results: ["i32"] });
    for (let index = 2; index < functionCount; index++) this.functions.push(choices.pick(pool));
  }

  /** The function that ends by a throw, in modules with exceptions. */
  get throwing(): number {
    return this.importedCount + 1;
  }

  /** The index of a function type, which is added if it is new. */
  typeOf(signature: Signature): number {
    const key = `${signature.params.join()}>${signature.results.join()}`;
    const known = this.#types.get(key);
    if (known !== undefined) return known;
    const index = PRELUDE_COUNT + this.#typeList.length;
    this.#types.set(key, index);
    this.#typeList.push(signature);
    return index;
  }

  /** The function types behind the prelude, in order. */
  get types(): readonly Signature[] {
    return this.#typeList;
  }

  /** The indices of the defined functions with such a signature, or of all functions that fulfil a test. */
  functionsWhere(test: (signature: Signature) => boolean): number[] {
    return this.functions.flatMap((signature, index) => test(signature) ? [index] : []);
  }
}

const VALUE_TYPES: readonly Type[] = ["i32", "i64", "f32", "f64", "v128", "point", "externref", "callee"];

function makeSignatures(choices: Choices): Signature[] {
  const numbers = (count: number): Type[] =>
    Array.from({ length: count }, () => choices.pick(["i32", "i64", "f32", "f64"] as const));
  return [
    { params: ["i32"], results: ["i32"] },
    { params: numbers(choices.below(3)), results: numbers(choices.below(4)) },
    { params: numbers(choices.below(4)), results: ["i64"] },
    { params: [choices.pick(VALUE_TYPES), "i32"], results: [choices.pick(VALUE_TYPES)] },
    { params: [], results: [] },
  ];
}
