/**
 * The interpreter's arithmetic against values reckoned by hand, and against JavaScript where it is exact.
 *
 * Owns integers, bits, floating point and conversions; what threads do together is in interpreter_test.ts.
 */
import assert from "node:assert/strict";
import { Random } from "./generate/random.ts";
import { addBits, divBits, fmaBits, mulBits, sqrtBits } from "./interpreter/exact_arithmetic.ts";
import {
  bitsOfDouble,
  bitsOfSingle,
  doubleOfBits,
  fusedSingle,
  singleOfBits,
} from "./interpreter/float_bits.ts";
import { BF16, decode, F16, F32, F64, round } from "./interpreter/softfloat.ts";
import { evaluate } from "./interpreter_support.ts";

type Inputs = Readonly<Record<string, bigint | number>>;
type Row = readonly [line: string, result: string, inputs: Inputs, expected: bigint | number];

function check(rows: readonly Row[]): void {
  for (const [line, result, inputs, expected] of rows) {
    const got = evaluate(line, result, inputs);
    assert.equal(
      got.toString(16),
      BigInt(expected).toString(16),
      `${line} of ${JSON.stringify(inputs, show)}`,
    );
  }
}

function show(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString(16) : value;
}

const f = bitsOfSingle;
const g = bitsOfDouble;

Deno.test("interpreter: integer arithmetic at its edges", () => {
  check([
    ["add.s32 %r1, %r2, %r3;", "r1", { r2: 0x7fff_ffff, r3: 1 }, 0x8000_0000],
    ["add.sat.s32 %r1, %r2, %r3;", "r1", { r2: 0x7fff_ffff, r3: 1 }, 0x7fff_ffff],
    ["sub.sat.s32 %r1, %r2, %r3;", "r1", { r2: 0x8000_0000, r3: 1 }, 0x8000_0000],
    ["sub.u32 %r1, %r2, 5;", "r1", { r2: 3 }, 0xffff_fffe],
    [
      "mul.lo.u32 %r1, %r2, %r3;",
      "r1",
      { r2: 0xdead_beef, r3: 0x1234_5677 },
      BigInt.asUintN(32, 0xdead_beefn * 0x1234_5677n),
    ],
    ["mul.hi.u32 %r1, %r2, %r2;", "r1", { r2: 0xffff_ffff }, 0xffff_fffe],
    ["mul.hi.s32 %r1, %r2, %r2;", "r1", { r2: 0x8000_0000 }, 0x4000_0000],
    ["mul.wide.s32 %d1, %r2, %r3;", "d1", { r2: 0xffff_ffff, r3: 5 }, 0xffff_ffff_ffff_fffbn],
    ["mul.wide.u32 %d1, %r2, %r2;", "d1", { r2: 0xffff_ffff }, 0xffff_fffe_0000_0001n],
    ["mul.wide.s16 %r1, %h2, %h3;", "r1", { h2: 0xffff, h3: 7 }, 0xffff_fff9],
    ["mul.hi.s64 %d1, %d2, %d2;", "d1", { d2: 1n << 63n }, 1n << 62n],
    ["mul.hi.u16 %h1, %h2, %h2;", "h1", { h2: 0xffff }, 0xfffe],
    ["mad.hi.sat.s32 %r1, %r2, %r2, %r3;", "r1", { r2: 0x7fff_ffff, r3: 0x7fff_ffff }, 0x7fff_ffff],
    ["mad.wide.u32 %d1, %r2, 4, %d3;", "d1", { r2: 0xffff_ffff, d3: 8 }, 0x4_0000_0004n],
    ["mul24.hi.s32 %r1, %r2, %r3;", "r1", { r2: 0x80_0000, r3: 2 }, 0xffff_ff00],
    ["mul24.lo.u32 %r1, %r2, %r2;", "r1", { r2: 0xff00_0003 }, 9],
    ["div.s32 %r1, %r2, %r3;", "r1", { r2: -7, r3: 2 }, 0xffff_fffd],
    ["div.s32 %r1, %r2, %r3;", "r1", { r2: 0x8000_0000, r3: -1 }, 0x8000_0000],
    ["div.u32 %r1, %r2, %r3;", "r1", { r2: 7, r3: 0 }, 0xffff_ffff],
    ["rem.s32 %r1, %r2, %r3;", "r1", { r2: -7, r3: 2 }, 0xffff_ffff],
    ["rem.u32 %r1, %r2, %r3;", "r1", { r2: 7, r3: 0 }, 7],
    ["rem.s64 %d1, %d2, %d3;", "d1", { d2: 1n << 63n, d3: -1n }, 0],
    ["div.u64 %d1, %d2, 10;", "d1", { d2: -1n }, 0x1999_9999_9999_9999n],
    ["abs.s32 %r1, %r2;", "r1", { r2: 0x8000_0000 }, 0x8000_0000],
    ["min.s32 %r1, %r2, %r3;", "r1", { r2: -1, r3: 1 }, 0xffff_ffff],
    ["min.u32 %r1, %r2, %r3;", "r1", { r2: -1, r3: 1 }, 1],
    ["max.relu.s32 %r1, %r2, %r3;", "r1", { r2: -5, r3: -1 }, 0],
    ["max.s16x2 %r1, %r2, %r3;", "r1", { r2: 0xffff_0001, r3: 0x0000_8000 }, 0x0000_0001],
    ["add.u16x2 %r1, %r2, %r3;", "r1", { r2: 0xffff_ffff, r3: 0x0001_0001 }, 0],
    ["sad.s32 %r1, %r2, %r3, 10;", "r1", { r2: -3, r3: 4 }, 17],
    ["cnot.b32 %r1, %r2;", "r1", { r2: 0 }, 1],
    ["shl.b32 %r1, %r2, %r3;", "r1", { r2: 1, r3: 32 }, 0],
    ["shr.s32 %r1, %r2, %r3;", "r1", { r2: 0x8000_0000, r3: 99 }, 0xffff_ffff],
    ["shr.u32 %r1, %r2, 31;", "r1", { r2: 0x8000_0000 }, 1],
    ["shr.u32 %r1, %r2, 0;", "r1", { r2: 0x8000_0000 }, 0x8000_0000],
    ["shl.b64 %d1, %d2, 64;", "d1", { d2: 1 }, 0],
    ["shr.s16 %h1, %h2, 3;", "h1", { h2: 0x8000 }, 0xf000],
    ["dp4a.s32.s32 %r1, %r2, %r3, 100;", "r1", { r2: 0xff01_7f80, r3: 0x0203_0101 }, 100 - 2 + 3 + 127 - 128],
    ["dp4a.u32.s32 %r1, %r2, %r3, 0;", "r1", { r2: 0xff, r3: 0xff }, 0xffff_ff01],
    ["dp2a.hi.s32.u32 %r1, %r2, %r3, 1;", "r1", { r2: 0xffff_0002, r3: 0x0305_0000 }, 1 + 10 - 3],
    [
      "vabsdiff4.u32.u32.u32.add %r1, %r2, %r3, %r4;",
      "r1",
      { r2: 0x0102_ff00, r3: 0x0300_00ff, r4: 1 },
      1 + 2 + 2 + 255 + 255,
    ],
  ]);
});

Deno.test("interpreter: carry chains and bit instructions", () => {
  check([
    ["add.cc.u32 %r1, %r2, 1; addc.u32 %r1, 0, 0;", "r1", { r2: -1 }, 1],
    ["add.cc.u32 %r1, %r2, 1; add.u32 %r4, %r2, %r2; addc.cc.u32 %r1, %r2, 0; addc.u32 %r1, 0, 7;", "r1", {
      r2: -1,
    }, 8],
    ["sub.cc.u32 %r1, %r2, 1; subc.u32 %r1, 5, 0;", "r1", { r2: 0 }, 4],
    [
      "mad.lo.cc.u32 %r1, %r2, %r2, %r3; madc.hi.u32 %r1, %r2, %r2, 0;",
      "r1",
      { r2: -1, r3: -1 },
      0xffff_ffff,
    ],
    [
      "lop3.b32 %r1, %r2, %r3, %r4, 0xCA;",
      "r1",
      { r2: 0xff00_ff00, r3: 0x1234_5678, r4: 0x9abc_def0 },
      0x12bc_56f0,
    ],
    ["lop3.or.b32 %r1|%p1, %r2, %r3, %r4, 0x80, %p2;", "p1", { r2: 1, r3: 2, r4: 4, p2: 0 }, 0],
    ["shf.l.wrap.b32 %r1, %r2, %r3, 33;", "r1", { r2: 0x8000_0000, r3: 1 }, 3],
    ["shf.r.clamp.b32 %r1, %r2, %r3, 40;", "r1", { r2: 5, r3: 0x1234 }, 0x1234],
    ["prmt.b32 %r1, %r2, %r3, 0x7b90;", "r1", { r2: 0x4433_8811, r3: 0x8877_6655 }, 0x8800_ff11],
    ["prmt.b32.b4e %r1, %r2, %r3, 1;", "r1", { r2: 0x4433_2211, r3: 0x8877_6655 }, 0x7788_1122],
    ["prmt.b32.ecl %r1, %r2, %r3, 2;", "r1", { r2: 0x4433_2211, r3: 0 }, 0x4433_3333],
    ["prmt.b32.rc16 %r1, %r2, %r3, 3;", "r1", { r2: 0x4433_2211, r3: 0 }, 0x4433_4433],
    ["bfe.s32 %r1, %r2, 4, 4;", "r1", { r2: 0xf0 }, 0xffff_ffff],
    ["bfe.u32 %r1, %r2, 28, 20;", "r1", { r2: 0xf000_0000 }, 15],
    ["bfe.s32 %r1, %r2, 40, 4;", "r1", { r2: 0x8000_0000 }, 0xffff_ffff],
    ["bfe.s64 %d1, %d2, 60, 0;", "d1", { d2: -1n }, 0],
    ["bfi.b32 %r1, %r2, %r3, 8, 8;", "r1", { r2: 0xabcd, r3: 0x1111_1111 }, 0x1111_cd11],
    ["bfi.b64 %d1, %d2, %d3, 60, 200;", "d1", { d2: -1n, d3: 0 }, 0xf000_0000_0000_0000n],
    ["bfind.s32 %r1, %r2;", "r1", { r2: 0xffff_fff0 }, 3],
    ["bfind.shiftamt.u32 %r1, %r2;", "r1", { r2: 1 }, 31],
    ["bfind.s64 %r1, %d2;", "r1", { d2: -1n }, 0xffff_ffff],
    ["clz.b64 %r1, %d2;", "r1", { d2: 0 }, 64],
    ["popc.b64 %r1, %d2;", "r1", { d2: 0xf0f0_0000_0000_0001n }, 9],
    ["brev.b32 %r1, %r2;", "r1", { r2: 0x8000_0002 }, 0x4000_0001],
    ["brev.b64 %d1, %d2;", "d1", { d2: 1 }, 1n << 63n],
    ["fns.b32 %r1, 0xaaaaaaaa, 3, 1;", "r1", {}, 3],
    ["fns.b32 %r1, 0xaaaaaaaa, 2, -1;", "r1", {}, 1],
    ["fns.b32 %r1, 0xaaaaaaaa, 2, 0;", "r1", {}, 0xffff_ffff],
    ["bmsk.wrap.b32 %r1, 1, 2;", "r1", {}, 6],
    ["bmsk.clamp.b32 %r1, 4, 99;", "r1", {}, 0xffff_fff0],
    ["szext.wrap.u32 %r1, 0xffffffff, 0;", "r1", {}, 0],
    ["szext.clamp.s32 %r1, 0x80, 8;", "r1", {}, 0xffff_ff80],
    ["mov.b64 %d1, {%r2, %r3};", "d1", { r2: 1, r3: 2 }, 0x2_0000_0001n],
    ["mov.b32 {%h1, %h2}, %r1; mov.b32 %r2, {%h2, %h1};", "r2", { r1: 0x1234_5678 }, 0x5678_1234],
    ["selp.b32 %r1, %r2, %r3, %p1;", "r1", { r2: 1, r3: 2, p1: 0 }, 2],
    ["slct.u32.f32 %r1, %r2, %r3, %f1;", "r1", { r2: 1, r3: 2, f1: f(-0) }, 1],
    ["slct.u32.f32 %r1, %r2, %r3, %f1;", "r1", { r2: 1, r3: 2, f1: f(NaN) }, 2],
    ["set.lt.and.u32.s32 %r1, %r2, %r3, %p1;", "r1", { r2: -1, r3: 0, p1: 1 }, 0xffff_ffff],
    ["set.gtu.f32.f32 %f1, %f2, %f3;", "f1", { f2: f(NaN), f3: f(1) }, 0x3f80_0000],
    ["setp.ne.f32 %p1, %f2, %f3;", "p1", { f2: f(NaN), f3: f(1) }, 0],
    ["setp.neu.f32 %p1, %f2, %f3;", "p1", { f2: f(NaN), f3: f(1) }, 1],
    ["setp.lo.or.u32 %p1|%p2, %r2, %r3, !%p3;", "p2", { r2: 1, r3: 2, p3: 1 }, 0],
    ["not.pred %p1, %p2;", "p1", { p2: 0 }, 1],
    ["setp.eq.ftz.f16 %p1, %h2, %h3;", "p1", { h2: 1, h3: 0x8000 }, 1],
    ["setp.eq.f16 %p1, %h2, %h3;", "p1", { h2: 1, h3: 0x8000 }, 0],
  ]);
});

Deno.test("interpreter: rounding, flushing and saturation of singles and doubles", () => {
  const tiny = f(2 ** -149);
  check([
    ["add.rm.f32 %f1, %f2, %f3;", "f1", { f2: f(1), f3: f(-(2 ** -40)) }, f(1 - 2 ** -24)],
    ["add.rz.f32 %f1, %f2, %f3;", "f1", { f2: f(1), f3: f(2 ** -24 + 2 ** -40) }, f(1)],
    ["add.rp.f32 %f1, %f2, %f3;", "f1", { f2: f(1), f3: tiny }, f(1 + 2 ** -23)],
    ["add.f32 %f1, %f2, %f3;", "f1", { f2: f(1), f3: f(2 ** -24) }, f(1)],
    ["sub.rm.f32 %f1, %f2, %f2;", "f1", { f2: f(3) }, 0x8000_0000],
    ["add.rp.f32 %f1, %f2, %f3;", "f1", { f2: 0x7f7f_ffff, f3: 0x7f7f_ffff }, 0x7f80_0000],
    ["add.rm.f32 %f1, %f2, %f3;", "f1", { f2: 0x7f7f_ffff, f3: 0x7f7f_ffff }, 0x7f7f_ffff],
    ["mul.rz.f32 %f1, %f2, %f2;", "f1", { f2: f(2 ** -80) }, 0],
    ["mul.rp.f32 %f1, %f2, %f2;", "f1", { f2: f(2 ** -80) }, 1],
    ["mul.ftz.f32 %f1, %f2, %f3;", "f1", { f2: tiny, f3: f(-(2 ** 100)) }, 0x8000_0000],
    ["add.sat.f32 %f1, %f2, %f3;", "f1", { f2: f(0.75), f3: f(0.5) }, f(1)],
    ["mul.sat.f32 %f1, %f2, %f3;", "f1", { f2: f(NaN), f3: f(0.5) }, 0],
    ["fma.rn.f32 %f1, %f2, %f2, %f3;", "f1", { f2: f(1 + 2 ** -12), f3: f(-1) }, f(2 ** -11 + 2 ** -24)],
    ["fma.rm.f32 %f1, %f2, %f3, %f3;", "f1", { f2: f(1 / 3), f3: f(3) }, f(Math.fround(4))],
    ["div.rz.f32 %f1, %f2, %f3;", "f1", { f2: f(2), f3: f(3) }, 0x3f2a_aaaa],
    ["div.rn.f32 %f1, %f2, %f3;", "f1", { f2: f(2), f3: f(3) }, 0x3f2a_aaab],
    ["div.rn.f32 %f1, %f2, %f3;", "f1", { f2: f(-1), f3: 0 }, 0xff80_0000],
    ["sqrt.rp.f32 %f1, %f2;", "f1", { f2: f(2) }, 0x3fb5_04f4],
    ["sqrt.rn.f32 %f1, %f2;", "f1", { f2: f(-2) }, 0x7fff_ffff],
    ["rcp.rm.f32 %f1, %f2;", "f1", { f2: f(3) }, 0x3eaa_aaaa],
    ["min.f32 %f1, %f2, %f3;", "f1", { f2: f(0), f3: f(-0) }, 0x8000_0000],
    ["max.f32 %f1, %f2, %f3;", "f1", { f2: f(NaN), f3: f(-5) }, f(-5)],
    ["max.NaN.f32 %f1, %f2, %f3;", "f1", { f2: f(NaN), f3: f(-5) }, 0x7fff_ffff],
    ["min.xorsign.abs.f32 %f1, %f2, %f3;", "f1", { f2: f(-2), f3: f(3) }, f(-2)],
    ["copysign.f32 %f1, %f2, %f3;", "f1", { f2: f(-2), f3: f(3) }, f(-3)],
    ["testp.subnormal.f32 %p1, %f2;", "p1", { f2: tiny }, 1],
    ["testp.normal.f32 %p1, %f2;", "p1", { f2: f(Infinity) }, 0],
    ["add.rp.f64 %g1, %g2, %g3;", "g1", { g2: g(1), g3: g(2 ** -80) }, g(1 + 2 ** -52)],
    ["fma.rn.f64 %g1, %g2, %g2, %g3;", "g1", { g2: g(1 + 2 ** -30), g3: g(-1) }, g(2 ** -29 + 2 ** -60)],
    ["ex2.approx.ftz.f32 %f1, %f2;", "f1", { f2: f(3) }, f(8)],
    ["lg2.approx.f32 %f1, %f2;", "f1", { f2: f(0.125) }, f(-3)],
    ["rsqrt.approx.f64 %g1, %g2;", "g1", { g2: g(3) }, g(1 / Math.sqrt(3))],
    ["rsqrt.approx.f32 %f1, %f2;", "f1", { f2: f(16) }, f(0.25)],
  ]);
});

Deno.test("interpreter: conversions", () => {
  check([
    ["cvt.rzi.s32.f32 %r1, %f2;", "r1", { f2: f(-1.9) }, 0xffff_ffff],
    ["cvt.rni.s32.f32 %r1, %f2;", "r1", { f2: f(2.5) }, 2],
    ["cvt.rpi.u32.f32 %r1, %f2;", "r1", { f2: f(-0.5) }, 0],
    ["cvt.rzi.u32.f32 %r1, %f2;", "r1", { f2: f(-5) }, 0],
    ["cvt.rzi.s32.f32 %r1, %f2;", "r1", { f2: f(3e9) }, 0x7fff_ffff],
    ["cvt.rzi.s32.f32 %r1, %f2;", "r1", { f2: f(NaN) }, 0],
    ["cvt.rzi.s32.f64 %r1, %g2;", "r1", { g2: g(NaN) }, 0x8000_0000],
    ["cvt.rzi.u64.f32 %d1, %f2;", "d1", { f2: f(NaN) }, 1n << 63n],
    ["cvt.rmi.s8.f32 %r1, %f2;", "r1", { f2: f(-300) }, 0xffff_ff80],
    ["cvt.rn.f32.u32 %f1, %r2;", "f1", { r2: 0x0100_0001 }, f(16777216)],
    ["cvt.rp.f32.u64 %f1, %d2;", "f1", { d2: (1n << 60n) + 1n }, f(2 ** 60 + 2 ** 37)],
    ["cvt.rz.f32.f64 %f1, %g2;", "f1", { g2: g(1e300) }, 0x7f7f_ffff],
    ["cvt.rn.f64.s64 %g1, %d2;", "g1", { d2: -1n }, g(-1)],
    ["cvt.rmi.f32.f32 %f1, %f2;", "f1", { f2: f(-0.25) }, f(-1)],
    ["cvt.rzi.f32.f32 %f1, %f2;", "f1", { f2: f(-0.25) }, 0x8000_0000],
    ["cvt.sat.f32.f32 %f1, %f2;", "f1", { f2: f(7) }, f(1)],
    ["cvt.s8.s32 %r1, %r2;", "r1", { r2: 0x180 }, 0xffff_ff80],
    ["cvt.u8.u32 %r1, %r2;", "r1", { r2: 0x180 }, 0x80],
    ["cvt.sat.u8.s32 %r1, %r2;", "r1", { r2: -3 }, 0],
    ["cvt.sat.s16.u32 %r1, %r2;", "r1", { r2: -1 }, 0x7fff],
    ["cvt.s64.s16 %d1, %r2;", "d1", { r2: 0xffff }, 0xffff_ffff_ffff_ffffn],
    ["cvt.u32.u16 %r1, %h2;", "r1", { h2: 0xffff }, 0xffff],
    ["cvt.rn.f16.f32 %h1, %f2;", "h1", { f2: f(65520) }, 0x7c00],
    ["cvt.rz.f16.f32 %h1, %f2;", "h1", { f2: f(65520) }, 0x7bff],
    ["cvt.rn.satfinite.f16.f32 %h1, %f2;", "h1", { f2: f(1e9) }, 0x7bff],
    ["cvt.f32.f16 %f1, %h2;", "f1", { h2: 0x0001 }, f(2 ** -24)],
    ["cvt.rn.bf16.f32 %h1, %f2;", "h1", { f2: 0x3f80_8000 }, 0x3f80],
    ["cvt.rn.f16x2.f32 %r1, %f2, %f3;", "r1", { f2: f(1), f3: f(-2) }, 0x3c00_c000],
    ["cvt.rn.relu.bf16x2.f32 %r1, %f2, %f3;", "r1", { f2: f(-1), f3: f(2) }, 0x0000_4000],
    ["cvt.rna.tf32.f32 %r1, %f2;", "r1", { f2: 0x3f80_1000 }, 0x3f80_2000],
    ["add.f16 %h1, %h2, %h3;", "h1", { h2: 0x3c00, h3: 0x1000 }, 0x3c00],
    ["fma.rn.relu.f16 %h1, %h2, %h3, %h2;", "h1", { h2: 0x3c00, h3: 0xc000 }, 0],
    ["add.sat.f16x2 %r1, %r2, %r2;", "r1", { r2: 0x3c00_bc00 }, 0x3c00_0000],
    ["max.NaN.bf16 %h1, %h2, %h3;", "h1", { h2: 0x7fc0, h3: 0 }, 0x7fff],
  ]);
});

/** Bits of every kind: random ones, and those with few bits set, of ordinary size. */
function singles(random: Random): number {
  const kind = random.below(4);
  if (kind === 0) return random.bits();
  const sign = random.percent(50) ? 0x8000_0000 : 0;
  const exponent = kind === 1 ? random.between(0, 3) : random.between(110, 145);
  const fraction = random.percent(50) ? random.bits() & 0x7f_ffff : (random.bits() & 3) << random.below(21);
  return (sign | (exponent << 23) | fraction) >>> 0;
}

Deno.test("interpreter: exact arithmetic agrees with doubles, and with singles rounded from them", () => {
  const random = new Random(7);
  for (let turn = 0; turn < 1500; turn++) {
    const [a, b, c] = [singles(random), singles(random), singles(random)];
    const [x, y, z] = [singleOfBits(a), singleOfBits(b), singleOfBits(c)];
    const same = (bits: bigint, value: number): void => {
      const got = singleOfBits(Number(bits));
      assert.ok(Object.is(got, value), `${a} ${b} ${c}: ${got}, not ${value}`);
    };
    same(addBits(F32, "rn", BigInt(a), BigInt(b)), Math.fround(x + y));
    same(mulBits(F32, "rn", BigInt(a), BigInt(b)), Math.fround(x * y));
    same(divBits(F32, "rn", BigInt(a), BigInt(b)), Math.fround(x / y));
    same(sqrtBits(F32, "rn", BigInt(a)), Math.fround(Math.sqrt(x)));
    same(fmaBits(F32, "rn", BigInt(a), BigInt(b), BigInt(c)), fusedSingle(x, y, z));
  }
  for (let turn = 0; turn < 800; turn++) {
    const wide = (): bigint => (BigInt(singles(random)) << 32n) | BigInt(random.bits());
    const [a, b] = [wide(), wide()];
    const [x, y] = [doubleOfBits(a), doubleOfBits(b)];
    const same = (bits: bigint, value: number): void => {
      assert.ok(Object.is(doubleOfBits(bits), value), `${a} ${b}: ${doubleOfBits(bits)}, not ${value}`);
    };
    same(addBits(F64, "rn", a, b), x + y);
    same(mulBits(F64, "rn", a, b), x * y);
    same(divBits(F64, "rn", a, b), x / y);
    same(sqrtBits(F64, "rn", a), Math.sqrt(x));
  }
});

Deno.test("interpreter: halves agree with Float16Array, and every bf16 is the upper half of a single", () => {
  const random = new Random(11);
  const array = new Float16Array(3);
  const bits = new Uint16Array(array.buffer);
  for (let turn = 0; turn < 800; turn++) {
    bits[0] = random.bits();
    bits[1] = random.bits();
    const [a, b] = [BigInt(bits[0] ?? 0), BigInt(bits[1] ?? 0)];
    const [x = 0, y = 0] = array;
    const same = (got: bigint, value: number): void => {
      array[2] = value;
      if (Number.isNaN(value)) assert.equal(got, 0x7fffn);
      else assert.equal(got, BigInt(bits[2] ?? 0), `${a} ${b}`);
    };
    same(addBits(F16, "rn", a, b), x + y);
    same(mulBits(F16, "rn", a, b), x * y);
    same(sqrtBits(F16, "rn", a), Math.sqrt(x));
    const upper = decode(BF16, a);
    if (upper.kind !== "nan") assert.equal(round(F32, "rn", upper), a << 16n);
  }
});
