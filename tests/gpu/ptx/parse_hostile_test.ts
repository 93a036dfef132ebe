/**
 * Texts that no compiler emits: what they cost, and that they end with a module or a PtxError.
 */
import assert from "node:assert/strict";
import { parsePtx } from "../../../gpu/ptx/syntax/parser.ts";
import { PtxError } from "../../../gpu/ptx/ptx_error.ts";
import { checkModule, HEADER } from "./parse_support.ts";
import { SAMPLE_PTX } from "./sample_ptx.ts";

const KERNELS = new URL("../kernels/", import.meta.url);
const SEED = 20_260_101;
const MUTANT_COUNT = 3_000;
/** What mutations put in: tokens that change what the rest means. */
const FRAGMENTS =
  ('{ } [ ] ( ) ; , : @ ! | < > = + - * % _ . :: 0f 0x 1e " /* */ // \n .reg .global .align .v4 .pred ' +
    "generic( 0xff00( .branchtargets .callprototype .extern .section %tid.x %r1 %r99 L: bra ret; WARP_SZ .func .entry " +
    "4294967296 99999999999999999999 {1,{2}} [3] \0 \u00e9 .version .loc .pragma .param").split(" ");

/** Random numbers below n, the same for each run (xorshift, 32 bits). */
function makeRandom(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}

function kernelTexts(): string[] {
  const names = [...Deno.readDirSync(KERNELS)].map(({ name }) => name).filter((name) => name.endsWith(".ptx"))
    .sort();
  assert.ok(names.length > 10);
  return names.map((name) => Deno.readTextFileSync(new URL(name, KERNELS)));
}

function mutate(text: string, random: (n: number) => number): string {
  const from = random(text.length);
  const to = from + random(random(8) === 0 ? 400 : 10);
  switch (random(5)) {
    case 0:
      return text.slice(0, from) + text.slice(to);
    case 1:
      return text.slice(0, from) + FRAGMENTS[random(FRAGMENTS.length)] + text.slice(from);
    case 2:
      return text.slice(0, from) + FRAGMENTS[random(FRAGMENTS.length)] + text.slice(to);
    case 3: {
      const other = random(text.length);
      return text.slice(0, from) + text.slice(other, other + random(80)) + text.slice(from);
    }
    default:
      return text.slice(0, from) + String.fromCharCode(32 + random(96)) + text.slice(from + 1);
  }
}

/** Parses; a refusal is given back, and anything else that is thrown goes on. */
function refusalOf(text: string): PtxError | undefined {
  try {
    checkModule(parsePtx(text));
    return undefined;
  } catch (error) {
    if (error instanceof PtxError) return error;
    throw error;
  }
}

Deno.test("parsePtx() parses the sample whole", () => {
  const { functions, variables } = parsePtx(SAMPLE_PTX);
  assert.deepEqual([functions.length, variables.length], [4, 7]);
  assert.equal(functions.find(({ name }) => name === "_Z4scaleiPf")?.body?.instructions.length, 36);
});

Deno.test("parsePtx() parses what nvcc made of the kernels of the tests", () => {
  for (const text of kernelTexts()) checkModule(parsePtx(text));
});

Deno.test(`parsePtx() of ${MUTANT_COUNT} mutants of real modules gives a module or a PtxError with its line`, () => {
  const random = makeRandom(SEED);
  // Small ones: the time goes into mutants then, not into what is before the mutation.
  const originals = [SAMPLE_PTX, ...kernelTexts().filter(({ length }) => length < 12_000)];
  let acceptedCount = 0;
  for (let i = 0; i < MUTANT_COUNT; i++) {
    const original = originals[random(originals.length)] ?? SAMPLE_PTX;
    let text = original;
    for (let count = 1 + random(3); count > 0; count--) text = mutate(text, random);
    const refusal = refusalOf(text);
    if (refusal === undefined) acceptedCount++;
    else assert.ok(refusal.line >= 1 && refusal.line <= text.split("\n").length, refusal.message);
  }
  // Most mutations break a module; if all or none did, the test would show nothing.
  assert.ok(
    acceptedCount > MUTANT_COUNT / 50 && acceptedCount < MUTANT_COUNT / 2,
    `${acceptedCount} accepted`,
  );
});

Deno.test("parsePtx() of the sample cut anywhere gives a module or a PtxError", () => {
  for (let end = 0; end < SAMPLE_PTX.length; end += 7) refusalOf(SAMPLE_PTX.slice(0, end));
});

Deno.test("parsePtx() ends soon on half a megabyte of anything", () => {
  const length = 512 * 1024;
  const repeat = (part: string, head: string): string =>
    HEADER + head + part.repeat(Math.floor((length - 200) / part.length));
  const bodies = [
    "{",
    "{}",
    ";",
    "a;",
    "a",
    "a.b",
    "@",
    "L:",
    "/**/",
    "/*",
    "//\n",
    '"',
    "a [1],",
    "a ",
    "ret;{",
    ".loc 1 2 3 ",
    ".reg .b32 a<1000000>;",
    "{.reg .b32 q<9>;",
    ".b ",
    "@@x\n",
    "\n",
    "::",
    "é",
    "0",
  ];
  const operands = [
    "-",
    "(",
    "!",
    "{",
    "{},",
    "[1],",
    "[0,",
    "_,",
    "1+",
    "1?1:",
    "x,",
    "1234567890123,",
    "%tid.x,",
    "9",
    "0f",
  ];
  const modules = [
    ".func f(",
    ".func f();",
    ".alias a,b;",
    ".section .x {",
    "@@D\n",
    '.pragma "";',
    '.file 1 "',
    ".target a,",
    "(",
    ".global .b8 x[9][999999]={{1},{2}};",
    ".global .b8 x<9999>;",
    ".global .u64 x={",
    ".entry k() .x 1 ",
    "[1]",
  ];
  for (
    const text of [
      ...bodies.map((part) => repeat(part, ".entry k(){")),
      ...operands.map((part) => repeat(part, ".entry k(){ a ")),
      ...operands.map((part) => repeat(part, ".entry k(){ call ")),
      ...operands.map((part) => repeat(part, ".global .u64 x[] = {")),
      ...modules.map((part) => repeat(part, "")),
    ]
  ) {
    const start = performance.now();
    refusalOf(text);
    const tookMs = performance.now() - start;
    // Linear work takes a tenth of this on a busy machine, quadratic work a hundred times as much.
    assert.ok(tookMs < 3_000, `${tookMs} ms for ${text.slice(HEADER.length, HEADER.length + 60)}`);
  }
});

Deno.test("parsePtx() resolves many labels in many braces in time that grows with the text", () => {
  const uses = Array.from({ length: 60_000 }, (_, i) => `bra L${i};`).join("");
  const labels = Array.from({ length: 60_000 }, (_, i) => `L${i}:`).join("");
  const start = performance.now();
  const { functions } = parsePtx(
    `${HEADER}.entry k() { ${"{ .reg .b32 q<9>; M: ".repeat(62)}${uses}${"}".repeat(62)}${labels} }`,
  );
  assert.ok(performance.now() - start < 3_000);
  assert.equal(functions[0]?.body?.instructions.length, 60_000);
});

Deno.test("parsePtx() refuses more forward uses and instructions than its limits", () => {
  const uses = `${HEADER}.entry k() { a ${"L,".repeat(500_000)} L; L: }`;
  assert.equal(refusalOf(uses)?.kind, "limit");
  const instructions = `${HEADER}.entry k() { ${"a;".repeat(1_000_001)} }`;
  assert.equal(refusalOf(instructions)?.kind, "limit");
});
