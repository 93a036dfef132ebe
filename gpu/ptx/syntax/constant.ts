/**
 * Constants of PTX: numbers as written and the constant expressions made of them (PTX ISA 4.5).
 *
 * Owns literals, operators and their 64-bit signed and unsigned arithmetic; it does not know what type the
 * place wants. Invariant: a value is in the range of its signedness, and nesting is bounded.
 */
import type { PtxLexer } from "./lexer.ts";
import { CHAR, classOf, DIGIT, HEX, TOKEN } from "./tokens.ts";

/** Nested parentheses, braces and unary operators that any part of a text may have. */
export const NESTING_MAX = 64;

/** An integer, in the range of its 64 bits. */
export interface PtxInteger {
  readonly kind: "integer";
  readonly value: bigint;
  readonly isUnsigned: boolean;
}

/** What a constant expression yields. */
export type PtxConstant =
  | PtxInteger
  | { readonly kind: "float"; readonly width: 32 | 64; readonly bits: bigint };

const DIGITS_MAX = 128;
const UNSIGNED_MAX = (1n << 64n) - 1n;
const SIGNED_MAX = (1n << 63n) - 1n;

/** Precedence of binary operators; what is not here ends an expression. */
const PRECEDENCE: ReadonlyMap<number, number> = new Map<number, number>([
  [TOKEN.orOr, 1],
  [TOKEN.andAnd, 2],
  [CHAR.bar, 3],
  [CHAR.caret, 4],
  [CHAR.ampersand, 5],
  [TOKEN.equal, 6],
  [TOKEN.notEqual, 6],
  [CHAR.less, 7],
  [CHAR.greater, 7],
  [TOKEN.lessEqual, 7],
  [TOKEN.greaterEqual, 7],
  [TOKEN.shiftLeft, 8],
  [TOKEN.shiftRight, 8],
  [CHAR.plus, 9],
  [CHAR.minus, 9],
  [CHAR.star, 10],
  [CHAR.slash, 10],
  [CHAR.percent, 10],
]);

/** Reads a constant expression, integer or floating. Throws PtxError. */
export function parseConstant(lexer: PtxLexer, depth = 0): PtxConstant {
  if (depth > NESTING_MAX) throw lexer.error("a constant expression is nested too deep", "limit");
  const condition = parseBinary(lexer, 1, depth);
  if (lexer.kind !== CHAR.question) return condition;
  const isTrue = integerOf(lexer, condition).value !== 0n;
  lexer.next();
  const first = parseConstant(lexer, depth + 1);
  lexer.expect(CHAR.colon, "`:`");
  const second = parseConstant(lexer, depth + 1);
  return isTrue ? first : second;
}

/** Reads a constant expression that must be an integer, as its value. */
export function parseInteger(lexer: PtxLexer): bigint {
  if (lexer.kind === TOKEN.number && lexer.isFollowedByEnd()) {
    const small = smallInteger(lexer);
    if (small >= 0) {
      lexer.next();
      return BigInt(small);
    }
  }
  return integerOf(lexer, parseConstant(lexer)).value;
}

/**
 * The non-negative integer literal that is the present token and passes over it: for counts, sizes and
 * alignments, where no expression may stand. `max` is refused as a limit when it is exceeded.
 */
export function parseCount(lexer: PtxLexer, what: string, max: number): number {
  if (lexer.kind !== TOKEN.number) throw lexer.unexpected(what);
  const small = smallInteger(lexer);
  const value = small >= 0 ? BigInt(small) : integerOf(lexer, literal(lexer)).value;
  if (value > BigInt(max)) throw lexer.error(`${what} is ${value}, above the limit of ${max}`, "limit");
  lexer.next();
  return Number(value);
}

/** The present token if it is a plain decimal below 10^9, else -1; made without a string. */
export function smallInteger(lexer: PtxLexer): number {
  const length = lexer.end - lexer.start;
  if (length > 9) return -1;
  const first = lexer.codeAt(0) - 0x30;
  if (first === 0 && length > 1) return -1;
  let value = 0;
  for (let i = 0; i < length; i++) {
    const digit = lexer.codeAt(i) - 0x30;
    // A decimal point, a suffix or a base is for `literal`.
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

function integerOf(lexer: PtxLexer, constant: PtxConstant): PtxInteger {
  if (constant.kind !== "integer") throw lexer.error("a floating-point constant where an integer belongs");
  return constant;
}

function parseBinary(lexer: PtxLexer, precedenceMin: number, depth: number): PtxConstant {
  let left = parseUnary(lexer, depth);
  for (;;) {
    const operator = lexer.kind;
    const precedence = PRECEDENCE.get(operator);
    if (precedence === undefined || precedence < precedenceMin) return left;
    lexer.next();
    const right = parseBinary(lexer, precedence + 1, depth);
    left = combine(lexer, operator, integerOf(lexer, left), integerOf(lexer, right));
  }
}

function parseUnary(lexer: PtxLexer, depth: number): PtxConstant {
  if (depth > NESTING_MAX) throw lexer.error("a constant expression is nested too deep", "limit");
  switch (lexer.kind) {
    case CHAR.plus:
      lexer.next();
      return parseUnary(lexer, depth + 1);
    case CHAR.minus:
      lexer.next();
      return negated(lexer, parseUnary(lexer, depth + 1));
    case CHAR.tilde: {
      lexer.next();
      const { value, isUnsigned } = integerOf(lexer, parseUnary(lexer, depth + 1));
      return integer(~value, isUnsigned);
    }
    case CHAR.bang:
      lexer.next();
      return integer(integerOf(lexer, parseUnary(lexer, depth + 1)).value === 0n ? 1n : 0n, false);
    case CHAR.parenOpen:
      lexer.next();
      return parseParenthesis(lexer, depth + 1);
    default:
      return parsePrimary(lexer);
  }
}

function parseParenthesis(lexer: PtxLexer, depth: number): PtxConstant {
  if (lexer.kind === TOKEN.dotWord) {
    const isUnsigned = lexer.is(".u64");
    if (!isUnsigned && !lexer.is(".s64")) throw lexer.unexpected("`.s64` or `.u64`");
    lexer.next();
    lexer.expect(CHAR.parenClose, "`)`");
    return integer(integerOf(lexer, parseUnary(lexer, depth)).value, isUnsigned);
  }
  const constant = parseConstant(lexer, depth);
  lexer.expect(CHAR.parenClose, "`)`");
  return constant;
}

function parsePrimary(lexer: PtxLexer): PtxConstant {
  let constant: PtxConstant;
  if (lexer.kind === TOKEN.number) {
    constant = literal(lexer);
  } else if (lexer.kind === TOKEN.word && lexer.is("WARP_SZ")) {
    constant = integer(32n, false);
  } else if (lexer.kind === TOKEN.dotWord && (classOf(lexer.codeAt(1)) & DIGIT) !== 0) {
    constant = literal(lexer);
  } else {
    throw lexer.unexpected("a constant");
  }
  lexer.next();
  return constant;
}

/** The value of a token that starts with a digit. */
function literal(lexer: PtxLexer): PtxConstant {
  // Megabytes of digits would keep BigInt and the patterns below busy for long.
  if (lexer.end - lexer.start > DIGITS_MAX) throw lexer.error("a number is too long", "limit");
  const text = lexer.text();
  const second = text.charCodeAt(1) | 0x20;
  if (text.charCodeAt(0) === 0x30 && (second === 0x66 || second === 0x64)) {
    const width = second === 0x66 ? 32 : 64;
    if (text.length !== 2 + width / 4 || !areDigits(text, 2, text.length, HEX)) {
      throw lexer.error(`a hexadecimal float has ${width / 4} digits`);
    }
    return { kind: "float", width, bits: BigInt(`0x${text.slice(2)}`) };
  }
  const isUnsigned = text.endsWith("U");
  const end = isUnsigned ? text.length - 1 : text.length;
  const value = integerValue(text, end);
  if (value === undefined) return decimalFloat(lexer, text);
  if (value > UNSIGNED_MAX) throw lexer.error("an integer constant needs more than 64 bits", "limit");
  return { kind: "integer", value, isUnsigned: isUnsigned || value > SIGNED_MAX };
}

/** The digits of an integer up to `end`, undefined if they are not digits of its base. */
function integerValue(text: string, end: number): bigint | undefined {
  const digits = text.slice(0, end);
  if (/^0[xX][0-9a-fA-F]+$/.test(digits) || /^0[bB][01]+$/.test(digits)) return BigInt(digits.toLowerCase());
  if (/^0[0-7]+$/.test(digits)) return BigInt(`0o${digits.slice(1)}`);
  return /^(0|[1-9][0-9]*)$/.test(digits) ? BigInt(digits) : undefined;
}

function decimalFloat(lexer: PtxLexer, text: string): PtxConstant {
  // Digits alone are none: `089` is no octal number either.
  if (!/^([0-9]+\.[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[0-9]+[eE][+-]?[0-9]+$/.test(text)) {
    throw lexer.error("a number that is neither integer nor floating-point");
  }
  return { kind: "float", width: 64, bits: bitsOfDouble(Number(text)) };
}

function bitsOfDouble(value: number): bigint {
  return new BigUint64Array(Float64Array.of(value).buffer)[0] ?? 0n;
}

function areDigits(text: string, from: number, to: number, bits: number): boolean {
  for (let i = from; i < to; i++) {
    if ((classOf(text.charCodeAt(i)) & bits) === 0) return false;
  }
  return true;
}

function integer(value: bigint, isUnsigned: boolean): PtxInteger {
  return {
    kind: "integer",
    value: isUnsigned ? BigInt.asUintN(64, value) : BigInt.asIntN(64, value),
    isUnsigned,
  };
}

function negated(lexer: PtxLexer, constant: PtxConstant): PtxConstant {
  if (constant.kind === "integer") {
    // The least signed integer is written as minus a number that has no signed form.
    return integer(-constant.value, constant.isUnsigned && constant.value !== SIGNED_MAX + 1n);
  }
  // ptxas has no minus before a hexadecimal float either.
  if (constant.width === 32) throw lexer.error("a minus before a hexadecimal float");
  return { kind: "float", width: 64, bits: constant.bits ^ (1n << 63n) };
}

function combine(lexer: PtxLexer, operator: number, left: PtxInteger, right: PtxInteger): PtxInteger {
  const isUnsigned = left.isUnsigned || right.isUnsigned;
  const a = isUnsigned ? BigInt.asUintN(64, left.value) : left.value;
  const b = isUnsigned ? BigInt.asUintN(64, right.value) : right.value;
  switch (operator) {
    case CHAR.star:
      return integer(a * b, isUnsigned);
    case CHAR.slash:
    case CHAR.percent:
      if (b === 0n) throw lexer.error("a constant expression divides by zero");
      return integer(operator === CHAR.slash ? a / b : a % b, isUnsigned);
    case CHAR.plus:
      return integer(a + b, isUnsigned);
    case CHAR.minus:
      return integer(a - b, isUnsigned);
    case CHAR.ampersand:
      return integer(a & b, isUnsigned);
    case CHAR.caret:
      return integer(a ^ b, isUnsigned);
    case CHAR.bar:
      return integer(a | b, isUnsigned);
    case TOKEN.shiftLeft:
      return integer(left.value << shiftCount(right), left.isUnsigned);
    case TOKEN.shiftRight:
      return integer(left.value >> shiftCount(right), left.isUnsigned);
    default:
      return integer(isTrue(operator, a, b) ? 1n : 0n, false);
  }
}

/** Beyond 64 a shift gives what 64 gives; the bound keeps the intermediate value small. */
function shiftCount(count: PtxInteger): bigint {
  const value = BigInt.asUintN(64, count.value);
  return value > 64n ? 64n : value;
}

function isTrue(operator: number, a: bigint, b: bigint): boolean {
  switch (operator) {
    case CHAR.less:
      return a < b;
    case CHAR.greater:
      return a > b;
    case TOKEN.lessEqual:
      return a <= b;
    case TOKEN.greaterEqual:
      return a >= b;
    case TOKEN.equal:
      return a === b;
    case TOKEN.notEqual:
      return a !== b;
    case TOKEN.andAnd:
      return a !== 0n && b !== 0n;
    default:
      return a !== 0n || b !== 0n;
  }
}
