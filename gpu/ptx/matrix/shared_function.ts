/**
 * Shared functions: what many matrix instructions of a kernel do alike is one function of its module.
 *
 * Owns the functions by key, each written when it is first asked for. Unlike helpers they may read and write
 * memory, at places that are their parameters. Invariant: a key stands for one body.
 */
import type { ModuleParts } from "../emit/module_parts.ts";
import { Code } from "../wasm/code.ts";
import type { ValueName } from "../wasm/opcode.ts";

const FUNCTIONS = new WeakMap<ModuleParts, Map<string, number>>();

/** The index of a function without results. */
export function sharedFunction(
  parts: ModuleParts,
  key: string,
  params: readonly ValueName[],
  write: (code: Code) => void,
): number {
  const known = FUNCTIONS.get(parts) ?? new Map<string, number>();
  FUNCTIONS.set(parts, known);
  const before = known.get(key);
  if (before !== undefined) return before;
  const index = parts.writer.declare(params, []);
  known.set(key, index);
  const code = new Code(params, []);
  write(code);
  parts.writer.define(index, code);
  return index;
}

/** Emits `body` eight times; it is given a local that counts from 0 in steps of `step`. */
export function eightTimes(code: Code, step: number, body: (offset: number) => void): void {
  times(code, 8, step, body);
}

/** Emits `body` so many times; it is given a local that counts from 0 in steps of `step`. */
export function times(code: Code, count: number, step: number, body: (offset: number) => void): void {
  const offset = code.temp("i64");
  code.i64(0n);
  code.set(offset);
  const loop = code.loop();
  body(offset);
  code.get(offset);
  code.i64(BigInt(step));
  code.op("i64Add");
  code.tee(offset);
  code.i64(BigInt(step * count));
  code.op("i64Ne");
  code.brIf(loop);
  code.end();
  code.release("i64", offset);
}
