/**
 * Tokens of PTX: their kinds, the characters that make them, and the classes of characters.
 *
 * Owns numbers that lexer and parser compare with; it reads no text. Invariant: a kind of token is either a
 * named one below 16 or above 255, or the code of the one punctuation character that it is.
 */

/** Kinds of tokens; punctuation is its own character code, pairs such as `<<` follow. */
export const TOKEN = {
  end: 0,
  /** `foo`, `%r1`, `_`, `$L__BB0_1`. */
  word: 1,
  /** `.reg`, `.L1::no_allocate`, `.2d`: with the dot. */
  dotWord: 2,
  /** A number that starts with a digit, or `.5` where the parser asked for it. */
  number: 3,
  string: 4,
  shiftLeft: 256,
  shiftRight: 257,
  lessEqual: 258,
  greaterEqual: 259,
  equal: 260,
  notEqual: 261,
  andAnd: 262,
  orOr: 263,
} as const;

/** Codes of the characters that the parser asks for. */
export const CHAR = {
  bang: 0x21,
  percent: 0x25,
  ampersand: 0x26,
  parenOpen: 0x28,
  parenClose: 0x29,
  star: 0x2a,
  plus: 0x2b,
  comma: 0x2c,
  minus: 0x2d,
  dot: 0x2e,
  slash: 0x2f,
  colon: 0x3a,
  semicolon: 0x3b,
  less: 0x3c,
  equals: 0x3d,
  greater: 0x3e,
  question: 0x3f,
  at: 0x40,
  bracketOpen: 0x5b,
  bracketClose: 0x5d,
  caret: 0x5e,
  underscore: 0x5f,
  braceOpen: 0x7b,
  bar: 0x7c,
  braceClose: 0x7d,
  tilde: 0x7e,
} as const;

/** Bits of a character's class. */
export const SPACE = 1;
export const WORD_START = 2;
export const WORD_PART = 4;
export const DIGIT = 8;
export const HEX = 16;
export const PUNCTUATION = 32;

const CLASSES = makeClasses();

function makeClasses(): Uint8Array {
  const classes = new Uint8Array(128);
  function add(chars: string, bits: number): void {
    for (let i = 0; i < chars.length; i++) {
      const code = chars.charCodeAt(i);
      classes[code] = (classes[code] ?? 0) | bits;
    }
  }
  add(" \t\r\n\f\v", SPACE);
  add("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ$_", WORD_START | WORD_PART);
  add("0123456789", WORD_PART | DIGIT);
  add("0123456789abcdefABCDEF", HEX);
  add("!%&()*+,-./:;<=>?@[]^{|}~", PUNCTUATION);
  return classes;
}

/** The class of a character; NaN, which the end of a text gives, has none. */
export function classOf(code: number): number {
  return code < 128 ? CLASSES[code] ?? 0 : 0;
}

/** The kind of a token of two characters, 0 where they make none. */
export function pairKind(code: number, following: number): number {
  if (following === CHAR.equals) {
    if (code === CHAR.less) return TOKEN.lessEqual;
    if (code === CHAR.greater) return TOKEN.greaterEqual;
    if (code === CHAR.equals) return TOKEN.equal;
    if (code === CHAR.bang) return TOKEN.notEqual;
  }
  if (code !== following) return 0;
  if (code === CHAR.less) return TOKEN.shiftLeft;
  if (code === CHAR.greater) return TOKEN.shiftRight;
  if (code === CHAR.ampersand) return TOKEN.andAnd;
  if (code === CHAR.bar) return TOKEN.orOr;
  return 0;
}
