/**
 * What can be known about a module from its bytes alone: imports, exports, memories, tables, start.
 *
 * Owns the shape only; runtime/wasm/inspect.ts fills it, the registry stores it as JSON, the gateway
 * resolves exports and types arguments by it. Invariant: it is plain JSON data, so that it crosses
 * processes and restarts unchanged.
 */
import type { FunctionType, ValueType } from "./value_type.ts";

/** The five kinds of imports and exports (core specification §5.5.5, plus exception-handling tags). */
export type ExternKind = "func" | "table" | "memory" | "global" | "tag";

/** One import of a module, in the order of the binary. `type` is present for functions only. */
export interface ImportFact {
  readonly module: string;
  readonly name: string;
  readonly kind: ExternKind;
  readonly type?: FunctionType;
}

/** One export of a module, in the order of the binary. `type` is present for functions only. */
export interface ExportFact {
  readonly name: string;
  readonly kind: ExternKind;
  readonly type?: FunctionType;
}

/** A linear memory: limits in pages of 64 KiB; `pagesMax` is absent where the module declares none. */
export interface MemoryFact {
  readonly pagesMin: number;
  readonly pagesMax?: number;
  readonly shared: boolean;
  readonly is64: boolean;
  readonly imported: boolean;
}

/** A table: limits in elements. */
export interface TableFact {
  readonly elementsMin: number;
  readonly elementsMax?: number;
  /** Whether its indices have 64 bits. */
  readonly is64: boolean;
  readonly imported: boolean;
}

/** Everything the runtime knows of a module without running it. */
export interface ModuleFacts {
  readonly imports: readonly ImportFact[];
  readonly exports: readonly ExportFact[];
  readonly memories: readonly MemoryFact[];
  readonly tables: readonly TableFact[];
  readonly hasStart: boolean;
  /** Proposals beyond the first version of WebAssembly that it uses; absent in facts stored before it was noted. */
  readonly features?: readonly string[];
}

/** The signature of an exported function, or undefined when no function of that name is exported. */
export function findFunctionExport(facts: ModuleFacts, name: string): FunctionType | undefined {
  return facts.exports.find((entry) => entry.kind === "func" && entry.name === name)?.type;
}

/** A typed value on its way into or out of a guest: integers of 64 bits and non-finite floats travel as text. */
export interface TypedValue {
  readonly type: ValueType;
  readonly value: number | string;
}
