/**
 * Texts that come close to what scrubbing looks for: its words in any case, whole and cut, among separators, spaces
 * of every kind and characters that JSON escapes. For properties that compare a shortcut with the long way.
 */
import fc from "fast-check";

const WORDS = [
  ...["bearer", "basic", "digest", "passwd", "password", "passphrase", "pwd", "secret", "credential"],
  ...[
    "authorization",
    "cookie",
    "token",
    "key",
    "eyJ",
    "AKIA",
    "xoxb",
    "ghp",
    "github_pat",
    "github",
    "sk",
    "rk",
  ],
  ...["task", "risk", "http", "https", "user", "monkey", "request", "number", "basis", "was"],
];
const CASES: readonly ((word: string) => string)[] = [
  (word) => word,
  (word) => word,
  (word) => word.toUpperCase(),
  (word) => word.charAt(0).toUpperCase() + word.slice(1),
  (word) => word.slice(0, -1),
  (word) => word.slice(1),
  (word) => `${word}s`,
];
const JOINTS = [
  ...[
    "",
    "",
    ":",
    "=",
    "://",
    "?",
    "@",
    "/",
    "-",
    "_",
    ".",
    "#",
    "&",
    ",",
    ";",
    '"',
    "'",
    "\\",
    "<",
    "{",
    "|",
  ],
  ...[
    " ",
    "  ",
    "         ",
    "\t",
    "\n",
    "\u00a0",
    "\ufeff",
    "\u2028",
    "\u0085",
    "\u0000",
    "\u007f",
    "\u200b",
  ],
  ...["\ud800", "\udc00", "é", "😀"],
];
const VALUES = [
  ...["HUSHHUSH", "aGVsbG8gd29ybGQ=", "0123456789abcdef0123456789abcdef", "x".repeat(130), "1", "[redacted]"],
  ...["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "AKIAIOSFODNN7EXAMPLE", "sk-abcdefghijklmnopqrst"],
];

const word = fc.tuple(fc.constantFrom(...WORDS), fc.constantFrom(...CASES)).map(([text, spell]) =>
  spell(text)
);
const piece = fc.oneof(
  { weight: 4, arbitrary: word },
  { weight: 5, arbitrary: fc.constantFrom(...JOINTS) },
  { weight: 2, arbitrary: fc.constantFrom(...VALUES) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 6 }) },
);

/** Such a text. */
export const suspectText: fc.Arbitrary<string> = fc.array(piece, { maxLength: 12 }).map((pieces) =>
  pieces.join("")
);
