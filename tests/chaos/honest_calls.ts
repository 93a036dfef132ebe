/**
 * Honest calls: programs whose results are known before they are asked for.
 *
 * Owns their inputs and the oracles: nothing that ran in a guest is trusted. Invariant: an honest call has exactly
 * one right answer, and its deadline is long enough that a fair gateway never reaches it.
 */
import { createHash } from "node:crypto";
import { makePpm, parsePpm, type PpmImage } from "../support/ppm.ts";
import { answers, type CallKind, json, type Random, raw } from "./call_kind.ts";

const DEADLINE_MS = 30_000;
const WORDS = "the quick brown fox jumps over the lazy dog while the cell is killed under the fox".split(" ");
const PPM = makePpm(64, 48);
const BLURRED = blur(parsePpm(PPM));
const FILES_OUTPUT = [
  "wrote 12 bytes",
  "read at 7: files",
  "size 12",
  "list after create: first.txt",
  "list after rename: second.txt",
  "reread: hello, FILES",
  "list after unlink: nothing",
  "",
].join("\n");

function fib(n: number): number {
  let [a, b] = [0, 1];
  for (let step = 0; step < n; step++) [a, b] = [b, a + b];
  return a;
}

function randomBytes(random: Random, countMax: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: 1 + Math.floor(random() * countMax) }, () => random() * 256);
}

/** The 5×5 Gaussian of image_filter over a whole picture, its border repeated. */
function blur(image: PpmImage): Uint8Array {
  const { width, height, pixels } = image;
  const weights = [1, 4, 6, 4, 1];
  const clamp = (index: number, count: number): number => Math.min(Math.max(index, 0), count - 1);
  return Uint8Array.from(pixels, (_, at) => {
    const [x, y] = [Math.floor(at / 3) % width, Math.floor(at / 3 / width)];
    let sum = 128;
    for (const [i, a] of weights.entries()) {
      for (const [j, b] of weights.entries()) {
        const place = clamp(y + i - 2, height) * width + clamp(x + j - 2, width);
        sum += a * b * (pixels[place * 3 + at % 3] ?? NaN);
      }
    }
    return sum >> 8;
  });
}

function countWords(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .map(([word, count]) => `${count}\t${word}\n`).join("");
}

function isResult(expected: number | "ok"): (body: Uint8Array) => boolean {
  const text = JSON.stringify(expected === "ok" ? "ok" : [expected]);
  return (body) => JSON.stringify(JSON.parse(new TextDecoder().decode(body)).result) === text;
}

function isOutput(expected: string): (body: Uint8Array) => boolean {
  return (body) => JSON.parse(new TextDecoder().decode(body)).output === expected;
}

function isBytes(expected: Uint8Array): (body: Uint8Array) => boolean {
  return (body) => body.length === expected.length && body.every((byte, index) => byte === expected[index]);
}

function isText(expected: string): (body: Uint8Array) => boolean {
  return isBytes(new TextEncoder().encode(expected));
}

/** Kinds of honest calls. `id` is unique in a run. */
export const HONEST_CALLS: readonly CallKind[] = [
  {
    guest: "fib",
    weight: 6,
    make: (random) => {
      const n = 10 + Math.floor(random() * 15);
      return json({ export: "fib", args: [n] }, DEADLINE_MS, answers({ 200: isResult(fib(n)) }));
    },
  },
  {
    guest: "add",
    weight: 6,
    make: (random) => {
      const [a, b] = [Math.floor(random() * 1e6), Math.floor(random() * 1e6)];
      return json({ export: "add", args: [a, b] }, DEADLINE_MS, answers({ 200: isResult(a + b) }));
    },
  },
  {
    guest: "noop_memory",
    weight: 3,
    make: () => json({ export: "run" }, DEADLINE_MS, answers({ 200: isResult("ok") })),
  },
  {
    guest: "sha256",
    weight: 5,
    make: (random) => {
      const input = randomBytes(random, 40_000);
      const digest = createHash("sha256").update(input).digest("hex");
      return raw(input, "", DEADLINE_MS, answers({ 200: isText(`${digest}\n`) }));
    },
  },
  {
    guest: "echo",
    weight: 5,
    make: (random) => {
      const input = randomBytes(random, 40_000);
      return raw(input, "", DEADLINE_MS, answers({ 200: isBytes(input) }));
    },
  },
  {
    guest: "args_env",
    weight: 8,
    make: (_random, id) => {
      const output = `argc 2\nargv[0] args_env\nargv[1] ${id}\n`;
      return json({ argv: [id] }, DEADLINE_MS, answers({ 200: isOutput(output) }));
    },
  },
  {
    guest: "files",
    weight: 3,
    make: () => json({}, DEADLINE_MS, answers({ 200: isOutput(FILES_OUTPUT) })),
  },
  {
    guest: "sleep",
    weight: 4,
    make: (random) => {
      const ms = String(1 + Math.floor(random() * 150));
      return json({ argv: [ms] }, DEADLINE_MS, answers({ 200: isOutput(`slept ${ms} ms\n`) }));
    },
  },
  {
    guest: "word_freq",
    weight: 3,
    make: (random) => {
      const words = Array.from({ length: 400 }, () => WORDS[Math.floor(random() * WORDS.length)] ?? "");
      const input = new TextEncoder().encode(words.join(" "));
      return raw(input, "", DEADLINE_MS, answers({ 200: isText(countWords(words)) }));
    },
  },
  {
    guest: "image_filter",
    weight: 2,
    make: () =>
      raw(
        PPM,
        "?argv=blur",
        DEADLINE_MS,
        answers({ 200: (body) => isBytes(BLURRED)(body.subarray(body.length - BLURRED.length)) }),
      ),
  },
  {
    guest: "exit_code",
    weight: 2,
    make: () => json({ argv: ["3"] }, DEADLINE_MS, answers({ "500 guest_exit": () => true })),
  },
];
