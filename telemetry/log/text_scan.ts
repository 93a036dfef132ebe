/**
 * Text scan: one pass over a text that tells what has to be done to it before it is logged.
 *
 * Owns two questions: does JSON have to escape anything of it, and may it hold what scrub.ts takes out. Nearly every
 * text of a log is neither, and is then written as it is. It changes no text. Invariant: a text that is not said to
 * hide anything is one that scrub.ts would leave as it is; what else may be said of too many texts, never of too few.
 */

/** The text stands in JSON as it is and hides nothing. */
export const CLEAN = 0;
/** It has to be escaped, or is not ASCII. Unknown where it may hide something. */
export const NEEDS_ESCAPING = 1;
/** There is a place in it that may be a credential's or a query's. */
export const MAY_HIDE = 2;

const PLAIN = 0;
const SPACE = 1;
/** `:` and `=`. */
const ASSIGNS = 2;
/** `-` and `_`. */
const JOINS = 3;
const QUESTION = 4;
/** Letters that end a prefix in capitals. */
const CAPITAL = 5;
const ESCAPED = 6;

const COLON = 0x3a;
const SLASH = 0x2f;
const CAPITAL_J = 0x4a;
const UNDERSCORE = 0x5f;
const LOWER_CASE = 0x20;
/** Most spaces between a name and what assigns to it, and after an authorization scheme. */
const SPACES_MAX = 8;

/** What each ASCII character may be. */
const KINDS: Uint8Array = makeKinds();

/** Scans a text: CLEAN, NEEDS_ESCAPING, or MAY_HIDE with or without it. */
export function scanText(text: string): number {
  let found = CLEAN;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    const kind = code < 0x80 ? KINDS[code] : ESCAPED;
    if (kind === PLAIN) continue;
    if (kind === ESCAPED) found = NEEDS_ESCAPING;
    if (mayHideAt(text, index, code, kind ?? ESCAPED)) return found | MAY_HIDE;
  }
  return found;
}

/** Whether something that is taken out has this character in the middle of what it is told by. */
function mayHideAt(text: string, index: number, code: number, kind: number): boolean {
  switch (kind) {
    // Anything that is not plain may be a space, to a regular expression.
    case SPACE:
    case ESCAPED:
      return endsScheme(text, index);
    case ASSIGNS:
      return (code === COLON && startsAuthority(text, index + 1)) || endsSecretName(text, index, code);
    case JOINS:
      return endsKeyPrefix(text, index, code);
    case QUESTION:
      return index + 1 < text.length && text.charCodeAt(index + 1) !== 0x20;
    default:
      return code === CAPITAL_J ? endsWith(text, index, "ey") : endsWith(text, index, "aki");
  }
}

/** Whether a URL's `://` goes on here. */
function startsAuthority(text: string, index: number): boolean {
  return index + 1 < text.length && text.charCodeAt(index) === SLASH && text.charCodeAt(index + 1) === SLASH;
}

/** Whether the text before `end` ends in the name of an authorization scheme. */
function endsScheme(text: string, end: number): boolean {
  if (end < 5) return false;
  switch (text.charCodeAt(end - 1) | LOWER_CASE) {
    case 0x72:
      return endsWith(text, end, "bearer");
    case 0x63:
      return endsWith(text, end, "basic");
    case 0x74:
      return endsWith(text, end, "digest");
    default:
      return false;
  }
}

/** Whether the text before the `:` or `=` at `end` ends in a name of something secret. */
function endsSecretName(text: string, end: number, code: number): boolean {
  let at = end - 1;
  while (at >= 0 && end - at <= SPACES_MAX && isSpaceLike(text.charCodeAt(at))) at -= 1;
  const isSpaced = at < end - 1;
  const isQuoted = at >= 0 && isQuote(text.charCodeAt(at));
  if (isQuoted) at -= 1;
  if (at > 0 && (text.charCodeAt(at) | LOWER_CASE) === 0x73) at -= 1;
  if (at < 2) return false;
  const nameEnd = at + 1;
  switch (text.charCodeAt(at) | LOWER_CASE) {
    case 0x64:
      return endsWith(text, nameEnd, "passwd") || endsWith(text, nameEnd, "password") ||
        endsWith(text, nameEnd, "pwd");
    case 0x65:
      return endsWith(text, nameEnd, "passphrase") || endsWith(text, nameEnd, "cookie");
    case 0x6c:
      return endsWith(text, nameEnd, "credential");
    case 0x6e:
      return endsWith(text, nameEnd, "authorization") ||
        (isNoProse(code, isQuoted, isSpaced) && endsWith(text, nameEnd, "token"));
    case 0x74:
      return endsWith(text, nameEnd, "secret");
    case 0x79:
      return isNoProse(code, isQuoted, isSpaced) && endsWith(text, nameEnd, "key");
    default:
      return false;
  }
}

/** Whether it is `"key":` or `key=`, and not `key:`, which texts for people have. */
function isNoProse(code: number, isQuoted: boolean, isSpaced: boolean): boolean {
  return isQuoted ? code === COLON : code !== COLON && !isSpaced;
}

/** Whether the text before `end` ends in a vendor's prefix of keys. */
function endsKeyPrefix(text: string, end: number, code: number): boolean {
  if (end < 2) return false;
  const last = text.charCodeAt(end - 1);
  const before = text.charCodeAt(end - 2);
  // sk-, pk_, rk-, but not the end of a word, as in task_id.
  if (last === 0x6b) {
    const isPrefix = before === 0x73 || before === 0x70 || before === 0x72;
    return isPrefix && (end === 2 || !isWordLike(text.charCodeAt(end - 3)));
  }
  if (code !== UNDERSCORE) return before === 0x78 && endsWith(text, end - 1, "xox");
  return (before === 0x68 && endsWith(text, end - 1, "gh")) ||
    (last === 0x62 && endsWith(text, end, "github"));
}

/** Whether the text before `end` ends in a word, in any case; the word is given in lower case. */
function endsWith(text: string, end: number, word: string): boolean {
  const start = end - word.length;
  if (start < 0) return false;
  for (let index = 0; index < word.length; index++) {
    if ((text.charCodeAt(start + index) | LOWER_CASE) !== word.charCodeAt(index)) return false;
  }
  return true;
}

function isQuote(code: number): boolean {
  return code === 0x22 || code === 0x27;
}

/** Spaces of every kind are among these. */
function isSpaceLike(code: number): boolean {
  return code <= 0x20 || code > 0x7e;
}

function isWordLike(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) ||
    code === UNDERSCORE;
}

function makeKinds(): Uint8Array {
  const kinds = new Uint8Array(0x80).fill(ESCAPED, 0, 0x20);
  const set = (chars: string, kind: number): void => {
    for (const char of chars) kinds[char.charCodeAt(0)] = kind;
  };
  set('"\\\x7f', ESCAPED);
  set(" ", SPACE);
  set(":=", ASSIGNS);
  set("-_", JOINS);
  set("?", QUESTION);
  set("JA", CAPITAL);
  return kinds;
}
