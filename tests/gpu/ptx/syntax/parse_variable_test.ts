import assert from "node:assert/strict";
import { parsePtx } from "../../../../gpu/ptx/syntax/parser.ts";
import { HEADER, refuses, variableOf } from "../parse_support.ts";

function hexOf(text: string): string {
  const { initializer } = variableOf(text);
  assert.ok(initializer, text);
  return [...initializer.bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

Deno.test("parsePtx() reads variables of every space, type and shape", () => {
  const cases: [string, [space: string, type: string, byteLength: number, alignment: number]][] = [
    [".global .u32 x;", ["global", "u32", 4, 4]],
    [".global .align 16 .b8 x[24];", ["global", "b8", 24, 16]],
    [".global .b8 .align 4 x[3];", ["global", "b8", 3, 4]],
    [".const .f64 x[2][3];", ["const", "f64", 48, 8]],
    [".shared .align 2 .b32 x[4];", ["shared", "b32", 16, 2]],
    [".global .v4 .f32 x;", ["global", "f32", 16, 16]],
    [".global .v2 .b16 x[3];", ["global", "b16", 12, 4]],
    [".global .b128 x;", ["global", "b128", 16, 16]],
    [".global .b32 x[0x10];", ["global", "b32", 64, 4]],
    [".global .b8 x[2][3][4][5];", ["global", "b8", 120, 1]],
    [".global .b8 x[4294967296];", ["global", "b8", 2 ** 32, 1]],
    [".extern .shared .align 16 .b8 x[];", ["shared", "b8", 0, 16]],
    [".extern .global .b32 x[][4];", ["global", "b32", 0, 4]],
    [".visible .global .attribute(.managed) .align 4 .u32 x = 3;", ["global", "u32", 4, 4]],
    [".global .attribute(.unified(19, 95)) .u32 x;", ["global", "u32", 4, 4]],
    [".global .texref x;", ["global", "b64", 8, 8]],
    [".global .samplerref x = { addr_mode_0 = wrap, filter_mode = linear };", ["global", "b64", 8, 8]],
    [".global .u32 a, x[3], b = 5;", ["global", "u32", 12, 4]],
  ];
  for (
    const [text, [space, type, byteLength, alignment]] of cases
  ) {
    const { initializer: _, linkage: __, line, name, ...rest } = variableOf(text);
    assert.deepEqual(rest, { space, type, byteLength, alignment }, text);
    assert.deepEqual([name, line], ["x", 3]);
  }
});

Deno.test("parsePtx() makes the variables of a numbered declaration", () => {
  const { variables } = parsePtx(`${HEADER}.global .b32 x<3>;`);
  assert.deepEqual(variables.map(({ name }) => name), ["x0", "x1", "x2"]);
});

Deno.test("parsePtx() keeps linkage, and none for a variable of its own", () => {
  for (const linkage of ["extern", "visible", "weak", "common"] as const) {
    assert.equal(variableOf(`.${linkage} .global .u32 x;`).linkage, linkage);
  }
  assert.equal(variableOf(".global .u32 x;").linkage, undefined);
});

Deno.test("parsePtx() writes initialisers as little-endian bytes, up to the last that is given", () => {
  const cases: [string, string][] = [
    [".global .u32 x = 5;", "05000000"],
    [".global .s16 x = -2;", "feff"],
    [".global .u8 x = 0x1ff;", "ff"],
    [".global .b64 x = 0x0102030405060708;", "0807060504030201"],
    [".global .b64 x = -1;", "ffffffffffffffff"],
    [".global .b128 x = -1;", "ffffffffffffffffffffffffffffffff"],
    [".global .b32 x = (1<<4)+1;", "11000000"],
    [".global .b32 x = WARP_SZ;", "20000000"],
    [".global .f32 x = 1.5;", "0000c03f"],
    [".global .f32 x = -0.1;", "cdccccbd"],
    [".global .f32 x = 0f3F800000;", "0000803f"],
    [".global .f32 x = 0d3FF0000000000000;", "0000803f"],
    [".global .f64 x = 1.5;", "000000000000f83f"],
    [".global .f64 x = 0f3F800000;", "000000000000f03f"],
    [".global .b32 x = 0f3F800000;", "0000803f"],
    [".global .b32 x = 1.5;", "0000c03f"],
    [".global .b16 x = 0x3c00;", "003c"],
    [".global .b8 x[4] = {1, 2, 3};", "010203"],
    [".global .b8 x[4] = {};", ""],
    [".global .b8 x[2][2] = {{1}, {2, 3}};", "01000203"],
    [".global .b8 x[2][2] = {1, 2, 3, 4};", "01020304"],
    [".global .b8 x[2][2][2] = {{{1}, {2}}, {3, 4, {5}}};", "01000200030405"],
    [".global .b8 x[3][2] = {{}, {1}};", "000001"],
    [".global .v2 .b16 x[2] = {{1, 2}, {3, 4}};", "0100020003000400"],
    [".global .v4 .b8 x = {1, 2, 3, 4};", "01020304"],
    [".global .b8 x = {5};", "05"],
    [".global .b8 x[1000000000] = {1};", "01"],
  ];
  for (const [text, hex] of cases) assert.equal(hexOf(text), hex, text);
});

Deno.test("parsePtx() sizes an array without a size by its initialiser", () => {
  assert.equal(variableOf(".global .b8 x[] = {1, 2, 3};").byteLength, 3);
  assert.equal(variableOf(".global .b32 x[][2] = {{1}, {2}};").byteLength, 16);
  assert.equal(variableOf(".global .b32 x[][2] = {1, 2, 3};").byteLength, 16);
});

Deno.test("parsePtx() keeps addresses in initialisers as relocations", () => {
  const relocation = { offset: 0, size: 8, symbol: "y", addend: 0n, isGeneric: false };
  const bytes = Array.from({ length: 8 }, (_, i) => 0xffn << BigInt(8 * i)).map((mask) =>
    `0x${mask.toString(16)}`
  );
  const masked = (of: string): string => bytes.map((mask) => `${mask}(${of})`).join(", ");
  const cases: [string, object[]][] = [
    [".b64 x = y;", [relocation]],
    [".u64 x = y+4;", [{ ...relocation, addend: 4n }]],
    [".u64 x = y-4;", [{ ...relocation, addend: -4n }]],
    [".u64 x = generic(y);", [{ ...relocation, isGeneric: true }]],
    [".u64 x = generic(y)+(4*2);", [{ ...relocation, addend: 8n, isGeneric: true }]],
    [".u64 x = generic(y+4);", [{ ...relocation, addend: 4n, isGeneric: true }]],
    [".b32 x = y;", [{ ...relocation, size: 4 }]],
    [".u64 x[4] = {3, generic(y)+8, f};", [
      { ...relocation, offset: 8, addend: 8n, isGeneric: true },
      { ...relocation, offset: 16, symbol: "f" },
    ]],
    [`.b8 x[9] = {1, ${masked("y")}};`, [{ ...relocation, offset: 1 }]],
    [`.b8 x[16] = {${masked("generic(y)+4")}, ${masked("f")}};`, [
      { ...relocation, addend: 4n, isGeneric: true },
      { ...relocation, offset: 8, symbol: "f" },
    ]],
    [`.b8 x[8] = {${bytes.slice(0, 4).map((mask) => `${mask}(y)`).join()}, 7};`, [{
      ...relocation,
      size: 4,
    }]],
  ];
  for (const [text, relocations] of cases) {
    const { initializer } = variableOf(`.func f() { ret; } .global .u32 y; .global ${text}`);
    assert.deepEqual(initializer?.relocations, relocations, text);
  }
  // What a name is may be said later.
  assert.ok(variableOf(".global .u64 x[2] = {y, f}; .global .u32 y; .func f();").initializer);
});

Deno.test("parsePtx() makes one object of an extern variable and its definition", () => {
  const use = ".func f() { .reg .b64 a; mov.b64 a, x; ret; } ";
  for (
    const text of [
      `.extern .global .b32 x; ${use} .visible .global .b32 x = 4;`,
      `.visible .global .b32 x = 4; ${use} .extern .global .b32 x;`,
      `.extern .global .b32 x[]; ${use} .extern .global .b32 x;`,
    ]
  ) {
    const { variables, functions } = parsePtx(HEADER + text);
    assert.equal(variables.length, 1);
    assert.equal(variables[0]?.byteLength, 4);
    const operand = functions[0]?.body?.instructions[0]?.operands[1];
    assert.ok(operand?.kind === "variable" && operand.variable === variables[0]);
  }
});

Deno.test("parsePtx() refuses declarations with the line of the fault", () => {
  const cases: [string, RegExp, ("unsupported" | "limit")?][] = [
    [".global x;", /expected a type/],
    [".global .u32;", /expected a name, found `;`/],
    [".global .u32 x", /expected `,` or `;`, found the end/],
    [".global .u32 .u32 x;", /`\.u32` does not belong/],
    [".global .foo x;", /`\.foo` does not belong to a declaration/],
    [".global .pred x;", /a predicate is a register/],
    [".global .align 3 .u32 x;", /alignment 3 in line 3 is no power of two/],
    [".global .align 0 .u32 x;", /no power of two/],
    [".global .align 8589934592 .u32 x;", /above the limit/, "limit"],
    [".global .b8 x[4294967297];", /above the limit of 4294967296/, "limit"],
    [".global .b32 x[1073741825];", /larger than 4 GiB/, "limit"],
    [".global .b8 x[65536][65536][2];", /larger than 4 GiB/, "limit"],
    [".global .b8 x[18446744073709551615];", /above the limit/, "limit"],
    [`.global .b8 x${"[1]".repeat(65)};`, /too many dimensions/, "limit"],
    [".global .b8 x[-1];", /expected a dimension/],
    [".global .b8 x[2][];", /expected a dimension, found `]`/],
    [".global .b8 x[0];", /`x` has no size/],
    [".global .b8 x[];", /`x` has no size/],
    [".global .b8 x[][0] = {};", /`x` has no size|larger than 4 GiB/, "limit"],
    [".global .b8 x<10001>;", /above the limit of 10000/, "limit"],
    [".global .b8 x<9999>; .global .b8 y<9999>;", /more than 10000 variables/, "limit"],
    [".global .u32 x; .global .u32 x;", /`x` is declared twice/],
    [".extern .global .u32 x; .const .u32 x;", /`x` is declared twice/],
    [".global .b8 x[2] = {1, 2, 3};", /more values than the variable has elements/],
    [".global .b8 x[2][2] = {{1, 2, 3}};", /more values than the variable has elements/],
    [".global .b8 x[2][2] = {{1}, {2}, {3}};", /more values/],
    [".global .b8 x[2][2] = {1, {2}};", /braces in the middle of an element/],
    [".global .b8 x[2] = {{1}};", /expected a constant, found `{`/],
    [".global .b8 x[2] = {1,};", /expected a constant, found `}`/],
    [".global .b8 x[2] = {1 2};", /expected `,` or `}`/],
    [".global .b8 x[2] = 1;", /expected `{`/],
    ['.global .b8 x[2] = "a";', /expected `{`/],
    [".global .f32 x = 1;", /an integer where a floating-point constant belongs/],
    [".global .u32 x = 1.5;", /floating-point constant in a variable of type \.u32/],
    [".global .f16 x = 1.5;", /floating-point constant in a variable of type \.f16/],
    [".global .b8 x = x;", /an address in 1 bytes/],
    [".global .u64 x = y;", /`y` is not declared/],
    [".global .u64 x = generic(y);", /`y` is not declared/],
    [".global .u64 x = generic(5);", /expected a name/],
    [".global .u64 x = generic(x;", /expected `\)`/],
    [".global .b8 x[2] = {0xff(x), 0xff00(x)};", /2 masked bytes of `x`/, "unsupported"],
    [".global .b8 x[2] = {0xff(x), 1};", /1 masked bytes of `x`/, "unsupported"],
    [".global .b8 x[2] = {0xff00(x), 1};", /not all there in order/, "unsupported"],
    [".global .b8 x[2] = {0xff(x), 0xff00(y)};", /not all there in order/, "unsupported"],
    [".global .b64 x = 0xff(x);", /not all there in order/, "unsupported"],
    [".global .b8 x[4][100000000] = {{1}, {1}};", /span more than 67108864 bytes/, "limit"],
    [`.global .b64 x[] = {${"x,".repeat(262_144)} x};`, /more than 262144 addresses/, "limit"],
    [`.global .b8 x${"[1]".repeat(64)} = ${"{".repeat(100_000)}`, /expected a constant, found `{`/],
    [".global .samplerref x = { a = b;", /expected what closes it, found the end/],
    [".param .u32 x;", /`\.param` does not belong at module scope/],
    [".reg .u32 x;", /`\.reg` does not belong at module scope/],
  ];
  for (const [text, message, kind] of cases) refuses(HEADER + text, 3, message, kind);
  refuses(`${HEADER}\n\n.global .u32\nx[2] = {1,\n2,\n3};`, 8, /more values/);
  refuses(`${HEADER}\n.global .u64 x[2] = {x,\ny};`, 5, /`y` is not declared/);
});
