/**
 * Entries and functions: name, parameters, directives, and the hand-over to the body.
 *
 * Owns the header. Which of several declarations counts is the module's to say. Invariant: parameters that are
 * registers are the first registers of the body, results before arguments.
 */
import { bytesOf, type PtxBody, type PtxFunction, type PtxLinkage, type PtxVariable } from "../ast.ts";
import { BodyNames } from "./names.ts";
import { parseBody } from "./parse_body.ts";
import { parseDirectives, parseParams } from "./parse_header.ts";
import type { ParseState } from "./parse_state.ts";
import { CHAR } from "./tokens.ts";

/** Reads an entry or function from behind `.entry` or `.func` to its end. */
export function parseFunction(
  state: ParseState,
  kind: PtxFunction["kind"],
  linkage: PtxLinkage | undefined,
): PtxFunction {
  const { lexer, declarations } = state;
  const directives = new Map<string, readonly number[]>();
  parseDirectives(lexer, directives);
  const returns = kind === "func" && lexer.kind === CHAR.parenOpen ? parseParams(lexer, declarations) : [];
  const { line } = lexer;
  const name = lexer.word("a name");
  const params = lexer.kind === CHAR.parenOpen ? parseParams(lexer, declarations) : [];
  parseDirectives(lexer, directives);
  let body: PtxBody | undefined;
  if (!lexer.accept(CHAR.semicolon)) {
    lexer.expect(CHAR.braceOpen, "`{` or `;`");
    state.places.end(line);
    body = parseBody(state, namesOf(state, [...returns, ...params]));
  }
  return { kind, name, line, linkage, params, returns, directives, body };
}

// Parameters are outside of the outermost brace, which the names are then in: `.reg .pred p<4>` hides a
// parameter `p0`, as ptxas has it.
function namesOf(state: ParseState, params: readonly PtxVariable[]): BodyNames {
  const names = new BodyNames(state.variables);
  for (const param of params) {
    if (param.name === "_") continue;
    if (param.space === "param") {
      names.declareVariable(param);
    } else {
      const width = param.type === "pred" ? 1 : param.byteLength / bytesOf(param.type);
      names.declareRegister(param.name, param.type, width, param.line);
    }
  }
  names.open();
  return names;
}
