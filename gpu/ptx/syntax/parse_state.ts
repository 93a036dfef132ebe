/**
 * What the parts of the parser share while they read one module.
 *
 * Owns nothing but the type. Invariant: one state belongs to one call of `parsePtx`.
 */
import type { PtxOperand } from "../ast.ts";
import type { SourcePlaces } from "../source_places.ts";
import type { PtxLexer } from "./lexer.ts";
import type { PtxForwardUse } from "./names.ts";
import type { DeclarationState } from "./parse_variable.ts";

/** An opcode with its modifiers, one object for all instructions that are written alike. */
export interface OpcodeWord {
  readonly opcode: string;
  readonly modifiers: readonly string[];
}

/** The state of one parse. */
export interface ParseState {
  readonly lexer: PtxLexer;
  readonly declarations: DeclarationState;
  /** Module-scope variables by name, as operands. */
  readonly variables: Map<string, PtxOperand & { kind: "variable" }>;
  readonly opcodes: Map<string, OpcodeWord>;
  /** Names that may be functions declared further on. */
  readonly forward: PtxForwardUse[];
  readonly places: SourcePlaces;
  instructionsLeft: number;
}
