/**
 * Log filter parser: the text of `TENSOR_WASM_LOG` as directives.
 *
 * Owns the grammar, that of tracing-subscriber's EnvFilter (its documentation, "Directives"): levels by name or
 * number, `target[span{field=value}]=level` with every part optional, separated by commas. Values in quotes
 * are exact; bare ones are booleans, numbers, or regular expressions in RE2's syntax, which match in linear
 * time. Invariant: what is not understood is an error that shows the place, never ignored.
 */
import { RE2JS } from "re2js";
import { type Directive, type FieldMatch, OFF_RANK, plainTarget, type ValueMatch } from "./log_directive.ts";
import { LOG_LEVELS } from "./log_line.ts";

/** A filter text that does not parse; the message shows the text with a caret below the place. */
export class LogFilterError extends Error {
  override readonly name = "LogFilterError";
}

/** Longest filter; it comes from the operator, and nobody writes one by hand that is longer. */
const FILTER_LENGTH_MAX = 16 * 1024;
const TARGET = /[A-Za-z0-9_][A-Za-z0-9_\-.:]*/y;
const FIELD_NAME = /[A-Za-z0-9_][A-Za-z0-9_\-.]*/y;
const BARE_SPAN = /[^[\]{}",=]+/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/ys;
const SPACE = /\s*/y;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const EXPECTED_LEVEL = "expected off, error, warn, info, debug, trace or 0 to 5";

/**
 * Parses a filter.
 *
 * @throws LogFilterError naming what is wrong and its place
 */
export function parseDirectives(text: string): Directive[] {
  if (text.length > FILTER_LENGTH_MAX) {
    throw new LogFilterError(
      `The log filter has ${text.length} characters, the most are ${FILTER_LENGTH_MAX}`,
    );
  }
  return new Parser(text).parse();
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Directive[] {
    const directives: Directive[] = [];
    for (;;) {
      this.#skipSpace();
      if (this.#at === this.#text.length) break;
      if (this.#take(",")) continue;
      directives.push(this.#directive());
      this.#skipSpace();
      if (this.#at < this.#text.length && !this.#take(",")) this.#fail("Expected a comma");
    }
    if (directives.length === 0) this.#fail("The log filter is empty", 0);
    return directives;
  }

  #directive(): Directive {
    const start = this.#at;
    const word = this.#match(TARGET) ?? "";
    this.#skipSpace();
    const hasSpan = this.#peek() === "[";
    const hasLevel = this.#peek() === "=";
    if (word === "" && !hasSpan) this.#fail("Expected a level, a target or a span", start);
    const rank = rankOf(word);
    if (rank !== undefined && !hasSpan && !hasLevel) return { target: "", span: undefined, fields: [], rank };
    const { span, fields } = hasSpan ? this.#span() : { span: undefined, fields: [] };
    // As in EnvFilter, what has no level asks for all of them.
    return { target: plainTarget(word), span, fields, rank: this.#level() ?? 0 };
  }

  #level(): number | undefined {
    this.#skipSpace();
    if (!this.#take("=")) return undefined;
    this.#skipSpace();
    const start = this.#at;
    const word = this.#match(/[^,\s]*/y) ?? "";
    const rank = rankOf(word);
    if (rank === undefined) this.#fail(`Unknown level ${JSON.stringify(word)}, ${EXPECTED_LEVEL}`, start);
    return rank;
  }

  /** `[name{field=value,…}]` */
  #span(): { span: string | undefined; fields: FieldMatch[] } {
    const start = this.#at;
    this.#take("[");
    this.#skipSpace();
    const span = this.#peek() === '"' ? this.#quoted() : this.#match(BARE_SPAN)?.trim();
    this.#skipSpace();
    const fields = this.#peek() === "{" ? this.#fields() : [];
    this.#skipSpace();
    if (!this.#take("]")) {
      this.#fail(
        this.#at < this.#text.length ? 'Expected "]"' : 'The "[" is not closed',
        this.#orAtEnd(start),
      );
    }
    if (span === undefined && fields.length === 0) {
      this.#fail("Expected a span's name or {fields}", start + 1);
    }
    return { span, fields };
  }

  #fields(): FieldMatch[] {
    const start = this.#at;
    this.#take("{");
    const fields: FieldMatch[] = [];
    for (;;) {
      this.#skipSpace();
      const name = this.#match(FIELD_NAME);
      if (name === undefined) this.#fail("Expected a field's name");
      this.#skipSpace();
      fields.push({ name, value: this.#take("=") ? this.#value() : undefined });
      this.#skipSpace();
      if (this.#take("}")) return fields;
      if (!this.#take(",")) {
        const closed = this.#at < this.#text.length;
        this.#fail(closed ? 'Expected "," or "}"' : 'The "{" is not closed', this.#orAtEnd(start));
      }
    }
  }

  #value(): ValueMatch {
    this.#skipSpace();
    if (this.#peek() === '"') return { type: "text", value: this.#quoted() };
    const start = this.#at;
    this.#at = endOfBareValue(this.#text, start);
    const bare = this.#text.slice(start, this.#at).trimEnd();
    if (bare === "") this.#fail("Expected a value after =", start);
    if (bare === "true" || bare === "false") return { type: "boolean", value: bare === "true" };
    // Adding zero makes minus zero zero.
    if (NUMBER.test(bare)) return { type: "number", value: Number(bare) + 0 };
    return { type: "pattern", source: bare, matches: this.#compile(bare, start) };
  }

  #compile(source: string, start: number): (text: string) => boolean {
    try {
      const pattern = RE2JS.compile(source);
      return (text) => pattern.matches(text);
    } catch (error) {
      const reason = error instanceof Error ? error.message.replace(/^error parsing regexp: /, "") : "";
      this.#fail(`Not a regular expression: ${reason}; quote the value to have it taken literally`, start);
    }
  }

  #quoted(): string {
    const start = this.#at;
    const quoted = this.#match(QUOTED);
    if (quoted === undefined) this.#fail("The quote is not closed", start);
    return quoted.slice(1, -1).replaceAll(/\\(.)/gs, "$1");
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #take(char: string): boolean {
    if (this.#peek() !== char) return false;
    this.#at += 1;
    return true;
  }

  #skipSpace(): void {
    this.#match(SPACE);
  }

  /** What a sticky pattern finds here; undefined for nothing. */
  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined || found === "") return undefined;
    this.#at += found.length;
    return found;
  }

  /** Where to point: at what is wrong, or at what was never closed. */
  #orAtEnd(start: number): number {
    return this.#at < this.#text.length ? this.#at : start;
  }

  #fail(what: string, at = this.#at): never {
    // deno-lint-ignore no-control-regex
    const shown = this.#text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, " ");
    throw new LogFilterError(`${what}\n  ${shown}\n  ${" ".repeat(at)}^`);
  }
}

/** A comma or brace ends a value, unless it is escaped or within brackets of a regular expression. */
function endOfBareValue(text: string, start: number): number {
  const open: string[] = [];
  let at = start;
  for (; at < text.length; at += 1) {
    const char = text[at] ?? "";
    if (char === "\\") at += 1;
    else if (open.at(-1) === "]") {
      if (char === "]") open.pop();
    } else if (char === "[" || char === "(" || char === "{") {
      open.push(char === "[" ? "]" : char === "(" ? ")" : "}");
    } else if (char === open.at(-1)) open.pop();
    else if (open.length === 0 && (char === "," || char === "}")) break;
  }
  return Math.min(at, text.length);
}

/** EnvFilter's numbers count from 0 (off) to 5 (trace). */
function rankOf(word: string): number | undefined {
  if (/^[0-5]$/.test(word)) return OFF_RANK - Number(word);
  const lower = word.toLowerCase();
  if (lower === "off") return OFF_RANK;
  const rank = (LOG_LEVELS as readonly string[]).indexOf(lower);
  return rank < 0 ? undefined : rank;
}
