/**
 * Call sizes: how many instructions a body becomes with its calls inlined, counted without inlining them.
 *
 * Owns the count, so that functions that call each other twice, level by level, are refused before anything is
 * expanded. Calls by address count as one instruction; their expansion is bounded where it happens. Invariant:
 * the count is never more than what is expanded.
 */
import type { PtxFunction } from "../ast.ts";

/** @param find the definition of a name; recursion counts once, and is refused elsewhere */
export function expandedSize(
  kernel: PtxFunction,
  find: (name: string) => PtxFunction | undefined,
): number {
  const sizes = new Map<string, number>();
  const stack: { fn: PtxFunction; next: number; size: number }[] = [{ fn: kernel, next: 0, size: 1 }];
  sizes.set(kernel.name, 0);
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const instruction = top.fn.body?.instructions[top.next++];
    if (instruction === undefined) {
      stack.pop();
      sizes.set(top.fn.name, top.size);
      const caller = stack.at(-1);
      if (caller !== undefined) caller.size += top.size;
      continue;
    }
    top.size++;
    if (instruction.opcode !== "call") continue;
    const callee = instruction.operands.find(({ kind }) => kind === "function" || kind === "register");
    const fn = callee?.kind === "function" ? find(callee.name) : undefined;
    if (fn?.body === undefined) continue;
    const known = sizes.get(fn.name);
    if (known !== undefined) top.size += known;
    else {
      sizes.set(fn.name, 0);
      stack.push({ fn, next: 0, size: 1 });
    }
  }
  return sizes.get(kernel.name) ?? 0;
}
