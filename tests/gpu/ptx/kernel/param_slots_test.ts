/**
 * Parameter slots: which parameters of calls become registers, and which lie in local memory.
 */
import assert from "node:assert/strict";
import { passBody } from "../pass_support.ts";

const F =
  `.func (.param .b32 o) f(.param .b32 i) { .reg .b32 %r<3>; ld.param.u32 %r1, [i]; st.param.b32 [o], %r1; ret; }`;

function opcodes(body: string, module = F): string[] {
  return passBody(body, module).kernel.instructions.map(({ row }) => row.name);
}

Deno.test("parameters that are accessed whole are registers", () => {
  const names = opcodes(
    "{ .param .b32 a; .param .b32 b; st.param.b32 [a], 1; call (b), f, (a); ld.param.b32 %r1, [b]; }",
  );
  assert.ok(!names.includes("ld") && !names.includes("st"), names.join(" "));
  assert.equal(names.filter((name) => name === "$get" || name === "$set").length, 4);
});

Deno.test("pieces that do not overlap are registers, those that do are memory", () => {
  const g = `.func g(.param .align 8 .b8 s[8]) { .reg .b32 %r<3>; .reg .b64 %d<3>; LOADS ret; }`;
  const body = "{ .param .align 8 .b8 p[8]; st.param.u32 [p], 1; st.param.u32 [p+4], 2; call g, (p); }";
  assert.equal(passBody(body, g.replace("LOADS", "ld.param.u32 %r1, [s+4];")).kernel.localBytes, 0);
  const overlapping = passBody(body, g.replace("LOADS", "ld.param.u64 %d1, [s];")).kernel;
  assert.equal(overlapping.localBytes, 16);
  assert.ok(
    overlapping.instructions.some(({ row, modifiers }) => row.name === "ld" && modifiers.includes("local")),
  );
});

Deno.test("a vector access is as many registers as it has elements", () => {
  const module =
    `.func g(.param .align 16 .b8 s[16]) { .reg .b32 %r<5>; ld.param.v4.u32 {%r1, %r2, %r3, %r4}, [s]; ret; }`;
  const { kernel } = passBody(
    "{ .param .align 16 .b8 p[16]; st.param.v4.b32 [p], {%r1, %r2, %r3, %r4}; call g, (p); }",
    module,
  );
  assert.equal(kernel.localBytes, 0);
  assert.equal(kernel.instructions.filter(({ row }) => row.name === "$set").length, 4);
  assert.equal(kernel.instructions.filter(({ row }) => row.name === "$get").length, 4);
});

Deno.test("parameters of the kernel stay what they are", () => {
  const { kernel } = passBody("ld.param.u64 %d1, [memory]; ld.param.u32 %r1, [number];");
  assert.deepEqual(kernel.instructions.slice(0, 2).map(({ row }) => row.name), ["ld", "ld"]);
  assert.equal(kernel.paramBytes, 12);
});

Deno.test("branches go where they went after accesses have become more or fewer instructions", () => {
  const module = `.func g(.param .align 16 .b8 s[16]) { .reg .b32 %r<5>; .reg .pred %p<2>; @%p1 bra L;
    ld.param.v4.u32 {%r1, _, _, _}, [s]; L: ret; }`;
  const { cfg } = passBody(
    `@%p1 bra A; { .param .align 16 .b8 p[16]; st.param.v4.b32 [p], {%r1, %r2, %r3, %r4}; call g, (p); }
     mov.u32 %r7, 7; A: mov.u32 %r8, 8;`,
    module,
  );
  const last = cfg.blocks.at(-1);
  assert.deepEqual(last?.instructions.map(({ row }) => row.name), ["mov"]);
  assert.ok((cfg.predecessors.at(-1)?.length ?? 0) >= 2);
});
