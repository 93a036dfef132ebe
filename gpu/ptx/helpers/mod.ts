/**
 * Helpers: functions that are too long to stand at every use, by name.
 *
 * Owns the list; each topic's functions are in a file of their own. A helper may call others by name. Invariant:
 * helpers are pure functions of their parameters: no memory, no globals.
 */
import type { ModuleParts } from "../emit/module_parts.ts";
import type { Code } from "../wasm/code.ts";
import type { ValueName } from "../wasm/opcode.ts";
import { APPROXIMATE_HELPERS } from "./approximate.ts";
import { EXACT_DOUBLE_HELPERS } from "./exact_double.ts";
import { BIT_HELPERS } from "./bits.ts";
import { FP8_HELPERS } from "./fp8.ts";
import { FUSED_HELPERS } from "./fused.ts";
import { HALF_HELPERS } from "./half.ts";
import { INTEGER_HELPERS } from "./integer.ts";
import { ROUNDING_HELPERS } from "./rounding.ts";
import { SINE_HELPERS } from "./sine.ts";

/** A helper function. */
export interface Helper {
  readonly params: readonly ValueName[];
  readonly results: readonly ValueName[];
  /** Writes the body; parameters are locals 0 and up. */
  readonly write: (code: Code, parts: ModuleParts) => void;
}

/** Every helper. */
export const HELPERS = {
  ...INTEGER_HELPERS,
  ...BIT_HELPERS,
  ...ROUNDING_HELPERS,
  ...FUSED_HELPERS,
  ...EXACT_DOUBLE_HELPERS,
  ...HALF_HELPERS,
  ...FP8_HELPERS,
  ...APPROXIMATE_HELPERS,
  ...SINE_HELPERS,
} as const satisfies Record<string, Helper>;

/** The name of a helper. */
export type HelperName = keyof typeof HELPERS;
