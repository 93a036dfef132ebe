/**
 * Setting: the shape of a row in the table of settings, and what rows are made with.
 *
 * Owns no row (settings.ts does). Invariant: the row of a limit has the name and the default of the limit.
 */
import { DEFAULT_LIMITS } from "./model/limits.ts";
import type { Limits } from "./model/limits.ts";

type Kind = "text" | "flag" | "json" | "count" | "bytes" | "ms" | "choice";

/** One setting: how it is named everywhere, what it means, its default and range. */
export interface Setting {
  readonly key: string;
  readonly flag: string;
  readonly env: string;
  readonly kind: Kind;
  readonly fallback: string;
  /** A word that is taken in place of a number. */
  readonly word?: string;
  /** The words of a choice. */
  readonly choices?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  readonly meaning: string;
}

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
export const GIB = 1024 ** 3;
export const MIB = 1024 ** 2;
/** The word for "as many as the machine has cores". */
export const AUTO = "auto";

/** Most cells that can be asked for. */
export const CELLS_MAX = 256;

/** The row of a limit: named after it, with its default. */
export function limit(key: keyof Limits, kind: Kind, min: number, max: number, meaning: string): Setting {
  const words = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return {
    key,
    flag: words,
    env: `TENSOR_WASM_${words.replaceAll("-", "_").toUpperCase()}`,
    kind,
    fallback: String(DEFAULT_LIMITS[key]),
    min,
    max,
    meaning,
  };
}
