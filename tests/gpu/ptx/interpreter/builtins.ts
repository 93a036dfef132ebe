/**
 * Builtins: functions that PTX declares and the device provides.
 *
 * Owns vprintf and __assertfail. Invariant: they read guest memory with the same checks as a load does.
 */
import { GuestFault } from "./fault.ts";
import { bitsOfDouble } from "./float_bits.ts";
import type { Machine } from "./machine.ts";
import { decode, F64, roundShift } from "./softfloat.ts";
import type { Thread } from "./thread.ts";

/** Takes the arguments as unsigned bits, answers the result. */
export type Builtin = (machine: Machine, thread: Thread, args: readonly bigint[], line: number) => bigint;

const BUILTINS: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ["vprintf", vprintf],
  ["__assertfail", assertFail],
]);

export function findBuiltin(name: string): Builtin | undefined {
  return BUILTINS.get(name);
}

/** Bytes up to a zero, as text. */
function textAt(machine: Machine, thread: Thread, address: bigint, line: number): string {
  const bytes: number[] = [];
  for (let at = Number(address);; at++) {
    const from = machine.locate(thread, "generic", at, 1, line);
    const byte = from.u8[machine.index] as number;
    if (byte === 0) return new TextDecoder().decode(new Uint8Array(bytes));
    bytes.push(byte);
  }
}

function assertFail(machine: Machine, thread: Thread, args: readonly bigint[], line: number): bigint {
  const [message = 0n, file = 0n, fileLine = 0n, name = 0n] = args;
  const text = (address: bigint): string => address === 0n ? "" : textAt(machine, thread, address, line);
  throw new GuestFault(710, `${text(file)}:${BigInt.asUintN(32, fileLine)}: ${text(name)}: ${text(message)}`);
}

/** `%[flags][width][.precision][length]conversion`. */
const CONVERSION = /%([-+ #0]*)(\d+|\*)?(?:\.(\d+|\*))?(hh|h|ll|l|j|z|t)?([diouxXcsfFeEgGaAp%])/g;

/** Prints by the format; arguments lie one behind the other, each at its own alignment. Answers their number. */
function vprintf(machine: Machine, thread: Thread, args: readonly bigint[], line: number): bigint {
  const [format = 0n, list = 0n] = args;
  let offset = 0n;
  let count = 0n;
  const next = (bytes: 4 | 8): bigint => {
    if (bytes === 8) offset = (offset + 7n) & ~7n;
    const from = machine.locate(thread, "generic", Number(list + offset), bytes, line);
    const index = machine.index;
    offset += BigInt(bytes);
    count += 1n;
    return bytes === 8 ? from.u64[index >> 3] as bigint : BigInt(from.u32[index >> 2] as number);
  };
  const text = textAt(machine, thread, format, line).replace(
    CONVERSION,
    (_, flags: string, width: string | undefined, precision: string | undefined, length, kind: string) => {
      if (kind === "%") return "%";
      const number = (word: string | undefined): number | undefined =>
        word === undefined ? undefined : word === "*" ? Number(BigInt.asIntN(32, next(4))) : Number(word);
      const columns = number(width);
      const digits = number(precision);
      const isLong = length === "l" || length === "ll" || length === "j" || length === "z" || length === "t";
      const value = next(isLong || /[sfFeEgGaAp]/.test(kind) ? 8 : 4);
      const shown = kind === "s"
        ? textAt(machine, thread, value, line).slice(0, digits)
        : formatNumber(kind, flags, digits, value, isLong ? 64 : 32);
      return pad(
        shown,
        flags,
        columns ?? 0,
        /[sc]/.test(kind) || (digits !== undefined && /[diouxX]/.test(kind)),
      );
    },
  );
  machine.options.print(text);
  return count;
}

function pad(text: string, flags: string, columns: number, spacesOnly: boolean): string {
  if (flags.includes("-") || columns < 0) return text.padEnd(Math.abs(columns));
  if (!flags.includes("0") || spacesOnly || /inf|nan/i.test(text)) return text.padStart(columns);
  const sign = /^([-+ ]?(?:0[xX])?)(.*)$/.exec(text);
  const prefix = sign?.[1] ?? "";
  return prefix + (sign?.[2] ?? "").padStart(columns - prefix.length, "0");
}

function formatNumber(
  kind: string,
  flags: string,
  digits: number | undefined,
  bits: bigint,
  width: 32 | 64,
): string {
  const plus = flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
  switch (kind) {
    case "d":
    case "i": {
      const value = BigInt.asIntN(width, bits);
      const magnitude = (value < 0n ? -value : value).toString().padStart(digits ?? 1, "0");
      return (value < 0n ? "-" : plus) + magnitude;
    }
    case "u":
      return BigInt.asUintN(width, bits).toString().padStart(digits ?? 1, "0");
    case "o":
      return (flags.includes("#") ? "0" : "") + bits.toString(8).padStart(digits ?? 1, "0");
    case "x":
    case "X": {
      const text = (flags.includes("#") && bits !== 0n ? "0x" : "") +
        bits.toString(16).padStart(digits ?? 1, "0");
      return kind === "X" ? text.toUpperCase() : text;
    }
    case "p":
      return `0x${bits.toString(16)}`;
    case "c":
      return String.fromCharCode(Number(bits & 0xffn));
    default:
      return formatFloat(kind, plus, digits ?? 6, bits);
  }
}

function formatFloat(kind: string, plus: string, digits: number, bits: bigint): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  const value = view.getFloat64(0);
  const isUpper = kind === kind.toUpperCase();
  const shape = (text: string): string => {
    const signed = value < 0 || Object.is(value, -0) ? `-${text}` : plus + text;
    return isUpper ? signed.toUpperCase() : signed;
  };
  if (Number.isNaN(value)) return shape("nan");
  const magnitude = Math.abs(value);
  if (magnitude === Number.POSITIVE_INFINITY) return shape("inf");
  const exponential = (places: number): string =>
    magnitude.toExponential(places).replace(/e([-+])(\d)$/, "e$10$2");
  switch (kind.toLowerCase()) {
    case "f":
      return shape(fixed(magnitude, digits));
    case "e":
      return shape(exponential(digits));
    case "g": {
      const places = Math.max(digits, 1);
      const exponent = magnitude === 0 ? 0 : Number(magnitude.toExponential(places - 1).split("e")[1]);
      const text = exponent < -4 || exponent >= places
        ? exponential(places - 1).replace(/\.?0+e/, "e")
        : magnitude.toFixed(places - 1 - exponent).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
      return shape(text);
    }
    default:
      throw new Error(`Cannot print %${kind}`);
  }
}

/** Decimal digits of a finite number, rounded half to even as C does; `toFixed` gives up beyond 10^21. */
function fixed(magnitude: number, digits: number): string {
  const value = decode(F64, bitsOfDouble(magnitude));
  if (value.kind !== "finite") throw new RangeError("Cannot print what is not finite");
  const scaled = value.significand * 10n ** BigInt(digits);
  const text = roundShift(scaled, -value.exponent, "rn", false).toString().padStart(digits + 1, "0");
  return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}
