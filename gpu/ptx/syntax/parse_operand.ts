/**
 * Operands of instructions: registers, addresses, vectors, lists and the names in them.
 *
 * Owns the forms of PTX ISA chapter 6; whether an opcode takes them is not asked here. Invariant: a name that
 * nothing visible has is left to the scopes as a forward use, and every other operand is complete.
 */
import type { PtxBase, PtxOperand } from "../ast.ts";
import { NESTING_MAX, parseConstant, parseInteger, smallInteger } from "./constant.ts";
import { type PtxLexer, shown } from "./lexer.ts";
import type { BodyNames } from "./names.ts";
import { specialRegisterForm } from "./special_registers.ts";
import { CHAR, TOKEN } from "./tokens.ts";

const SINK: PtxOperand = { kind: "sink" };
const ABSOLUTE: PtxBase = { kind: "absolute" };

/** Letters of a vector's elements, by name of position and of colour. */
const COMPONENT_INDEX: ReadonlyMap<string, number> = new Map([
  [".x", 0],
  [".y", 1],
  [".z", 2],
  [".w", 3],
  [".r", 0],
  [".g", 1],
  [".b", 2],
  [".a", 3],
]);

/** Letters of a special register's elements. */
const SPECIAL_COMPONENTS: readonly string[] = [".x", ".y", ".z", ".w"];

/** Integers that most immediates are, made once. */
const SMALL_INTEGERS: readonly PtxOperand[] = Array.from({ length: 1025 }, (_, i) => ({
  kind: "integer",
  value: BigInt(i),
}));

/** Reads the operands of an instruction up to its semicolon. `isCall`: parentheses are lists. */
export function parseOperands(lexer: PtxLexer, names: BodyNames, isCall: boolean): PtxOperand[] {
  const elements: PtxOperand[] = [];
  if (lexer.accept(CHAR.semicolon)) return elements;
  for (;;) {
    parseOperand(lexer, names, elements, isCall, 0);
    if (lexer.accept(CHAR.semicolon)) return elements;
    lexer.expect(CHAR.comma, "`,` or `;`");
  }
}

function parseOperand(
  lexer: PtxLexer,
  names: BodyNames,
  into: PtxOperand[],
  isCall: boolean,
  depth: number,
): void {
  if (depth > NESTING_MAX) throw lexer.error("operands are nested too deep", "limit");
  switch (lexer.kind) {
    case TOKEN.word:
      parseWord(lexer, names, into);
      return;
    case CHAR.bracketOpen:
      into.push(parseAddress(lexer, names, depth));
      return;
    case CHAR.braceOpen: {
      lexer.next();
      into.push({ kind: "vector", elements: parseElements(lexer, names, CHAR.braceClose, depth) });
      return;
    }
    case CHAR.parenOpen:
      if (isCall) {
        lexer.next();
        into.push({ kind: "list", elements: parseElements(lexer, names, CHAR.parenClose, depth) });
      } else {
        into.push(constantOperand(lexer));
      }
      return;
    case CHAR.bang: {
      lexer.next();
      const { register } = parseRegister(lexer, names);
      into.push({ kind: "register", register, isNegated: true });
      return;
    }
    default:
      into.push(constantOperand(lexer));
  }
}

/** The elements of a vector or list up to and with its closing character. */
function parseElements(
  lexer: PtxLexer,
  names: BodyNames,
  close: number,
  depth: number,
  elements: PtxOperand[] = [],
): PtxOperand[] {
  if (lexer.accept(close)) return elements;
  for (;;) {
    parseOperand(lexer, names, elements, false, depth + 1);
    if (lexer.accept(close)) return elements;
    lexer.expect(CHAR.comma, close === CHAR.parenClose ? "`,` or `)`" : "`,` or `}`");
  }
}

/** A register where nothing else may stand: a guard, a negated predicate. */
export function parseRegister(lexer: PtxLexer, names: BodyNames): PtxOperand & { kind: "register" } {
  const text = lexer.text();
  const operand = lexer.kind === TOKEN.word ? namedOperand(lexer, names, text) : undefined;
  if (operand?.kind !== "register") {
    throw lexer.kind === TOKEN.word && operand === undefined ? undeclared(lexer, text) : lexer.unexpected(
      "a register",
    );
  }
  lexer.next();
  return operand;
}

function parseWord(lexer: PtxLexer, names: BodyNames, into: PtxOperand[]): void {
  const text = lexer.text();
  const operand = namedOperand(lexer, names, text);
  if (operand === undefined) {
    if (text === "WARP_SZ") {
      into.push(constantOperand(lexer));
      return;
    }
    // A label or a function that stands further on, or nothing.
    names.defer({ name: text, line: lexer.line, elements: into, index: into.length });
    into.push(SINK);
    lexer.next();
    return;
  }
  lexer.next();
  if (lexer.kind === CHAR.bar && (operand.kind === "register" || operand.kind === "sink")) {
    into.push({ kind: "pair", first: operand, second: parseSecond(lexer, names) });
  } else if (operand.kind === "variable" && (lexer.kind === CHAR.plus || lexer.kind === CHAR.minus)) {
    into.push({ kind: "variable", variable: operand.variable, offset: parseInteger(lexer) });
  } else if (lexer.kind === CHAR.bracketOpen) {
    throw lexer.error("an index after a name; write the address as `[name+offset]`", "unsupported");
  } else if (lexer.kind === TOKEN.dotWord) {
    throw lexer.error(`a part of a register, \`${shown(lexer.text())}\``, "unsupported");
  } else {
    into.push(operand);
  }
}

/** The second of `d|p`. */
function parseSecond(lexer: PtxLexer, names: BodyNames): PtxOperand {
  lexer.next();
  if (lexer.kind === TOKEN.word && lexer.is("_")) {
    lexer.next();
    return SINK;
  }
  return parseRegister(lexer, names);
}

/**
 * What the present word means, with the component that follows a vector: the lexer then stands on the
 * component. Undefined for a name that nothing has.
 */
function namedOperand(lexer: PtxLexer, names: BodyNames, text: string): PtxOperand | undefined {
  if (text === "_") return SINK;
  const operand = names.find(text);
  if (operand === undefined) return specialOperand(lexer, text);
  if (operand.kind !== "vector" || !lexer.isTouchedByDot()) return operand;
  lexer.next();
  const element = operand.elements[COMPONENT_INDEX.get(lexer.text()) ?? -1];
  if (element === undefined) throw lexer.unexpected(`a component of \`${shown(text)}\``);
  return element;
}

function specialOperand(lexer: PtxLexer, text: string): PtxOperand | undefined {
  const form = specialRegisterForm(text);
  if (form === undefined) return undefined;
  const name = text.slice(1);
  if (form === "scalar" || !lexer.isTouchedByDot()) return { kind: "special", name };
  lexer.next();
  const component = lexer.text();
  if (!SPECIAL_COMPONENTS.includes(component)) {
    throw lexer.unexpected(`a component of \`${text}\``);
  }
  return { kind: "special", name: name + component };
}

function constantOperand(lexer: PtxLexer): PtxOperand {
  if (lexer.kind === TOKEN.number) {
    const operand = SMALL_INTEGERS[smallInteger(lexer)];
    if (operand !== undefined && lexer.isFollowedByEnd()) {
      lexer.next();
      return operand;
    }
  } else if (lexer.kind === TOKEN.end) {
    throw lexer.unexpected("an operand");
  }
  const constant = parseConstant(lexer);
  return constant.kind === "integer"
    ? { kind: "integer", value: constant.value }
    : { kind: "float", width: constant.width, bits: constant.bits };
}

/** `[base+offset]`, or with more in the brackets, as textures and tensors have it, a list of that and the rest. */
function parseAddress(lexer: PtxLexer, names: BodyNames, depth: number): PtxOperand {
  lexer.next();
  let base = ABSOLUTE;
  let offset = 0n;
  if (lexer.kind === TOKEN.word && !lexer.is("WARP_SZ")) {
    base = parseBase(lexer, names);
    if (lexer.accept(CHAR.plus)) {
      if (lexer.kind === TOKEN.word && names.find(lexer.text()) !== undefined) {
        throw lexer.error("an address is one name and a constant", "unsupported");
      }
      offset = parseInteger(lexer);
    } else if (lexer.isAt(CHAR.minus)) {
      offset = parseInteger(lexer);
    }
  } else {
    offset = parseInteger(lexer);
  }
  const address: PtxOperand = { kind: "address", base, offset };
  if (lexer.accept(CHAR.bracketClose)) return address;
  lexer.expect(CHAR.comma, "`]`");
  return { kind: "list", elements: parseElements(lexer, names, CHAR.bracketClose, depth, [address]) };
}

function parseBase(lexer: PtxLexer, names: BodyNames): PtxBase {
  const text = lexer.text();
  const operand = namedOperand(lexer, names, text);
  if (operand === undefined) throw undeclared(lexer, text);
  if (operand.kind === "register") {
    lexer.next();
    return operand;
  }
  if (operand.kind !== "variable") throw lexer.unexpected("a register or a variable");
  lexer.next();
  return { kind: "variable", variable: operand.variable };
}

function undeclared(lexer: PtxLexer, name: string): ReturnType<PtxLexer["error"]> {
  return lexer.error(`\`${shown(name)}\` is not declared`);
}
