import assert from "node:assert/strict";
import { parseConstant, parseCount, parseInteger } from "../../../../gpu/ptx/syntax/constant.ts";
import { PtxLexer } from "../../../../gpu/ptx/syntax/lexer.ts";
import { PtxError } from "../../../../gpu/ptx/ptx_error.ts";
import { TOKEN } from "../../../../gpu/ptx/syntax/tokens.ts";

function integer(text: string): bigint {
  const lexer = new PtxLexer(text);
  const value = parseInteger(lexer);
  assert.equal(lexer.kind, TOKEN.end, text);
  return value;
}

function float(text: string): [width: number, bits: bigint] {
  const constant = parseConstant(new PtxLexer(text));
  assert.ok(constant.kind === "float");
  return [constant.width, constant.bits];
}

function refuses(act: () => unknown, message: RegExp, kind: PtxError["kind"] = "syntax"): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof PtxError);
    assert.match(error.message, message);
    assert.equal(error.kind, kind);
    return true;
  });
}

Deno.test("parseInteger() reads literals of every base", () => {
  const cases: [string, bigint][] = [
    ["0", 0n],
    ["42", 42n],
    ["4294967295", 4294967295n],
    ["0x1F", 31n],
    ["0Xff", 255n],
    ["0xffU", 255n],
    ["017", 15n],
    ["0b101", 5n],
    ["0B11U", 3n],
    ["7U", 7n],
    ["9223372036854775807", 2n ** 63n - 1n],
    ["18446744073709551615", 2n ** 64n - 1n],
    ["0xFFFFFFFFFFFFFFFF", 2n ** 64n - 1n],
    ["-9223372036854775808", -(2n ** 63n)],
    ["WARP_SZ", 32n],
  ];
  for (const [text, value] of cases) assert.equal(integer(text), value, text);
});

Deno.test("parseInteger() computes as C does, with 64 bits", () => {
  const cases: [string, bigint][] = [
    ["-5", -5n],
    ["--5", 5n],
    ["+-+5", -5n],
    ["~0", -1n],
    ["~0U", 2n ** 64n - 1n],
    ["-1U", 2n ** 64n - 1n],
    ["!0", 1n],
    ["!7", 0n],
    ["(4*8)+1", 33n],
    ["1+2*3", 7n],
    ["(1+2)*3", 9n],
    ["10-3-2", 5n],
    ["7 % 4", 3n],
    ["-7/2", -3n],
    ["-7 % 2", -1n],
    ["-1/2U", 2n ** 63n - 1n],
    ["1<<4|3&~1^1", 16n | ((3n & ~1n) ^ 1n)],
    ["1<<63", -(2n ** 63n)],
    ["1U<<63", 2n ** 63n],
    ["1<<1000000000000", 0n],
    ["-8>>1", -4n],
    ["-1>>100", -1n],
    ["1<2", 1n],
    ["-1<1U", 0n],
    ["2<=2", 1n],
    ["2>3", 0n],
    ["2>=3", 0n],
    ["2==2&&3!=3||1", 1n],
    ["0||0", 0n],
    ["1<2?4:5", 4n],
    ["0?4:0?5:6", 6n],
    ["(.s64)18446744073709551615", -1n],
    ["(.u64)-1>>63", 1n],
    ["9223372036854775807+1", -(2n ** 63n)],
    ["WARP_SZ*2-1", 63n],
  ];
  for (const [text, value] of cases) assert.equal(integer(text), value, text);
});

Deno.test("parseConstant() reads floating-point constants as bits", () => {
  const cases: [string, [number, bigint]][] = [
    ["0f3F800000", [32, 0x3f800000n]],
    ["0F7f800000", [32, 0x7f800000n]],
    ["0d3FF0000000000000", [64, 0x3ff0000000000000n]],
    ["1.5", [64, 0x3ff8000000000000n]],
    ["-1.5", [64, 0xbff8000000000000n]],
    ["1.", [64, 0x3ff0000000000000n]],
    [".5", [64, 0x3fe0000000000000n]],
    ["1e0", [64, 0x3ff0000000000000n]],
    ["2.5E-1", [64, 0x3fd0000000000000n]],
    ["-0.0", [64, 0x8000000000000000n]],
    ["(1.0)", [64, 0x3ff0000000000000n]],
  ];
  for (const [text, value] of cases) assert.deepEqual(float(text), value, text);
});

Deno.test("parseConstant() refuses what is no constant", () => {
  const cases: [string, RegExp, PtxError["kind"]?][] = [
    ["", /expected a constant, found the end/],
    ["foo", /expected a constant, found `foo`/],
    ["089", /neither integer nor floating-point/],
    ["0b12", /neither integer nor floating-point/],
    ["0xfg", /neither integer nor floating-point/],
    ["12ab", /neither integer nor floating-point/],
    ["1e", /neither integer nor floating-point/],
    ["0f3F80", /8 digits/],
    ["0d3FF00000", /16 digits/],
    ["0f3F80000G", /8 digits/],
    ["-0f3F800000", /minus before a hexadecimal float/],
    ["18446744073709551616", /more than 64 bits/, "limit"],
    ["1".repeat(129), /too long/, "limit"],
    ["1/0", /divides by zero/],
    ["1 % 0", /divides by zero/],
    ["(1", /expected `\)`/],
    ["1?2", /expected `:`/],
    ["1.5+1", /floating-point constant where an integer belongs/],
    ["(.b32)1", /`\.s64` or `\.u64`/],
    ["(".repeat(100_000), /nested too deep/, "limit"],
    ["-".repeat(100_000), /nested too deep/, "limit"],
    ["1?".repeat(100_000), /nested too deep/, "limit"],
    ["(.s64)".repeat(100_000), /nested too deep/, "limit"],
  ];
  for (const [text, message, kind] of cases) refuses(() => parseConstant(new PtxLexer(text)), message, kind);
  refuses(() => parseInteger(new PtxLexer("1.5")), /floating-point/);
});

Deno.test("parseConstant() adds a long sum without nesting", () => {
  assert.equal(integer("1+".repeat(100_000) + "1"), 100_001n);
});

Deno.test("parseCount() reads a literal up to its limit", () => {
  assert.equal(parseCount(new PtxLexer("100"), "the count", 100), 100);
  assert.equal(parseCount(new PtxLexer("0x10"), "the count", 100), 16);
  refuses(
    () => parseCount(new PtxLexer("101"), "the count", 100),
    /the count is 101, above the limit of 100/,
    "limit",
  );
  refuses(() => parseCount(new PtxLexer("0xffffffffffffffff"), "the count", 100), /limit of 100/, "limit");
  refuses(() => parseCount(new PtxLexer("-1"), "the count", 100), /expected the count/);
});
