/**
 * Traps: from what the engine throws to the closed list of the Outcome.
 *
 * Owns the table of V8's messages. It does not catch anything (instance.ts does). Invariant: no text of the
 * engine or of the guest leaves this file, only a name of the list.
 */
import type { Trap } from "../model/outcome.ts";

/** Fragments of V8's RuntimeError messages (v8/src/common/message-template.h, kTrap*), most specific first. */
const MESSAGES: readonly (readonly [fragment: string, trap: Trap])[] = [
  ["unreachable", "unreachable"],
  ["memory access out of bounds", "memory_out_of_bounds"],
  ["operation does not support unaligned accesses", "memory_out_of_bounds"],
  ["divide by zero", "divide_by_zero"],
  ["remainder by zero", "divide_by_zero"],
  ["divide result unrepresentable", "integer_overflow"],
  ["float unrepresentable in integer range", "invalid_conversion"],
  ["null function or function signature mismatch", "indirect_call_mismatch"],
  ["table index is out of bounds", "table_out_of_bounds"],
  ["table access out of bounds", "table_out_of_bounds"],
  ["table or index out of bounds", "table_out_of_bounds"],
  ["dereferencing a null pointer", "null_reference"],
  ["rethrowing null value", "null_reference"],
  ["illegal cast", "illegal_cast"],
  ["array element access out of bounds", "array_out_of_bounds"],
  ["array is too large", "array_out_of_bounds"],
  ["data segment out of bounds", "data_segment_out_of_bounds"],
  ["element segment out of bounds", "data_segment_out_of_bounds"],
];

/** The trap behind an error that left a guest, or undefined if it is none: then it is a bug of ours. */
export function toTrap(error: unknown): Trap | undefined {
  if (error instanceof WebAssembly.RuntimeError) {
    const message = error.message;
    return MESSAGES.find(([fragment]) => message.includes(fragment))?.[1] ?? "other";
  }
  if (isWasmException(error)) return "uncaught_exception";
  if (error instanceof RangeError) {
    if (error.message.includes("call stack")) return "stack_overflow";
    if (error.message.includes("memory") || error.message.includes("allocat")) return "out_of_memory";
  }
  return undefined;
}

/** True for an exception that a guest threw and nobody caught (exception handling proposal, JS API §4). */
function isWasmException(error: unknown): boolean {
  // TypeScript's library does not declare the class yet.
  const exceptionClass: unknown = Reflect.get(WebAssembly, "Exception");
  return typeof exceptionClass === "function" && error instanceof exceptionClass;
}
