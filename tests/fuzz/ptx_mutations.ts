/**
 * Mutations of PTX: one text and a stream of random numbers in, an odd or broken text out.
 *
 * Owns how texts are changed: by character, by token and by line, with parts of other texts. What is expected of
 * the outcome is ptx_check.ts's. Invariant: the same texts and numbers give the same mutant.
 */
import type { Random } from "../gpu/ptx/generate/random.ts";

/** What mutants are made of. */
export interface MutationPool {
  readonly texts: readonly string[];
  /** Lines of all texts, and the modifiers and opcodes that occur in them. */
  readonly lines: readonly string[];
  readonly modifiers: readonly string[];
  readonly opcodes: readonly string[];
}

/** Numbers at which something changes. */
const NUMBERS = [
  ...[
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "8",
    "15",
    "16",
    "31",
    "32",
    "33",
    "63",
    "64",
    "65",
    "255",
    "256",
    "1024",
  ],
  ...["4095", "4096", "65535", "65536", "1000000", "2147483647", "-2147483648", "4294967295", "4294967296"],
  ...[
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "0xffffffffffffffff",
    "0x40000000",
  ],
  ...[
    "0f7F800000",
    "0f7FC00000",
    "0f00000001",
    "0f80000000",
    "0d7FF0000000000000",
    "0d0000000000000001",
    "1.5",
  ],
];

const TOKEN = /[%$.]?[A-Za-z_$][\w$:]*|0[fFdDxX][0-9A-Fa-f]+|-?\d+(?:\.\d+)?|\S/g;
const REGISTER = /%[A-Za-z_]+\d*/g;
const NUMBER = /-?\b(?:0[fFdDxX][0-9A-Fa-f]+|\d+)\b/g;

/** The pool of texts. */
export function makePool(texts: readonly string[]): MutationPool {
  const lines = texts.flatMap((text) => text.split("\n")).filter((line) => line.trim() !== "");
  const all = lines.join("\n");
  return {
    texts,
    lines,
    modifiers: [...new Set(all.match(/\.[a-z][\w:]*/g) ?? [])],
    opcodes: [
      ...new Set(all.match(/^\s*(?:@!?%\w+\s+)?[a-z]\w+(?=[.\s;])/gm)?.map((word) => word.trim()) ?? []),
    ],
  };
}

function pick<T>(list: readonly T[], random: Random, otherwise: T): T {
  return list[random.below(Math.max(1, list.length))] ?? otherwise;
}

/** Replaces one match of a pattern in a line. */
function replaceOne(line: string, pattern: RegExp, random: Random, by: (found: string) => string): string {
  const matches = [...line.matchAll(pattern)];
  const match = matches[random.below(Math.max(1, matches.length))];
  if (match === undefined) return line;
  return line.slice(0, match.index) + by(match[0]) + line.slice(match.index + match[0].length);
}

type LineMutation = (lines: string[], at: number, random: Random, pool: MutationPool) => void;

function onLine(
  change: (line: string, random: Random, pool: MutationPool, lines: string[]) => string,
): LineMutation {
  return (lines, at, random, pool) => {
    lines[at] = change(lines[at] ?? "", random, pool, lines);
  };
}

const otherLine = (lines: readonly string[], random: Random): string =>
  lines[random.below(lines.length)] ?? "";

const LINE_MUTATIONS: readonly LineMutation[] = [
  (lines, at) => lines.splice(at, 0, lines[at] ?? ""),
  (lines, at) => lines.splice(at, 1),
  (lines, at, random, pool) => lines.splice(at, random.below(2), pick(pool.lines, random, "")),
  (lines, at, random) => {
    const [moved = ""] = lines.splice(at, 1);
    lines.splice(random.below(lines.length + 1), 0, moved);
  },
  onLine((line, random) => replaceOne(line, NUMBER, random, () => pick(NUMBERS, random, "0"))),
  onLine((line, random) =>
    replaceOne(line, NUMBER, random, (found) => String(Number(found) + random.between(-2, 2)))
  ),
  onLine((line, random, _pool, lines) =>
    replaceOne(
      line,
      REGISTER,
      random,
      (found) => pick(otherLine(lines, random).match(REGISTER) ?? [], random, found),
    )
  ),
  onLine((line, random, pool) =>
    replaceOne(
      line,
      /\.[a-z][\w:]*/g,
      random,
      () => random.below(4) === 0 ? "" : pick(pool.modifiers, random, ""),
    )
  ),
  onLine((line, random, pool) =>
    replaceOne(line, /\.[a-z][\w:]*/g, random, (found) => found + pick(pool.modifiers, random, ""))
  ),
  onLine((line, random, pool) =>
    replaceOne(line, /\b[a-z]\w+(?=\.)/g, random, () => pick(pool.opcodes, random, "mov"))
  ),
  onLine((line, random) => {
    const tokens = line.match(TOKEN) ?? [];
    const [a, b] = [random.below(Math.max(1, tokens.length)), random.below(Math.max(1, tokens.length))];
    [tokens[a], tokens[b]] = [tokens[b] ?? "", tokens[a] ?? ""];
    return tokens.join(" ").replaceAll(" .", ".");
  }),
  onLine((line, random, _pool, lines) =>
    replaceOne(
      line,
      TOKEN,
      random,
      (found) => pick(otherLine(lines, random).match(TOKEN) ?? [], random, found),
    )
  ),
  onLine((line, random) => replaceOne(line, TOKEN, random, () => "")),
  onLine((line, random) => {
    const at = random.below(line.length + 1);
    return line.slice(0, at) + String.fromCharCode(random.between(32, 126)) +
      line.slice(at + random.below(2));
  }),
  onLine((line, random) => `@${random.below(2) === 0 ? "!" : ""}%p${random.below(4)} ${line.trim()}`),
];

/** A mutant of one of the pool's texts. */
export function mutatePtx(pool: MutationPool, random: Random): string {
  const lines = pick(pool.texts, random, "").split("\n");
  for (let count = random.below(3) === 0 ? random.between(2, 8) : 1; count > 0 && lines.length > 0; count--) {
    const mutation = pick(LINE_MUTATIONS, random, () => {});
    mutation(lines, random.below(lines.length), random, pool);
  }
  const text = lines.join("\n");
  return random.below(200) === 0 ? text.slice(0, random.below(text.length + 1)) : text;
}
