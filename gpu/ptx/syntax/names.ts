/**
 * BodyNames: what the names in a function's body mean, brace by brace.
 *
 * Owns scopes, the numbering of registers and labels that are used before they stand. It reads no text.
 * Invariant: a name means one thing per scope, the innermost one that has it decides, and a parameterised
 * declaration such as `%r<100>` costs nothing until one of its names is used.
 */
import type { PtxOperand, PtxRegister, PtxType, PtxVariable } from "../ast.ts";
import { shown } from "./lexer.ts";
import { PtxError } from "../ptx_error.ts";

/** Registers of one function, used or not; declared by 30 characters, they could be any number. */
export const REGISTERS_MAX = 1_000_000;
/** Uses of labels before they stand, in one function. */
const FORWARD_USES_MAX = 500_000;
/** Digits of the numbers below that. */
const NUMBER_DIGITS_MAX = 6;

/** Names of the elements of a vector register, by index. */
const COMPONENTS = ["x", "y", "z", "w"];

/** A use of a name that nothing visible has yet: an element of an operand list to be filled in. */
export interface PtxForwardUse {
  readonly name: string;
  readonly line: number;
  readonly elements: PtxOperand[];
  readonly index: number;
}

/** `%r<100>`: names with a number below the count, in the scope of that depth. */
interface RegisterRange {
  readonly depth: number;
  readonly count: number;
  readonly type: PtxType;
  readonly width: number;
}

interface Scope {
  readonly names: Map<string, PtxOperand>;
  /** Lowest number of the names that are a prefix and a number: what a range would declare once more. */
  readonly numbered: Map<string, number>;
  /** Prefixes of the ranges that it declares. */
  readonly prefixes: string[];
  /** Uses before anything of the name stands. */
  forward: ForwardUses;
}

type ForwardUses = Map<string, PtxForwardUse[]>;

/** The names of one function. Methods throw PtxError with the line they are given. */
export class BodyNames {
  readonly registers: PtxRegister[] = [];
  /** First label of each name. */
  readonly labels: Map<string, number> = new Map();
  readonly #moduleNames: ReadonlyMap<string, PtxOperand>;
  readonly #scopes: Scope[] = [];
  #scope: Scope = makeScope();
  /** The ranges of each prefix that are visible, the innermost last. */
  readonly #ranges = new Map<string, RegisterRange[]>();
  /** How many scopes around here have ranges, by depth. */
  readonly #rangeDepths: number[] = [];
  #declaredCount = 0;
  #forwardCount = 0;

  /** Starts outside of all braces, where parameters are declared. */
  constructor(moduleNames: ReadonlyMap<string, PtxOperand>) {
    this.#moduleNames = moduleNames;
    this.#scopes.push(this.#scope);
  }

  /** Open braces. */
  get depth(): number {
    return this.#scopes.length - 1;
  }

  /** Enters a brace. */
  open(): void {
    this.#scope = makeScope();
    this.#scopes.push(this.#scope);
  }

  /** Leaves it: labels of the scope meet the uses before them, and the rest is for the scope around it. */
  close(): void {
    const outer = this.#scopes[this.depth - 1];
    if (outer === undefined) return;
    const { names, forward, prefixes } = this.#scope;
    answer(forward, names);
    outer.forward = merged(outer.forward, forward);
    for (const prefix of prefixes) this.#ranges.get(prefix)?.pop();
    if (prefixes.length > 0) this.#rangeDepths.pop();
    this.#scopes.pop();
    this.#scope = outer;
  }

  /** Uses that no label of the function answered: functions of the module, if anything. */
  unanswered(): readonly PtxForwardUse[] {
    return [...this.#scope.forward.values()].flat();
  }

  /** What `name` means here, undefined if nothing visible is called that so far, or only a label around. */
  find(name: string): PtxOperand | undefined {
    let depth = this.depth;
    let operand: PtxOperand | undefined;
    for (; depth >= 0; depth--) {
      operand = this.#scopes[depth]?.names.get(name);
      if (operand !== undefined) break;
    }
    // A label of an outer brace can still get a namesake in this one, which its closing tells.
    if (operand?.kind === "label" && depth < this.depth) return undefined;
    // Nearly always the ranges are no deeper than the name that one of them has given.
    if (depth < (this.#rangeDepths.at(-1) ?? -1)) operand = this.#inRange(name, depth + 1) ?? operand;
    return operand ?? this.#moduleNames.get(name);
  }

  /** Remembers that `elements[index]` is a name which stands further on. */
  defer(use: PtxForwardUse): void {
    if (++this.#forwardCount > FORWARD_USES_MAX) {
      throw new PtxError(
        use.line,
        "limit",
        `a function uses more than ${FORWARD_USES_MAX} labels before they stand`,
      );
    }
    const { forward } = this.#scope;
    const uses = forward.get(use.name);
    if (uses === undefined) forward.set(use.name, [use]);
    else uses.push(use);
  }

  /** Declares a register, or one of `width` elements. */
  declareRegister(name: string, type: PtxType, width: number, line: number): void {
    this.#count(width, line);
    this.#declare(name, this.#makeRegister(name, type, width), line);
    this.#rememberNumber(name);
  }

  /** Declares `prefix0` to `prefix(count-1)`. */
  declareRegisters(prefix: string, count: number, type: PtxType, width: number, line: number): void {
    this.#count(count * width, line);
    const { numbered, prefixes } = this.#scope;
    const depth = this.depth;
    const ranges = this.#ranges.get(prefix);
    if (ranges?.at(-1)?.depth === depth || (numbered.get(prefix) ?? count) < count) {
      throw duplicate(prefix, line);
    }
    const range = { depth, count, type, width };
    if (ranges === undefined) this.#ranges.set(prefix, [range]);
    else ranges.push(range);
    if (prefixes.push(prefix) === 1) this.#rangeDepths.push(depth);
  }

  /** Declares a variable of the body or a parameter in memory. */
  declareVariable(variable: PtxVariable): void {
    this.#declare(variable.name, { kind: "variable", variable, offset: 0n }, variable.line);
    this.#rememberNumber(variable.name);
  }

  /** Declares a label that stands before instruction `target`. */
  declareLabel(name: string, target: number, line: number): void {
    this.#declare(name, { kind: "label", name, target }, line);
    if (!this.labels.has(name)) this.labels.set(name, target);
  }

  /** Declares the name of a table of branches or of a prototype. */
  declareTable(name: string, operand: PtxOperand, line: number): void {
    this.#declare(name, operand, line);
  }

  #declare(name: string, operand: PtxOperand, line: number): void {
    if (name === "_") throw new PtxError(line, "syntax", "`_` is no name");
    const { names, prefixes } = this.#scope;
    const isParameter = this.depth === 1 && this.#scopes[0]?.names.has(name);
    if (
      names.has(name) || isParameter || (prefixes.length > 0 && this.#inRange(name, this.depth) !== undefined)
    ) {
      throw duplicate(name, line);
    }
    names.set(name, operand);
  }

  #rememberNumber(name: string): void {
    const { numbered } = this.#scope;
    for (let at = numberStart(name); at < name.length; at++) {
      const prefix = name.slice(0, at);
      const number = Number(name.slice(at));
      if (!hasLeadingZero(name, at) && number < (numbered.get(prefix) ?? Infinity)) {
        numbered.set(prefix, number);
      }
    }
  }

  #count(count: number, line: number): void {
    this.#declaredCount += count;
    if (this.#declaredCount > REGISTERS_MAX) {
      throw new PtxError(line, "limit", `a function declares more than ${REGISTERS_MAX} registers`);
    }
  }

  // Makes a register of the innermost range that has the name, at its first use; of depth `depthMin` or more.
  #inRange(name: string, depthMin: number): PtxOperand | undefined {
    let found: RegisterRange | undefined;
    // `%a12` is number 12 of `%a`, and number 2 of `%a1`.
    for (let at = numberStart(name); at < name.length; at++) {
      const ranges = this.#ranges.get(name.slice(0, at));
      if (ranges === undefined || hasLeadingZero(name, at)) continue;
      const number = Number(name.slice(at));
      const range = ranges.findLast((one) => number < one.count);
      if (range !== undefined && range.depth >= (found?.depth ?? depthMin)) found = range;
    }
    if (found === undefined) return undefined;
    const operand = this.#makeRegister(name, found.type, found.width);
    this.#scopes[found.depth]?.names.set(name, operand);
    return operand;
  }

  #makeRegister(name: string, type: PtxType, width: number): PtxOperand {
    if (width === 1) {
      const register = this.registers.push({ name, type }) - 1;
      return { kind: "register", register };
    }
    const elements: PtxOperand[] = COMPONENTS.slice(0, width).map((component) => ({
      kind: "register",
      register: this.registers.push({ name: `${name}.${component}`, type }) - 1,
    }));
    return { kind: "vector", elements };
  }
}

function makeScope(): Scope {
  return { names: new Map(), numbered: new Map(), prefixes: [], forward: new Map() };
}

/** Gives the uses whose names the scope has their operands and takes them out. */
function answer(forward: ForwardUses, names: ReadonlyMap<string, PtxOperand>): void {
  // The smaller one is walked through: many scopes may close around many uses.
  for (const name of forward.size < names.size ? forward.keys() : names.keys()) {
    const uses = forward.get(name);
    const operand = names.get(name);
    if (uses === undefined || operand === undefined) continue;
    for (const { line, elements, index } of uses) {
      if (operand.kind === "register" || operand.kind === "variable" || operand.kind === "vector") {
        throw new PtxError(line, "syntax", `\`${shown(name)}\` is used before its declaration`);
      }
      elements[index] = operand;
    }
    forward.delete(name);
  }
}

/** The uses of both, in the map that has more of them. */
function merged(one: ForwardUses, other: ForwardUses): ForwardUses {
  const [large, small] = one.size > other.size ? [one, other] : [other, one];
  for (const [name, uses] of small) {
    const present = large.get(name);
    if (present === undefined) large.set(name, uses);
    else for (const use of uses) present.push(use);
  }
  return large;
}

function duplicate(name: string, line: number): PtxError {
  return new PtxError(line, "syntax", `\`${shown(name)}\` is declared twice in one scope`);
}

/** Where the digits at the end of a name begin, of those that can be a number of a range. */
function numberStart(name: string): number {
  const least = Math.max(1, name.length - NUMBER_DIGITS_MAX);
  let at = name.length;
  while (at > least && isDigit(name.charCodeAt(at - 1))) at--;
  return at;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Whether the number from `at` on is written as no range writes it: `01`. */
function hasLeadingZero(name: string, at: number): boolean {
  return name.charCodeAt(at) === 0x30 && at < name.length - 1;
}
