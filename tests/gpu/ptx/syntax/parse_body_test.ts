import assert from "node:assert/strict";
import { bodyOf, functionOf, HEADER, inBody, instructionsOf, readable, refuses } from "../parse_support.ts";

/** The operands of all instructions in short, and the registers with their types. */
function shape(text: string, moduleText = ""): { operands: unknown[][]; registers: string[] } {
  const body = bodyOf(inBody(text, moduleText));
  return {
    operands: body.instructions.map(({ operands }) => operands.map((one) => readable(one, body))),
    registers: body.registers.map(({ name, type }) => `${name}:${type}`),
  };
}

Deno.test("parsePtx() numbers the registers that are used, in the order of their first use", () => {
  const { registers } = shape("mov.u32 %r7, %r0; mov.f32 %f9, %f9; setp.eq.s32 %p0, %r7, 1;");
  assert.deepEqual(registers, ["%r7:b32", "%r0:b32", "%f9:f32", "%p0:pred"]);
});

Deno.test("parsePtx() reads every form of a register's declaration", () => {
  const text = `.reg .u32 a, b1, %c; .reg .b128 q; .reg .f16x2 h; .reg .b16 rs<0x4>, t; .reg .b32 %1;
    .reg .v2 .f32 %v; .reg .v4 .b32 w<2>; .reg .align 4 .b8 e; .reg .pred z<0>;
    a a, b1, %c, q, h, rs3, t, %1, e; b %v.x, %v.y, %v, w1.w, w1.r, w1.a;`;
  const { operands, registers } = shape(text);
  assert.deepEqual(operands, [
    ["a", "b1", "%c", "q", "h", "rs3", "t", "%1", "e"],
    ["%v.x", "%v.y", { vector: ["%v.x", "%v.y"] }, "w1.w", "w1.x", "w1.w"],
  ]);
  const types = new Set(registers);
  for (const one of ["a:u32", "q:b128", "h:f16x2", "rs3:b16", "%v.y:f32", "w1.w:b32"]) {
    assert.ok(types.has(one), one);
  }
});

Deno.test("parsePtx() reads a number at the end of a name against each range that may have it", () => {
  const { registers } = shape(".reg .b32 a<20>; .reg .b64 ab1<4>; .reg .f32 ab<2>; a a12, ab13, ab1;");
  assert.deepEqual(registers, ["a12:b32", "ab13:b64", "ab1:f32"]);
});

Deno.test("parsePtx() lets the innermost brace decide what a name means", () => {
  const { operands, registers } = shape(`mov.u32 %r1, 1;
    { mov.u32 %r1, 2; .reg .f64 %r1; mov.f64 %r1, 3; { .reg .b16 %r<2>; mov.b16 %r1, 4; mov.b16 %r2, 5; } mov.f64 %r1, 6; }
    { .reg .b8 %r<2>; { mov.b8 %r1, 7; .reg .b8 %r1; mov.b8 %r1, 8; } mov.b8 %r1, 9; mov.b32 %r2, 10; }
    mov.u32 %r1, 11;`);
  assert.deepEqual(registers.map((one) => one.split(":")[1]), ["b32", "f64", "b16", "b32", "b8", "b8"]);
  assert.equal(operands.length, 11);
  const body = bodyOf(inBody(`mov.u32 %r1, 1; { .reg .f64 %r1; mov.f64 %r1, 2; } mov.u32 %r1, 3;`));
  const indices = body.instructions.map(({ operands: [first] }) =>
    first?.kind === "register" ? first.register : -1
  );
  assert.deepEqual(indices, [0, 1, 0]);
});

Deno.test("parsePtx() hides parameters behind numbered registers of the body", () => {
  const { operands, registers } = shape(".reg .pred p<2>; a p0, p1, [pa];");
  assert.deepEqual(operands, [["p0", "p1", "[pa+0]"]]);
  assert.deepEqual(registers, ["p0:pred", "p1:pred"]);
});

Deno.test("parsePtx() keeps variables of sibling braces apart", () => {
  const body = bodyOf(
    inBody(`{ .param .b32 q; st.param.b32 [q+0], 1; } { .param .b64 q; st.param.b64 [q+0], 2; }
    .shared .align 16 .b8 s[64]; .local .b8 depot<2>[8]; .global .u32 g = 7; .const .u16 c[2] = {1,2};`),
  );
  assert.deepEqual(
    body.variables.map(({ name, space, byteLength, alignment }) => [name, space, byteLength, alignment]),
    [
      ["q", "param", 4, 4],
      ["q", "param", 8, 8],
      ["s", "shared", 64, 16],
      ["depot0", "local", 8, 1],
      ["depot1", "local", 8, 1],
      ["g", "global", 4, 4],
      ["c", "const", 4, 2],
    ],
  );
  const bases = body.instructions.map(({ operands: [first] }) =>
    first?.kind === "address" ? first.base : undefined
  );
  assert.deepEqual(bases, body.variables.slice(0, 2).map((variable) => ({ kind: "variable", variable })));
});

Deno.test("parsePtx() resolves labels before and behind their uses", () => {
  const { operands } = shape("A: bra B; bra A; B: C: bra C; bra D; D:");
  assert.deepEqual(operands, [["B@2"], ["A@0"], ["C@2"], ["D@4"]]);
  assert.deepEqual([...bodyOf(inBody("A: ret; B:")).labels], [["A", 0], ["B", 1]]);
});

Deno.test("parsePtx() resolves labels by brace, the innermost first", () => {
  assert.deepEqual(shape("{ bra L; L: ret; } { L: bra L; } bra L; L:").operands, [["L@1"], [], ["L@2"], [
    "L@4",
  ]]);
  assert.deepEqual(shape("L: { bra L; L: ret; } bra L;").operands, [["L@1"], [], ["L@0"]]);
  assert.deepEqual(shape("{ { bra L; } } L:").operands, [["L@1"]]);
  assert.deepEqual(shape("L: { { bra L; } }").operands, [["L@0"]]);
  refuses(inBody("bra L; { L: ret; }"), 4, /`L` is not declared/);
});

Deno.test("parsePtx() reads guards", () => {
  const instructions = instructionsOf("@%p1 ret; @!%p1 ret; @ ! %p2 bra.uni L; L: ret;");
  assert.deepEqual(instructions.map(({ guard }) => guard), [
    { register: 0, isNegated: false },
    { register: 0, isNegated: true },
    { register: 1, isNegated: true },
    undefined,
  ]);
});

Deno.test("parsePtx() gives each instruction the line of its opcode", () => {
  const lines = instructionsOf("ret;\n/* \n */ @%p1\n ret; L:\n\nadd.s32\n%r1, %r2,\n%r3;").map(({ line }) =>
    line
  );
  assert.deepEqual(lines, [4, 7, 9]);
});

Deno.test("parsePtx() reads tables of branches", () => {
  const [instruction] = instructionsOf("T: .branchtargets A, B, A;\nbrx.idx %r1, T;\nA: ret;\nB: ret;");
  assert.deepEqual(instruction?.operands.at(-1), { kind: "targets", targets: [1, 2, 1] });
  // A table may stand further on, as a label may.
  const [early] = instructionsOf("brx.idx %r1, T; A: ret; T: .branchtargets A;");
  assert.deepEqual(early?.operands.at(-1), { kind: "targets", targets: [1] });
  refuses(inBody("\nT: .branchtargets\nA, k;\nA: ret;"), 5, /`k` is not a label/);
  refuses(inBody("T: .branchtargets A, 5;"), 4, /expected a label/);
});

Deno.test("parsePtx() reads prototypes and call targets", () => {
  const [call] = instructionsOf(`{ .param .b32 p; .param .b32 r;
    P : .callprototype (.param .b32 _) _ (.param .b64 _, .param .align 8 .b8 _[16]);
    call (r), %rd1, (p, p), P; }`);
  const prototype = call?.operands.at(-1);
  assert.ok(prototype?.kind === "prototype");
  assert.deepEqual(prototype.returns.map(({ byteLength }) => byteLength), [4]);
  assert.deepEqual(prototype.params.map(({ byteLength, alignment }) => [byteLength, alignment]), [[8, 8], [
    16,
    8,
  ]]);
  for (const text of ["()_ ()", "_ ()", "_", "() _ () .noreturn", "_ (.reg .pred _)"]) {
    const [{ operands } = { operands: [] }] = instructionsOf(`P: .callprototype ${text}; call %rd1, (), P;`);
    assert.deepEqual(operands.at(-1)?.kind, "prototype", text);
  }
  const [byName] = instructionsOf(
    "{ T: .calltargets f, g; call %rd1, (), T; }",
    ".func f() { ret; } .func g() { ret; } ",
  );
  assert.deepEqual(byName?.operands.at(-1), {
    kind: "prototype",
    returns: [],
    params: [],
    targets: ["f", "g"],
  });
});

Deno.test("parsePtx() passes over what a body says to debuggers", () => {
  const text = `.loc 1 20 5 // file.py:20:5
    .loc 1 0 0, function_name $L__info_string0, inlined_at 1 30 4
    .loc 1 2 3, function_name $L__info+10, inlined_at 1 30 4 ret;
    .pragma "nounroll"; .pragma "a", "b";
    @@DWARF .byte 0x01
    $L__func_end0:`;
  assert.equal(instructionsOf(text).length, 1);
});

Deno.test("parsePtx() makes parameters that are registers the first registers of a body", () => {
  const text = `${HEADER}.func (.reg .u32 out) f(.reg .f64 in, .reg .v2 .b32 v, .reg .pred p) { .reg .b32 a;
    mov.u32 out, v.y; ret; }`;
  const { body, params, returns } = functionOf(text, "f");
  assert.deepEqual(body?.registers.map(({ name }) => name), ["out", "in", "v.x", "v.y", "p", "a"]);
  assert.deepEqual([...returns, ...params].map(({ space, type }) => `${space} ${type}`), [
    "reg u32",
    "reg f64",
    "reg b32",
    "reg pred",
  ]);
});

Deno.test("parsePtx() refuses bodies with the line of the fault", () => {
  const cases: [string, number, RegExp, ("unsupported" | "limit")?][] = [
    [".reg .b32 a;\n.reg .f32 a;", 5, /`a` is declared twice/],
    [".reg .b32 a, a;", 4, /`a` is declared twice/],
    [".reg .b32 %r3;", 4, /`%r3` is declared twice/],
    [".reg .b32 %r<20>;", 4, /`%r` is declared twice/],
    [".reg .b32 b1; .reg .b32 b<4>;", 4, /`b` is declared twice/],
    [".reg .b32 L;\nL: ret;", 5, /`L` is declared twice/],
    ["L: ret;\nL: ret;", 5, /`L` is declared twice/],
    [".local .b32 a; .shared .b32 a;", 4, /`a` is declared twice/],
    [".reg .b32 p0;", 4, /`p0` is declared twice/],
    [".reg .b32 _;", 4, /`_` is no name/],
    ["bra z;\n.reg .b32 z;", 4, /`z` is used before its declaration/],
    [".reg .b32 %q<1000001>;", 4, /above the limit of 1000000/, "limit"],
    [".reg .b32 %q<1000000000>;", 4, /above the limit of 1000000/, "limit"],
    [".reg .b32 %q<900000>;\n.reg .v2 .b32 %s<50001>;", 5, /more than 1000000 registers/, "limit"],
    [".reg .b32 %q<-1>;", 4, /expected the number of names/],
    [".reg .b32 %q<4;", 4, /expected `>`/],
    [".reg .b32 %q[4];", 4, /expected `,` or `;`/],
    [".reg %q;", 4, /expected a type/],
    [".reg .e4m3 %q;", 4, /`\.e4m3` does not belong to a declaration/],
    [".reg .v2 .b32 v; mov.u32 %r1, v.z;", 4, /a component of `v`/],
    [".entry x() {}", 4, /`\.entry` does not belong into a function/],
    [".local .pred q;", 4, /a predicate is a register/],
    ["5;", 4, /expected an instruction or `}`, found `5`/],
    ["@5 ret;", 4, /expected a register, found `5`/],
    ["@%p1 .reg .b32 z;", 4, /expected an instruction/],
    ["@%p1 }", 4, /expected an instruction/],
    [".loc 1 2;", 4, /a number of `\.loc`/],
    [".loc 1 2 3, foo L", 4, /`foo` does not belong to `\.loc`/],
    ["P: .callprototype (.param .b32 _) (.param .b32 _);", 4, /expected `_`/],
    ["{", 5, /expected an instruction or `}`, found the end/],
    ["{".repeat(64), 4, /braces are nested too deep/, "limit"],
  ];
  for (const [text, line, message, kind] of cases) refuses(inBody(text), line, message, kind);
});

Deno.test("parsePtx() takes braces 63 deep inside a body", () => {
  assert.equal(instructionsOf("{".repeat(63) + "ret;" + "}".repeat(63)).length, 1);
});
