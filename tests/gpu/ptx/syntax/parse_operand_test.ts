import assert from "node:assert/strict";
import { inBody, instructionsOf, operandsOf, refuses } from "../parse_support.ts";

Deno.test("parsePtx() reads every form of operand", () => {
  const cases: [instruction: string, operands: unknown[]][] = [
    ["ret;", []],
    ["add.s32 %r1, %r2, %r3;", ["%r1", "%r2", "%r3"]],
    ["mov.u32 %r1, 5;", ["%r1", 5n]],
    ["mov.u32 %r1, 123456;", ["%r1", 123456n]],
    ["mov.u32 %r1,-1;", ["%r1", -1n]],
    ["mov.u32 %r1, (4*8)+1;", ["%r1", 33n]],
    ["mov.u32 %r1, WARP_SZ;", ["%r1", 32n]],
    ["mov.u32 %r1, 0x10 ;", ["%r1", 16n]],
    ["mov.b64 %rd1, -9223372036854775808;", ["%rd1", -(2n ** 63n)]],
    ["mov.f32 %f1, 0f3F800000;", ["%f1", "f32:3f800000"]],
    ["mov.f64 %f1, 0d3FF0000000000000;", ["%f1", "f64:3ff0000000000000"]],
    ["mov.f32 %f1, -.5;", ["%f1", "f64:bfe0000000000000"]],
    ["mov.u32 %r1, %tid.x;", ["%r1", "special tid.x"]],
    ["mov.u32 %r1, %nctaid.z;", ["%r1", "special nctaid.z"]],
    ["mov.u32 %r1, %laneid;", ["%r1", "special laneid"]],
    ["mov.u64 %rd1, %clock64;", ["%rd1", "special clock64"]],
    ["mov.v4.u32 %rd1, %ctaid;", ["%rd1", "special ctaid"]],
    ["mov.u64 %rd1, x;", ["%rd1", "x+0"]],
    ["mov.u64 %rd1, x+4;", ["%rd1", "x+4"]],
    ["mov.u64 %rd1, x-4;", ["%rd1", "x+-4"]],
    ["mov.b64 %rd1, pa;", ["%rd1", "pa+0"]],
    ["ld.param.u64 %rd1, [p0];", ["%rd1", "[p0+0]"]],
    ["ld.param.u32 %r1, [pa+8];", ["%r1", "[pa+8]"]],
    ["ld.global.u32 %r1, [%rd1];", ["%r1", "[%rd1+0]"]],
    ["ld.global.u32 %r1, [%rd1+4];", ["%r1", "[%rd1+4]"]],
    ["ld.global.u32 %r1, [ %rd1 + 0 ];", ["%r1", "[%rd1+0]"]],
    ["ld.global.u32 %r1, [%rd1+-4];", ["%r1", "[%rd1+-4]"]],
    ["ld.global.u32 %r1, [%rd1-4];", ["%r1", "[%rd1+-4]"]],
    ["ld.global.u32 %r1, [%rd1+4*2+1];", ["%r1", "[%rd1+9]"]],
    ["ld.global.u32 %r1, [x+WARP_SZ];", ["%r1", "[x+32]"]],
    ["ld.local.u32 %r1, [128];", ["%r1", "[128]"]],
    ["ld.local.u32 %r1, [WARP_SZ];", ["%r1", "[32]"]],
    ["mov.b64 {%r1, %r2}, %rd1;", [{ vector: ["%r1", "%r2"] }, "%rd1"]],
    ["mov.b64 {_, %r1}, %rd1;", [{ vector: ["_", "%r1"] }, "%rd1"]],
    ["a {}, {{1},{%r1}};", [{ vector: [] }, { vector: [{ vector: [1n] }, { vector: ["%r1"] }] }]],
    ["setp.eq.s32 %p1|%p2, %r1, 0;", [{ pair: ["%p1", "%p2"] }, "%r1", 0n]],
    ["setp.eq.s32 %p1 | %p2, %r1, 0;", [{ pair: ["%p1", "%p2"] }, "%r1", 0n]],
    ["shfl.sync.bfly.b32 %r1|_, %r2, 1, 31, -1;", [{ pair: ["%r1", "_"] }, "%r2", 1n, 31n, -1n]],
    ["elect.sync _|%p1, -1;", [{ pair: ["_", "%p1"] }, -1n]],
    ["and.pred %p1, %p2, !%p3;", ["%p1", "%p2", "!%p3"]],
    ["atom.global.add.u32 _, [%rd1], 1;", ["_", "[%rd1+0]", 1n]],
    ["bra L; L:", ["L@1"]],
    ["mov.u64 %rd1, k;", ["%rd1", "function k"]],
    ["call.uni k, (p0, 5);", ["function k", { list: ["p0+0", 5n] }]],
    ["call (%r1), k, (%r2, %f1);", [{ list: ["%r1"] }, "function k", { list: ["%r2", "%f1"] }]],
    ["call.uni (_), k, ();", [{ list: ["_"] }, "function k", { list: [] }]],
    ["call k;", ["function k"]],
    ["call k, ((4*8)+1);", ["function k", { list: [33n] }]],
    ["tex.1d {%f1}, [x, {%f2}];", [{ vector: ["%f1"] }, { list: ["[x+0]", { vector: ["%f2"] }] }]],
    ["tex.2d {%f1}, [%rd1, x, {%f2,%f3}];", [
      { vector: ["%f1"] },
      { list: ["[%rd1+0]", "x+0", { vector: ["%f2", "%f3"] }] },
    ]],
    ["cp.async.bulk [%r1], [%rd1, {%r2,0}], [%r3+8];", [
      "[%r1+0]",
      { list: ["[%rd1+0]", { vector: ["%r2", 0n] }] },
      "[%r3+8]",
    ]],
  ];
  for (const [instruction, operands] of cases) {
    assert.deepEqual(operandsOf(instruction, ".global .b8 x[64];"), operands, instruction);
  }
});

Deno.test("parsePtx() reads opcodes with modifiers, wherever spaces are", () => {
  const cases: [string, string, string[]][] = [
    ["ret;", "ret", []],
    ["add.rn.ftz.f32 %f1, %f2, %f3;", "add", ["rn", "ftz", "f32"]],
    ["add .s32 %r1, %r2, %r3;", "add", ["s32"]],
    ["add/* */.sat .s32 %r1, %r2, %r3;", "add", ["sat", "s32"]],
    ["tex.2d.v4.f32.f32 %f1, %f2;", "tex", ["2d", "v4", "f32", "f32"]],
    ["ld.global.L1::no_allocate.L2::64B.v4.f32 %f1, [%rd1];", "ld", [
      "global",
      "L1::no_allocate",
      "L2::64B",
      "v4",
      "f32",
    ]],
    ["a.mbarrier::complete_tx::bytes %r1;", "a", ["mbarrier::complete_tx::bytes"]],
  ];
  for (const [text, opcode, modifiers] of cases) {
    const [instruction] = instructionsOf(text);
    assert.deepEqual([instruction?.opcode, instruction?.modifiers], [opcode, modifiers], text);
  }
  // One object for all that are written alike, so that they may be compared and grouped cheaply.
  const [one, other] = instructionsOf("add.s32 %r1, 1, 2; add.s32 %r2, 1, 2;");
  assert.equal(one?.modifiers, other?.modifiers);
});

Deno.test("parsePtx() prefers a declared register to the special one of its name", () => {
  assert.deepEqual(operandsOf(".reg .b32 %laneid; mov.u32 %laneid, 1;"), ["%laneid", 1n]);
  assert.deepEqual(operandsOf(".reg .v4 .b32 %tid; mov.u32 %r1, %tid.w;"), ["%r1", "%tid.w"]);
});

Deno.test("parsePtx() refuses operands with the line they are in", () => {
  const cases: [string, number, RegExp, ("unsupported" | "limit")?][] = [
    ["add.s32 %r1,\n\n%zz, 1;", 6, /`%zz` is not declared/],
    ["mov.u32 %r1, %r10;", 4, /`%r10` is not declared/],
    ["mov.u32 %r1, %r01;", 4, /`%r01` is not declared/],
    ["mov.u32 %r1, %envreg32;", 4, /`%envreg32` is not declared/],
    ["ld.global.u32 %r1, [%zz];", 4, /`%zz` is not declared/],
    ["ld.global.u32 %r1, [k];", 4, /`k` is not declared/],
    ["@%zz ret;", 4, /`%zz` is not declared/],
    ["not.pred %p1, !%zz;", 4, /`%zz` is not declared/],
    ["not.pred %p1, !5;", 4, /expected a register, found `5`/],
    ["a %p1|5;", 4, /expected a register, found `5`/],
    ["bra\nM;", 5, /`M` is not declared/],
    ["{ bra M; } { bra N; } M:", 4, /`N` is not declared/],
    ["bra M;\n{ bra N; }", 4, /`M` is not declared/],
    ["call foo, (p0);", 4, /`foo` is not declared/],
    ["ld.global.u32 %r1, [%rd1+%r2];", 4, /one name and a constant/, "unsupported"],
    ["ld.global.u32 %r1, [x+%r2];", 4, /one name and a constant/, "unsupported"],
    ["ld.global.u32 %r1, x[1];", 4, /an index after a name/, "unsupported"],
    ["vadd.s32.s32.s32 %r1, %r2.b0, %r3;", 4, /a part of a register, `\.b0`/, "unsupported"],
    ["mov.u32 %r1, -%r2;", 4, /expected a constant, found `%r2`/],
    ["mov.u32 %r1, %tid.q;", 4, /a component of `%tid`/],
    ["mov.u32 %r1, %tid.r;", 4, /a component of `%tid`/],
    ["mov.u32 %r1, x+1.5;", 4, /floating-point constant where an integer/],
    ["ld.global.u32 %r1, [%rd1;", 4, /expected `\]`, found `;`/],
    ["ld.global.u32 %r1, [%rd1, ;", 4, /expected a constant, found `;`/],
    ["ld.global.u32 %r1, [%tid.x];", 4, /expected a register or a variable/],
    ["mov.b64 {%r1, %r2, %rd1;", 4, /expected `,` or `}`, found `;`/],
    ["call k, (p0;", 4, /expected `,` or `\)`, found `;`/],
    ["add.s32 %r1 %r2;", 4, /expected `,` or `;`, found `%r2`/],
    ["add.s32 %r1,;", 4, /expected a constant, found `;`/],
    ["add.s32 , %r1;", 4, /expected a constant, found `,`/],
    ["add.s32 %r1", 5, /expected `,` or `;`, found `}`/],
    [`a ${"{".repeat(100_000)}`, 4, /nested too deep/, "limit"],
    [`call ${"(".repeat(100_000)}`, 4, /nested too deep/, "limit"],
    [`a ${"[0,".repeat(100_000)}`, 4, /nested too deep/, "limit"],
  ];
  for (const [text, line, message, kind] of cases) {
    refuses(inBody(text, ".global .b8 x[64];"), line, message, kind);
  }
});
