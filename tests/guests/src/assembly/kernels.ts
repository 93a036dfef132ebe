// @ts-nocheck This is AssemblyScript: its types and decorators are not those of TypeScript.
// deno-fmt-ignore-file
// deno-lint-ignore-file
/**
 * kernels: PTX of tests/gpu/kernels as text, for the AssemblyScript guests.
 *
 * Written by tests/guests/build.ts, which says which; not to be edited. A guest carries those that it names.
 */

export function ptxVectorAdd(): string {
  return `.version 9.0
.target sm_90
.address_size 64
.visible .entry vector_add(
.param .u64 vector_add_param_0,
.param .u64 vector_add_param_1,
.param .u64 vector_add_param_2,
.param .u32 vector_add_param_3
)
{
.reg .pred 	%p<2>;
.reg .f32 	%f<4>;
.reg .b32 	%r<6>;
.reg .b64 	%rd<11>;
ld.param.u64 	%rd1, [vector_add_param_0];
ld.param.u64 	%rd2, [vector_add_param_1];
ld.param.u64 	%rd3, [vector_add_param_2];
ld.param.u32 	%r2, [vector_add_param_3];
mov.u32 	%r3, %ctaid.x;
mov.u32 	%r4, %ntid.x;
mov.u32 	%r5, %tid.x;
mad.lo.s32 	%r1, %r3, %r4, %r5;
setp.ge.s32 	%p1, %r1, %r2;
@%p1 bra 	\$L__BB0_2;
cvta.to.global.u64 	%rd4, %rd1;
mul.wide.s32 	%rd5, %r1, 4;
add.s64 	%rd6, %rd4, %rd5;
cvta.to.global.u64 	%rd7, %rd2;
add.s64 	%rd8, %rd7, %rd5;
ld.global.f32 	%f1, [%rd8];
ld.global.f32 	%f2, [%rd6];
add.f32 	%f3, %f2, %f1;
cvta.to.global.u64 	%rd9, %rd3;
add.s64 	%rd10, %rd9, %rd5;
st.global.f32 	[%rd10], %f3;
\$L__BB0_2:
ret;
}
`;
}

export function ptxSaxpy(): string {
  return `.version 9.0
.target sm_90
.address_size 64
.visible .entry saxpy(
.param .f32 saxpy_param_0,
.param .u64 saxpy_param_1,
.param .u64 saxpy_param_2,
.param .u32 saxpy_param_3
)
{
.reg .pred 	%p<3>;
.reg .f32 	%f<5>;
.reg .b32 	%r<11>;
.reg .b64 	%rd<8>;
ld.param.f32 	%f1, [saxpy_param_0];
ld.param.u64 	%rd3, [saxpy_param_1];
ld.param.u64 	%rd4, [saxpy_param_2];
ld.param.u32 	%r6, [saxpy_param_3];
mov.u32 	%r1, %ntid.x;
mov.u32 	%r7, %ctaid.x;
mov.u32 	%r8, %tid.x;
mad.lo.s32 	%r10, %r7, %r1, %r8;
setp.ge.s32 	%p1, %r10, %r6;
@%p1 bra 	\$L__BB1_3;
mov.u32 	%r9, %nctaid.x;
mul.lo.s32 	%r3, %r9, %r1;
cvta.to.global.u64 	%rd1, %rd3;
cvta.to.global.u64 	%rd2, %rd4;
\$L__BB1_2:
mul.wide.s32 	%rd5, %r10, 4;
add.s64 	%rd6, %rd1, %rd5;
add.s64 	%rd7, %rd2, %rd5;
ld.global.f32 	%f2, [%rd7];
ld.global.nc.f32 	%f3, [%rd6];
fma.rn.f32 	%f4, %f1, %f3, %f2;
st.global.f32 	[%rd7], %f4;
add.s32 	%r10, %r10, %r3;
setp.lt.s32 	%p2, %r10, %r6;
@%p2 bra 	\$L__BB1_2;
\$L__BB1_3:
ret;
}
`;
}

export function ptxMandelbrot(): string {
  return `.version 9.0
.target sm_90
.address_size 64
.visible .entry mandelbrot(
.param .u64 mandelbrot_param_0,
.param .u32 mandelbrot_param_1,
.param .u32 mandelbrot_param_2,
.param .f32 mandelbrot_param_3,
.param .f32 mandelbrot_param_4,
.param .f32 mandelbrot_param_5,
.param .u32 mandelbrot_param_6
)
{
.reg .pred 	%p<7>;
.reg .f32 	%f<21>;
.reg .b32 	%r<20>;
.reg .b64 	%rd<5>;
ld.param.u64 	%rd1, [mandelbrot_param_0];
ld.param.u32 	%r6, [mandelbrot_param_1];
ld.param.u32 	%r8, [mandelbrot_param_2];
ld.param.f32 	%f9, [mandelbrot_param_3];
ld.param.f32 	%f10, [mandelbrot_param_4];
ld.param.f32 	%f11, [mandelbrot_param_5];
ld.param.u32 	%r7, [mandelbrot_param_6];
mov.u32 	%r9, %ntid.x;
mov.u32 	%r10, %ctaid.x;
mov.u32 	%r11, %tid.x;
mad.lo.s32 	%r1, %r10, %r9, %r11;
mov.u32 	%r12, %ntid.y;
mov.u32 	%r13, %ctaid.y;
mov.u32 	%r14, %tid.y;
mad.lo.s32 	%r2, %r13, %r12, %r14;
setp.ge.s32 	%p1, %r1, %r6;
setp.ge.s32 	%p2, %r2, %r8;
or.pred  	%p3, %p1, %p2;
@%p3 bra 	\$L__BB0_6;
setp.lt.s32 	%p4, %r7, 1;
mov.u32 	%r19, 0;
@%p4 bra 	\$L__BB0_5;
cvt.rn.f32.s32 	%f14, %r2;
fma.rn.f32 	%f1, %f14, %f11, %f10;
cvt.rn.f32.s32 	%f15, %r1;
fma.rn.f32 	%f2, %f15, %f11, %f9;
mov.f32 	%f19, 0f00000000;
mov.u32 	%r19, 0;
mov.f32 	%f20, %f19;
\$L__BB0_3:
mul.rn.f32 	%f5, %f19, %f19;
mul.rn.f32 	%f6, %f20, %f20;
add.rn.f32 	%f16, %f6, %f5;
setp.gt.f32 	%p5, %f16, 0f40800000;
@%p5 bra 	\$L__BB0_5;
sub.rn.f32 	%f17, %f6, %f5;
add.rn.f32 	%f7, %f17, %f2;
add.rn.f32 	%f18, %f20, %f20;
fma.rn.f32 	%f19, %f18, %f19, %f1;
add.s32 	%r19, %r19, 1;
setp.lt.s32 	%p6, %r19, %r7;
mov.f32 	%f20, %f7;
@%p6 bra 	\$L__BB0_3;
\$L__BB0_5:
mad.lo.s32 	%r17, %r2, %r6, %r1;
cvta.to.global.u64 	%rd2, %rd1;
mul.wide.s32 	%rd3, %r17, 4;
add.s64 	%rd4, %rd2, %rd3;
st.global.u32 	[%rd4], %r19;
\$L__BB0_6:
ret;
}
`;
}

export function ptxColour(): string {
  return `.version 9.0
.target sm_90
.address_size 64
.visible .entry colour(
.param .u64 colour_param_0,
.param .u64 colour_param_1,
.param .u32 colour_param_2,
.param .u32 colour_param_3
)
{
.reg .pred 	%p<3>;
.reg .b16 	%rs<15>;
.reg .b32 	%r<14>;
.reg .b64 	%rd<10>;
ld.param.u64 	%rd2, [colour_param_0];
ld.param.u64 	%rd3, [colour_param_1];
ld.param.u32 	%r4, [colour_param_2];
ld.param.u32 	%r3, [colour_param_3];
mov.u32 	%r5, %ntid.x;
mov.u32 	%r6, %ctaid.x;
mov.u32 	%r7, %tid.x;
mad.lo.s32 	%r1, %r6, %r5, %r7;
setp.ge.s32 	%p1, %r1, %r4;
@%p1 bra 	\$L__BB3_4;
cvta.to.global.u64 	%rd4, %rd2;
cvt.s64.s32 	%rd1, %r1;
mul.wide.s32 	%rd5, %r1, 4;
add.s64 	%rd6, %rd4, %rd5;
ld.global.u32 	%r2, [%rd6];
setp.ge.s32 	%p2, %r2, %r3;
mov.u16 	%rs12, 0;
mov.u16 	%rs13, %rs12;
mov.u16 	%rs14, %rs12;
@%p2 bra 	\$L__BB3_3;
cvt.u16.u32 	%rs10, %r2;
mul.lo.s16 	%rs14, %rs10, 9;
mul.lo.s16 	%rs13, %rs10, 5;
mul.lo.s32 	%r8, %r2, 3;
shr.s32 	%r9, %r8, 31;
shr.u32 	%r10, %r9, 25;
add.s32 	%r11, %r8, %r10;
and.b32  	%r12, %r11, 65408;
sub.s32 	%r13, %r8, %r12;
cvt.u16.u32 	%rs11, %r13;
xor.b16  	%rs12, %rs11, -128;
\$L__BB3_3:
cvta.to.global.u64 	%rd7, %rd3;
mul.lo.s64 	%rd8, %rd1, 3;
add.s64 	%rd9, %rd7, %rd8;
st.global.u8 	[%rd9], %rs14;
st.global.u8 	[%rd9+1], %rs13;
st.global.u8 	[%rd9+2], %rs12;
\$L__BB3_4:
ret;
}
`;
}

export function ptxHistogramShared(): string {
  return `.version 9.0
.target sm_90
.address_size 64
.visible .entry histogram_shared(
.param .u64 histogram_shared_param_0,
.param .u64 histogram_shared_param_1,
.param .u32 histogram_shared_param_2
)
{
.reg .pred 	%p<8>;
.reg .b16 	%rs<2>;
.reg .b32 	%r<31>;
.reg .b64 	%rd<9>;
.shared .align 4 .b8 _ZZ16histogram_sharedE5local[1024];
ld.param.u64 	%rd3, [histogram_shared_param_0];
ld.param.u64 	%rd4, [histogram_shared_param_1];
ld.param.u32 	%r13, [histogram_shared_param_2];
mov.u32 	%r30, %tid.x;
setp.lt.s32 	%p1, %r30, 256;
@%p1 bra 	\$L__BB0_1;
bra.uni 	\$L__BB0_3;
\$L__BB0_1:
mov.u32 	%r2, %ntid.x;
mov.u32 	%r15, _ZZ16histogram_sharedE5local;
mov.u32 	%r28, %r30;
\$L__BB0_2:
shl.b32 	%r14, %r28, 2;
add.s32 	%r16, %r15, %r14;
mov.u32 	%r17, 0;
st.shared.u32 	[%r16], %r17;
add.s32 	%r28, %r28, %r2;
setp.lt.s32 	%p2, %r28, 256;
@%p2 bra 	\$L__BB0_2;
\$L__BB0_3:
mov.u32 	%r5, %ntid.x;
bar.sync 	0;
mov.u32 	%r18, %ctaid.x;
mad.lo.s32 	%r29, %r18, %r5, %r30;
setp.ge.u32 	%p3, %r29, %r13;
@%p3 bra 	\$L__BB0_6;
mov.u32 	%r19, %nctaid.x;
mul.lo.s32 	%r7, %r19, %r5;
cvta.to.global.u64 	%rd1, %rd3;
\$L__BB0_5:
cvt.u64.u32 	%rd5, %r29;
add.s64 	%rd6, %rd1, %rd5;
ld.global.u8 	%rs1, [%rd6];
mul.wide.u16 	%r20, %rs1, 4;
mov.u32 	%r21, _ZZ16histogram_sharedE5local;
add.s32 	%r22, %r21, %r20;
atom.shared.add.u32 	%r23, [%r22], 1;
add.s32 	%r29, %r29, %r7;
setp.lt.u32 	%p4, %r29, %r13;
@%p4 bra 	\$L__BB0_5;
\$L__BB0_6:
setp.gt.s32 	%p5, %r30, 255;
bar.sync 	0;
@%p5 bra 	\$L__BB0_11;
cvta.to.global.u64 	%rd2, %rd4;
mov.u32 	%r25, _ZZ16histogram_sharedE5local;
\$L__BB0_8:
shl.b32 	%r24, %r30, 2;
add.s32 	%r26, %r25, %r24;
ld.shared.u32 	%r11, [%r26];
setp.eq.s32 	%p6, %r11, 0;
@%p6 bra 	\$L__BB0_10;
mul.wide.s32 	%rd7, %r30, 4;
add.s64 	%rd8, %rd2, %rd7;
atom.global.add.u32 	%r27, [%rd8], %r11;
\$L__BB0_10:
add.s32 	%r30, %r30, %r5;
setp.lt.s32 	%p7, %r30, 256;
@%p7 bra 	\$L__BB0_8;
\$L__BB0_11:
ret;
}
`;
}
