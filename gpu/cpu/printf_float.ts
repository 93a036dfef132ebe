/**
 * Floats as C prints them: f, e, g and a, of any precision, rounded to even from the exact value.
 *
 * Owns the digits of a finite magnitude; signs, padding and what is not finite are printf.ts's. JavaScript's own
 * conversions round ties away from zero, and give up beyond 100 digits. Invariant: the digits are those of the
 * exact value of the double.
 */

const MANTISSA_BITS = 52;

/** A double as mantissa times a power of two. */
function partsOf(value: number): { readonly mantissa: bigint; readonly power: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const biased = Number(bits >> 52n & 0x7ffn);
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  return biased === 0
    ? { mantissa: fraction, power: -1074 }
    : { mantissa: fraction | 1n << 52n, power: biased - 1023 - MANTISSA_BITS };
}

/** The quotient, rounded to the nearest, ties to even. */
function divided(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  const twice = 2n * (numerator - quotient * denominator);
  const isUp = twice > denominator || (twice === denominator && (quotient & 1n) === 1n);
  return isUp ? quotient + 1n : quotient;
}

/** value * 10^scale as an integer. */
function scaled(value: number, scale: number): bigint {
  const { mantissa, power } = partsOf(value);
  const up = 2n ** BigInt(Math.max(0, power)) * 10n ** BigInt(Math.max(0, scale));
  const down = 2n ** BigInt(Math.max(0, -power)) * 10n ** BigInt(Math.max(0, -scale));
  return divided(mantissa * up, down);
}

function withPoint(digits: string, precision: number, keepsPoint: boolean): string {
  const padded = digits.padStart(precision + 1, "0");
  if (precision === 0) return keepsPoint ? `${padded}.` : padded;
  return `${padded.slice(0, -precision)}.${padded.slice(-precision)}`;
}

/** %f. */
export function fixedDigits(value: number, precision: number, keepsPoint: boolean): string {
  return withPoint(scaled(value, precision).toString(), precision, keepsPoint);
}

/** The digits of %e, one before the point, and the exponent that goes with them. */
function exponential(value: number, precision: number): { readonly digits: string; readonly power: number } {
  if (value === 0) return { digits: "0".repeat(precision + 1), power: 0 };
  // Twenty digits are enough to tell the exponent of a double.
  const power = Number(value.toExponential(20).split("e")[1]);
  const digits = scaled(value, precision - power).toString();
  return digits.length > precision + 1
    ? { digits: digits.slice(0, -1), power: power + 1 }
    : { digits, power };
}

/** C writes at least two digits of an exponent. */
function exponentText(power: number): string {
  return `e${power < 0 ? "-" : "+"}${Math.abs(power).toString().padStart(2, "0")}`;
}

/** %e. */
export function exponentDigits(value: number, precision: number, keepsPoint: boolean): string {
  const { digits, power } = exponential(value, precision);
  return withPoint(digits, precision, keepsPoint) + exponentText(power);
}

/** %g: the shorter of the two, without zeros at the end unless they are asked for. */
export function generalDigits(value: number, precision: number, keepsZeros: boolean): string {
  const significant = Math.max(1, precision);
  const { digits, power } = exponential(value, significant - 1);
  const isPlain = power >= -4 && power < significant;
  const text = isPlain
    ? fixedDigits(value, significant - 1 - power, keepsZeros)
    : withPoint(digits, significant - 1, keepsZeros);
  const short = keepsZeros || !text.includes(".") ? text : text.replace(/\.?0+$/, "");
  return isPlain ? short : short + exponentText(power);
}

/** %a; without a precision as many digits as there are. */
export function hexadecimalDigits(value: number, precision: number | undefined, keepsPoint: boolean): string {
  const { mantissa, power } = partsOf(value);
  const exponent = mantissa === 0n ? 0 : power + MANTISSA_BITS;
  const digits = Math.min(precision ?? 13, 13);
  const rounded = divided(mantissa, 1n << BigInt(MANTISSA_BITS - 4 * digits));
  const all = rounded.toString(16).padStart(digits + 1, "0");
  const fraction = all.slice(all.length - digits);
  const shown = precision === undefined ? fraction.replace(/0+$/, "") : fraction.padEnd(precision, "0");
  const point = shown === "" && !keepsPoint ? "" : `.${shown}`;
  return `0x${all.slice(0, all.length - digits)}${point}p${exponent < 0 ? "-" : "+"}${Math.abs(exponent)}`;
}
