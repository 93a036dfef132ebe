/**
 * Declarations: registers and variables of every space, in modules, bodies and parameter lists.
 *
 * Owns attributes, types, dimensions and sizes. Who may see a name is the scopes' business. Invariant: a
 * variable is at most 2^32 bytes and its alignment a power of two, whatever numbers the text has.
 */
import {
  bytesOf,
  isPtxType,
  type PtxInitializer,
  type PtxLinkage,
  type PtxSpace,
  type PtxType,
} from "../ast.ts";
import type { PtxVariable } from "../ast.ts";
import { parseCount } from "./constant.ts";
import { type InitializerBudget, InitializerReader, type SymbolUse } from "./initializer.ts";
import { type PtxLexer, shown } from "./lexer.ts";
import { REGISTERS_MAX } from "./names.ts";
import { CHAR, TOKEN } from "./tokens.ts";

/** Bytes of one variable. */
const VARIABLE_BYTES_MAX = 2 ** 32;
const ALIGNMENT_MAX = 2 ** 31;
const DIMENSIONS_MAX = 64;
/** Variables made by all `name<count>` of a module. */
const NUMBERED_MAX = 10_000;

/** What declarations of one module share. */
export interface DeclarationState {
  readonly initializers: InitializerBudget;
  /** Names in initialisers, to be looked up when the module is complete. */
  readonly symbols: SymbolUse[];
  numberedLeft: number;
}

/** The state before the first declaration. */
export function makeDeclarationState(initializers: InitializerBudget): DeclarationState {
  return { initializers, symbols: [], numberedLeft: NUMBERED_MAX };
}

const SPACES: ReadonlyMap<string, PtxSpace> = new Map([
  [".global", "global"],
  [".const", "const"],
  [".shared", "shared"],
  [".local", "local"],
  [".param", "param"],
  [".reg", "reg"],
]);

const LINKAGES: ReadonlyMap<string, PtxLinkage> = new Map([
  [".extern", "extern"],
  [".visible", "visible"],
  [".weak", "weak"],
  [".common", "common"],
]);

/** Types that name a texture, a sampler or a surface: eight bytes that no instruction here reads. */
const OPAQUE: ReadonlySet<string> = new Set([".texref", ".samplerref", ".surfref"]);

/** The space that a directive such as `.global` or `.shared::cta` names. */
export function spaceOf(directive: string): PtxSpace | undefined {
  return SPACES.get(directive);
}

/** The linkage that a directive such as `.extern` names. */
export function linkageOf(directive: string): PtxLinkage | undefined {
  return LINKAGES.get(directive);
}

/** Attributes and type of a declaration: what stands before its names. */
export interface PtxDeclaration {
  readonly space: PtxSpace;
  readonly linkage: PtxLinkage | undefined;
  readonly type: PtxType;
  /** Elements of its vector type, 1 for none. */
  readonly width: number;
  /** As written, 0 if it is not. */
  readonly alignment: number;
  readonly isOpaque: boolean;
}

/** Reads from behind the space up to the first name. */
export function parseDeclaration(
  lexer: PtxLexer,
  space: PtxSpace,
  linkage: PtxLinkage | undefined,
): PtxDeclaration {
  let alignment = 0;
  let width = 1;
  let type: PtxType | undefined;
  let isOpaque = false;
  let isPointer = false;
  while (lexer.kind === TOKEN.dotWord) {
    const word = lexer.text();
    const bare = word.slice(1);
    lexer.next();
    if (word === ".align") {
      const written = parseAlignment(lexer);
      // Behind `.ptr` it is that of what the parameter points to.
      if (!isPointer) alignment = written;
    } else if (word === ".v2" || word === ".v4") {
      width = Number(bare.slice(1));
    } else if (isPtxType(bare) && type === undefined) {
      type = bare;
    } else if (OPAQUE.has(word) && type === undefined) {
      type = "b64";
      isOpaque = true;
    } else if (word === ".ptr") {
      isPointer = true;
    } else if (word === ".attribute") {
      skipParenthesis(lexer);
    } else if (!(isPointer && SPACES.has(word))) {
      throw lexer.error(`\`${shown(word)}\` does not belong to a declaration`);
    }
  }
  if (type === undefined) throw lexer.unexpected("a type");
  if (type === "pred" && space !== "reg") throw lexer.error("a predicate is a register");
  return { space, linkage, type, width, alignment, isOpaque };
}

/** Reads one name with what follows it, up to the comma or semicolon. Not for registers. */
export function parseVariable(
  lexer: PtxLexer,
  declaration: PtxDeclaration,
  state: DeclarationState,
): PtxVariable[] {
  const { line } = lexer;
  const name = lexer.word("a name");
  const count = lexer.kind === CHAR.less ? parseNumbered(lexer, NUMBERED_MAX) : undefined;
  const { type, width, space, linkage } = declaration;
  const elementBytes = bytesOf(type);
  const dimensions = parseDimensions(lexer, elementBytes * width);
  if (space === "reg" && dimensions.length > 0) throw lexer.error("an array is no register");
  let isSized = dimensions[0] !== undefined || dimensions.length === 0;
  if (width > 1) dimensions.push(width);
  let byteLength = isSized ? bytesOfAll(dimensions, elementBytes) : 0;
  let initializer: PtxInitializer | undefined;
  if (lexer.accept(CHAR.equals)) {
    if (declaration.isOpaque) {
      skipBraces(lexer);
    } else {
      const reader = new InitializerReader(lexer, type, state.initializers);
      byteLength = reader.read(dimensions);
      if (!(byteLength <= VARIABLE_BYTES_MAX)) throw lexer.error("a variable is larger than 4 GiB", "limit");
      initializer = reader.finish();
      for (const use of reader.symbols) state.symbols.push(use);
    }
    isSized = true;
  }
  if (byteLength === 0 && linkage !== "extern" && !(space === "param" && !isSized)) {
    throw lexer.error(`\`${shown(name)}\` has no size`);
  }
  const alignment = declaration.alignment > 0 ? declaration.alignment : elementBytes * width;
  const rest = { space, type, byteLength, alignment, linkage, initializer, line };
  if (count === undefined) return [{ name, ...rest }];
  state.numberedLeft -= count;
  if (state.numberedLeft < 0) {
    throw lexer.error(`more than ${NUMBERED_MAX} variables by number`, "limit");
  }
  return Array.from({ length: count }, (_, i) => ({ name: `${name}${i}`, ...rest }));
}

/** Reads `<100>`. */
export function parseNumbered(lexer: PtxLexer, max = REGISTERS_MAX): number {
  lexer.expect(CHAR.less, "`<`");
  const count = parseCount(lexer, "the number of names", max);
  lexer.expect(CHAR.greater, "`>`");
  return count;
}

/** Passes over `(...)`, which may hold parentheses. */
export function skipParenthesis(lexer: PtxLexer): void {
  skipBalanced(lexer, CHAR.parenOpen, CHAR.parenClose, "`(`");
}

/** Passes over `{...}`, which may hold braces. */
export function skipBraces(lexer: PtxLexer): void {
  skipBalanced(lexer, CHAR.braceOpen, CHAR.braceClose, "`{`");
}

function skipBalanced(lexer: PtxLexer, open: number, close: number, wanted: string): void {
  lexer.expect(open, wanted);
  for (let depth = 1; depth > 0; lexer.next()) {
    if (lexer.kind === open) depth++;
    else if (lexer.kind === close) depth--;
    else if (lexer.kind === TOKEN.end) throw lexer.unexpected("what closes it");
  }
}

function parseAlignment(lexer: PtxLexer): number {
  const { line } = lexer;
  const alignment = parseCount(lexer, "the alignment", ALIGNMENT_MAX);
  if (alignment === 0 || Math.log2(alignment) % 1 !== 0) {
    throw lexer.error(`alignment ${alignment} in line ${line} is no power of two`);
  }
  return alignment;
}

// The first may be without a number.
function parseDimensions(lexer: PtxLexer, elementBytes: number): (number | undefined)[] {
  const dimensions: (number | undefined)[] = [];
  while (lexer.accept(CHAR.bracketOpen)) {
    if (dimensions.length >= DIMENSIONS_MAX) throw lexer.error("too many dimensions", "limit");
    const isOpen = dimensions.length === 0 && lexer.kind === CHAR.bracketClose;
    dimensions.push(isOpen ? undefined : parseCount(lexer, "a dimension", VARIABLE_BYTES_MAX));
    lexer.expect(CHAR.bracketClose, "`]`");
  }
  let bytes = elementBytes;
  for (const count of dimensions) {
    bytes *= count ?? 1;
    if (bytes > VARIABLE_BYTES_MAX) throw lexer.error("a variable is larger than 4 GiB", "limit");
  }
  return dimensions;
}

function bytesOfAll(dimensions: readonly (number | undefined)[], elementBytes: number): number {
  return dimensions.reduce<number>((bytes, count) => bytes * (count ?? 1), elementBytes);
}
