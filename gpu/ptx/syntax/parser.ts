/**
 * parsePtx: the text of a PTX module to its parsed form.
 *
 * Owns what stands at module scope and the joining of declarations with definitions; bodies, variables and
 * operands are the parse_*.ts files'. Invariant: whatever the text is, the call ends, in time and memory that
 * the text's length bounds, with a module or a PtxError.
 */
import type { PtxFunction, PtxLinkage, PtxModule, PtxSpace, PtxVariable } from "../ast.ts";
import { parseCount } from "./constant.ts";
import { makeInitializerBudget } from "./initializer.ts";
import { PtxLexer, shown } from "./lexer.ts";
import type { PtxForwardUse } from "./names.ts";
import { INSTRUCTIONS_MAX } from "./parse_body.ts";
import { parseFunction } from "./parse_function.ts";
import { skipPragma } from "./parse_header.ts";
import type { ParseState } from "./parse_state.ts";
import {
  linkageOf,
  makeDeclarationState,
  parseDeclaration,
  parseVariable,
  skipBraces,
  spaceOf,
} from "./parse_variable.ts";
import { PtxError } from "../ptx_error.ts";
import { SourcePlaces } from "../source_places.ts";
import { CHAR, TOKEN } from "./tokens.ts";

/** Characters of a module's text; a file of many template instances has more than ten million. */
export const TEXT_LENGTH_MAX = 32 * 1024 * 1024;

/**
 * Parses PTX as nvcc, clang, Triton and Numba emit it. The text ends at the first NUL, as it does for a driver.
 *
 * @throws PtxError with the line, for text that is not PTX, names what is not declared or exceeds a limit
 */
export function parsePtx(text: string): PtxModule {
  if (text.length > TEXT_LENGTH_MAX) {
    throw new PtxError(
      0,
      "limit",
      `PTX has ${text.length} characters, above the limit of ${TEXT_LENGTH_MAX}`,
    );
  }
  const end = text.indexOf("\0");
  return new ModuleParser(end < 0 ? text : text.slice(0, end)).parse();
}

class ModuleParser {
  readonly #lexer: PtxLexer;
  readonly #state: ParseState;
  readonly #variables: PtxVariable[] = [];
  /** Functions by name, the definition if there is one. */
  readonly #functions = new Map<string, PtxFunction>();
  readonly #aliases = new Map<string, string>();
  readonly #aliasLines = new Map<string, number>();
  readonly #targets: string[] = [];
  #version: PtxModule["version"] | undefined;
  #addressSize: 32 | 64 = 32;

  constructor(text: string) {
    this.#lexer = new PtxLexer(text);
    this.#state = {
      lexer: this.#lexer,
      declarations: makeDeclarationState(makeInitializerBudget()),
      variables: new Map(),
      opcodes: new Map(),
      forward: [],
      places: new SourcePlaces(),
      instructionsLeft: INSTRUCTIONS_MAX,
    };
  }

  parse(): PtxModule {
    const lexer = this.#lexer;
    while (lexer.kind !== TOKEN.end) this.#item();
    if (this.#version === undefined) throw lexer.error("a module without `.version`");
    this.#resolve();
    return {
      version: this.#version,
      targets: this.#targets,
      addressSize: this.#addressSize,
      variables: this.#variables,
      functions: [...this.#functions.values()],
      aliases: this.#aliases,
      places: this.#state.places,
    };
  }

  #item(): void {
    const lexer = this.#lexer;
    if (lexer.accept(CHAR.at)) {
      if (lexer.kind !== CHAR.at) throw lexer.unexpected("a directive");
      lexer.skipLine();
      return;
    }
    if (lexer.accept(CHAR.semicolon)) return;
    if (lexer.kind !== TOKEN.dotWord) throw lexer.unexpected("a directive");
    if (this.#version === undefined && !lexer.is(".version") && !lexer.is(".file")) {
      throw lexer.unexpected("`.version` first");
    }
    const word = lexer.text();
    lexer.next();
    const linkage = linkageOf(word);
    if (linkage !== undefined) this.#linked(linkage);
    else if (!this.#declaration(word, undefined) && !this.#directive(word)) {
      throw lexer.error(`\`${shown(word)}\` does not belong at module scope`);
    }
  }

  #linked(linkage: PtxLinkage): void {
    const lexer = this.#lexer;
    const word = lexer.kind === TOKEN.dotWord ? lexer.text() : "";
    if (word !== "") lexer.next();
    if (!this.#declaration(word, linkage)) throw lexer.unexpected("a declaration");
  }

  #declaration(word: string, linkage: PtxLinkage | undefined): boolean {
    if (word === ".entry" || word === ".func") {
      this.#addFunction(parseFunction(this.#state, word === ".entry" ? "entry" : "func", linkage));
      return true;
    }
    const space = spaceOf(word);
    if (space === undefined || space === "reg" || space === "param") return false;
    this.#addVariables(space, linkage);
    return true;
  }

  #directive(word: string): boolean {
    const lexer = this.#lexer;
    switch (word) {
      case ".version":
        this.#parseVersion();
        return true;
      case ".target":
        do this.#targets.push(lexer.word("a target")); while (lexer.accept(CHAR.comma));
        return true;
      case ".address_size": {
        const size = parseCount(lexer, "the address size", 64);
        if (size !== 32 && size !== 64) throw lexer.error(`an address size of ${size}`);
        this.#addressSize = size;
        return true;
      }
      case ".file":
        this.#file();
        return true;
      case ".section":
        // A name with a dot, as `.debug_info`, and tokens that no one reads.
        lexer.next();
        skipBraces(lexer);
        return true;
      case ".pragma":
        skipPragma(lexer);
        return true;
      case ".alias": {
        this.#aliasLines.set(lexer.text(), lexer.line);
        const alias = lexer.word("a name");
        lexer.expect(CHAR.comma, "`,`");
        this.#aliases.set(alias, lexer.word("a name"));
        lexer.expect(CHAR.semicolon, "`;`");
        return true;
      }
      default:
        return false;
    }
  }

  #parseVersion(): void {
    const lexer = this.#lexer;
    if (this.#version !== undefined) throw lexer.error("a second `.version`");
    const match = lexer.kind === TOKEN.number ? /^(\d{1,4})\.(\d{1,4})$/.exec(lexer.text()) : null;
    if (match === null) throw lexer.unexpected("a version such as `9.0`");
    this.#version = { major: Number(match[1]), minor: Number(match[2]) };
    lexer.next();
  }

  // `.file 1 "name", timestamp, size`, or from LLVM `.file 1 "folder" "name" md5 0x...`.
  #file(): void {
    const lexer = this.#lexer;
    const number = Number(lexer.text());
    lexer.expect(TOKEN.number, "a file's number");
    let name = lexer.text();
    lexer.expect(TOKEN.string, "a file's name");
    if (lexer.kind === TOKEN.string) {
      name = lexer.text();
      lexer.next();
    }
    this.#state.places.addFile(number, name.slice(1, -1));
    while (lexer.kind === CHAR.comma || lexer.is("md5")) {
      lexer.next();
      lexer.expect(TOKEN.number, "a number");
    }
  }

  #addFunction(added: PtxFunction): void {
    const { name, line } = added;
    const present = this.#functions.get(name);
    const isVariable = this.#state.variables.has(name);
    if (isVariable || (present?.body !== undefined && added.body !== undefined)) {
      throw new PtxError(line, "syntax", `\`${shown(name)}\` is declared twice`);
    }
    if (present !== undefined && present.kind !== added.kind) {
      throw new PtxError(line, "syntax", `\`${shown(name)}\` is both an entry and a function`);
    }
    const kept = present?.body === undefined ? added : present;
    const linkage = kept.linkage ?? present?.linkage ?? added.linkage;
    const isDefinedHere = kept.body !== undefined && linkage === "extern";
    this.#functions.set(name, { ...kept, linkage: isDefinedHere ? undefined : linkage });
  }

  #addVariables(space: PtxSpace, linkage: PtxLinkage | undefined): void {
    const lexer = this.#lexer;
    const declaration = parseDeclaration(lexer, space, linkage);
    do {
      for (const variable of parseVariable(lexer, declaration, this.#state.declarations)) {
        this.#addVariable(variable);
      }
    } while (lexer.accept(CHAR.comma));
    lexer.expect(CHAR.semicolon, "`,` or `;`");
  }

  // An `extern` declaration and the definition that follows are one object: operands between them have it.
  #addVariable(added: PtxVariable): void {
    const { name, line } = added;
    const present = this.#state.variables.get(name)?.variable;
    if (present === undefined && !this.#functions.has(name)) {
      this.#variables.push(added);
      this.#state.variables.set(name, { kind: "variable", variable: added, offset: 0n });
      return;
    }
    const isRepeated = present !== undefined && present.space === added.space &&
      (present.linkage === "extern" || added.linkage === "extern");
    if (!isRepeated) throw new PtxError(line, "syntax", `\`${shown(name)}\` is declared twice`);
    if (added.linkage !== "extern" || present.byteLength === 0) Object.assign(present, added);
  }

  #resolve(): void {
    // Uses stand in the order in which braces closed; the first line is the one to name.
    let unknown: PtxForwardUse | undefined;
    for (const use of this.#state.forward) {
      if (this.#isFunction(use.name)) use.elements[use.index] = { kind: "function", name: use.name };
      else if (unknown === undefined || use.line < unknown.line) unknown = use;
    }
    if (unknown !== undefined) {
      throw new PtxError(unknown.line, "syntax", `\`${shown(unknown.name)}\` is not declared`);
    }
    for (const { symbol, line } of this.#state.declarations.symbols) {
      if (!this.#state.variables.has(symbol) && !this.#isFunction(symbol)) {
        throw new PtxError(line, "syntax", `\`${shown(symbol)}\` is not declared`);
      }
    }
    for (const [alias, line] of this.#aliasLines) {
      const name = this.#aliases.get(alias) ?? "";
      if (!this.#functions.has(name)) {
        throw new PtxError(line, "syntax", `\`${shown(name)}\`, alias \`${shown(alias)}\`, is not declared`);
      }
    }
  }

  #isFunction(name: string): boolean {
    return this.#functions.has(name) || this.#aliases.has(name);
  }
}
