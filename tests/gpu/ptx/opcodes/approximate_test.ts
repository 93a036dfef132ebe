/** The approximate functions: special values of the ISA's tables, and errors against double precision. */
import assert from "node:assert/strict";
import { PtxError } from "../../../../gpu/ptx/ptx_error.ts";
import { Random } from "../../kernels/references/random.ts";
import { bitsOfSingle, numberOf, singleOfBits } from "../interpreter/float_bits.ts";
import { BF16, F16, F32 } from "../interpreter/softfloat.ts";
import type { FloatFormat } from "../interpreter/softfloat.ts";
import { checkCases, edgesOf, isNan } from "./cases.ts";
import type { Case } from "./cases.ts";
import { compileInstruction } from "./one_instruction.ts";

const NAN = 0x7fff_ffffn;
const INFINITY = 0x7f80_0000n;
const SIGN = 0x8000_0000n;
const ONE = 0x3f80_0000n;

/** Results by input: -inf, -0, +0, +inf and NaN, as the tables have them. */
const TABLES: Readonly<Record<string, readonly [bigint, bigint, bigint, bigint, bigint]>> = {
  "rcp.approx": [SIGN, SIGN | INFINITY, INFINITY, 0n, NAN],
  "sqrt.approx": [NAN, SIGN, 0n, INFINITY, NAN],
  "rsqrt.approx": [NAN, SIGN | INFINITY, INFINITY, 0n, NAN],
  "sin.approx": [NAN, SIGN, 0n, NAN, NAN],
  "cos.approx": [NAN, ONE, ONE, NAN, NAN],
  "lg2.approx": [NAN, SIGN | INFINITY, SIGN | INFINITY, INFINITY, NAN],
  "ex2.approx": [0n, ONE, ONE, INFINITY, NAN],
  "tanh.approx": [SIGN | ONE, SIGN, 0n, ONE, NAN],
};

Deno.test("special values are those of the ISA's tables", () => {
  checkCases(
    Object.entries(TABLES).flatMap(([name, results]) => {
      const expected = (bits = 0n): bigint => {
        const index = [SIGN | INFINITY, SIGN, 0n, INFINITY, NAN].indexOf(bits);
        return results[index] ?? assert.fail();
      };
      const inputs = [[SIGN | INFINITY], [SIGN], [0n], [INFINITY], [NAN]];
      const plain: Case = { text: `${name}.f32 %f0, %f1`, inputs, format: F32, expected };
      if (name.startsWith("tanh")) return [plain];
      // Subnormals are zeros of their sign.
      const flushing: Case = {
        text: `${name}.ftz.f32 %f0, %f1`,
        inputs: [...inputs, [1n], [SIGN | 1n], [0x7f_ffffn]],
        format: F32,
        expected: (bits = 0n) => expected((bits & INFINITY) === 0n ? bits & SIGN : bits),
      };
      return [plain, flushing];
    }),
  );
});

Deno.test("lg2 and rsqrt of negative numbers are NaN", () => {
  for (const text of ["lg2.approx.f32 %f0, %f1", "rsqrt.approx.f32 %f0, %f1", "sqrt.approx.f32 %f0, %f1"]) {
    const { run } = compileInstruction(text);
    for (const bits of edgesOf(F32)) {
      if (bits <= SIGN) continue;
      assert.ok(isNan(F32, run(bits)[0] ?? 0n), `${text} of ${bits.toString(16)}`);
    }
  }
});

/** One unit in the last place of a format at a value. */
function unitAt({ precision, bias }: FloatFormat, value: number): number {
  const exponent = value === 0 ? -Infinity : Math.floor(Math.log2(Math.abs(value)));
  return 2 ** (Math.max(exponent, 1 - bias) - precision + 1);
}

/** Largest error in units of the last place, over inputs whose exact result is in the format's range. */
function worstOf(
  text: string,
  format: FloatFormat,
  inputs: Iterable<bigint>,
  exact: (x: number) => number,
): number {
  const { run } = compileInstruction(text);
  const largest = numberOf(format, (2 * format.bias + 1) * 2 ** (format.precision - 1) - 1);
  let worst = 0;
  for (const bits of inputs) {
    const wanted = exact(numberOf(format, Number(bits)));
    const got = run(bits)[0] ?? 0n;
    if (Number.isNaN(wanted)) assert.ok(isNan(format, got), `${text} of ${bits.toString(16)}`);
    else if (Math.abs(wanted) > largest) assert.ok(Math.abs(numberOf(format, Number(got))) >= largest);
    else {
      const error = Math.abs(numberOf(format, Number(got)) - wanted) / unitAt(format, wanted);
      if (!(error <= worst)) worst = error;
    }
  }
  return worst;
}

function* around(random: Random, count: number, low: number, high: number): Generator<bigint> {
  for (let index = 0; index < count; index++) yield BigInt(bitsOfSingle(random.between(low, high)));
}

/** Any finite bits. */
function* anywhere(random: Random, count: number): Generator<bigint> {
  for (let index = 0; index < count; index++) {
    const bits = BigInt(random.u32());
    if ((bits & INFINITY) !== INFINITY) yield bits;
  }
}

const COUNT = 6_000;

/** Worst allowed error in units of the last place, and where inputs are taken besides from anywhere. */
const FUNCTIONS:
  readonly (readonly [text: string, bound: number, exact: (x: number) => number, number, number])[] = [
    ["rcp.approx.f32 %f0, %f1", 0.5, (x) => 1 / x, 0.5, 2],
    ["sqrt.approx.f32 %f0, %f1", 0.5, Math.sqrt, 0, 4],
    // 2^-23 of the result is one unit at the lower end of a binade.
    ["rsqrt.approx.f32 %f0, %f1", 1, (x) => 1 / Math.sqrt(x), 0.25, 4],
    ["ex2.approx.f32 %f0, %f1", 0.501, (x) => 2 ** x, -150, 128],
    ["lg2.approx.f32 %f0, %f1", 0.501, Math.log2, 0.5, 2],
    ["sin.approx.f32 %f0, %f1", 0.501, Math.sin, -10, 10],
    ["cos.approx.f32 %f0, %f1", 0.501, Math.cos, -10, 10],
    ["tanh.approx.f32 %f0, %f1", 0.501, Math.tanh, -4, 4],
  ];

for (const [text, bound, exact, low, high] of FUNCTIONS) {
  Deno.test(`${text} is within ${bound} units of the last place`, () => {
    const random = new Random(text);
    const inputs = [...around(random, COUNT, low, high), ...anywhere(random, COUNT), ...edgesOf(F32)];
    const worst = worstOf(text, F32, inputs.filter((bits) => (bits & INFINITY) !== INFINITY), exact);
    assert.ok(worst <= bound, `got ${worst}`);
  });
}

Deno.test("sin and cos near multiples of a right angle keep their precision", () => {
  for (const [name, exact] of [["sin", Math.sin], ["cos", Math.cos]] as const) {
    // Those singles that are nearest of all to such a multiple, for their size, by continued fractions of 2/pi.
    const inputs = [
      0x6f79_be45n,
      0x50a3_e87fn,
      0x437c_e5f1n,
      0x6a19_76f1n,
      0x4096_cbe4n,
      0x474d_246fn,
      0x447c_e5f1n,
    ];
    for (let turns = 1; turns < 2 ** 27; turns = Math.ceil(turns * 1.03)) {
      const bits = BigInt(bitsOfSingle(turns * Math.PI / 2));
      inputs.push(bits - 1n, bits, bits + 1n, (bits + 1n) | SIGN);
    }
    const worst = worstOf(`${name}.approx.f32 %f0, %f1`, F32, inputs, exact);
    assert.ok(worst <= 0.501, `got ${worst}`);
  }
});

Deno.test("powers of two are exact", () => {
  const { run } = compileInstruction("ex2.approx.ftz.f32 %f0, %f1");
  for (let exponent = -160; exponent <= 130; exponent++) {
    const wanted = exponent < -126 ? 0 : Math.fround(2 ** exponent);
    assert.equal(singleOfBits(Number(run(BigInt(bitsOfSingle(exponent)))[0])), wanted, `${exponent}`);
  }
});

Deno.test("ex2 and tanh of halves are within one unit of the last place", () => {
  for (const [type, format, flush] of [["f16", F16, ""], ["bf16", BF16, ".ftz"]] as const) {
    const all = Array.from({ length: 65_536 / 3 }, (_, index) => BigInt(index * 3)).filter((bits) =>
      !isNan(format, bits)
    );
    const flushed = (value: number): number => flush !== "" && Math.abs(value) < 2 ** -126 ? 0 : value;
    const finite = all.filter((bits) => Number.isFinite(numberOf(format, Number(bits))));
    const power = worstOf(`ex2.approx${flush}.${type} %h0, %h1`, format, finite, (x) => flushed(2 ** x));
    assert.ok(power <= 0.51, `ex2 ${type}: ${power}`);
    const tangent = worstOf(`tanh.approx.${type} %h0, %h1`, format, finite, Math.tanh);
    assert.ok(tangent <= 0.51, `tanh ${type}: ${tangent}`);
    const single = compileInstruction(`tanh.approx.${type} %h0, %h1`);
    const pair = compileInstruction(`tanh.approx.${type}x2 %r0, %r1`);
    for (let index = 0; index + 1 < all.length; index += 97) {
      const [low = 0n, high = 0n] = all.slice(index, index + 2);
      const [first = 0n, second = 0n] = [single.run(low)[0], single.run(high)[0]];
      assert.equal(pair.run(low | (high << 16n))[0], first | (second << 16n));
    }
    for (const nan of [0x7fffn, 0xffffn]) assert.equal(single.run(nan)[0], 0x7fffn);
  }
});

Deno.test("rcp.approx.ftz.f64 and rsqrt.approx.ftz.f64 keep the upper halves", () => {
  const view = new DataView(new ArrayBuffer(8));
  const cases: readonly (readonly [string, (x: number) => number])[] = [["rcp", (x) => 1 / x], [
    "rsqrt",
    (x) => 1 / Math.sqrt(x),
  ]];
  for (const [name, exact] of cases) {
    const { run } = compileInstruction(`${name}.approx.ftz.f64 %d0, %d1`);
    const random = new Random(name);
    for (let index = 0; index < 3_000; index++) {
      view.setUint32(0, random.u32());
      view.setUint32(4, 0);
      const wanted = exact(view.getFloat64(0));
      const bits = run(view.getBigUint64(0) | BigInt(random.u32()))[0] ?? 0n;
      assert.equal(bits & 0xffff_ffffn, 0n);
      if (Number.isNaN(wanted)) assert.equal(bits, 0x7fff_ffff_0000_0000n);
      else if (Math.abs(wanted) >= 2 ** -1022 && Number.isFinite(wanted)) {
        view.setBigUint64(0, bits);
        assert.ok(Math.abs(view.getFloat64(0) / wanted - 1) <= 2 ** -20);
      }
    }
    const minus = 1n << 63n;
    assert.equal(run(1n << 51n)[0], 0x7ffn << 52n, "a subnormal is a zero");
    assert.equal(run(minus | 1n)[0], minus | (0x7ffn << 52n));
    assert.equal(run(0x7ffn << 52n)[0], 0n);
    assert.equal(run((0x7ffn << 52n) | 1n)[0], 0x7fff_ffff_0000_0000n);
  }
  assert.equal(
    compileInstruction("rcp.approx.ftz.f64 %d0, %d1").run(0x7fe0_0000_0000_0000n)[0],
    0n,
    "a result, too",
  );
  const { run } = compileInstruction("rsqrt.approx.f64 %d0, %d1");
  view.setFloat64(0, 1 / Math.sqrt(3));
  assert.equal(run(0x4008_0000_0000_0000n)[0], view.getBigUint64(0));
});

Deno.test("forms that do not exist are refused", () => {
  for (
    const text of [
      "ex2.f32 %f0, %f1",
      "ex2.approx.f64 %d0, %d1",
      "ex2.approx.bf16 %h0, %h1",
      "ex2.approx.ftz.f16 %h0, %h1",
      "tanh.approx.ftz.f32 %f0, %f1",
      "sin.approx.f16 %h0, %h1",
    ]
  ) assert.throws(() => compileInstruction(text), PtxError, text);
});
