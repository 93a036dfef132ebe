/**
 * PTX of the device contract: small kernels written by hand, one text for each thing that a device must do.
 *
 * Owns the texts alone. Invariant: all are of PTX ISA 7.0 for sm_70, which every device takes.
 */

const HEAD = `.version 7.0
.target sm_70
.address_size 64
`;

/** The thread's number in the grid, in %r1; clobbers %r2 to %r4. */
const GLOBAL_ID = `
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mov.u32 %r4, %tid.x;
  mad.lo.u32 %r1, %r2, %r3, %r4;`;

/** \`add_one(u32 *data, u32 n)\`, \`fill(u32 *data, u32 value, u32 n)\`, \`nothing()\`. */
export const BASIC_PTX = `${HEAD}
.visible .entry add_one(.param .u64 data, .param .u32 n)
{
  .reg .pred %p<2>;
  .reg .b32 %r<8>;
  .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [data];
  ld.param.u32 %r5, [n];${GLOBAL_ID}
  setp.ge.u32 %p1, %r1, %r5;
  @%p1 bra DONE;
  mul.wide.u32 %rd2, %r1, 4;
  add.s64 %rd3, %rd1, %rd2;
  ld.global.u32 %r6, [%rd3];
  add.u32 %r6, %r6, 1;
  st.global.u32 [%rd3], %r6;
DONE:
  ret;
}
.visible .entry fill(.param .u64 data, .param .u32 value, .param .u32 n)
{
  .reg .pred %p<2>;
  .reg .b32 %r<8>;
  .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [data];
  ld.param.u32 %r6, [value];
  ld.param.u32 %r5, [n];${GLOBAL_ID}
  setp.ge.u32 %p1, %r1, %r5;
  @%p1 bra DONE;
  mul.wide.u32 %rd2, %r1, 4;
  add.s64 %rd3, %rd1, %rd2;
  st.global.u32 [%rd3], %r6;
DONE:
  ret;
}
.visible .entry nothing()
{
  ret;
}
`;

/** \`shape(u32 *out)\`: each thread of a three-dimensional grid counts itself at its own place. */
export const SHAPE_PTX = `${HEAD}
.visible .entry shape(.param .u64 out)
{
  .reg .b32 %r<24>;
  .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [out];
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ctaid.y;
  mov.u32 %r3, %ctaid.z;
  mov.u32 %r4, %nctaid.x;
  mov.u32 %r5, %nctaid.y;
  mov.u32 %r6, %tid.x;
  mov.u32 %r7, %tid.y;
  mov.u32 %r8, %tid.z;
  mov.u32 %r9, %ntid.x;
  mov.u32 %r10, %ntid.y;
  mov.u32 %r11, %ntid.z;
  mad.lo.u32 %r12, %r3, %r5, %r2;
  mad.lo.u32 %r12, %r12, %r4, %r1;
  mul.lo.u32 %r13, %r9, %r10;
  mul.lo.u32 %r14, %r13, %r11;
  mad.lo.u32 %r15, %r8, %r10, %r7;
  mad.lo.u32 %r15, %r15, %r9, %r6;
  mad.lo.u32 %r16, %r12, %r14, %r15;
  mul.wide.u32 %rd2, %r16, 4;
  add.s64 %rd3, %rd1, %rd2;
  ld.global.u32 %r17, [%rd3];
  add.u32 %r18, %r16, 1;
  add.u32 %r17, %r17, %r18;
  st.global.u32 [%rd3], %r17;
  ret;
}
`;

/** \`echo\`: writes its parameters, of all sizes, to memory one after the other, 8 bytes each. */
export const PARAMS_PTX = `${HEAD}
.visible .entry echo(
  .param .u8 a,
  .param .u16 b,
  .param .f32 c,
  .param .align 4 .b8 d[12],
  .param .f64 e,
  .param .s32 f,
  .param .u64 out)
{
  .reg .b16 %rs<4>;
  .reg .b32 %r<8>;
  .reg .f32 %f<2>;
  .reg .b64 %rd<4>;
  .reg .f64 %fd<2>;
  ld.param.u64 %rd1, [out];
  ld.param.u8 %rs1, [a];
  cvt.u64.u16 %rd2, %rs1;
  st.global.u64 [%rd1], %rd2;
  ld.param.u16 %rs2, [b];
  cvt.u64.u16 %rd2, %rs2;
  st.global.u64 [%rd1+8], %rd2;
  ld.param.f32 %f1, [c];
  st.global.f32 [%rd1+16], %f1;
  ld.param.u32 %r1, [d];
  ld.param.u32 %r2, [d+4];
  ld.param.u32 %r3, [d+8];
  add.u32 %r4, %r1, %r2;
  add.u32 %r4, %r4, %r3;
  st.global.u32 [%rd1+24], %r4;
  ld.param.f64 %fd1, [e];
  st.global.f64 [%rd1+32], %fd1;
  ld.param.s32 %r5, [f];
  cvt.s64.s32 %rd3, %r5;
  st.global.u64 [%rd1+40], %rd3;
  ret;
}
`;

/** \`reverse(u32 *data)\`: reverses a block's elements by way of dynamic shared memory. */
export const SHARED_PTX = `${HEAD}
.extern .shared .align 16 .b8 buffer[];
.visible .entry reverse(.param .u64 data)
{
  .reg .b32 %r<12>;
  .reg .b64 %rd<8>;
  ld.param.u64 %rd1, [data];${GLOBAL_ID}
  mul.wide.u32 %rd2, %r1, 4;
  add.s64 %rd3, %rd1, %rd2;
  ld.global.u32 %r5, [%rd3];
  mov.u32 %r6, buffer;
  shl.b32 %r7, %r4, 2;
  add.u32 %r8, %r6, %r7;
  st.shared.u32 [%r8], %r5;
  bar.sync 0;
  sub.u32 %r9, %r3, %r4;
  sub.u32 %r9, %r9, 1;
  shl.b32 %r9, %r9, 2;
  add.u32 %r9, %r6, %r9;
  ld.shared.u32 %r10, [%r9];
  st.global.u32 [%rd3], %r10;
  ret;
}
`;

/** Module variables: \`counter\` begins at 40, \`table\` at 1, 2, 3, and \`count()\` adds the table to the counter. */
export const GLOBALS_PTX = `${HEAD}
.visible .global .align 4 .u32 counter = 40;
.visible .global .align 8 .u32 table[4] = {1, 2, 3};
.visible .entry count()
{
  .reg .b32 %r<8>;
  .reg .b64 %rd<4>;
  mov.u64 %rd1, table;
  ld.global.u32 %r1, [%rd1];
  ld.global.u32 %r2, [%rd1+4];
  ld.global.u32 %r3, [%rd1+8];
  ld.global.u32 %r4, [%rd1+12];
  add.u32 %r1, %r1, %r2;
  add.u32 %r1, %r1, %r3;
  add.u32 %r1, %r1, %r4;
  mov.u64 %rd2, counter;
  atom.global.add.u32 %r5, [%rd2], %r1;
  ret;
}
`;

/** Kernels that end badly, and one that does not end: \`spin()\`. */
export const FAULTS_PTX = `${HEAD}
.visible .entry read_at(.param .u64 address)
{
  .reg .b32 %r<2>;
  .reg .b64 %rd<2>;
  ld.param.u64 %rd1, [address];
  ld.global.u32 %r1, [%rd1];
  st.global.u32 [%rd1], %r1;
  ret;
}
.visible .entry write_at(.param .u64 address)
{
  .reg .b64 %rd<2>;
  ld.param.u64 %rd1, [address];
  st.global.u32 [%rd1], 7;
  ret;
}
.visible .entry trap_now()
{
  trap;
}
.visible .entry spin()
{
LOOP:
  bra LOOP;
}
.visible .entry nothing()
{
  ret;
}
`;

/** \`work(u32 *data, u32 rounds)\`: so many rounds of the same few instructions. */
export const WORK_PTX = `${HEAD}
.visible .entry work(.param .u64 data, .param .u32 rounds)
{
  .reg .pred %p<2>;
  .reg .b32 %r<8>;
  .reg .b64 %rd<2>;
  ld.param.u64 %rd1, [data];
  ld.param.u32 %r1, [rounds];
  mov.u32 %r2, 0;
  mov.u32 %r3, 1;
LOOP:
  mad.lo.u32 %r3, %r3, 1664525, 1013904223;
  add.u32 %r2, %r2, 1;
  setp.lt.u32 %p1, %r2, %r1;
  @%p1 bra LOOP;
  st.global.u32 [%rd1], %r3;
  ret;
}
`;

/** \`reqntid\` and \`maxntid\`. */
export const BOUNDS_PTX = `${HEAD}
.visible .entry only_8x4() .reqntid 8, 4, 1
{
  ret;
}
.visible .entry at_most_64() .maxntid 64, 1, 1
{
  ret;
}
`;

/** \`say(u32 value)\`: prints it. */
export const PRINT_PTX = `${HEAD}
.extern .func (.param .b32 result) vprintf(.param .b64 format, .param .b64 args);
.global .align 1 .b8 text[11] = {118, 97, 108, 117, 101, 32, 37, 117, 33, 10, 0};
.visible .entry say(.param .u32 value)
{
  .local .align 8 .b8 depot[8];
  .reg .b32 %r<4>;
  .reg .b64 %rd<6>;
  ld.param.u32 %r1, [value];
  mov.u64 %rd1, depot;
  cvta.local.u64 %rd2, %rd1;
  st.local.u32 [%rd1], %r1;
  mov.u64 %rd3, text;
  cvta.global.u64 %rd4, %rd3;
  {
    .param .b64 format;
    .param .b64 args;
    .param .b32 result;
    st.param.b64 [format], %rd4;
    st.param.b64 [args], %rd2;
    call.uni (result), vprintf, (format, args);
    ld.param.b32 %r2, [result];
  }
  ret;
}
`;

/** What is no PTX, with the line on which it is not. */
export const BAD_PTX: readonly (readonly [name: string, ptx: string, line: number])[] = [
  ["an opcode that is none", `${HEAD}.entry bad()\n{\n  frobnicate.u32 %r1, %r2;\n  ret;\n}\n`, 6],
  ["an operand that was not declared", `${HEAD}.entry bad()\n{\n  mov.u32 %r1, 0;\n  ret;\n}\n`, 6],
  ["a body that does not end", `${HEAD}.entry bad()\n{\n  ret;\n`, 7],
  ["text", "this is not PTX\n", 1],
];
