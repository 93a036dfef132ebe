/**
 * printf of a device: a format and its arguments in a context's memory become text.
 *
 * Owns the conversions of CUDA's device printf (CUDA C++ Programming Guide, "Formatted Output"): flags, width,
 * precision and size of d i o u p c s f F g G e E x X a A. Arguments lie one after the other, each aligned to
 * its size, floats as doubles. Invariant: a hostile format reads at most ARGUMENTS_MAX arguments and makes at
 * most TEXT_MAX characters.
 */

import { exponentDigits, fixedDigits, generalDigits, hexadecimalDigits } from "./printf_float.ts";

/** Reads bytes at a device address as far as they are the context's; fewer, or none, where they are not. */
export type ReadBytes = (pointer: bigint, byteLength: number) => Uint8Array;

const ARGUMENTS_MAX = 32;
const TEXT_MAX = 8192;
const STRING_MAX = 4096;
const FIELD_MAX = 1024;

/** @param argumentsPointer of the packed arguments; 0 for none */
export function formatPrintf(read: ReadBytes, formatPointer: bigint, argumentsPointer: bigint): string {
  const format = readString(read, formatPointer);
  const args = new Arguments(read, argumentsPointer);
  const text = format.replace(
    /%(?:%|([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+)?)?(hh|h|ll|l|L|z|j|t)?([diouxXpcsfFgGeEaA]))/g,
    (whole, flags: string | undefined, width: string | undefined, ...rest: (string | undefined)[]) => {
      if (whole === "%%") return "%";
      const [precision, size, conversion] = rest;
      const hasPoint = /\./.test(whole);
      const wide = width === "*" ? args.int(false) : width === undefined ? undefined : BigInt(width);
      const precise = precision === "*" ? args.int(false) : hasPoint ? BigInt(precision ?? "0") : undefined;
      const field = {
        // A negative width is one that is filled from the left.
        flags: (flags ?? "") + (wide !== undefined && wide < 0n ? "-" : ""),
        width: Math.min(Math.abs(Number(wide ?? 0n)), FIELD_MAX),
        precision: precise === undefined || precise < 0n ? undefined : Math.min(Number(precise), 100),
      };
      return convert(args, read, conversion ?? "d", size ?? "", field);
    },
  );
  return text.slice(0, TEXT_MAX);
}

interface Field {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
}

class Arguments {
  readonly #read: ReadBytes;
  #pointer: bigint;
  #count = 0;

  constructor(read: ReadBytes, pointer: bigint) {
    this.#read = read;
    this.#pointer = pointer;
  }

  #take(byteLength: 4 | 8): DataView {
    const alignment = BigInt(byteLength);
    this.#pointer = (this.#pointer + alignment - 1n) / alignment * alignment;
    const bytes = new Uint8Array(8);
    if (this.#count++ < ARGUMENTS_MAX) bytes.set(this.#read(this.#pointer, byteLength));
    this.#pointer += alignment;
    return new DataView(bytes.buffer);
  }

  int(isLong: boolean): bigint {
    return isLong ? this.#take(8).getBigInt64(0, true) : BigInt(this.#take(4).getInt32(0, true));
  }

  double(): number {
    return this.#take(8).getFloat64(0, true);
  }
}

function convert(args: Arguments, read: ReadBytes, conversion: string, size: string, field: Field): string {
  const isLong = /^(ll|l|j|z|t)$/.test(size);
  switch (conversion) {
    case "d":
    case "i": {
      const value = narrow(args.int(isLong), size, true);
      return pad(digits(value < 0n ? -value : value, 10, field), signOf(value < 0n, field), field, true);
    }
    case "u":
    case "o":
    case "x":
    case "X": {
      const radix = conversion === "o" ? 8 : conversion === "u" ? 10 : 16;
      const value = narrow(args.int(isLong), size, false);
      const text = digits(BigInt.asUintN(isLong ? 64 : 32, value), radix, field);
      const prefix = !field.flags.includes("#") || value === 0n
        ? ""
        : radix === 16
        ? "0x"
        : radix === 8
        ? "0"
        : "";
      const padded = pad(text, prefix, field, true);
      return conversion === "X" ? padded.toUpperCase() : padded;
    }
    case "p":
      return pad(
        BigInt.asUintN(64, args.int(true)).toString(16),
        "0x",
        { ...field, precision: undefined },
        true,
      );
    case "c":
      return pad(String.fromCharCode(Number(args.int(false) & 0xffn)), "", field, false);
    case "s":
      return pad(readString(read, args.int(true)).slice(0, field.precision ?? STRING_MAX), "", field, false);
    default:
      return float(args.double(), conversion, field);
  }
}

function narrow(value: bigint, size: string, isSigned: boolean): bigint {
  const bits = size === "hh" ? 8 : size === "h" ? 16 : undefined;
  if (bits === undefined) return value;
  return isSigned ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
}

function digits(value: bigint, radix: number, { precision }: Field): string {
  if (precision === 0 && value === 0n) return "";
  return value.toString(radix).padStart(precision ?? 1, "0");
}

function signOf(isNegative: boolean, { flags }: Field): string {
  return isNegative ? "-" : flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
}

/** Sign or prefix stays in front of zeros, behind spaces. */
function pad(text: string, prefix: string, { flags, width, precision }: Field, isNumber: boolean): string {
  const length = prefix.length + text.length;
  if (flags.includes("-")) return (prefix + text).padEnd(width);
  if (isNumber && flags.includes("0") && precision === undefined) {
    return prefix + "0".repeat(Math.max(0, width - length)) + text;
  }
  return (prefix + text).padStart(width);
}

function float(value: number, conversion: string, field: Field): string {
  const isNegative = value < 0 || Object.is(value, -0);
  const sign = signOf(isNegative, field);
  const magnitude = Math.abs(value);
  const isUpper = conversion !== conversion.toLowerCase();
  const finite = Number.isFinite(value);
  const text = Number.isNaN(value) ? "nan" : !finite ? "inf" : floatDigits(magnitude, conversion, field);
  const zeros = finite
    ? { ...field, precision: undefined }
    : { ...field, flags: field.flags.replace("0", "") };
  const padded = pad(text, Number.isNaN(value) ? signOf(false, field) : sign, zeros, true);
  return isUpper ? padded.toUpperCase() : padded;
}

function floatDigits(value: number, conversion: string, { flags, precision }: Field): string {
  const keepsPoint = flags.includes("#");
  switch (conversion.toLowerCase()) {
    case "f":
      return fixedDigits(value, precision ?? 6, keepsPoint);
    case "e":
      return exponentDigits(value, precision ?? 6, keepsPoint);
    case "a":
      return hexadecimalDigits(value, precision, keepsPoint);
    default:
      return generalDigits(value, precision ?? 6, keepsPoint);
  }
}

function readString(read: ReadBytes, pointer: bigint): string {
  const bytes = read(pointer, STRING_MAX);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.slice(0, end < 0 ? bytes.length : end));
}
