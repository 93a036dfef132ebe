/**
 * Features: the proposals beyond the first version of WebAssembly that a module uses.
 *
 * Owns their names and by what they are told. It reads nothing itself: the opcodes were noted while the code
 * was analysed. Invariant: the names come in a fixed order, each once.
 */
import type { IndexSpaces } from "./index_spaces.ts";
import type { InitialValues } from "./initial_values.ts";
import { BULK, OP } from "./opcode.ts";

/** First sub-opcode of the relaxed vector instructions. */
export const RELAXED_VECTOR_FIRST = 0x100;

/** Names of proposals, as the table of the WebAssembly site has them. */
export type Feature =
  | "sign-extension"
  | "saturating-float-to-int"
  | "bulk-memory"
  | "reference-types"
  | "multi-value"
  | "simd"
  | "relaxed-simd"
  | "tail-call"
  | "exceptions"
  | "legacy-exceptions"
  | "function-references"
  | "gc"
  | "extended-const"
  | "memory64"
  | "multi-memory"
  | "threads";

/** Which opcodes occur in the code of a module. */
export class UsedOpcodes {
  /** 1 for each opcode of one byte, and for each prefix. */
  readonly plain: Uint8Array = new Uint8Array(256);
  /** 1 for each sub-opcode behind `OP.bulkPrefix`. */
  readonly bulk: Uint8Array = new Uint8Array(32);
  relaxedVector = false;
}

/** The features that a module uses. */
export function findFeatures(spaces: IndexSpaces, initial: InitialValues, used: UsedOpcodes): Feature[] {
  const { types, memories, tables } = spaces;
  const { plain } = used;
  const has = (first: number, last = first): boolean => plain.subarray(first, last + 1).includes(1);
  const hasBulk = (first: number, last: number): boolean => used.bulk.subarray(first, last + 1).includes(1);
  const legacyExceptions = has(OP.try, OP.catch) || has(OP.rethrow) || has(OP.delegate, OP.catchAll);
  const exceptions = has(OP.throwRef) || has(OP.tryTable) || (has(OP.throw) && !legacyExceptions);
  const found: Record<Feature, boolean> = {
    "sign-extension": has(OP.i32Extend8S, OP.i64Extend32S),
    "saturating-float-to-int": hasBulk(0, BULK.memoryInit - 1),
    "bulk-memory": hasBulk(BULK.memoryInit, BULK.tableCopy),
    "reference-types": has(OP.selectTyped) || has(OP.tableGet, OP.tableSet) || has(OP.refNull, OP.refFunc) ||
      hasBulk(BULK.tableGrow, BULK.tableFill) || tables.length > 1,
    "multi-value": types.hasMultiValue(),
    "simd": has(OP.vectorPrefix),
    "relaxed-simd": used.relaxedVector,
    "tail-call": has(OP.returnCall, OP.returnCallIndirect) || has(OP.returnCallRef),
    "exceptions": exceptions,
    "legacy-exceptions": legacyExceptions,
    "function-references": has(OP.callRef, OP.returnCallRef) || has(OP.refAsNonNull) ||
      has(OP.brOnNull, OP.brOnNonNull),
    "gc": has(OP.gcPrefix) || initial.makesObjects || types.hasComposite(),
    "extended-const": initial.isExtended,
    "memory64": memories.includes(true) || tables.some(({ is64 }) => is64),
    "multi-memory": memories.length > 1,
    "threads": has(OP.atomicPrefix),
  };
  return (Object.keys(found) as Feature[]).filter((feature) => found[feature]);
}
