/**
 * Instructions of WebAssembly as bytes, for modules that no assembler in reach can write: garbage collection,
 * typed function references, and bodies too regular to write by hand.
 *
 * Owns encoding only and checks nothing. Invariant: every function returns whole instructions, so bodies are made
 * by putting them one after the other.
 */
import { u } from "./module_bytes.ts";

/** A sequence of instructions, or part of one. */
export type Code = readonly number[];

/** Block type of a block without parameters and results. */
export const EMPTY = 0x40;
/** Reference types that need no heap type after them. */
export const FUNCREF = 0x70;
export const EXTERNREF = 0x6f;
export const ANYREF = 0x6e;
export const EXNREF = 0x69;
/** Packed types of fields. */
export const I8 = 0x78;

/** Signed LEB128. */
export function s(value: number | bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    const done = rest === ((low & 0x40) === 0 ? 0n : -1n);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}

/** `(ref $type)`. */
export function ref(type: number): number[] {
  return [0x64, ...s(type)];
}

/** `(ref null $type)`. */
export function refNull(type: number): number[] {
  return [0x63, ...s(type)];
}

export function i32(value: number): number[] {
  return [0x41, ...s(value)];
}

export function i64(value: bigint): number[] {
  return [0x42, ...s(value)];
}

/** `block`, `loop` or `if` around a body; `type` is EMPTY, a value type, or the bytes of a type index. */
export function block(type: number | Code, ...body: readonly Code[]): number[] {
  return [0x02, ...blockType(type), ...body.flat(), 0x0b];
}

export function loop(type: number | Code, ...body: readonly Code[]): number[] {
  return [0x03, ...blockType(type), ...body.flat(), 0x0b];
}

export function ifThen(type: number | Code, ...body: readonly Code[]): number[] {
  return [0x04, ...blockType(type), ...body.flat(), 0x0b];
}

function blockType(type: number | Code): Code {
  return typeof type === "number" ? [type] : type;
}

export function br(depth: number): number[] {
  return [0x0c, ...u(depth)];
}

export function brIf(depth: number): number[] {
  return [0x0d, ...u(depth)];
}

export function call(func: number): number[] {
  return [0x10, ...u(func)];
}

export function callRef(type: number): number[] {
  return [0x14, ...u(type)];
}

export function returnCallRef(type: number): number[] {
  return [0x15, ...u(type)];
}

export function localGet(index: number): number[] {
  return [0x20, ...u(index)];
}

export function localSet(index: number): number[] {
  return [0x21, ...u(index)];
}

export function globalGet(index: number): number[] {
  return [0x23, ...u(index)];
}

export function globalSet(index: number): number[] {
  return [0x24, ...u(index)];
}

export function refFunc(func: number): number[] {
  return [0xd2, ...u(func)];
}

export function refNullOf(type: number): number[] {
  return [0xd0, ...s(type)];
}

export const DROP: Code = [0x1a];
export const UNREACHABLE: Code = [0x00];
export const I32_ADD: Code = [0x6a];
export const I32_SUB: Code = [0x6b];

/** Instructions on structures and arrays: their prefix, opcode and type index. */
export function structNew(type: number): number[] {
  return [0xfb, 0, ...u(type)];
}

export function arrayNew(type: number): number[] {
  return [0xfb, 6, ...u(type)];
}

export function arrayNewDefault(type: number): number[] {
  return [0xfb, 7, ...u(type)];
}

export function arrayNewFixed(type: number, length: number): number[] {
  return [0xfb, 8, ...u(type), ...u(length)];
}

export function arrayNewData(type: number, segment: number): number[] {
  return [0xfb, 9, ...u(type), ...u(segment)];
}

export function arrayFill(type: number): number[] {
  return [0xfb, 16, ...u(type)];
}

export function arrayCopy(target: number, source: number): number[] {
  return [0xfb, 17, ...u(target), ...u(source)];
}

/** An array type with mutable elements. */
export function arrayType(element: number | Code): number[] {
  return [0x5e, ...blockType(element), 1];
}

/** A structure type with mutable fields. */
export function structType(...fields: readonly (number | Code)[]): number[] {
  return [0x5f, ...u(fields.length), ...fields.flatMap((field) => [...blockType(field), 1])];
}
