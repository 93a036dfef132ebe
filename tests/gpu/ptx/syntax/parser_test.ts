import assert from "node:assert/strict";
import { parsePtx, TEXT_LENGTH_MAX } from "../../../../gpu/ptx/syntax/parser.ts";
import { bodyOf, functionOf, HEADER, refuses } from "../parse_support.ts";

Deno.test("parsePtx() reads the directives at the head of a module", () => {
  const { version, targets, addressSize } = parsePtx(
    '// a\n.version 8.7\n.target sm_90a, debug, texmode_independent\n.address_size 64\n.pragma "a", "b";\n',
  );
  assert.deepEqual(version, { major: 8, minor: 7 });
  assert.deepEqual(targets, ["sm_90a", "debug", "texmode_independent"]);
  assert.equal(addressSize, 64);
  assert.equal(parsePtx(".version 3.2 .target sm_20").addressSize, 32);
});

Deno.test("parsePtx() ends a text at its first NUL", () => {
  assert.equal(parsePtx(`${HEADER}.func f();\0rubbish`).functions.length, 1);
});

Deno.test("parsePtx() passes over what a module says to debuggers", () => {
  const text = `${HEADER}
    .file 1 "a.cu"
    .file 2 "b.cu", 1700000000, 1234
    .file 3 "folder" "c.cu" md5 0x0123456789abcdef
    .section .debug_abbrev
    {
      .b8 1 // }
      .b32 .debug_info+4, 5
      $L__info_string0:
      { .b8 2 }
    }
    .section .debug_macinfo { }
    @@DWARF .section .debug_line, "", @progbits {
    .func f() { ret; }`;
  assert.equal(bodyOf(text, "f").instructions.length, 1);
});

Deno.test("parsePtx() reads headers of entries and functions", () => {
  const text = `${HEADER}
    .visible .entry k(
      .param .u64 .ptr .global .align 16 a, .param .u64 .ptr b, .param .align 8 .u64 .ptr .const .align 2 c,
      .param .align 16 .b8 d[48], .param .f32 e, .param .texref t, .param .b8 rest[]
    )
    .maxntid 128, 1, 1
    .minnctapersm 2 .maxnreg 0x20 .explicitcluster .reqnctapercluster 2,1,1
    .pragma "nounroll";
    { ret; }
    .entry bare { ret; }
    .entry early .reqntid 4 { ret; }
    .weak .func (.param .b32 r) f(.param .b64 a) { ret; }
    .extern .func bye (.param .b32 a) .noreturn;
    .func () none () ;
    .func .attribute(.unified(1, 2)) u() { ret; }`;
  const k = functionOf(text);
  assert.deepEqual([k.kind, k.linkage, k.line], ["entry", "visible", 4]);
  assert.deepEqual(k.params.map(({ name, byteLength, alignment }) => [name, byteLength, alignment]), [
    ["a", 8, 8],
    ["b", 8, 8],
    ["c", 8, 8],
    ["d", 48, 16],
    ["e", 4, 4],
    ["t", 8, 8],
    ["rest", 0, 1],
  ]);
  assert.deepEqual([...k.directives], [
    ["maxntid", [128, 1, 1]],
    ["minnctapersm", [2]],
    ["maxnreg", [32]],
    ["explicitcluster", []],
    ["reqnctapercluster", [2, 1, 1]],
  ]);
  assert.deepEqual([...functionOf(text, "early").directives], [["reqntid", [4]]]);
  assert.deepEqual(functionOf(text, "bare").params, []);
  const f = functionOf(text, "f");
  assert.deepEqual([f.kind, f.linkage, f.returns[0]?.name, f.params[0]?.name], ["func", "weak", "r", "a"]);
  const bye = functionOf(text, "bye");
  assert.deepEqual([bye.linkage, bye.body, bye.directives.has("noreturn")], ["extern", undefined, true]);
  assert.deepEqual(functionOf(text, "none").returns, []);
  assert.ok(functionOf(text, "u").body);
});

Deno.test("parsePtx() keeps the definition of a function that is also declared", () => {
  for (
    const text of [
      ".visible .func f(.param .b32 a); .func f(.param .b32 b) { ret; }",
      ".func f(.param .b32 b) { ret; } .visible .func f(.param .b32 a);",
    ]
  ) {
    const { functions } = parsePtx(HEADER + text);
    assert.deepEqual(
      functions.map(({ name, linkage, params, body }) => [name, linkage, params[0]?.name, !body]),
      [
        ["f", "visible", "b", false],
      ],
    );
  }
});

Deno.test("parsePtx() takes an extern declaration back when the definition follows", () => {
  const text = `${HEADER}.extern .func f(); .func f() { ret; }`;
  assert.equal(functionOf(text, "f").linkage, undefined);
});

Deno.test("parsePtx() resolves functions that stand further on, and aliases", () => {
  const text = `${HEADER}.func g(); .func f() { .reg .b64 a; call.uni g; call h, (); mov.u64 a, g2; ret; }
    .func h() { ret; } .alias g2, h;`;
  const operands = bodyOf(text, "f").instructions.map(({ operands }) =>
    operands.filter(({ kind }) => kind === "function")
  );
  assert.deepEqual(operands.flat(), ["g", "h", "g2"].map((name) => ({ kind: "function", name })));
  assert.deepEqual([...parsePtx(text).aliases], [["g2", "h"]]);
});

Deno.test("parsePtx() refuses modules with the line of the fault", () => {
  const cases: [string, number, RegExp, ("unsupported" | "limit")?][] = [
    ["", 1, /a module without `\.version`/],
    ["\n\n", 3, /a module without `\.version`/],
    ["\n.target sm_90", 2, /expected `\.version` first, found `\.target`/],
    ["not PTX", 1, /expected a directive, found `not`/],
    ["\x7fELF", 1, /character 127/],
    [".version 9", 1, /expected a version such as `9\.0`, found `9`/],
    [".version 9.0\n.version 9.0", 2, /a second `\.version`/],
    [".version 9.0 .target 5", 1, /expected a target/],
    [".version 9.0 .address_size 16", 1, /an address size of 16/],
    [`${HEADER}\n.foo`, 4, /`\.foo` does not belong at module scope/],
    [`${HEADER}\n.visible .foo`, 4, /expected a declaration, found the end/],
    [`${HEADER}\n.visible foo`, 4, /expected a declaration, found `foo`/],
    [`${HEADER}@x`, 3, /expected a directive, found `x`/],
    [`${HEADER}.section .debug_info {\n\n{}`, 5, /found the end/],
    [`${HEADER}.pragma;`, 3, /expected a string/],
    [`${HEADER}.pragma "a"`, 3, /expected `;`/],
    [`${HEADER}\n.func f() {}\n.func f() {}`, 5, /`f` is declared twice/],
    [`${HEADER}\n.func f() {}\n.entry f() {}`, 5, /`f` is declared twice/],
    [`${HEADER}\n.func f();\n.entry f() {}`, 5, /`f` is both an entry and a function/],
    [`${HEADER}\n.func f();\n.global .u32 f;`, 5, /`f` is declared twice/],
    [`${HEADER}\n.global .u32 f;\n.func f();`, 5, /`f` is declared twice/],
    [`${HEADER}\n.alias a, f;`, 4, /`f`, alias `a`, is not declared/],
    [`${HEADER}.alias a f;`, 3, /expected `,`/],
    [`${HEADER}.entry (.param .b32 a) k() {}`, 3, /expected a name, found `\(`/],
    [`${HEADER}.func f(.param .b32 a, .param .b32 a) {}`, 3, /`a` is declared twice/],
    [`${HEADER}.func f(.global .b32 a) {}`, 3, /expected `\.param` or `\.reg`/],
    [`${HEADER}.func f(.reg .b32 a[4]) {}`, 3, /an array is no register/],
    [`${HEADER}.func f(.param .b32 a`, 3, /expected `,` or `\)`/],
    [`${HEADER}.func f()\n`, 4, /expected `{` or `;`, found the end/],
    [`${HEADER}.func f() ret;`, 3, /expected `{` or `;`, found `ret`/],
    [`${HEADER}.entry k() .maxntid 4294967296 {}`, 3, /above the limit of 4294967295/, "limit"],
  ];
  for (const [text, line, message, kind] of cases) refuses(text, line, message, kind);
});

Deno.test("parsePtx() refuses a text that is too long before it reads it", () => {
  refuses("x".repeat(TEXT_LENGTH_MAX + 1), 0, /above the limit of 33554432/, "limit");
  refuses("x".repeat(TEXT_LENGTH_MAX), 1, /expected a directive/);
});
