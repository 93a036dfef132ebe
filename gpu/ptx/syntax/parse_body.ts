/**
 * Bodies of functions: statements, one after the other, with braces flattened away.
 *
 * Owns labels, guards, the directives inside and the tables that labels name. Operands are parse_operand.ts.
 * Invariant: nested braces cost no recursion, and every label that an operand names has its place when the
 * body is done.
 */
import type { PtxBody, PtxInstruction, PtxLinkage, PtxOperand, PtxVariable } from "../ast.ts";
import { NESTING_MAX, parseConstant } from "./constant.ts";
import { type PtxLexer, shown } from "./lexer.ts";
import type { BodyNames } from "./names.ts";
import { parseDirectives, parseParams, skipPragma } from "./parse_header.ts";
import { parseOperands, parseRegister } from "./parse_operand.ts";
import type { OpcodeWord, ParseState } from "./parse_state.ts";
import { linkageOf, parseDeclaration, parseNumbered, parseVariable, spaceOf } from "./parse_variable.ts";
import type { SourcePlaces } from "../source_places.ts";
import { PtxError } from "../ptx_error.ts";
import { CHAR, TOKEN } from "./tokens.ts";

/** Instructions of a module: three times what text of the permitted length holds in practice. */
export const INSTRUCTIONS_MAX = 1_000_000;

/** A `.branchtargets` whose labels stand further on. */
interface BranchTable {
  readonly line: number;
  readonly names: readonly string[];
  /** What they turn out to be, in the same order. */
  readonly labels: readonly PtxOperand[];
  readonly targets: number[];
}

/** Reads a body from behind its opening brace, whose scope is open in `names`, to behind the closing one. */
export function parseBody(state: ParseState, names: BodyNames): PtxBody {
  return new BodyParser(state, names).parse();
}

class BodyParser {
  readonly #state: ParseState;
  readonly #lexer: PtxLexer;
  readonly #names: BodyNames;
  readonly #instructions: PtxInstruction[] = [];
  readonly #variables: PtxVariable[] = [];
  readonly #tables: BranchTable[] = [];

  constructor(state: ParseState, names: BodyNames) {
    this.#state = state;
    this.#lexer = state.lexer;
    this.#names = names;
  }

  parse(): PtxBody {
    do this.#statement(); while (this.#names.depth > 0);
    for (const use of this.#names.unanswered()) this.#state.forward.push(use);
    for (const table of this.#tables) resolveTable(table);
    return {
      registers: this.#names.registers,
      variables: this.#variables,
      instructions: this.#instructions,
      labels: this.#names.labels,
    };
  }

  #statement(): void {
    const lexer = this.#lexer;
    switch (lexer.kind) {
      case TOKEN.word:
        this.#labelOrInstruction();
        return;
      case CHAR.at:
        this.#guarded();
        return;
      case TOKEN.dotWord:
        this.#directive();
        return;
      case CHAR.braceOpen:
        if (this.#names.depth >= NESTING_MAX) throw lexer.error("braces are nested too deep", "limit");
        this.#names.open();
        lexer.next();
        return;
      case CHAR.braceClose:
        this.#names.close();
        lexer.next();
        return;
      case CHAR.semicolon:
        lexer.next();
        return;
      default:
        throw lexer.unexpected("an instruction or `}`");
    }
  }

  #labelOrInstruction(): void {
    const lexer = this.#lexer;
    const { line } = lexer;
    lexer.extendWord();
    const text = lexer.text();
    lexer.next();
    if (lexer.kind !== CHAR.colon) {
      this.#instruction(text, line, undefined);
      return;
    }
    lexer.next();
    if (lexer.isAt(TOKEN.dotWord) && this.#table(text, line)) return;
    this.#names.declareLabel(text, this.#instructions.length, line);
  }

  #guarded(): void {
    const lexer = this.#lexer;
    lexer.next();
    if (lexer.kind === CHAR.at) {
      lexer.skipLine();
      return;
    }
    const isNegated = lexer.accept(CHAR.bang);
    const { register } = parseRegister(lexer, this.#names);
    const { line } = lexer;
    if (lexer.kind !== TOKEN.word) throw lexer.unexpected("an instruction");
    lexer.extendWord();
    const text = lexer.text();
    lexer.next();
    this.#instruction(text, line, { register, isNegated });
  }

  #instruction(text: string, line: number, guard: PtxInstruction["guard"]): void {
    const lexer = this.#lexer;
    let word = this.#state.opcodes.get(text);
    if (word === undefined) {
      word = splitOpcode(text);
      this.#state.opcodes.set(text, word);
    }
    let { modifiers } = word;
    // `add .s32` is permitted, and rare.
    while (lexer.kind === TOKEN.dotWord) {
      modifiers = [...modifiers, lexer.text().slice(1)];
      lexer.next();
    }
    const { opcode } = word;
    const operands = parseOperands(lexer, this.#names, opcode === "call");
    if (--this.#state.instructionsLeft < 0) throw lexer.error("a module has too many instructions", "limit");
    this.#instructions.push({ line, guard, opcode, modifiers, operands });
  }

  #directive(): void {
    const lexer = this.#lexer;
    const word = lexer.text();
    lexer.next();
    if (word === ".loc") {
      parseLocation(lexer, this.#state.places);
    } else if (word === ".pragma") {
      skipPragma(lexer);
    } else if (word === ".reg") {
      this.#registers();
    } else if (linkageOf(word) !== undefined && lexer.kind === TOKEN.dotWord) {
      const space = lexer.text();
      lexer.next();
      this.#variablesOf(space, linkageOf(word));
    } else {
      this.#variablesOf(word, undefined);
    }
  }

  #registers(): void {
    const lexer = this.#lexer;
    const names = this.#names;
    const { type, width } = parseDeclaration(lexer, "reg", undefined);
    do {
      const { line } = lexer;
      const name = lexer.word("a register's name");
      if (lexer.kind === CHAR.less) names.declareRegisters(name, parseNumbered(lexer), type, width, line);
      else names.declareRegister(name, type, width, line);
    } while (lexer.accept(CHAR.comma));
    lexer.expect(CHAR.semicolon, "`,` or `;`");
  }

  #variablesOf(word: string, linkage: PtxLinkage | undefined): void {
    const lexer = this.#lexer;
    const space = spaceOf(word);
    if (space === undefined || space === "reg") {
      throw lexer.error(`\`${shown(word)}\` does not belong into a function`);
    }
    const declaration = parseDeclaration(lexer, space, linkage);
    do {
      for (const variable of parseVariable(lexer, declaration, this.#state.declarations)) {
        this.#names.declareVariable(variable);
        this.#variables.push(variable);
      }
    } while (lexer.accept(CHAR.comma));
    lexer.expect(CHAR.semicolon, "`,` or `;`");
  }

  // What a label names if it is no place: false if it is one after all.
  #table(name: string, line: number): boolean {
    const lexer = this.#lexer;
    const word = lexer.text();
    let operand: PtxOperand;
    if (word === ".branchtargets") {
      lexer.next();
      operand = this.#branchTargets(line);
    } else if (word === ".calltargets") {
      lexer.next();
      const targets: string[] = [];
      do targets.push(lexer.word("a function's name")); while (lexer.accept(CHAR.comma));
      operand = { kind: "prototype", returns: [], params: [], targets };
      lexer.expect(CHAR.semicolon, "`,` or `;`");
    } else if (word === ".callprototype") {
      lexer.next();
      operand = this.#prototype();
      lexer.expect(CHAR.semicolon, "`;`");
    } else {
      return false;
    }
    this.#names.declareTable(name, operand, line);
    return true;
  }

  #branchTargets(line: number): PtxOperand {
    const lexer = this.#lexer;
    const names: string[] = [];
    const labels: PtxOperand[] = [];
    do {
      const name = lexer.word("a label");
      this.#names.defer({ name, line, elements: labels, index: labels.length });
      names.push(name);
      labels.push({ kind: "sink" });
    } while (lexer.accept(CHAR.comma));
    lexer.expect(CHAR.semicolon, "`,` or `;`");
    const targets: number[] = [];
    this.#tables.push({ line, names, labels, targets });
    return { kind: "targets", targets };
  }

  #prototype(): PtxOperand {
    const lexer = this.#lexer;
    const { declarations } = this.#state;
    const returns = lexer.kind === CHAR.parenOpen ? parseParams(lexer, declarations) : [];
    lexer.expect(TOKEN.word, "`_`");
    const params = lexer.kind === CHAR.parenOpen ? parseParams(lexer, declarations) : [];
    parseDirectives(lexer, new Map());
    return { kind: "prototype", returns, params };
  }
}

function splitOpcode(text: string): OpcodeWord {
  const [opcode = text, ...modifiers] = text.split(".");
  return { opcode, modifiers };
}

/** Reads `1 20 5`: file, line, column. Passes over `, function_name $L__info, inlined_at 1 20 5` if that follows. */
function parseLocation(lexer: PtxLexer, places: SourcePlaces): void {
  const { line } = lexer;
  const [file = 0, sourceLine = 0] = [0, 1, 2].map(() => {
    const number = Number(lexer.text());
    lexer.expect(TOKEN.number, "a number of `.loc`");
    return number;
  });
  places.add(line, file, sourceLine);
  while (lexer.accept(CHAR.comma)) {
    const word = lexer.word("`function_name` or `inlined_at`");
    if (word === "function_name") {
      lexer.expect(TOKEN.word, "a label");
      if (lexer.kind === CHAR.plus) parseConstant(lexer);
    } else if (word === "inlined_at") {
      for (let i = 0; i < 3; i++) lexer.expect(TOKEN.number, "a number of `inlined_at`");
    } else {
      throw lexer.error(`\`${shown(word)}\` does not belong to \`.loc\``);
    }
  }
}

function resolveTable({ line, names, labels, targets }: BranchTable): void {
  for (const [i, label] of labels.entries()) {
    if (label.kind !== "label") {
      throw new PtxError(line, "syntax", `\`${shown(names[i] ?? "")}\` is not a label`);
    }
    targets.push(label.target);
  }
}
