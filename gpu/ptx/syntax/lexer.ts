/**
 * PtxLexer: the text of a PTX module as tokens, read one at a time.
 *
 * Owns characters, comments, line numbers and the forms of words and numbers; it does not know directives or
 * opcodes, and makes no string that the parser does not ask for. Invariant: `next` moves forward by at least
 * one character until the end, so that every loop over tokens ends, and failures are PtxError with a line.
 */
import { PtxError } from "../ptx_error.ts";
import {
  CHAR,
  classOf,
  DIGIT,
  pairKind,
  PUNCTUATION,
  SPACE,
  TOKEN,
  WORD_PART,
  WORD_START,
} from "./tokens.ts";

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const RECENT_MASK = 0xfff;
const RECENT_LENGTH_MAX = 24;

/** A cursor over tokens: the fields describe the present one. */
export class PtxLexer {
  readonly #text: string;
  /** Texts of tokens by a hash: the same words come again and again, and one string for all is found faster. */
  readonly #recent: string[] = new Array<string>(RECENT_MASK + 1).fill("");
  #position = 0;
  #nextLine = 1;
  /** The kind: a value of TOKEN or a character code. */
  kind: number = TOKEN.end;
  /** Where it starts and ends in the text. */
  start = 0;
  end = 0;
  /** The line that it starts in. */
  line = 1;

  /** Stands on the first token. */
  constructor(text: string) {
    this.#text = text;
    this.next();
  }

  /** The text of the present token. */
  text(): string {
    const { start, end } = this;
    const length = end - start;
    if (length > RECENT_LENGTH_MAX) return this.#text.slice(start, end);
    let hash = length;
    for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + this.#text.charCodeAt(i)) | 0;
    const slot = (hash ^ (hash >>> 12)) & RECENT_MASK;
    const recent = this.#recent[slot] ?? "";
    if (recent.length === length && this.#text.startsWith(recent, start)) return recent;
    return this.#recent[slot] = this.#text.slice(start, end);
  }

  /** Whether the present token is that text; made without a string. */
  is(text: string): boolean {
    return this.end - this.start === text.length && this.#text.startsWith(text, this.start);
  }

  /** Whether the present token is of that kind: for where the compiler remembers what `kind` was before. */
  isAt(kind: number): boolean {
    return this.kind === kind;
  }

  /** The code of the present token's character at `index`, NaN beyond the text. */
  codeAt(index: number): number {
    return this.#text.charCodeAt(this.start + index);
  }

  /** An error at the present token. */
  error(message: string, kind: PtxError["kind"] = "syntax"): PtxError {
    return new PtxError(this.line, kind, message);
  }

  /** The error for a token that does not belong here. */
  unexpected(wanted: string): PtxError {
    const found = this.kind === TOKEN.end ? "the end" : `\`${shown(this.text())}\``;
    return this.error(`expected ${wanted}, found ${found}`);
  }

  /** Passes over the present token if it is `kind`. */
  accept(kind: number): boolean {
    if (this.kind !== kind) return false;
    this.next();
    return true;
  }

  /** Passes over the present token, which must be `kind`. */
  expect(kind: number, wanted: string): void {
    if (this.kind !== kind) throw this.unexpected(wanted);
    this.next();
  }

  /** Passes over a word and gives its text. */
  word(wanted: string): string {
    if (this.kind !== TOKEN.word) throw this.unexpected(wanted);
    const text = this.text();
    this.next();
    return text;
  }

  /** Moves to the next token. */
  next(): void {
    this.#skipSpace();
    const start = this.#position;
    this.start = start;
    this.line = this.#nextLine;
    if (start >= this.#text.length) {
      this.kind = TOKEN.end;
      this.end = start;
      return;
    }
    const code = this.#text.charCodeAt(start);
    const bits = classOf(code);
    if ((bits & WORD_START) !== 0) {
      this.kind = TOKEN.word;
      this.#position = this.#skipClass(start + 1, WORD_PART);
    } else if ((bits & DIGIT) !== 0) {
      this.kind = TOKEN.number;
      this.#position = this.#skipNumber(start);
    } else if (code === QUOTE) {
      this.kind = TOKEN.string;
      this.#position = this.#skipString(start + 1);
    } else if ((bits & PUNCTUATION) !== 0) {
      this.#punctuation(code, start);
    } else {
      throw this.error(`${shownCharacter(code)} does not belong to PTX`);
    }
    this.end = this.#position;
  }

  /** At a word: takes in the dotted words that touch it, as in `ld.global.L1::no_allocate.f32`. */
  extendWord(): void {
    while (this.#text.charCodeAt(this.#position) === CHAR.dot) {
      const end = this.#skipDotWord(this.#position + 1);
      if (end === this.#position + 1) break;
      this.#position = end;
    }
    this.end = this.#position;
  }

  /** Whether a dotted word touches the present token: `.x` of `%tid.x`. */
  isTouchedByDot(): boolean {
    return this.#text.charCodeAt(this.end) === CHAR.dot;
  }

  /** Whether what ends an operand touches the present token. */
  isFollowedByEnd(): boolean {
    const code = this.#text.charCodeAt(this.end);
    return code === CHAR.comma || code === CHAR.semicolon || code === CHAR.bracketClose ||
      code === CHAR.braceClose || code === CHAR.parenClose;
  }

  /** Moves behind the present line, whatever is in it. */
  skipLine(): void {
    const newline = this.#text.indexOf("\n", this.end);
    this.#position = newline < 0 ? this.#text.length : newline;
    this.next();
  }

  #punctuation(code: number, start: number): void {
    const following = this.#text.charCodeAt(start + 1);
    this.kind = code;
    this.#position = start + 1;
    if (code === CHAR.dot) {
      const end = this.#skipDotWord(start + 1);
      if (end === start + 1) throw this.error("a dot without a word");
      this.kind = TOKEN.dotWord;
      this.#position = end;
    } else if (code === CHAR.percent) {
      // `%3` is a word too, as ptxas has it: a remainder needs a space.
      if ((classOf(following) & WORD_PART) !== 0) {
        this.kind = TOKEN.word;
        this.#position = this.#skipClass(start + 1, WORD_PART);
      }
    } else {
      const pair = pairKind(code, following);
      if (pair === 0) return;
      this.kind = pair;
      this.#position = start + 2;
    }
  }

  #skipSpace(): void {
    const text = this.#text;
    let position = this.#position;
    for (;;) {
      const code = text.charCodeAt(position);
      if (code === NEWLINE) {
        this.#nextLine++;
        position++;
      } else if ((classOf(code) & SPACE) !== 0) {
        position++;
      } else if (code === CHAR.slash && text.charCodeAt(position + 1) === CHAR.slash) {
        const newline = text.indexOf("\n", position);
        position = newline < 0 ? text.length : newline;
      } else if (code === CHAR.slash && text.charCodeAt(position + 1) === CHAR.star) {
        position = this.#skipComment(position);
      } else {
        this.#position = position;
        return;
      }
    }
  }

  #skipComment(start: number): number {
    const close = this.#text.indexOf("*/", start + 2);
    if (close < 0) throw new PtxError(this.#nextLine, "syntax", "a comment without an end");
    this.#countLines(start, close);
    return close + 2;
  }

  // Character by character: a search for the next line end could run far beyond each of many comments.
  #countLines(from: number, to: number): void {
    for (let position = from; position < to; position++) {
      if (this.#text.charCodeAt(position) === NEWLINE) this.#nextLine++;
    }
  }

  #skipClass(from: number, bits: number): number {
    let position = from;
    // Beyond the end the code is NaN, which has no class.
    while ((classOf(this.#text.charCodeAt(position)) & bits) !== 0) position++;
    return position;
  }

  #skipDotWord(from: number): number {
    let end = this.#skipClass(from, WORD_PART);
    while (
      end > from && this.#text.charCodeAt(end) === CHAR.colon && this.#text.charCodeAt(end + 1) === CHAR.colon
    ) {
      end = this.#skipClass(end + 2, WORD_PART);
    }
    return end;
  }

  // The whole of `0x1fU`, `1.5e-3` or `0f3F800000`; what is in it is the reader's to judge.
  #skipNumber(start: number): number {
    const text = this.#text;
    let end = this.#skipClass(start, WORD_PART);
    // An exponent's sign belongs to a decimal number only: `0x1e-3` is a difference.
    const isDecimal = this.#skipClass(start, DIGIT) === end || isExponent(text, start, end);
    if (!isDecimal) return end;
    if (text.charCodeAt(end) === CHAR.dot) end = this.#skipClass(end + 1, WORD_PART);
    const sign = text.charCodeAt(end);
    if (isExponent(text, start, end) && (sign === CHAR.plus || sign === CHAR.minus)) {
      end = this.#skipClass(end + 1, DIGIT);
    }
    return end;
  }

  #skipString(from: number): number {
    const text = this.#text;
    for (let position = from; position < text.length; position++) {
      const code = text.charCodeAt(position);
      if (code === QUOTE) return position + 1;
      if (code === BACKSLASH) position++;
      if (text.charCodeAt(position) === NEWLINE) break;
    }
    throw this.error("a string without an end");
  }
}

/** Whether what ends at `end` is digits, perhaps with a dot, and `e`. */
function isExponent(text: string, start: number, end: number): boolean {
  if ((text.charCodeAt(end - 1) | 0x20) !== 0x65) return false;
  for (let i = start; i < end - 1; i++) {
    const code = text.charCodeAt(i);
    if (code !== CHAR.dot && (classOf(code) & DIGIT) === 0) return false;
  }
  return true;
}

/** A character for a message: as it is where that can be seen. */
function shownCharacter(code: number): string {
  const isVisible = code > 0x20 && code < 0x7f;
  return isVisible ? `character \`${String.fromCharCode(code)}\`` : `character ${code}`;
}

/** A name for a message: short, whatever the text had. */
export function shown(name: string): string {
  return name.length <= 80 ? name : `${name.slice(0, 77)}...`;
}
