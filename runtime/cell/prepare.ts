/**
 * Prepare: the examination of a deploy body, done in a cell so that the gateway's event loop never parses
 * a module, decodes base64 or reads megabytes of JSON.
 *
 * Owns the order of checks: JSON, name, base64, size, structure, imports, declared limits, the engine's own
 * validation, before and after instrumentation. It stores nothing (the registry does). Invariant: a module
 * that passes compiles and links, and what runs of it is instrumented.
 */
import { badJson } from "../model/bad_json.ts";
import { fault } from "../model/fault.ts";
import { checkFunctionName } from "../model/function_record.ts";
import { limitMessage } from "../model/limits.ts";
import type { Limits } from "../model/limits.ts";
import type { ModuleFacts } from "../model/module_facts.ts";
import { inspectModule } from "../wasm/inspect.ts";
import { instrumentAndDescribe } from "../wasm/instrument.ts";
import { checkImports } from "./imports/mod.ts";

const WASM_PAGE_BYTES = 65_536;
/** Magic and version (core specification §5.5.16). */
const WASM_BYTES_MIN = 8;

/** What a body was found to be. `bytes` is the module; `name` is present for JSON bodies. */
export interface Prepared {
  readonly name?: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly facts: ModuleFacts;
  readonly instrumented: Uint8Array<ArrayBuffer>;
}

/**
 * Examines a deploy body.
 *
 * @throws RuntimeFault `invalid_json`, `invalid_name`, `invalid_base64`, `invalid_wasm`,
 * `module_too_large`, `module_memory_too_large`
 */
export function prepareBody(
  form: "json" | "wasm",
  body: Uint8Array<ArrayBuffer>,
  limits: Limits,
): Prepared {
  if (form === "wasm") return { bytes: body, ...prepareModule(body, limits) };
  const { name, text } = parseDeployJson(body);
  checkFunctionName(name, limits);
  const bytes = decodeBase64(text);
  return { name, bytes, ...prepareModule(bytes, limits) };
}

function parseDeployJson(body: Uint8Array): { name: string; text: string } {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    throw fault("invalid_json", badJson("Body", error), { cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw fault("invalid_json", "Body is not a JSON object with name and wasm_b64");
  }
  const { name, wasm_b64: text } = value as { name?: unknown; wasm_b64?: unknown };
  if (typeof name !== "string") throw fault("invalid_json", "name is missing or not a string");
  if (typeof text !== "string") throw fault("invalid_json", "wasm_b64 is missing or not a string");
  return { name, text };
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  // The engine's decoder passes over white space, which the contract's base64 has not.
  if (/\s/.test(text)) throw fault("invalid_base64", "wasm_b64 is not padded standard base64");
  try {
    return Uint8Array.fromBase64(text, { alphabet: "base64", lastChunkHandling: "strict" });
  } catch (error) {
    throw fault("invalid_base64", "wasm_b64 is not padded standard base64", { cause: error });
  }
}

function prepareModule(
  bytes: Uint8Array<ArrayBuffer>,
  limits: Limits,
): Pick<Prepared, "facts" | "instrumented"> {
  if (bytes.length > limits.moduleBytesMax) {
    throw fault(
      "module_too_large",
      limitMessage("Module is too large", "moduleBytesMax", limits.moduleBytesMax, bytes.length),
    );
  }
  if (bytes.length < WASM_BYTES_MIN) {
    throw fault(
      "invalid_wasm",
      `Module of ${bytes.length} bytes is shorter than magic and version (8 bytes)`,
    );
  }
  const facts = inspectModule(bytes);
  checkImports(facts);
  checkDeclaredLimits(facts, limits);
  checkFactsSize(facts, limits);
  // The engine has the last word on what is valid; its message may quote names of the module, so it stays here.
  if (!WebAssembly.validate(bytes)) throw fault("invalid_wasm", "Module does not validate");
  const { bytes: instrumented, features } = instrumentAndDescribe(bytes, {
    memoryPagesMax: Math.floor(limits.memoryBytesMax / WASM_PAGE_BYTES),
    tableElementsMax: limits.tableElementsMax,
  });
  if (!WebAssembly.validate(instrumented)) {
    throw fault("invalid_wasm", "Module is too near to a limit of the engine to be instrumented");
  }
  return { facts: { ...facts, features }, instrumented };
}

/** The gateway keeps and shows facts, so a module cannot make them as large as itself. */
function checkFactsSize(facts: ModuleFacts, limits: Limits): void {
  const bytes = new TextEncoder().encode(JSON.stringify(facts)).length;
  if (bytes > limits.factsBytesMax) {
    throw fault(
      "module_too_large",
      limitMessage(
        "Module has too many or too long imports and exports",
        "factsBytesMax",
        limits.factsBytesMax,
        bytes,
      ),
    );
  }
}

function checkDeclaredLimits(facts: ModuleFacts, limits: Limits): void {
  // The engine bounds each memory by itself, so several would multiply what one guest may have.
  if (facts.memories.length > 1) {
    throw fault("invalid_wasm", `Module has ${facts.memories.length} memories; more than one is not offered`);
  }
  for (const memory of facts.memories) {
    const bytes = memory.pagesMin * WASM_PAGE_BYTES;
    if (bytes > limits.memoryBytesMax) {
      throw fault(
        "module_memory_too_large",
        limitMessage("Module declares too much memory", "memoryBytesMax", limits.memoryBytesMax, bytes),
      );
    }
    if (memory.shared) throw fault("invalid_wasm", "Module has a shared memory, which is not offered");
  }
  const elements = facts.tables.reduce((sum, table) => sum + table.elementsMin, 0);
  if (elements > limits.tableElementsMax) {
    throw fault(
      "module_memory_too_large",
      limitMessage("Module declares too large tables", "tableElementsMax", limits.tableElementsMax, elements),
    );
  }
}
