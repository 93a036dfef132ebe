/**
 * Complexity: bounds on what a function may cost the engine to compile.
 *
 * Owns the measure and the limits. Compiling runs on a cell's thread and cannot be interrupted, and the
 * engine's baseline compiler takes time in proportion to locals times control instructions. Invariant: what
 * passes compiles in the order of a second at most (docs/decisions/0006 has the measurements).
 */
import { fault } from "../../model/fault.ts";
import { limitMessage } from "../../model/limits.ts";

/** Most bytes of a body (JavaScript interface specification, §"Limits"). */
export const BODY_BYTES_MAX = 7_654_321;
/** Most locals, parameters included, times instructions at which ways of control part or meet. */
const LOCAL_MERGES_MAX = 20_000_000;
/** Most blocks inside each other. */
export const NESTING_MAX = 10_000;

/** Refuses a body by its length, before or after it was rewritten. @throws RuntimeFault `invalid_wasm` */
export function checkBodyBytes(actual: number): void {
  check("A function is too long", "body bytes limit", BODY_BYTES_MAX, actual);
}

/**
 * Refuses a function that takes too long to compile.
 *
 * @param localCount its locals, parameters included
 * @param controlCount its control instructions, targets of tables counted each
 * @param depthMax most blocks open at once
 * @throws RuntimeFault `invalid_wasm`
 */
export function checkComplexity(localCount: number, controlCount: number, depthMax: number): void {
  check(
    "A function has too many locals for its control instructions",
    "locals times control instructions limit",
    LOCAL_MERGES_MAX,
    localCount * controlCount,
  );
  check("A function has too many blocks inside each other", "nesting limit", NESTING_MAX, depthMax);
}

function check(what: string, limit: string, max: number, actual: number): void {
  if (actual > max) throw fault("invalid_wasm", limitMessage(what, limit, max, actual));
}
