/**
 * Formula: WebAssembly code written as expressions: `a.mul(b).add(c)` instead of a list of stack operations.
 *
 * Owns typed values, variables and conditionals over one `Code`, for helper functions and for rows whose
 * emission is a formula. A value is a description: its code is emitted where it is used, once per use, so what
 * is used twice goes through `let`. Invariant: an operation that WebAssembly does not have throws here.
 */
import { OP } from "../wasm/opcode.ts";
import type { ValueName } from "../wasm/opcode.ts";
import type { Code, OpName } from "../wasm/code.ts";
import type { ModuleParts } from "../emit/module_parts.ts";
import type { Helper, HelperName } from "./mod.ts";

/** A value, or a constant of the type that its place asks for. */
export type Operand = Value | number | bigint;

/** Something that can be pushed. */
export class Value {
  readonly type: ValueName;
  readonly code: Code;
  readonly push: () => void;

  constructor(code: Code, type: ValueName, push: () => void) {
    this.code = code;
    this.type = type;
    this.push = push;
  }

  /** `i32.add` of this and another, and so on; the result's type is this one's unless said. */
  #binary(name: string, other: Operand, result: ValueName = this.type): Value {
    const op = operation(this.type, name);
    const right = this.#operand(other);
    return new Value(this.code, result, () => {
      this.push();
      right.push();
      this.code.op(op);
    });
  }

  #unary(name: string, result: ValueName = this.type): Value {
    return this.#convert(operation(this.type, name), result);
  }

  #convert(op: OpName, result: ValueName): Value {
    return new Value(this.code, result, () => {
      this.push();
      this.code.op(op);
    });
  }

  #operand(operand: Operand): Value {
    return operand instanceof Value ? operand : constant(this.code, this.type, operand);
  }

  add(other: Operand): Value {
    return this.#binary("Add", other);
  }
  sub(other: Operand): Value {
    return this.#binary("Sub", other);
  }
  mul(other: Operand): Value {
    return this.#binary("Mul", other);
  }
  div(other: Operand): Value {
    return this.#binary("Div", other);
  }
  min(other: Operand): Value {
    return this.#binary("Min", other);
  }
  max(other: Operand): Value {
    return this.#binary("Max", other);
  }
  copysign(sign: Operand): Value {
    return this.#binary("Copysign", sign);
  }
  and(other: Operand): Value {
    return this.#binary("And", other);
  }
  or(other: Operand): Value {
    return this.#binary("Or", other);
  }
  xor(other: Operand): Value {
    return this.#binary("Xor", other);
  }
  shl(other: Operand): Value {
    return this.#binary("Shl", other);
  }
  shrS(other: Operand): Value {
    return this.#binary("ShrS", other);
  }
  shrU(other: Operand): Value {
    return this.#binary("ShrU", other);
  }

  eq(other: Operand): Value {
    return this.#binary("Eq", other, "i32");
  }
  ne(other: Operand): Value {
    return this.#binary("Ne", other, "i32");
  }
  /** Less than, of floats or of signed integers; `ltU` of unsigned ones. */
  lt(other: Operand): Value {
    return this.#binary(this.#isFloat() ? "Lt" : "LtS", other, "i32");
  }
  gt(other: Operand): Value {
    return this.#binary(this.#isFloat() ? "Gt" : "GtS", other, "i32");
  }
  le(other: Operand): Value {
    return this.#binary(this.#isFloat() ? "Le" : "LeS", other, "i32");
  }
  ge(other: Operand): Value {
    return this.#binary(this.#isFloat() ? "Ge" : "GeS", other, "i32");
  }
  ltU(other: Operand): Value {
    return this.#binary("LtU", other, "i32");
  }
  gtU(other: Operand): Value {
    return this.#binary("GtU", other, "i32");
  }
  leU(other: Operand): Value {
    return this.#binary("LeU", other, "i32");
  }
  geU(other: Operand): Value {
    return this.#binary("GeU", other, "i32");
  }
  eqz(): Value {
    return this.#unary("Eqz", "i32");
  }

  #isFloat(): boolean {
    return this.type === "f32" || this.type === "f64";
  }

  abs(): Value {
    return this.#unary("Abs");
  }
  neg(): Value {
    return this.#unary("Neg");
  }
  sqrt(): Value {
    return this.#unary("Sqrt");
  }
  nearest(): Value {
    return this.#unary("Nearest");
  }
  trunc(): Value {
    return this.#unary("Trunc");
  }
  floor(): Value {
    return this.#unary("Floor");
  }
  ceil(): Value {
    return this.#unary("Ceil");
  }
  clz(): Value {
    return this.#unary("Clz");
  }

  /** f32 to f64, exact; and f64 to f32, to nearest. */
  promote(): Value {
    return this.#convert("f64PromoteF32", "f64");
  }
  demote(): Value {
    return this.#convert("f32DemoteF64", "f32");
  }
  /** i64 to its low half; and i32 to i64. */
  wrap(): Value {
    return this.#convert("i32WrapI64", "i32");
  }
  extendS(): Value {
    return this.#convert("i64ExtendI32S", "i64");
  }
  extendU(): Value {
    return this.#convert("i64ExtendI32U", "i64");
  }
  /** The bits of a float, or the float of bits of the same width. */
  reinterpret(): Value {
    const other = ({ i32: "f32", i64: "f64", f32: "i32", f64: "i64", v128: "v128" } as const)[this.type];
    const name = `Reinterpret${this.type.charAt(0).toUpperCase()}${this.type.slice(1)}`;
    return this.#convert(operation(other, name), other);
  }
  /** An integer to the float type, to nearest; and a float to the integer type, saturating. */
  toFloat(type: "f32" | "f64", isSigned: boolean): Value {
    return this.#convert(operation(type, `Convert${this.#capital()}${isSigned ? "S" : "U"}`), type);
  }
  toInteger(type: "i32" | "i64", isSigned: boolean): Value {
    return this.#convert(operation(type, `TruncSat${this.#capital()}${isSigned ? "S" : "U"}`), type);
  }

  #capital(): string {
    return this.type.charAt(0).toUpperCase() + this.type.slice(1);
  }

  /** With this as the condition: one value or the other; both are evaluated. */
  select(whenTrue: Value, whenFalse: Operand): Value {
    const other = whenFalse instanceof Value ? whenFalse : constant(this.code, whenTrue.type, whenFalse);
    return new Value(this.code, whenTrue.type, () => {
      whenTrue.push();
      other.push();
      this.push();
      this.code.op("select");
    });
  }
}

/** A local that can be written. */
export class Variable extends Value {
  readonly index: number;

  constructor(code: Code, type: ValueName, index: number) {
    super(code, type, () => code.get(index));
    this.index = index;
  }

  set(value: Operand): void {
    const from = value instanceof Value ? value : constant(this.code, this.type, value);
    from.push();
    this.code.set(this.index);
  }
}

/** Makes values, variables and conditionals in one function. */
export class Formula {
  readonly code: Code;
  readonly parts: ModuleParts;
  readonly #variables: Variable[] = [];

  constructor(code: Code, parts: ModuleParts) {
    this.code = code;
    this.parts = parts;
  }

  param(index: number, type: ValueName): Variable {
    return new Variable(this.code, type, index);
  }

  /** What a function pushes, as a value. */
  value(type: ValueName, push: () => void): Value {
    return new Value(this.code, type, push);
  }

  constant(type: ValueName, value: number | bigint): Value {
    return constant(this.code, type, value);
  }

  i32(value: number): Value {
    return this.constant("i32", value);
  }
  i64(value: bigint): Value {
    return this.constant("i64", value);
  }
  f32(value: number): Value {
    return this.constant("f32", value);
  }
  f64(value: number): Value {
    return this.constant("f64", value);
  }

  variable(type: ValueName): Variable {
    const variable = new Variable(this.code, type, this.code.temp(type));
    this.#variables.push(variable);
    return variable;
  }

  /** Evaluates a value here and now, into a variable. */
  let(value: Value): Variable {
    const variable = this.variable(value.type);
    variable.set(value);
    return variable;
  }

  /** Emits statements that are executed if the condition is not zero, and others if it is. */
  if(condition: Value, then: () => void, otherwise?: () => void): void {
    condition.push();
    this.code.if();
    then();
    if (otherwise !== undefined) {
      this.code.else();
      otherwise();
    }
    this.code.end();
  }

  /** Emits statements that are executed `count` times. */
  repeat(count: number, body: () => void): void {
    const left = this.let(this.i32(count));
    const loop = this.code.loop();
    body();
    left.set(left.sub(1));
    left.push();
    this.code.brIf(loop);
    this.code.end();
  }

  call(name: HelperName, ...args: readonly Value[]): Value {
    const { params, results } = this.parts.signature(name);
    if (params.length !== args.length) throw new Error(`Invariant: ${name} takes ${params.length} values`);
    return new Value(this.code, results[0] ?? "i32", () => {
      for (const arg of args) arg.push();
      this.code.call(this.parts.helper(name));
    });
  }

  /** a * b + c * d + … of a polynomial, the constant term first, by Horner's rule. */
  polynomial(x: Value, coefficients: readonly number[]): Value {
    const last = coefficients.at(-1) ?? 0;
    return coefficients.slice(0, -1).reduceRight<Value>(
      (sum, coefficient) => sum.mul(x).add(coefficient),
      this.constant(x.type, last),
    );
  }

  /** Gives the variables back; for formulas in the middle of a kernel's code. */
  release(): void {
    for (const { type, index } of this.#variables.splice(0)) this.code.release(type, index);
  }
}

/** A helper whose body is a formula of its parameters. */
export function helper(
  params: readonly ValueName[],
  result: ValueName,
  body: (f: Formula, a: Variable, b: Variable, c: Variable, d: Variable) => Value,
): Helper {
  return {
    params,
    results: [result],
    write: (code, parts) => {
      const f = new Formula(code, parts);
      const at = (index: number): Variable => f.param(index, params[index] ?? "i32");
      body(f, at(0), at(1), at(2), at(3)).push();
    },
  };
}

function constant(code: Code, type: ValueName, value: number | bigint): Value {
  return new Value(code, type, () => {
    switch (type) {
      case "i32":
        return code.i32(Number(value));
      case "i64":
        return code.i64(BigInt(value));
      case "f32":
        return code.f32(Number(value));
      case "f64":
        return code.f64(Number(value));
      case "v128":
        throw new Error("Invariant: constants are scalars");
    }
  });
}

function operation(type: ValueName, name: string): OpName {
  const op = `${type}${name}`;
  if (!Object.hasOwn(OP, op)) throw new Error(`Invariant: WebAssembly has no ${op}`);
  return op as OpName;
}
