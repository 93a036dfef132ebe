/**
 * Calls: inlining, parameters of every kind, function pointers and what is refused.
 */
import assert from "node:assert/strict";
import { createCpuDevice } from "../../../../gpu/cpu/mod.ts";
import { INSTRUCTIONS_MAX } from "../../../../gpu/ptx/kernel/flatten.ts";
import { PtxError } from "../../../../gpu/ptx/ptx_error.ts";
import { runBody } from "../../cpu/device_support.ts";
import { passBody } from "../pass_support.ts";

const device = createCpuDevice();

/** What a body leaves in `%r1` of thread 0, with functions before it. */
async function resultOf(module: string, body: string): Promise<number> {
  const { status, text, memory } = await runBody(device, `${body}\nst.global.u32 [%own], %r1;`, { module });
  assert.equal(status, 0, text);
  return new DataView(memory.buffer).getInt32(0, true);
}

const DOUBLE = `.func (.param .b32 out) twice(.param .b32 in) { .reg .b32 %r<3>;
  ld.param.u32 %r1, [in]; add.u32 %r1, %r1, %r1; st.param.b32 [out], %r1; ret; }`;

Deno.test("a function with parameters in .param gives its result", async () => {
  const body =
    `{ .param .b32 a; .param .b32 b; st.param.b32 [a], 21; call.uni (b), twice, (a); ld.param.b32 %r1, [b]; }`;
  assert.equal(await resultOf(DOUBLE, body), 42);
});

Deno.test("a function with parameters in registers gives its result, and takes constants", async () => {
  const module = `.func (.reg .b32 out) sum(.reg .b32 a, .reg .b32 b) { add.u32 out, a, b; ret; }`;
  assert.equal(await resultOf(module, "mov.u32 %r2, 8; call (%r1), sum, (%r2, 5);"), 13);
  const twiceIn =
    `.func (.reg .f64 out) half(.reg .f64 a, .reg .pred p) { mov.f64 out, a; @p mul.f64 out, a, 0.5; ret; }`;
  const body =
    `mov.f64 %g1, 7.0; setp.eq.u32 %p1, %me, 0; call (%g2), half, (%g1, %p1); call (%g2), half, (%g2, %p1);
    mul.f64 %g2, %g2, 4.0; cvt.rzi.u32.f64 %r1, %g2;`;
  assert.equal(await resultOf(twiceIn, body), 7);
});

Deno.test("a register or a constant stands where a .param is expected", async () => {
  assert.equal(await resultOf(DOUBLE, "mov.u32 %r2, 9; call (%r1), twice, (%r2);"), 18);
  assert.equal(await resultOf(DOUBLE, "call (%r1), twice, (16);"), 32);
});

Deno.test("each call has registers, frames and parameters of its own", async () => {
  const module =
    `.func (.param .b32 out) keep(.param .b32 in) { .reg .b32 %r<4>; .local .align 4 .b8 l[8]; .reg .b64 %d<2>;
    ld.param.u32 %r1, [in]; st.local.u32 [l], %r1; ld.local.u32 %r2, [l]; ld.local.u32 %r3, [l+4];
    add.u32 %r2, %r2, %r3; st.param.b32 [out], %r2; ret; }`;
  const body =
    `{ .param .b32 a; .param .b32 b; st.param.b32 [a], 3; call (b), keep, (a); ld.param.b32 %r2, [b]; }
    { .param .b32 a; .param .b32 b; st.param.b32 [a], 40; call (b), keep, (a); ld.param.b32 %r3, [b]; } add.u32 %r1, %r2, %r3;`;
  assert.equal(await resultOf(module, body), 43);
});

Deno.test("a call in a call, and a function that returns early", async () => {
  const module = `${DOUBLE} .func (.param .b32 out) clamp(.param .b32 in) { .reg .b32 %r<4>; .reg .pred %p<2>;
    ld.param.u32 %r1, [in]; st.param.b32 [out], 100; setp.gt.u32 %p1, %r1, 100; @%p1 ret;
    { .param .b32 a; .param .b32 b; st.param.b32 [a], %r1; call (b), twice, (a); ld.param.b32 %r2, [b]; }
    st.param.b32 [out], %r2; ret; }`;
  for (const [value, wanted] of [[30, 60], [101, 100]]) {
    assert.equal(await resultOf(module, `call (%r1), clamp, (${value});`), wanted);
  }
});

Deno.test("a call under a guard is made by those for whom it holds", async () => {
  const body =
    `mov.u32 %r1, 1; setp.eq.u32 %p1, %me, 1; @%p1 call (%r1), twice, (%r1); @!%p1 call (%r1), twice, (5);`;
  assert.equal(await resultOf(DOUBLE, body), 10);
});

Deno.test("a structure is passed by value, piece by piece and as memory", async () => {
  const module =
    `.func (.param .b32 out) total(.param .align 8 .b8 s[16], .param .b32 index) { .reg .b32 %r<8>; .reg .b64 %d<8>;
    ld.param.u32 %r1, [s]; ld.param.u64 %d1, [s+8]; cvt.u32.u64 %r2, %d1; add.u32 %r1, %r1, %r2;
    ld.param.u32 %r3, [index]; mov.b64 %d2, s; cvt.u64.u32 %d3, %r3; add.u64 %d2, %d2, %d3; ld.local.u32 %r4, [%d2];
    add.u32 %r1, %r1, %r4; st.param.b32 [out], %r1; ret; }`;
  const body =
    `{ .param .align 8 .b8 p[16]; .param .b32 i; .param .b32 o; st.param.u32 [p], 1; st.param.u32 [p+4], 20;
    mov.u64 %d1, 300; st.param.u64 [p+8], %d1; st.param.b32 [i], 4; call (o), total, (p, i); ld.param.b32 %r1, [o]; }`;
  // The address of a parameter is one of local memory (PTX ISA 5.1.6.4).
  assert.equal(await resultOf(module, body), 321);
});

Deno.test("parameters of other widths than they are read with", async () => {
  const module = `.func (.param .b64 out) join(.param .align 8 .b8 s[8]) { .reg .b64 %d<3>;
    ld.param.u64 %d1, [s]; st.param.b64 [out], %d1; ret; }`;
  const body =
    `{ .param .align 8 .b8 p[8]; .param .b64 o; st.param.u32 [p], 7; st.param.u32 [p+4], 9; call (o), join, (p);
    ld.param.b64 %d1, [o]; } shr.u64 %d2, %d1, 32; add.u64 %d1, %d1, %d2; cvt.u32.u64 %r1, %d1;`;
  assert.equal(await resultOf(module, body), 16);
});

const POINTED =
  `.func (.param .b32 o) one(.param .b32 i) { .reg .b32 %r<3>; ld.param.u32 %r1, [i]; add.u32 %r1, %r1, 1; st.param.b32 [o], %r1; ret; }
  .func (.param .b32 o) ten(.param .b32 i) { .reg .b32 %r<3>; ld.param.u32 %r1, [i]; mul.lo.u32 %r1, %r1, 10; st.param.b32 [o], %r1; ret; }
  .func other() { ret; }
  .global .align 8 .u64 table[3] = {one, ten, other};`;

function callThrough(pointer: string): string {
  return `{ .param .b32 a; .param .b32 b; st.param.b32 [a], 7; ${pointer} call (b), %d1, (a), P;
    ld.param.b32 %r1, [b]; P: .callprototype (.param .b32 _) _ (.param .b32 _); }`;
}

Deno.test("a function is called by its address, from a register or a table", async () => {
  assert.equal(await resultOf(POINTED, callThrough("mov.u64 %d1, one;")), 8);
  assert.equal(await resultOf(POINTED, callThrough("ld.global.u64 %d1, [table+8];")), 70);
});

Deno.test("threads call different functions by their addresses", async () => {
  const { status, memory } = await runBody(
    device,
    `${
      callThrough(
        "and.b32 %r2, %me, 1; mul.wide.u32 %d2, %r2, 8; mov.u64 %d3, table; add.u64 %d3, %d3, %d2; ld.global.u64 %d1, [%d3];",
      )
    }
     st.global.u32 [%own], %r1;`,
    { module: POINTED, block: { x: 4 } },
  );
  assert.deepEqual([status, ...new Uint32Array(memory.buffer, 0, 4)], [0, 8, 70, 8, 70]);
});

Deno.test("a call of what is no function, or one of another form, is error 719", async () => {
  for (
    const pointer of [
      "mov.u64 %d1, 0;",
      "mov.u64 %d1, 12345;",
      "ld.global.u64 %d1, [table+16];",
      "mov.u64 %d1, %memory;",
    ]
  ) {
    assert.equal((await runBody(device, callThrough(pointer), { module: POINTED })).status, 719, pointer);
  }
});

Deno.test("an alias is the function that it stands for", async () => {
  const module = `${DOUBLE} .func (.param .b32 out) also(.param .b32 in); .alias also, twice;`;
  assert.equal(await resultOf(module, "call (%r1), also, (4);"), 8);
});

Deno.test("calls that cannot be made are refused with their line", () => {
  const cases: readonly (readonly [module: string, body: string, message: RegExp])[] = [
    ["", "call nobody, ();", /nobody/],
    [".extern .func far();", "call far, ();", /far is not defined/],
    [DOUBLE, "call twice, (%r1);", /expected 1 results, got 0/],
    [DOUBLE, "call (%r1), twice, ();", /expected 1 arguments, got 0/],
    [".func f() { call f, (); ret; }", "call f, ();", /recursion of f/],
  ];
  for (const [module, body, message] of cases) {
    assert.throws(
      () => passBody(body, module),
      (error) => error instanceof PtxError && error.line > 0 && message.test(error.message),
      body,
    );
  }
});

Deno.test("functions that grow with every level are refused before they are inlined", () => {
  const levels = Array.from(
    { length: 30 },
    (_, i) => `.func f${i}() { ${i === 0 ? "" : `call f${i - 1}, (); call f${i - 1}, ();`} ret; }`,
  );
  assert.throws(
    () => passBody("call f29, ();", levels.join("\n")),
    (error) =>
      error instanceof PtxError && error.kind === "limit" &&
      error.message.includes(`instructionsMax is ${INSTRUCTIONS_MAX}, got`),
  );
});

Deno.test("an inlined body's labels are its own", () => {
  const module = `.func f() { .reg .pred %p<2>; L: @%p1 bra L; bra E; E: ret; }`;
  const { cfg } = passBody("L: call f, (); call f, (); @%p1 bra L; E: ret;", module);
  // Two loops of their own, and one round both.
  const back = cfg.blocks.flatMap(({ index, successors }) => successors.filter((to) => to <= index));
  assert.equal(back.length, 3);
});
