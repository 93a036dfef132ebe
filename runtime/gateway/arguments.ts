/**
 * Arguments: JSON values typed by the signature of the export they are for, and results back to JSON.
 *
 * Owns both conversions and their error messages. It does not choose the export (resolve_export.ts does).
 * Invariant: a value reaches a guest exactly as written or not at all: no rounding of integers, no wrapping.
 */
import { fault } from "../model/fault.ts";
import { limitMessage } from "../model/limits.ts";
import type { Limits } from "../model/limits.ts";
import type { TypedValue } from "../model/module_facts.ts";
import { formatFunctionType } from "../model/value_type.ts";
import type { FunctionType, ValueType } from "../model/value_type.ts";

/** A JSON number kept as its source text, so that integers above 2^53 stay whole. */
export class NumberSource {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const INTEGER = /^-?[0-9]+$/;
const FLOAT = /^-?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?)$/;
const INTEGER_TEXT_LENGTH_MAX = 40;
const NON_FINITE = new Set(["NaN", "Infinity", "-Infinity"]);

/** Inclusive ranges: signed or unsigned spelling of the same bits are both taken. */
const INTEGER_RANGES = {
  i32: { min: -(2n ** 31n), max: 2n ** 32n - 1n },
  i64: { min: -(2n ** 63n), max: 2n ** 64n - 1n },
} as const;

/**
 * Types the arguments of a call.
 *
 * @throws RuntimeFault `too_many_args`, or `invalid_args` naming index, expected and got
 */
export function typeArguments(values: readonly unknown[], type: FunctionType, limits: Limits): TypedValue[] {
  if (values.length > limits.argsCountMax) {
    throw fault(
      "too_many_args",
      limitMessage("Too many arguments", "argsCountMax", limits.argsCountMax, values.length),
    );
  }
  if (values.length !== type.params.length) {
    throw fault(
      "invalid_args",
      `Export ${formatFunctionType(type)} takes ${type.params.length} arguments, got ${values.length}`,
    );
  }
  return type.params.map((param, index) => typeArgument(values[index], param, index));
}

function typeArgument(value: unknown, type: ValueType, index: number): TypedValue {
  switch (type) {
    case "i32":
    case "i64":
      return typeInteger(value, type, index);
    case "f32":
    case "f64":
      return typeFloat(value, type, index);
    default:
      throw fault("invalid_args", `Argument ${index}: expected ${type}, which JSON cannot carry`);
  }
}

function typeInteger(value: unknown, type: "i32" | "i64", index: number): TypedValue {
  if (typeof value === "boolean" && type === "i32") return { type, value: value ? 1 : 0 };
  const text = numberText(value);
  if (text === undefined || !INTEGER.test(text) || text.length > INTEGER_TEXT_LENGTH_MAX) {
    throw wrongType(index, type, value);
  }
  const integer = BigInt(text);
  const range = INTEGER_RANGES[type];
  if (integer < range.min || integer > range.max) {
    throw fault(
      "invalid_args",
      `Argument ${index}: expected ${type} in ${range.min}..${range.max}, got an integer outside it`,
    );
  }
  return type === "i32" ? { type, value: Number(BigInt.asIntN(32, integer)) } : { type, value: text };
}

function typeFloat(value: unknown, type: "f32" | "f64", index: number): TypedValue {
  const text = numberText(value);
  if (text === undefined) throw wrongType(index, type, value);
  if (NON_FINITE.has(text)) return { type, value: text };
  if (!FLOAT.test(text)) throw wrongType(index, type, value);
  const number = Number(text);
  if (!Number.isFinite(type === "f32" ? Math.fround(number) : number)) {
    throw fault("invalid_args", `Argument ${index}: expected ${type}, got a number outside its range`);
  }
  return { type, value: Object.is(number, -0) ? "-0" : number };
}

function numberText(value: unknown): string | undefined {
  if (value instanceof NumberSource) return value.text;
  if (typeof value === "number") return String(value);
  return typeof value === "string" ? value : undefined;
}

function wrongType(index: number, expected: ValueType, value: unknown): Error {
  return fault("invalid_args", `Argument ${index}: expected ${expected}, got ${describe(value)}`);
}

/** A short word for a JSON value; never its content, which may be long or private. */
function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (value instanceof NumberSource || typeof value === "number") return "a number that does not fit";
  if (typeof value === "string") return "a string that is not a number";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/**
 * Parses the text of an argument list keeping the source of every number that a double may not carry
 * exactly. The engine calls back for every value, so this is for short texts only. Throws SyntaxError.
 */
export function parseArgumentList(text: string): unknown {
  return JSON.parse(
    text,
    ((_key: string, value: unknown, context?: { source?: string }) =>
      typeof value === "number" && context?.source !== undefined && !isExact(value)
        ? new NumberSource(context.source)
        : value) as (key: string, value: unknown) => unknown,
  );
}

/** Whether a parsed number is certainly the one that was written. */
export function isExact(value: number): boolean {
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}

/**
 * The `result` member of an answer: `"ok"` for no results, else an array with one entry per result.
 * 64-bit integers are JSON integers of full length; NaN, infinities and -0 are strings.
 */
export function resultToJson(values: readonly TypedValue[]): unknown {
  if (values.length === 0) return "ok";
  return values.map(({ type, value }) => (type === "i64" ? rawJson(String(value)) : value));
}

/** A JSON literal (ECMAScript `JSON.rawJSON`, not in TypeScript's library yet). */
export function rawJson(text: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);
}
