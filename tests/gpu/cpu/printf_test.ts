/**
 * printf of the device: every conversion against what C prints.
 */
import assert from "node:assert/strict";
import { formatPrintf } from "../../../gpu/cpu/printf.ts";

/** An argument: a number is an int, a bigint a long, `{ f }` a double, a text a string. */
type Argument = number | bigint | string | { readonly f: number };

const FORMAT_AT = 0x1000;
const ARGUMENTS_AT = 0x4000;
const STRINGS_AT = 0x6000;
const MEMORY_BYTES = 0x8000;

function print(format: string, ...args: readonly Argument[]): string {
  const memory = new Uint8Array(MEMORY_BYTES);
  const view = new DataView(memory.buffer);
  memory.set(new TextEncoder().encode(format), FORMAT_AT);
  let at = ARGUMENTS_AT;
  let string = STRINGS_AT;
  for (const arg of args) {
    if (typeof arg === "number") {
      view.setInt32(at, arg, true);
      at += 4;
      continue;
    }
    at = Math.ceil(at / 8) * 8;
    if (typeof arg === "bigint") view.setBigUint64(at, BigInt.asUintN(64, arg), true);
    else if (typeof arg === "string") {
      view.setBigUint64(at, BigInt(string), true);
      memory.set(new TextEncoder().encode(arg), string);
      string += arg.length + 1;
    } else view.setFloat64(at, arg.f, true);
    at += 8;
  }
  const read = (pointer: bigint, byteLength: number): Uint8Array =>
    memory.slice(Number(pointer), Math.min(MEMORY_BYTES, Number(pointer) + byteLength));
  return formatPrintf(read, BigInt(FORMAT_AT), BigInt(ARGUMENTS_AT));
}

/** Formats, arguments and what glibc's printf makes of them. */
const CASES: readonly (readonly [format: string, args: readonly Argument[], expected: string])[] = [
  ["plain, 100%%\n", [], "plain, 100%\n"],
  ["%d %i", [-5, 7], "-5 7"],
  ["%5d|%-5d|%05d", [42, 42, -42], "   42|42   |-0042"],
  ["%+d % d %+d", [1, 1, -1], "+1  1 -1"],
  ["%.3d|%6.3d|%.0d", [5, 5, 0], "005|   005|"],
  ["%06.3d", [5], "   005"],
  ["%u", [-1], "4294967295"],
  ["%x %X %#x %#X", [255, 255, 255, 255], "ff FF 0xff 0XFF"],
  ["%08x|%#010x|%-8x|", [0xbeef, 0xbeef, 0xbeef], "0000beef|0x0000beef|beef    |"],
  ["%o %#o", [8, 8], "10 010"],
  ["%#x %#o", [0, 0], "0 0"],
  ["%hd %hu %hhd %hhu", [70_000, 70_000, 200, 511], "4464 4464 -56 255"],
  ["%ld %lld %lu", [-1n, 2n ** 40n, -1n], "-1 1099511627776 18446744073709551615"],
  ["%llx", [0xdeadbeefn << 32n], "deadbeef00000000"],
  ["%zu %jd %td", [7n, -7n, 9n], "7 -7 9"],
  ["%d %ld %d", [1, 2n, 3], "1 2 3"],
  ["%c%c%5c|%-3c|", [72, 105, 33, 65], "Hi    !|A  |"],
  ["%s and %s", ["one", "two"], "one and two"],
  ["%10s|%-10s|%.2s|%5.1s", ["abc", "abc", "abc", "abc"], "       abc|abc       |ab|    a"],
  ["%p", [0x1234n], "0x1234"],
  ["%f", [{ f: 1.5 }], "1.500000"],
  ["%.0f %.1f %.2f", [{ f: 2.5 }, { f: 0.25 }, { f: 1.005 }], "2 0.2 1.00"],
  ["%8.3f|%-8.3f|%08.3f", [{ f: -3.14159 }, { f: 3.14159 }, { f: -3.14159 }], "  -3.142|3.142   |-003.142"],
  ["%+f % f", [{ f: 1 }, { f: 1 }], "+1.000000  1.000000"],
  ["%e %.2E", [{ f: 12345.678 }, { f: 0.00012 }], "1.234568e+04 1.20E-04"],
  ["%e", [{ f: 1e100 }], "1.000000e+100"],
  [
    "%g %g %g %g",
    [{ f: 0.0001 }, { f: 0.00001 }, { f: 123456 }, { f: 1234567 }],
    "0.0001 1e-05 123456 1.23457e+06",
  ],
  ["%G %.3g %#g", [{ f: 1e-10 }, { f: 1234.5 }, { f: 1 }], "1E-10 1.23e+03 1.00000"],
  ["%g %g", [{ f: 0 }, { f: 100 }], "0 100"],
  [
    "%f %F %5.1f|%-5f|",
    [{ f: Infinity }, { f: -Infinity }, { f: NaN }, { f: Infinity }],
    "inf -INF   nan|inf  |",
  ],
  ["%05f", [{ f: Infinity }], "  inf"],
  ["%f %g %e", [{ f: -0 }, { f: -0 }, { f: -0 }], "-0.000000 -0 -0.000000e+00"],
  ["%a %a %A", [{ f: 1 }, { f: 0.5 }, { f: 255.5 }], "0x1p+0 0x1p-1 0X1.FFP+7"],
  ["%a %a", [{ f: 0 }, { f: -1.1 }], "0x0p+0 -0x1.199999999999ap+0"],
  ["%a", [{ f: 5e-324 }], "0x0.0000000000001p-1022"],
  ["%.1a %.0a %.3a", [{ f: 1.999 }, { f: 1.5 }, { f: 1 }], "0x2.0p+0 0x2p+0 0x1.000p+0"],
  ["%.10f", [{ f: 0.1 }], "0.1000000000"],
  ["%f", [{ f: 1e22 }], "10000000000000000000000.000000"],
  ["%.25f", [{ f: 0.1 }], "0.1000000000000000055511151"],
  ["%*d|%-*d|%*d", [6, 42, 6, 42, -6, 42], "    42|42    |42    "],
  ["%.*f", [2, { f: 3.14159 }], "3.14"],
  ["%.*d", [-1, 5], "5"],
  ["%", [], "%"],
  ["%k %d", [5], "%k 5"],
  ["%d %d", [1], "1 0"],
  ["%ls", ["wide"], "wide"],
  ["%#.0f|%#.0e", [{ f: 3 }, { f: 3 }], "3.|3.e+00"],
];

for (const [format, args, expected] of CASES) {
  Deno.test(`printf ${JSON.stringify(format)} prints ${JSON.stringify(expected)}`, () => {
    assert.equal(print(format, ...args), expected);
  });
}

Deno.test("printf of a hostile format reads and writes no more than it may", () => {
  assert.ok(print("%s".repeat(2000), "x").length <= 8192);
  assert.ok(print("%1000000d%1000000d", 1, 2).length <= 8192);
  assert.ok(print("%.100000f", { f: 1 }).length <= 8192);
  assert.equal(print("%99999999999999999999d", 1).length, 1024);
  const nothing = (): Uint8Array => new Uint8Array(0);
  assert.equal(formatPrintf(nothing, 0n, 0n), "");
});

Deno.test("printf of a text that is not UTF-8, or has no end, prints what there is", () => {
  const read = (_: bigint, byteLength: number): Uint8Array => new Uint8Array(byteLength).fill(0xff);
  assert.ok(formatPrintf(read, 0n, 0n).length <= 8192);
});
