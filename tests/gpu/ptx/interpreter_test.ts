/**
 * The interpreter's memory, control flow, calls and faults.
 *
 * Owns what one thread does beyond arithmetic; what threads do together is in interpreter_warp_test.ts.
 */
import assert from "node:assert/strict";
import { parsePtx } from "../../../gpu/ptx/syntax/parser.ts";
import { initializeGlobals, interpretKernel, type KernelStatus } from "./interpreter/interpret.ts";
import { MEMORY_BASE, runBody } from "./interpreter_support.ts";

function errorOf(status: KernelStatus): number | undefined {
  return status === "ok" ? undefined : status.error;
}

Deno.test("interpreter: narrow loads extend, vectors keep their order, stores touch only their bytes", () => {
  const memory = new Uint8Array(64);
  memory.set([0x80, 0x01, 0xff, 0x7f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  const { status, words } = runBody({
    memory,
    body: `ld.global.s8 %r1, [%base]; ld.global.u8 %r2, [%base+2]; ld.global.s16 %r3, [%base+2];
      ld.global.s8 %d1, [%base]; ld.global.v4.u8 {%r4, %r5, _, %r6}, [%base+4]; ld.v2.u32 {%r7, %r8}, [%base+8];
      st.global.u32 [%base+16], %r1; st.global.u32 [%base+20], %r2; st.global.u32 [%base+24], %r3;
      st.global.u64 [%base+32], %d1; st.global.v4.u32 [%base+48], {%r4, %r6, %r7, %r8};
      st.global.u8 [%base+17], %r2; st.global.u16 [%base+22], %r7;`,
  });
  assert.equal(status, "ok");
  assert.deepEqual([...words.slice(4, 7)], [0xffff_ff80, 0x0605_00ff, 0x7fff]);
  assert.deepEqual([...words.slice(8, 10)], [0xffff_ff80, 0xffff_ffff]);
  assert.deepEqual([...words.slice(12)], [1, 4, 0x0807_0605, 0x0c0b_0a09]);
});

Deno.test("interpreter: generic addresses reach every space, and cvta.to is the way back", () => {
  const { status, words } = runBody({
    threads: 2,
    sharedBytes: 64,
    module: `.const .u32 c[2] = {7, 8}; .global .u32 g[2] = {9, 10}; .extern .shared .b8 dynamic[];
      .shared .align 4 .b8 fixed[20];`,
    body: `.local .align 8 .b8 own[16];
      mov.u64 %d1, own; cvta.local.u64 %d2, %d1; st.u32 [%d2+4], %me; cvta.to.local.u64 %d3, %d2;
      ld.local.u32 %r1, [%d3+4];
      mov.u32 %r2, dynamic; cvt.u64.u32 %d4, %r2; cvta.shared.u64 %d4, %d4; mad.wide.u32 %d4, %me, 4, %d4;
      add.u32 %r3, %me, 20; st.u32 [%d4], %r3; mad.lo.u32 %r4, %me, 4, %r2; ld.shared.u32 %r5, [%r4];
      mov.u64 %d5, c; cvta.const.u64 %d5, %d5; ld.u32 %r6, [%d5+4]; ld.global.u32 %r7, [g+4];
      isspacep.shared %p1, %d4; isspacep.local %p2, %d2; isspacep.global %p3, %d4; isspacep.global %p4, %base;
      selp.u32 %r8, 1, 0, %p1; @%p2 add.u32 %r8, %r8, 2; @%p3 add.u32 %r8, %r8, 4; @%p4 add.u32 %r8, %r8, 8;
      add.u32 %r9, %r1, %r5; mad.lo.u32 %r9, %r6, 100, %r9; mad.lo.u32 %r9, %r7, 10000, %r9;
      mad.lo.u32 %r9, %r8, 1000000, %r9; st.global.u32 [%own], %r9;
      mov.u32 %r10, %dynamic_smem_size; st.global.u32 [%own+8], %r10; st.global.u32 [%own+16], %r2;`,
  });
  assert.equal(status, "ok");
  assert.deepEqual([...words.slice(0, 2)], [11_100_820, 11_100_822]);
  assert.equal(words[2], 64);
  assert.equal(words[4], 32, "dynamic shared memory starts at a multiple of 16 behind the static one");
});

Deno.test("interpreter: wild, null and misaligned addresses, traps, assertions and endless loops", () => {
  const cases: readonly (readonly [body: string, error: number])[] = [
    ["mov.u64 %d1, 0; ld.global.u32 %r1, [%d1];", 700],
    ["st.global.u32 [%base+1024], %r1;", 700],
    ["ld.global.u32 %r1, [%base+-4];", 700],
    ["mov.u64 %d1, -8; ld.global.u64 %d2, [%d1];", 700],
    ["ld.global.u16 %r1, [%base+1];", 716],
    ["ld.global.v4.u32 {%r1,%r2,%r3,%r4}, [%base+8];", 716],
    ["mov.u32 %r1, 64; ld.shared.u32 %r2, [%r1];", 700],
    ["trap;", 719],
    ["setp.eq.u32 %p1, %me, 0; @%p1 trap;", 719],
    ["again: bra again;", 702],
    ["atom.global.add.u64 %d1, [%base+4], 1;", 716],
  ];
  for (const [body, error] of cases) {
    assert.equal(errorOf(runBody({ body, fuelMax: 10_000 }).status), error, body);
  }
  const asserted = runBody({
    module: `.global .align 1 .b8 message[3] = {104, 105, 0};
      .extern .func __assertfail (.param .b64 a, .param .b64 b, .param .b32 c, .param .b64 d, .param .b64 e);`,
    body: `{ .param .b64 a; .param .b64 b; .param .b32 c; .param .b64 d; .param .b64 e; mov.u64 %d1, message;
      st.param.b64 [a], %d1; st.param.b64 [b], 0; st.param.b32 [c], 12; st.param.b64 [d], 0; st.param.b64 [e], 1;
      call.uni __assertfail, (a, b, c, d, e); }`,
  });
  assert.deepEqual(asserted.status, { error: 710, detail: ":12: : hi" });
  assert.throws(() => runBody({ body: "tex.1d.v4.f32.s32 {%f1,%f2,%f3,%f4}, [%base, {%r1}];" }), /tex/);
});

Deno.test("interpreter: loops, switch tables, guards and carry across blocks", () => {
  const { status, words } = runBody({
    threads: 4,
    body: `mov.u32 %r1, 0; mov.u32 %r2, 0;
      head: setp.gt.u32 %p1, %r2, %me; @%p1 bra done; add.u32 %r1, %r1, %r2; add.u32 %r2, %r2, 1; bra head;
      done: table: .branchtargets a, b, c; min.u32 %r3, %me, 2; brx.idx %r3, table;
      a: add.u32 %r1, %r1, 100; bra end;
      b: add.u32 %r1, %r1, 200;
      c: add.u32 %r1, %r1, 1000;
      end: @!%p1 mov.u32 %r1, 0; st.global.u32 [%own], %r1; setp.eq.u32 %p2, %me, 1; @%p2 exit;
      st.global.u32 [%own+16], 1; ret; st.global.u32 [%own], 5;`,
  });
  assert.equal(status, "ok");
  assert.deepEqual([...words.slice(0, 8)], [100, 1201, 1003, 1006, 1, 0, 1, 1]);
});

const FACTORIAL = `.func (.param .b32 r) factorial (.param .b32 n) {
  .reg .pred %p; .reg .b32 %r<4>; .local .align 4 .b8 keep[4];
  ld.param.u32 %r0, [n]; st.local.u32 [keep], %r0; setp.lt.u32 %p, %r0, 2; mov.u32 %r1, 1; @%p bra out;
  sub.u32 %r2, %r0, 1;
  { .param .b32 a; .param .b32 b; st.param.b32 [a], %r2; call (b), factorial, (a); ld.param.b32 %r1, [b]; }
  ld.local.u32 %r3, [keep]; mul.lo.u32 %r1, %r1, %r3;
  out: st.param.b32 [r], %r1; ret; }
  .func (.reg .b32 %out) twice (.reg .b32 %in, .reg .b32 %more) { mad.lo.u32 %out, %in, 2, %more; ret; }
  .global .u64 pointers[2] = {factorial, 0};`;

Deno.test("interpreter: calls, recursion, addresses of functions, and a stack that ends", () => {
  const call = (n: string, callee: string, prototype = ""): string =>
    `{ .param .b32 x; .param .b32 y; st.param.b32 [x], ${n}; call (y), ${callee}, (x)${prototype};
      ld.param.b32 %r5, [y]; }`;
  const { status, words } = runBody({
    threads: 3,
    module: FACTORIAL,
    body: `add.u32 %r1, %me, 3; ${call("%r1", "factorial")} st.global.u32 [%own], %r5;
      ld.global.u64 %d1, [pointers]; shape: .callprototype (.param .b32 _) _ (.param .b32 _);
      ${call("6", "%d1", ", shape")} st.global.u32 [%own+16], %r5;
      call (%r6), twice, (%r5, 9); st.global.u32 [%own+32], %r6;`,
  });
  assert.equal(status, "ok");
  assert.deepEqual([...words.slice(0, 3)], [6, 24, 120]);
  assert.deepEqual([...words.slice(4, 7)], [720, 720, 720]);
  assert.equal(words[8], 1449);
  const deep = runBody({ module: FACTORIAL, body: call("500", "factorial") });
  assert.equal(errorOf(deep.status), 719);
});

Deno.test("interpreter: printf formats as C does", () => {
  const format = "%d|%5u|%-4x|%08.3f|%s|%c|%%|%lld|%.2e|%g\n\0";
  const bytes = new TextEncoder().encode(format);
  const { printed, words } = runBody({
    module: `.global .align 1 .b8 format[${bytes.length}] = {${bytes.join(", ")}};
      .global .align 1 .b8 word[3] = {104, 105, 0};
      .extern .func (.param .b32 r) vprintf (.param .b64 a, .param .b64 b);`,
    body: `.local .align 8 .b8 args[72]; mov.u64 %d1, args; cvta.local.u64 %d2, %d1;
      st.local.u32 [args], -5; st.local.u32 [args+4], 42; st.local.u32 [args+8], 255;
      mov.f64 %g1, -2.5; st.local.f64 [args+16], %g1; mov.u64 %d3, word; st.local.u64 [args+24], %d3;
      st.local.u32 [args+32], 65; mov.u64 %d4, -1234567890123; st.local.u64 [args+40], %d4;
      mov.f64 %g2, 12345.678; st.local.f64 [args+48], %g2; mov.f64 %g3, 0.0001; st.local.f64 [args+56], %g3;
      { .param .b64 a; .param .b64 b; .param .b32 r; mov.u64 %d5, format; st.param.b64 [a], %d5;
      st.param.b64 [b], %d2; call.uni (r), vprintf, (a, b); ld.param.b32 %r1, [r]; }
      st.global.u32 [%base], %r1;`,
  });
  assert.equal(printed, "-5|   42|ff  |-002.500|hi|A|%|-1234567890123|1.23e+04|0.0001\n");
  assert.equal(words[0], 9);
});

Deno.test("interpreter: atomics answer the old value, and red none", () => {
  const { words } = runBody({
    body: `mov.u32 %r1, 0xfffffffe; st.global.u32 [%base], %r1;
      atom.global.inc.u32 %r2, [%base], 0xfffffffe; atom.global.dec.u32 %r3, [%base], 7;
      atom.global.min.s32 %r4, [%base], -3; atom.global.max.u32 %r5, [%base], 4;
      atom.global.cas.b32 %r6, [%base], 0xfffffffd, 17; red.global.xor.b32 [%base], 1;
      atom.global.exch.b32 %r7, [%base], 99; mov.f32 %f1, 0f3F800000; st.global.f32 [%base+4], %f1;
      atom.global.add.f32 %f2, [%base+4], 0f40000000; red.global.add.noftz.f16x2 [%base+8], %r8;
      st.global.v4.u32 [%base+16], {%r2, %r3, %r4, %r5}; st.global.v2.u32 [%base+32], {%r6, %r7};`,
  });
  assert.deepEqual([...words.slice(0, 2)], [99, 0x4040_0000]);
  assert.deepEqual([...words.slice(4, 10)], [0xffff_fffe, 0, 7, 0xffff_fffd, 0xffff_fffd, 16]);
});

Deno.test("interpreter: module variables lie where they are placed, with their initial values", () => {
  const module = parsePtx(`.version 8.3
    .target sm_90
    .address_size 64
    .global .align 8 .u64 self = generic(values)+4; .global .align 4 .u32 values[3] = {1, 2};
    .visible .entry k() { .reg .b64 %d<2>; .reg .b32 %r<2>;
      ld.global.u64 %d0, [self]; ld.u32 %r0, [%d0]; st.global.u32 [values+8], %r0; ret; }`);
  const memory = new Uint8Array(64);
  const globals = new Map([["self", MEMORY_BASE + 16n], ["values", MEMORY_BASE + 32n]]);
  initializeGlobals(module, globals, memory, MEMORY_BASE);
  const one = { x: 1, y: 1, z: 1 };
  const launch = { module, kernel: "k", grid: one, block: one, sharedBytes: 0, params: new Uint8Array() };
  assert.equal(interpretKernel({ ...launch, memory, memoryBase: MEMORY_BASE, globals }).status, "ok");
  assert.deepEqual([...new Uint32Array(memory.buffer, 32, 3)], [1, 2, 2]);
});
