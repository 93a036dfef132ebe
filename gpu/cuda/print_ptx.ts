/**
 * PrintPtx: the function that kernels print with, as PTX.
 *
 * Owns the text alone: made from print.cu by tests/gpu/cuda/build_print.ts, not written by hand. Invariant: it has
 * no line that a module of PTX ISA 7.0 for sm_70 could not have.
 */

/** A buffer and a function of the type of vprintf. */
export const PRINT_PTX = `.visible .global .align 8 .b8 tensor_wasm_print_buffer[262152];
.func (.param .b32 func_retval0) tensor_wasm_print(
.param .b64 tensor_wasm_print_param_0,
.param .b64 tensor_wasm_print_param_1
)
{
.reg .pred %p<53>;
.reg .b16 %rs<25>;
.reg .b32 %r<115>;
.reg .b64 %rd<46>;
ld.param.u64 %rd14, [tensor_wasm_print_param_0];
ld.param.u64 %rd15, [tensor_wasm_print_param_1];
mov.u32 %r88, 0;
$L__BB0_1:
.pragma "nounroll";
cvt.u64.u32 %rd16, %r88;
add.s64 %rd17, %rd14, %rd16;
ld.u8 %rs6, [%rd17];
setp.eq.s16 %p1, %rs6, 0;
mov.u32 %r89, %r88;
@%p1 bra $L__BB0_3;
add.s32 %r88, %r88, 1;
setp.lt.u32 %p2, %r88, 4096;
mov.u32 %r89, 4096;
@%p2 bra $L__BB0_1;
$L__BB0_3:
add.s32 %r44, %r89, 16;
and.b32 %r4, %r44, -8;
cvt.u64.u32 %rd1, %r4;
mov.u64 %rd42, 0;
mov.u32 %r43, 0;
mov.u32 %r104, %r43;
mov.u64 %rd43, %rd42;
bra.uni $L__BB0_4;
$L__BB0_59:
add.s64 %rd39, %rd36, %rd11;
add.s64 %rd42, %rd39, 8;
cvta.global.u64 %rd40, %rd36;
add.s64 %rd41, %rd40, %rd11;
add.s64 %rd43, %rd41, 8;
st.global.u32 [%rd39+8], %r39;
st.global.u32 [%rd39+12], %r4;
mov.u32 %r104, %r38;
$L__BB0_4:
.pragma "nounroll";
setp.eq.s32 %p3, %r89, 0;
mov.u32 %r109, %r43;
mov.u32 %r106, %r43;
@%p3 bra $L__BB0_57;
mov.u32 %r106, 0;
mov.u32 %r109, %r106;
mov.u32 %r107, %r106;
$L__BB0_6:
.pragma "nounroll";
cvt.u64.u32 %rd20, %r107;
add.s64 %rd4, %rd14, %rd20;
setp.eq.s64 %p4, %rd43, 0;
@%p4 bra $L__BB0_8;
ld.u8 %rs7, [%rd4];
add.s32 %r50, %r107, 8;
cvt.u64.u32 %rd21, %r50;
add.s64 %rd22, %rd42, %rd21;
st.global.u8 [%rd22], %rs7;
$L__BB0_8:
add.s32 %r107, %r107, 1;
ld.u8 %rs8, [%rd4];
setp.ne.s16 %p5, %rs8, 37;
setp.ge.u32 %p6, %r107, %r89;
or.pred %p7, %p5, %p6;
@%p7 bra $L__BB0_56;
mov.u16 %rs23, 0;
mov.u32 %r96, %r109;
bra.uni $L__BB0_10;
$L__BB0_27:
add.s16 %rs17, %rs2, -48;
and.b16 %rs18, %rs17, 255;
setp.gt.u16 %p31, %rs18, 9;
selp.u16 %rs24, 1, 0, %p31;
mov.u32 %r99, 0;
bra.uni $L__BB0_38;
$L__BB0_10:
.pragma "nounroll";
cvt.u64.u32 %rd23, %r107;
add.s64 %rd24, %rd14, %rd23;
ld.u8 %rs2, [%rd24];
@%p4 bra $L__BB0_12;
add.s32 %r51, %r107, 8;
cvt.u64.u32 %rd25, %r51;
add.s64 %rd26, %rd42, %rd25;
st.global.u8 [%rd26], %rs2;
$L__BB0_12:
add.s32 %r107, %r107, 1;
cvt.u32.u16 %r54, %rs2;
cvt.s32.s8 %r53, %r54;
mov.u16 %rs24, 0;
mov.u32 %r99, 4;
setp.gt.s32 %p9, %r53, 100;
@%p9 bra $L__BB0_28;
setp.gt.s32 %p16, %r53, 68;
@%p16 bra $L__BB0_21;
bra.uni $L__BB0_14;
$L__BB0_21:
setp.gt.s32 %p17, %r53, 87;
@%p17 bra $L__BB0_24;
add.s32 %r67, %r53, -69;
setp.lt.u32 %p21, %r67, 3;
@%p21 bra $L__BB0_35;
setp.eq.s32 %p22, %r53, 76;
@%p22 bra $L__BB0_31;
bra.uni $L__BB0_27;
$L__BB0_28:
add.s32 %r55, %r53, -105;
setp.gt.u32 %p10, %r55, 17;
@%p10 bra $L__BB0_29;
mov.u32 %r56, 1;
shl.b32 %r57, %r56, %r55;
and.b32 %r58, %r57, 36929;
setp.ne.s32 %p11, %r58, 0;
@%p11 bra $L__BB0_37;
and.b32 %r61, %r57, 133130;
setp.ne.s32 %p12, %r61, 0;
@%p12 bra $L__BB0_36;
bra.uni $L__BB0_34;
$L__BB0_36:
mov.u16 %rs23, 1;
mov.u32 %r99, 0;
bra.uni $L__BB0_38;
$L__BB0_14:
setp.gt.s32 %p23, %r53, 42;
@%p23 bra $L__BB0_18;
setp.eq.s32 %p27, %r53, 32;
@%p27 bra $L__BB0_31;
setp.eq.s32 %p28, %r53, 35;
@%p28 bra $L__BB0_31;
setp.eq.s32 %p29, %r53, 42;
@%p29 bra $L__BB0_38;
bra.uni $L__BB0_27;
$L__BB0_24:
add.s32 %r66, %r53, -99;
setp.lt.u32 %p18, %r66, 2;
@%p18 bra $L__BB0_37;
setp.eq.s32 %p19, %r53, 88;
@%p19 bra $L__BB0_37;
setp.eq.s32 %p20, %r53, 97;
@%p20 bra $L__BB0_35;
bra.uni $L__BB0_27;
$L__BB0_37:
and.b16 %rs14, %rs23, 255;
setp.eq.s16 %p30, %rs14, 0;
selp.b32 %r99, 4, 8, %p30;
mov.u16 %rs24, 1;
bra.uni $L__BB0_38;
$L__BB0_18:
add.s32 %r68, %r53, -45;
setp.lt.u32 %p24, %r68, 2;
@%p24 bra $L__BB0_31;
setp.eq.s32 %p25, %r53, 43;
@%p25 bra $L__BB0_31;
setp.eq.s32 %p26, %r53, 65;
@%p26 bra $L__BB0_35;
bra.uni $L__BB0_27;
$L__BB0_34:
mov.u32 %r62, 1;
shl.b32 %r63, %r62, %r55;
and.b32 %r64, %r63, 1152;
setp.ne.s32 %p13, %r64, 0;
@%p13 bra $L__BB0_35;
$L__BB0_29:
add.s32 %r65, %r53, -101;
setp.lt.u32 %p14, %r65, 3;
@%p14 bra $L__BB0_35;
bra.uni $L__BB0_30;
$L__BB0_35:
mov.u16 %rs24, 1;
mov.u32 %r99, 8;
bra.uni $L__BB0_38;
$L__BB0_30:
setp.eq.s32 %p15, %r53, 104;
@%p15 bra $L__BB0_31;
bra.uni $L__BB0_27;
$L__BB0_31:
mov.u32 %r99, 0;
$L__BB0_38:
setp.eq.s32 %p32, %r99, 0;
setp.ne.s32 %p33, %r99, 0;
selp.u32 %r73, 1, 0, %p33;
add.s32 %r109, %r96, %r73;
setp.gt.u32 %p34, %r96, 31;
or.pred %p35, %p34, %p32;
@%p35 bra $L__BB0_55;
add.s32 %r74, %r106, %r99;
add.s32 %r75, %r74, -1;
neg.s32 %r76, %r99;
and.b32 %r19, %r75, %r76;
cvt.u64.u32 %rd27, %r19;
add.s64 %rd5, %rd15, %rd27;
add.s64 %rd28, %rd27, %rd1;
add.s64 %rd6, %rd42, %rd28;
setp.eq.s32 %p36, %r99, 4;
@%p36 bra $L__BB0_52;
bra.uni $L__BB0_40;
$L__BB0_52:
@%p4 bra $L__BB0_54;
ld.u32 %r82, [%rd5];
st.global.u32 [%rd6], %r82;
bra.uni $L__BB0_54;
$L__BB0_40:
ld.u64 %rd45, [%rd5];
setp.eq.s64 %p37, %rd45, 0;
setp.ne.s16 %p38, %rs2, 115;
or.pred %p39, %p38, %p37;
@%p39 bra $L__BB0_50;
mov.u32 %r100, 0;
$L__BB0_42:
.pragma "nounroll";
cvt.u64.u32 %rd29, %r100;
add.s64 %rd30, %rd45, %rd29;
ld.u8 %rs20, [%rd30];
setp.eq.s16 %p40, %rs20, 0;
mov.u32 %r101, %r100;
@%p40 bra $L__BB0_44;
add.s32 %r100, %r100, 1;
setp.lt.u32 %p41, %r100, 1024;
mov.u32 %r101, 1024;
@%p41 bra $L__BB0_42;
$L__BB0_44:
@%p4 bra $L__BB0_49;
setp.eq.s32 %p43, %r101, 0;
@%p43 bra $L__BB0_48;
mov.u32 %r102, 0;
$L__BB0_47:
.pragma "nounroll";
cvt.u64.u32 %rd31, %r102;
add.s64 %rd32, %rd45, %rd31;
ld.u8 %rs21, [%rd32];
add.s32 %r80, %r102, %r104;
cvt.u64.u32 %rd33, %r80;
add.s64 %rd34, %rd42, %rd33;
st.global.u8 [%rd34], %rs21;
add.s32 %r102, %r102, 1;
setp.lt.u32 %p44, %r102, %r101;
@%p44 bra $L__BB0_47;
$L__BB0_48:
cvt.u64.u32 %rd45, %r104;
$L__BB0_49:
add.s32 %r81, %r104, %r101;
add.s32 %r104, %r81, 1;
$L__BB0_50:
@%p4 bra $L__BB0_54;
st.global.u64 [%rd6], %rd45;
$L__BB0_54:
add.s32 %r106, %r19, %r99;
$L__BB0_55:
setp.lt.u32 %p47, %r107, %r89;
setp.eq.s16 %p48, %rs24, 0;
and.pred %p49, %p47, %p48;
mov.u32 %r96, %r109;
@%p49 bra $L__BB0_10;
$L__BB0_56:
setp.lt.u32 %p50, %r107, %r89;
@%p50 bra $L__BB0_6;
$L__BB0_57:
setp.ne.s64 %p51, %rd43, 0;
@%p51 bra $L__BB0_60;
add.s32 %r84, %r106, 7;
and.b32 %r85, %r84, -8;
add.s32 %r38, %r85, %r4;
add.s32 %r86, %r104, %r38;
add.s32 %r87, %r86, 7;
and.b32 %r39, %r87, -8;
cvt.u64.u32 %rd35, %r39;
mov.u64 %rd36, tensor_wasm_print_buffer;
atom.global.add.u64 %rd11, [%rd36], %rd35;
add.s64 %rd37, %rd11, %rd35;
setp.gt.u64 %p52, %rd37, 262144;
mov.u32 %r109, -1;
@%p52 bra $L__BB0_60;
bra.uni $L__BB0_59;
$L__BB0_60:
st.param.b32 [func_retval0+0], %r109;
ret;
}`;
