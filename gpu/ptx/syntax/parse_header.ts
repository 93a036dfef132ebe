/**
 * What the headers of functions and of prototypes are made of: parameter lists and directives.
 *
 * Owns their forms; names are put into scopes by parse_function.ts. Invariant: a directive that is not known
 * is kept with its numbers, for a later PTX than this was written for.
 */
import type { PtxVariable } from "../ast.ts";
import { parseCount } from "./constant.ts";
import type { PtxLexer } from "./lexer.ts";
import {
  type DeclarationState,
  parseDeclaration,
  parseVariable,
  skipParenthesis,
  spaceOf,
} from "./parse_variable.ts";
import { CHAR, TOKEN } from "./tokens.ts";

const DIRECTIVE_VALUE_MAX = 2 ** 32 - 1;

/** Reads a list of parameters with its parentheses; in a prototype their names are `_`. */
export function parseParams(lexer: PtxLexer, state: DeclarationState): PtxVariable[] {
  const params: PtxVariable[] = [];
  lexer.expect(CHAR.parenOpen, "`(`");
  if (lexer.accept(CHAR.parenClose)) return params;
  for (;;) {
    const space = lexer.kind === TOKEN.dotWord ? spaceOf(lexer.text()) : undefined;
    if (space !== "param" && space !== "reg") throw lexer.unexpected("`.param` or `.reg`");
    lexer.next();
    const declaration = parseDeclaration(lexer, space, undefined);
    const isPredicate = declaration.type === "pred";
    // A predicate has no bytes, which in memory is an error.
    const variables = parseVariable(lexer, isPredicate ? { ...declaration, type: "b8" } : declaration, state);
    for (const variable of variables) params.push(isPredicate ? { ...variable, type: "pred" } : variable);
    if (lexer.accept(CHAR.parenClose)) return params;
    lexer.expect(CHAR.comma, "`,` or `)`");
  }
}

/** Reads what may stand between header and body: `.maxntid 256, 1, 1`, `.noreturn`. */
export function parseDirectives(lexer: PtxLexer, directives: Map<string, readonly number[]>): void {
  while (lexer.kind === TOKEN.dotWord) {
    const name = lexer.text().slice(1);
    lexer.next();
    if (name === "pragma") {
      skipPragma(lexer);
    } else if (name === "attribute") {
      skipParenthesis(lexer);
    } else {
      directives.set(name, parseNumbers(lexer, `a value of .${name}`));
    }
  }
}

/** Passes over the strings of a `.pragma` and its semicolon. */
export function skipPragma(lexer: PtxLexer): void {
  do {
    lexer.expect(TOKEN.string, "a string");
  } while (lexer.accept(CHAR.comma));
  lexer.expect(CHAR.semicolon, "`;`");
}

function parseNumbers(lexer: PtxLexer, what: string): number[] {
  const numbers: number[] = [];
  if (lexer.kind !== TOKEN.number) return numbers;
  do {
    numbers.push(parseCount(lexer, what, DIRECTIVE_VALUE_MAX));
  } while (lexer.accept(CHAR.comma));
  return numbers;
}
