/**
 * Unrolled recursion: a short function that calls itself checks at every third level only.
 *
 * Owns the choice of such functions and the two copies that are appended for each. The function itself checks
 * and calls the first copy where it called itself; that calls the second, which calls the function. The
 * copies check nothing and nothing else calls them, so whoever comes back to one passed the function's check.
 * Invariant: the function pays for all bodies that can run until the next check.
 */
import { ByteWriter } from "./byte_writer.ts";
import type { FunctionAnalysis } from "./analysis.ts";
import type { AppendedFunctions } from "./appended_functions.ts";
import type { Body, Recursion } from "./body.ts";
import { type CodeRewriter, UNCHECKED_COST_MAX } from "./rewrite.ts";

/** Longest body that is copied, in bytes. */
const COPIED_BYTES_MAX = 256;
/** Most calls of itself. */
const SELF_CALLS_MAX = 3;

/** Whether a function is worth it, and short enough that three bodies may run between two checks. */
export function isShortRecursion(
  { loops, selfCalls, cost, bodyEnd }: FunctionAnalysis,
  start: number,
): boolean {
  const isShort = cost <= UNCHECKED_COST_MAX && bodyEnd - start <= COPIED_BYTES_MAX;
  return isShort && loops.count === 0 && selfCalls > 0 && selfCalls <= SELF_CALLS_MAX;
}

/** Appends the two copies of a function; the answer is how the function itself is to be rewritten. */
export function unrollRecursion(body: Body, rewriter: CodeRewriter, helpers: AppendedFunctions): Recursion {
  let successor = body.functionIndex;
  for (let copy = 0; copy < 2; copy++) {
    const out = new ByteWriter(COPIED_BYTES_MAX);
    rewriter.write({ ...body, recursion: { successor, bodiesPaid: 0 } }, out);
    successor = helpers.append(body.typeIndex, out.bytes());
  }
  const { selfCalls } = body.analysis;
  return { successor, bodiesPaid: 1 + selfCalls + selfCalls * selfCalls };
}
