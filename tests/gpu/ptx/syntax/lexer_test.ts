import assert from "node:assert/strict";
import { PtxLexer } from "../../../../gpu/ptx/syntax/lexer.ts";
import { PtxError } from "../../../../gpu/ptx/ptx_error.ts";
import { CHAR, TOKEN } from "../../../../gpu/ptx/syntax/tokens.ts";

function tokensOf(text: string): [kind: number, text: string][] {
  const lexer = new PtxLexer(text);
  const tokens: [number, string][] = [];
  for (; lexer.kind !== TOKEN.end; lexer.next()) tokens.push([lexer.kind, lexer.text()]);
  return tokens;
}

Deno.test("PtxLexer.next() takes words, dotted words, numbers and strings whole", () => {
  for (const word of ["a", "_", "_x", "%r1", "%3", "$L__BB0_1", "$str$1", "WARP_SZ", "a1$_"]) {
    assert.deepEqual(tokensOf(word), [[TOKEN.word, word]]);
  }
  for (
    const word of [".reg", ".2d", ".m16n8k16", ".L1::no_allocate", ".shared::cta", ".a::b::c", ".1X", ".5"]
  ) {
    assert.deepEqual(tokensOf(word), [[TOKEN.dotWord, word]]);
  }
  for (
    const number of [
      "0",
      "17",
      "0x1F",
      "0xffU",
      "0b101",
      "0f3F800000",
      "1.5",
      "1.",
      "1e5",
      "1.5e-3",
      "2E+4",
      "9.0",
    ]
  ) {
    assert.deepEqual(tokensOf(number), [[TOKEN.number, number]]);
  }
  assert.deepEqual(tokensOf('"a\\"b"'), [[TOKEN.string, '"a\\"b"']]);
});

Deno.test("PtxLexer.next() ends a token where the next one starts", () => {
  const cases: [string, string[]][] = [
    ["%r1+-4", ["%r1", "+", "-", "4"]],
    ["0x1e-3", ["0x1e", "-", "3"]],
    ["1e-3-3", ["1e-3", "-", "3"]],
    ["7 % 3", ["7", "%", "3"]],
    ["%tid.x", ["%tid", ".x"]],
    ["a<<1>>2<=3>=4==5!=6&&7||8", "a << 1 >> 2 <= 3 >= 4 == 5 != 6 && 7 || 8".split(" ")],
    ["a|b&c<d>e!f", "a | b & c < d > e ! f".split(" ")],
    ["L:.reg", ["L", ":", ".reg"]],
    ["x[2]={1,2};", "x [ 2 ] = { 1 , 2 } ;".split(" ")],
    ["@!%p1", ["@", "!", "%p1"]],
  ];
  for (const [text, tokens] of cases) assert.deepEqual(tokensOf(text).map(([, token]) => token), tokens);
});

Deno.test("PtxLexer.next() gives punctuation as its character", () => {
  assert.deepEqual(tokensOf("{ ; ~"), [[CHAR.braceOpen, "{"], [CHAR.semicolon, ";"], [CHAR.tilde, "~"]]);
  assert.deepEqual(tokensOf("<<")[0]?.[0], TOKEN.shiftLeft);
});

Deno.test("PtxLexer.line counts line ends in spaces, comments and before the token", () => {
  const lexer = new PtxLexer("a // b\r\n\n/* c\n\n */ d /**/ e");
  const lines: [string, number][] = [];
  for (; lexer.kind !== TOKEN.end; lexer.next()) lines.push([lexer.text(), lexer.line]);
  assert.deepEqual(lines, [["a", 1], ["d", 5], ["e", 5]]);
  assert.equal(new PtxLexer("// no line end").kind, TOKEN.end);
});

Deno.test("PtxLexer.extendWord() takes in the dotted words that touch", () => {
  const lexer = new PtxLexer("ld.global.L1::no_allocate.v4.f32 {");
  lexer.extendWord();
  assert.equal(lexer.text(), "ld.global.L1::no_allocate.v4.f32");
  lexer.next();
  assert.equal(lexer.kind, CHAR.braceOpen);
});

Deno.test("PtxLexer.text() gives each of many words that share a place in its table", () => {
  const words = Array.from({ length: 20_000 }, (_, i) => `%r${i}`);
  assert.deepEqual(tokensOf(words.join(" ")).map(([, text]) => text), words);
});

Deno.test("PtxLexer refuses what is no token, with the line", () => {
  const cases: [string, number, RegExp][] = [
    ["a\n#", 2, /character `#`/],
    ["\u00e9", 1, /character 233/],
    ["a\n\n .", 3, /a dot without a word/],
    ["\n/* a \n", 2, /comment without an end/],
    ['\n"abc', 2, /string without an end/],
    ['\n"abc\n"', 2, /string without an end/],
    ['"abc\\', 1, /string without an end/],
  ];
  for (const [text, line, message] of cases) {
    assert.throws(() => tokensOf(text), (error) => {
      assert.ok(error instanceof PtxError);
      assert.match(error.message, message);
      assert.equal(error.line, line, text);
      return true;
    });
  }
});

Deno.test("PtxLexer.unexpected() shows a token in short", () => {
  const message = new PtxLexer("x".repeat(1000)).unexpected("a number").message;
  assert.match(message, /^line 1: expected a number, found `x{77}\.\.\.`$/);
  assert.match(new PtxLexer("").unexpected("a number").message, /found the end$/);
});
