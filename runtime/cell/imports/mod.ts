/**
 * Host modules: the closed list of what a guest may import, the link check and the import object.
 *
 * Owns the list. Each module's functions live in a file of their own. Invariant: a module that passes
 * `checkImports` links; nothing outside the list is ever handed to a guest.
 */
import { fault } from "../../model/fault.ts";
import type { ImportFact, ModuleFacts } from "../../model/module_facts.ts";
import { equalFunctionTypes, formatFunctionType } from "../../model/value_type.ts";
import type { GuestContext, HostModule } from "../guest_context.ts";
import { cudaModule, cudaModuleV1 } from "./cuda.ts";
import { logModule } from "./log.ts";
import { suspendable } from "../jspi.ts";
import { schedulerModule } from "./scheduler.ts";
import { tensorModule } from "./tensor.ts";
import { wasiModule } from "./wasi/mod.ts";

/** Every host module. */
export const HOST_MODULES: readonly HostModule[] = [
  wasiModule,
  tensorModule,
  schedulerModule,
  logModule,
  cudaModule,
  cudaModuleV1,
];

const BY_NAME: ReadonlyMap<string, HostModule> = new Map(
  HOST_MODULES.flatMap((module) => module.names.map((name) => [name, module] as const)),
);

/** Longest part of an import's name that a message repeats. */
const SHOWN_NAME_LENGTH_MAX = 128;

/**
 * Checks every import of a module against the host modules, by name and signature.
 *
 * @throws RuntimeFault `invalid_wasm`, naming module, name, signature and what was wrong
 */
export function checkImports(facts: ModuleFacts): void {
  for (const entry of facts.imports) {
    const shown = showImport(entry);
    const hostModule = BY_NAME.get(entry.module);
    if (hostModule === undefined) {
      throw fault("invalid_wasm", `Unknown import ${shown}: no host module of that name is offered`);
    }
    if (entry.kind !== "func" || entry.type === undefined) {
      throw fault("invalid_wasm", `Unknown import ${shown}: host modules offer functions only`);
    }
    const type = Object.hasOwn(hostModule.functions, entry.name)
      ? hostModule.functions[entry.name]
      : undefined;
    if (type === undefined) {
      throw fault("invalid_wasm", `Unknown import ${shown}: the host module has no function of that name`);
    }
    if (!equalFunctionTypes(type, entry.type)) {
      throw fault(
        "invalid_wasm",
        `Import ${shown} has the wrong signature: expected ${formatFunctionType(type)}`,
      );
    }
  }
}

function showImport(entry: ImportFact): string {
  const name = JSON.stringify(`${entry.module}.${entry.name}`.slice(0, SHOWN_NAME_LENGTH_MAX));
  return `${name} ${entry.type === undefined ? `(${entry.kind})` : formatFunctionType(entry.type)}`;
}

/** What a guest imports from one module: names of functions, each once. */
export interface ImportedModule {
  readonly module: string;
  readonly names: readonly string[];
}

/** The import object of one call: only the host modules that the guest names, bound to the context. */
export function openImports(imported: readonly ImportedModule[], context: GuestContext): WebAssembly.Imports {
  const imports: WebAssembly.Imports = {};
  for (const { module, names } of imported) {
    const hostModule = BY_NAME.get(module);
    if (hostModule === undefined) continue;
    const functions: WebAssembly.ModuleImports = {};
    Object.assign(functions, hostModule.open(context, names));
    for (const suspending of suspendingOf(hostModule, context)) {
      if (names.includes(suspending)) functions[suspending] = suspendable(functions[suspending]);
    }
    imports[module] = functions;
  }
  return imports;
}

function suspendingOf(
  { suspending = [], suspendingInStreams = [] }: HostModule,
  { isStream }: GuestContext,
): readonly string[] {
  return isStream ? [...suspending, ...suspendingInStreams] : suspending;
}
