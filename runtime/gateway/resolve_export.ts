/**
 * Which export a call means, from the facts of its module: never by trying.
 *
 * Owns the default (`_start`, then `main`) and the check that JSON can carry the signature.
 */
import { fault } from "../model/fault.ts";
import { findFunctionExport } from "../model/module_facts.ts";
import type { ModuleFacts } from "../model/module_facts.ts";
import { formatFunctionType } from "../model/value_type.ts";
import type { FunctionType } from "../model/value_type.ts";

const DEFAULT_EXPORTS = ["_start", "main"] as const;
/** Most exports that an error message lists. */
const LISTED_EXPORTS_MAX = 10;
const SHOWN_NAME_LENGTH_MAX = 64;

/** An export that a call can be made on. */
export interface ResolvedExport {
  readonly name: string;
  readonly type: FunctionType;
}

/**
 * Finds the export by name, or the default one.
 *
 * @param hint said in addition where there is none
 * @throws RuntimeFault `missing_export`, `unsupported_return_type`
 */
export function resolveExport(facts: ModuleFacts, name: string | undefined, hint = ""): ResolvedExport {
  const candidates = name === undefined ? DEFAULT_EXPORTS : [name];
  for (const candidate of candidates) {
    const type = findFunctionExport(facts, candidate);
    if (type === undefined) continue;
    const carried = type.results.every((result) => result !== "v128" && result !== "ref");
    if (!carried) {
      throw fault(
        "unsupported_return_type",
        `Export ${shown(candidate)} ${formatFunctionType(type)} returns what JSON cannot carry`,
      );
    }
    return { name: candidate, type };
  }
  const functions = facts.exports.filter((entry) => entry.kind === "func").map((entry) => shown(entry.name));
  const listed = functions.slice(0, LISTED_EXPORTS_MAX).join(", ");
  const more = functions.length > LISTED_EXPORTS_MAX
    ? `, and ${functions.length - LISTED_EXPORTS_MAX} more`
    : "";
  throw fault(
    "missing_export",
    `Module exports no function ${candidates.map(shown).join(" or ")}; it exports ${
      listed === "" ? "none" : listed
    }${more}${hint}`,
  );
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, SHOWN_NAME_LENGTH_MAX));
}
