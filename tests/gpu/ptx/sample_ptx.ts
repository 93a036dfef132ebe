/**
 * A module with every form that compilers emit, in the shapes in which they emit them: what the tests of the
 * parser mutate.
 */
export const SAMPLE_PTX = String.raw`//
// A header as compilers write it
//
.version 9.0
.target sm_90, debug
.address_size 64

	// .globl	_Z4scaleiPf
.extern .func  (.param .b32 func_retval0) vprintf
(
	.param .b64 vprintf_param_0,
	.param .b64 vprintf_param_1
)
;
.extern .func __assertfail (.param .b64 a, .param .b32 b) .noreturn;
.global .align 1 .b8 $str[6] = {37, 100, 32, 37, 102, 10};
.global .align 8 .u64 table[3] = {generic($str)+2, square, 0};
.const .align 4 .f32 weights[2][2] = {{0f3F800000, 1.5}, {-2.0, 0d3FF0000000000000}};
.visible .global .attribute(.managed) .align 4 .u32 counter = 0xffU;
.extern .shared .align 16 .b8 dynamic[];
.shared .align 4 .b8 tile[4096];
.global .texref image;

.func  (.param .b32 func_retval0) square(
	.param .b32 square_param_0
)
{
	.reg .b32 	%r<3>;

	ld.param.u32 	%r1, [square_param_0];
	mul.lo.s32 	%r2, %r1, %r1;
	st.param.b32 	[func_retval0+0], %r2;
	ret;
}
	// .globl	_Z4scaleiPf
.visible .entry _Z4scaleiPf(
	.param .u32 _Z4scaleiPf_param_0,
	.param .u64 .ptr .global .align 16 _Z4scaleiPf_param_1,
	.param .align 8 .b8 _Z4scaleiPf_param_2[24]
)
.maxntid 256, 1, 1
.minnctapersm 2
{
	.local .align 8 .b8 	__local_depot0[8];
	.reg .b64 	%SP;
	.reg .b64 	%SPL;
	.reg .pred 	%p<4>;
	.reg .b16 	%rs<3>;
	.reg .f32 	%f<9>;
	.reg .b32 	%r<12>;
	.reg .b64 	%rd<9>;
	.loc	1 12 0
	mov.u64 	%SPL, __local_depot0;
	cvta.local.u64 	%SP, %SPL;
	ld.param.u32 	%r1, [_Z4scaleiPf_param_0];
	ld.param.u64 	%rd1, [_Z4scaleiPf_param_1];
	ld.param.v2.b32 	{%r2, %r3}, [_Z4scaleiPf_param_2+8];
	cvta.to.global.u64 	%rd2, %rd1;
	mov.u32 	%r4, %ctaid.x;
	mov.u32 	%r5, %ntid.x;
	mov.u32 	%r6, %tid.x;
	mad.lo.s32 	%r7, %r4, %r5, %r6;
	setp.ge.s32 	%p1, %r7, %r1;
	@%p1 bra 	$L__BB1_4;
	.loc	1 14 9, function_name $L__info_string0, inlined_at 1 12 3
	mul.wide.s32 	%rd3, %r7, 4;
	add.s64 	%rd4, %rd2, %rd3;
	ld.global.nc.L1::no_allocate.f32 	%f1, [%rd4+-4];
	fma.rn.ftz.f32 	%f2, %f1, 0f40000000, 0fBF800000;
	st.shared.v4.f32 	[tile+16], {%f2, %f2, %f1, %f1};
	bar.sync 	0;
	shfl.sync.bfly.b32 	%r8|%p2, %r7, 1, 31, -1;
	setp.lt.and.f32 	%p3|%p0, %f2, 0f00000000, !%p2;
	// begin inline asm
	{ .reg .pred p; .reg .u32 t<2>;
	  mov.u32 t1, (4*8)+1;
	  setp.ne.u32 p, t1, WARP_SZ;
	WAIT_0: @!p bra.uni DONE_0; bra.uni WAIT_0;
	DONE_0: mov.b32 {%rs1, _}, t1; }
	// end inline asm
	tex.2d.v4.f32.f32 	{%f3, %f4, %f5, %f6}, [image, {%f1, %f2}];
	ts: .branchtargets 
	$L__BB1_2, $L__BB1_3;
	@%p3 brx.idx 	%r8, ts;
$L__BB1_2:
	{ // callseq 0, 0
	.reg .b32 temp_param_reg;
	.param .b64 param0;
	st.param.b64 	[param0+0], %rd4;
	.param .b64 param1;
	st.param.b64 	[param1+0], %SP;
	.param .b32 retval0;
	call.uni (retval0), 
	vprintf, 
	(
	param0, 
	param1
	);
	ld.param.b32 	%r9, [retval0+0];
	} // callseq 0
$L__BB1_3:
	{ // callseq 1, 0
	.param .b32 param0;
	.param .b32 retval0;
	prototype_1 : .callprototype (.param .b32 _) _ (.param .b32 _);
	ld.global.u64 	%rd5, [table+8];
	call (retval0), 
	%rd5, 
	(
	param0
	)
	, prototype_1;
	} // callseq 1
	atom.global.add.u32 	%r10, [counter], 1;
	@%p2 red.shared.add.u32 	[dynamic+4], -1;
	.pragma "nounroll";
$L__BB1_4:
	ret;
$L__func_end1:
}
	.file	1 "scale.cu", 1700000000, 4096
	.section	.debug_info
	{
.b32 12
.b8 1,2,3
$L__info_string0:
.b64 $L__func_end1
	}
`;
