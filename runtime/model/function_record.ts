/**
 * FunctionRecord: a deployed function as the registry keeps it, and the names it is found by.
 *
 * Owns the shape, the name rule and the reference syntax (`id`, `name`, `name@version`). It does not store
 * or find anything (runtime/registry does). Invariant: a record never changes after it was written; a new
 * deploy under the same name is a new version with a new id.
 */
import { fault } from "./fault.ts";
import type { Limits } from "./limits.ts";
import { limitMessage } from "./limits.ts";
import type { ModuleFacts } from "./module_facts.ts";

/** A deployed function. `digest` is the SHA-256 of the module, lower-case hex. */
export interface FunctionRecord {
  readonly id: string;
  readonly tenant: string;
  readonly name: string;
  readonly version: number;
  readonly digest: string;
  readonly moduleBytes: number;
  readonly createdUnixMs: number;
  readonly facts: ModuleFacts;
}

/** A function without its facts: what a list shows, because facts can be long and lists are of many. */
export type FunctionSummary = Omit<FunctionRecord, "facts">;

/** How a caller names a function. */
export type FunctionRef =
  | { readonly type: "id"; readonly id: string }
  | { readonly type: "name"; readonly name: string; readonly version?: number };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Parses `{id}` of a route: a UUID is an id, anything else a name with an optional `@version`. */
export function parseFunctionRef(text: string): FunctionRef {
  if (UUID.test(text)) return { type: "id", id: text };
  const at = text.lastIndexOf("@");
  const version = at > 0 ? text.slice(at + 1) : "";
  if (/^[1-9][0-9]{0,8}$/.test(version)) {
    return { type: "name", name: text.slice(0, at), version: Number(version) };
  }
  return { type: "name", name: text };
}

/**
 * Checks a function name: not blank, within the byte limit, no control characters, well-formed Unicode,
 * not shaped like an id, and no `@` (that separates the version in a reference).
 *
 * @throws RuntimeFault `invalid_name`
 */
export function checkFunctionName(name: string, limits: Limits): void {
  if (name.trim() === "") throw fault("invalid_name", "Function name is blank");
  const bytes = new TextEncoder().encode(name).length;
  if (bytes > limits.nameBytesMax) {
    throw fault(
      "invalid_name",
      limitMessage("Function name is too long", "nameBytesMax", limits.nameBytesMax, bytes),
    );
  }
  // deno-lint-ignore no-control-regex
  if (/[\u0000-\u001f\u007f-\u009f]/.test(name) || !name.isWellFormed()) {
    throw fault("invalid_name", "Function name has control characters or lone surrogates");
  }
  if (UUID.test(name)) throw fault("invalid_name", "Function name has the form of a function id");
  if (name.includes("@")) throw fault("invalid_name", "Function name has an @, which separates the version");
}
