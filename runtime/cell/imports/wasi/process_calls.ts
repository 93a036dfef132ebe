/**
 * The process and what else has no descriptor: arguments, environment, exit, signals, random bytes, yield,
 * sockets.
 *
 * Owns those functions. There are no sockets and no other threads in a cell, so theirs only answer. Invariant:
 * exit and fatal signals end the call through the context, which remembers it whatever the guest does next.
 */
import type { GuestContext } from "../../guest_context.ts";
import type { WasiCall } from "./call.ts";
import { ERRNO, WasiRefusal } from "./errno.ts";
import { bytesAt, viewAt } from "./guest_memory.ts";

/** Most bytes of one `crypto.getRandomValues` (Web Crypto §10.1.1). */
const RANDOM_STEP_BYTES = 65_536;
/** Most random bytes in one go: about 1 ms. */
const RANDOM_AT_ONCE_BYTES_MAX = 1_048_576;
/** The last case of `$signal`: none is 0, sys is 30. */
const SIGNAL_MAX = 30;
/** Signals that end nobody by default: none, chld, cont, urg, winch. */
const HARMLESS_SIGNALS: ReadonlySet<number> = new Set([0, 16, 17, 22, 27]);
/** What a shell adds to a signal's number to report it as an exit code. */
const SIGNAL_EXIT_BASE = 128;

const encoder = new TextEncoder();

/** `args_sizes_get`. */
export function argsSizesGet(call: WasiCall, countPointer: number, bytesPointer: number): void {
  writeSizes(call.context, call.context.args, countPointer, bytesPointer);
}

/** `args_get`. */
export function argsGet(call: WasiCall, pointersPointer: number, bytesPointer: number): void {
  writeStrings(call.context, call.context.args, pointersPointer, bytesPointer);
}

/** `environ_sizes_get`. */
export function environSizesGet(call: WasiCall, countPointer: number, bytesPointer: number): void {
  writeSizes(call.context, call.context.environment, countPointer, bytesPointer);
}

/** `environ_get`. */
export function environGet(call: WasiCall, pointersPointer: number, bytesPointer: number): void {
  writeStrings(call.context, call.context.environment, pointersPointer, bytesPointer);
}

function writeSizes(
  context: GuestContext,
  strings: readonly string[],
  countPointer: number,
  bytesPointer: number,
): void {
  const count = viewAt(context, countPointer, 4);
  const bytes = viewAt(context, bytesPointer, 4);
  count.setUint32(0, strings.length, true);
  bytes.setUint32(0, encodeStrings(strings).length, true);
}

function writeStrings(
  context: GuestContext,
  strings: readonly string[],
  pointersPointer: number,
  bytesPointer: number,
): void {
  const encoded = encodeStrings(strings);
  const pointers = viewAt(context, pointersPointer, strings.length * 4);
  bytesAt(context, bytesPointer, encoded.length).set(encoded);
  let start = 0;
  for (let index = 0; index < strings.length; index++) {
    pointers.setUint32(index * 4, bytesPointer + start, true);
    start = encoded.indexOf(0, start) + 1;
  }
}

/** The strings, each ended by a NUL; a string's own NULs are left out, they would end it. */
function encodeStrings(strings: readonly string[]): Uint8Array {
  return encoder.encode(strings.map((text) => text.replaceAll("\0", "") + "\0").join(""));
}

/** `proc_exit`: ends the call; the code is unsigned. */
export function procExit(call: WasiCall, exitCode: number): void {
  call.context.stop({ type: "exited", exitCode: exitCode >>> 0 });
}

/** `proc_raise`: takes the signal's default action, which for most is to end with 128 + its number. */
export function procRaise(call: WasiCall, signal: number): void {
  const number = signal >>> 0;
  if (number > SIGNAL_MAX) throw new WasiRefusal(ERRNO.inval);
  if (HARMLESS_SIGNALS.has(number)) return;
  call.context.stop({ type: "exited", exitCode: SIGNAL_EXIT_BASE + number });
}

/** `random_get`: bytes from the system's generator; a long request gives way to others in between. */
export function randomGet(call: WasiCall, pointer: number, length: number): void | Promise<void> {
  const target = bytesAt(call.context, pointer, length) as Uint8Array<ArrayBuffer>;
  if (target.length > RANDOM_AT_ONCE_BYTES_MAX) return randomGetLong(call, pointer, target.length);
  fillRandom(target);
}

/** The memory cannot change its size meanwhile: the guest is suspended. It is looked up again all the same. */
async function randomGetLong(call: WasiCall, pointer: number, length: number): Promise<void> {
  for (let start = 0; start < length; start += RANDOM_AT_ONCE_BYTES_MAX) {
    const target = bytesAt(call.context, pointer, length) as Uint8Array<ArrayBuffer>;
    fillRandom(target.subarray(start, start + RANDOM_AT_ONCE_BYTES_MAX));
    await call.context.checkpoint(false);
  }
}

function fillRandom(target: Uint8Array<ArrayBuffer>): void {
  for (let start = 0; start < target.length; start += RANDOM_STEP_BYTES) {
    crypto.getRandomValues(target.subarray(start, start + RANDOM_STEP_BYTES));
  }
}

/** `sched_yield`: others run, if any wait. */
export function schedYield(call: WasiCall): void | Promise<void> {
  return call.context.checkpoint(true);
}

/** `sock_*`: whatever is open, it is no socket. */
export function refuseSocket(call: WasiCall, fd: number): void {
  call.descriptors.get(fd);
  throw new WasiRefusal(ERRNO.notsock);
}
