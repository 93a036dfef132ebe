/**
 * Float templates: correctly rounded arithmetic and conversions.
 *
 * Owns which floating-point instructions are generated. Approximations are left out: their bits are nobody's
 * promise. So are the signs and payloads of NaN: where one could show, the template puts a number there.
 * Invariant: as in integer_templates.ts.
 */
export const FLOAT_TEMPLATES: readonly string[] = [
  "<add|sub|mul><|.rn|.rz|.rm|.rp><|.ftz><|.sat>.f32 <=f32>, <f32>, <f32i>",
  "<add|sub|mul>.rn.f32 <=f32>, <f32>, <f32i>",
  "fma.<rn|rz|rm|rp><|.ftz><|.sat>.f32 <=f32>, <f32>, <f32i>, <f32>",
  "fma.rn.f32 <=f32>, <f32>, <f32>, <f32i>",
  "div.<rn|rz|rm|rp><|.ftz>.f32 <=f32>, <f32>, <f32i>",
  "sqrt.<rn|rz|rm|rp><|.ftz>.f32 <=f32>, <f32>",
  "rcp.<rn|rz|rm|rp><|.ftz>.f32 <=f32>, <f32>",
  "<min|max><|.ftz><|.NaN>.f32 <=f32>, <f32>, <f32i>",
  "<abs|neg><|.ftz>.f32 <=f32>, <f32>",
  "mov.f32 <=f32>, <f32i>",
  "selp.f32 <=f32>, <f32>, <f32i>, <pred>",
  "slct<|.ftz>.b32.f32 <=b32>, <b32>, <b32>, <f32>",
  "testp.number.f32 <t:pred:p>, <f32#a>; selp.f32 <t:f32:x>, <f32#a>, 0fC0000000, <t:pred:p>; copysign.f32 <=f32>, <t:f32:x>, <f32>",
  "set.<lt|ge|equ|nan>.<u32|s32>.f32 <=b32>, <f32>, <f32i>",
  "set.<lt|ge|neu>.f32.f32 <=f32>, <f32>, <f32i>",
  "<add|sub|mul><|.rn|.rz|.rm|.rp>.f64 <=f64>, <f64>, <f64i>",
  "<add|mul>.rn.f64 <=f64>, <f64>, <f64i>",
  "fma.<rn|rz|rm|rp>.f64 <=f64>, <f64>, <f64>, <f64i>",
  "div.<rn|rz|rm|rp>.f64 <=f64>, <f64>, <f64i>",
  "sqrt.<rn|rz|rm|rp>.f64 <=f64>, <f64>",
  "rcp.<rn|rz|rm|rp>.f64 <=f64>, <f64>",
  "<min|max>.f64 <=f64>, <f64>, <f64i>",
  "<abs|neg>.f64 <=f64>, <f64>",
  "selp.f64 <=f64>, <f64>, <f64i>, <pred>",
  "mov.f64 <=f64>, <f64i>",
];

export const CONVERSION_TEMPLATES: readonly string[] = [
  "cvt.<rn|rz|rm|rp>.f32.<u32|s32> <=f32>, <b32>",
  "cvt.<rn|rz|rm|rp>.f32.<u64|s64> <=f32>, <b64>",
  "cvt.<rn|rz>.f32.<u16|s16> <=f32>, <b16>",
  "cvt.rn.f32.<u8|s8> <=f32>, <b32>",
  "cvt.<rn|rz|rm|rp>.f64.<u64|s64> <=f64>, <b64>",
  "cvt.rn.f64.<u32|s32> <=f64>, <b32>",
  "cvt.<rni|rzi|rmi|rpi><|.ftz>.<u32|s32>.f32 <=b32>, <f32>",
  "cvt.<rni|rzi|rmi|rpi><|.sat>.<u8|s8|u16|s16>.f32 <=b32>, <f32>",
  "cvt.<rni|rzi|rmi|rpi>.<u64|s64>.f32 <=b64>, <f32>",
  "cvt.<rni|rzi|rmi|rpi>.<u32|s32>.f64 <=b32>, <f64>",
  "cvt.<rni|rzi|rmi|rpi>.<u64|s64>.f64 <=b64>, <f64>",
  "cvt.<rn|rz|rm|rp><|.ftz><|.sat>.f32.f64 <=f32>, <f64>",
  "cvt<|.ftz>.f64.f32 <=f64>, <f32>",
  "cvt.<rni|rzi|rmi|rpi><|.ftz><|.sat>.f32.f32 <=f32>, <f32>",
  "cvt.sat.f32.f32 <=f32>, <f32>",
  "cvt.<rni|rzi|rmi|rpi>.f64.f64 <=f64>, <f64>",
  "cvt.<u8|s8|u16|s16>.<u32|s32> <=b32>, <b32>",
  "cvt.sat.<u8|s8|u16|s16>.<u32|s32> <=b32>, <b32>",
  "cvt<|.sat>.<u32|s32>.<u64|s64> <=b32>, <b64>",
  "cvt.<u64|s64>.<u32|s32> <=b64>, <b32>",
  "cvt.sat.u64.s32 <=b64>, <b32>",
  "cvt.<u64|s64>.<u8|s8|u16|s16> <=b64>, <b32>",
  "cvt.<u16|s16>.<u32|s32> <=b16>, <b32>",
  "cvt.<u32|s32>.<u16|s16> <=b32>, <b16>",
  "cvt.sat.<u16|s16>.<u64|s64> <=b16>, <b64>",
  "cvt.sat.u32.s32 <=b32>, <b32>",
  "cvt.sat.s32.u32 <=b32>, <b32>",
];

/** Half results are made canonical at once, since halves and integers share their registers. */
const CANONICAL =
  "setp.nan.<k> <t:pred:n>, <t:b16:x>, <t:b16:x>; selp.b16 <=b16>, 32767, <t:b16:x>, <t:pred:n>";
const CANONICAL_PAIR =
  "mov.b32 {<t:b16:l>, <t:b16:h>}, <t:b32:x>; setp.nan.<k> <t:pred:n>, <t:b16:l>, <t:b16:l>; " +
  "selp.b16 <t:b16:l>, 32767, <t:b16:l>, <t:pred:n>; setp.nan.<k> <t:pred:n>, <t:b16:h>, <t:b16:h>; " +
  "selp.b16 <t:b16:h>, 32767, <t:b16:h>, <t:pred:n>; mov.b32 <=b32>, {<t:b16:l>, <t:b16:h>}";

function half(format: "f16" | "bf16", text: string): string {
  return `${text}; ${CANONICAL.replaceAll("<k>", format)}`;
}

function pair(format: "f16" | "bf16", text: string): string {
  return `${text}; ${CANONICAL_PAIR.replaceAll("<k>", format)}`;
}

export const HALF_TEMPLATES: readonly string[] = [
  half("f16", "cvt.<rn|rz|rm|rp><|.ftz>.f16.f32 <t:b16:x>, <f32>"),
  half("f16", "cvt.<rn|rz>.f16.f64 <t:b16:x>, <f64>"),
  half("f16", "cvt.<rn|rz>.f16.<u32|s32> <t:b16:x>, <b32>"),
  half("bf16", "cvt.<rn|rz>.bf16.f32 <t:b16:x>, <f32>"),
  "cvt<|.ftz>.f32.f16 <=f32>, <b16>",
  "cvt.f64.f16 <=f64>, <b16>",
  "cvt.f32.bf16 <=f32>, <b16>",
  "cvt.<rni|rzi|rmi|rpi>.<u32|s32>.f16 <=b32>, <b16>",
  half("f16", "<add|sub|mul><|.ftz><|.sat>.f16 <t:b16:x>, <b16>, <b16>"),
  half("f16", "fma.rn<|.ftz><|.sat>.f16 <t:b16:x>, <b16>, <b16>, <b16>"),
  half("f16", "fma.rn.relu.f16 <t:b16:x>, <b16>, <b16>, <b16>"),
  half("f16", "<min|max><|.ftz><|.NaN>.f16 <t:b16:x>, <b16>, <b16>"),
  half("f16", "<abs|neg>.f16 <t:b16:x>, <b16>"),
  half("bf16", "fma.rn<|.relu>.bf16 <t:b16:x>, <b16>, <b16>, <b16>"),
  half("bf16", "<add|sub|mul>.bf16 <t:b16:x>, <b16>, <b16>"),
  half("bf16", "<min|max><|.NaN>.bf16 <t:b16:x>, <b16>, <b16>"),
  half("bf16", "<abs|neg>.bf16 <t:b16:x>, <b16>"),
  pair("f16", "<add|sub|mul><|.ftz><|.sat>.f16x2 <t:b32:x>, <b32>, <b32>"),
  pair("f16", "fma.rn<|.ftz><|.sat>.f16x2 <t:b32:x>, <b32>, <b32>, <b32>"),
  pair("f16", "<min|max><|.NaN>.f16x2 <t:b32:x>, <b32>, <b32>"),
  pair("bf16", "fma.rn<|.relu>.bf16x2 <t:b32:x>, <b32>, <b32>, <b32>"),
  pair("bf16", "<add|sub|mul>.bf16x2 <t:b32:x>, <b32>, <b32>"),
  pair("f16", "cvt.<rn|rz><|.relu>.f16x2.f32 <t:b32:x>, <f32>, <f32>"),
  pair("bf16", "cvt.<rn|rz><|.relu>.bf16x2.f32 <t:b32:x>, <f32>, <f32>"),
  "setp.<eq|lt|ge|neu|nan><|.ftz>.f16 <=pred>, <b16>, <b16>",
  "setp.<eq|lt|geu>.bf16 <=pred>, <b16>, <b16>",
  "setp.<lt|geu>.f16x2 <=pred>|<=pred>, <b32>, <b32>",
];
