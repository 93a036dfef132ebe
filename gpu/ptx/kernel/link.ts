/**
 * Link: the names of a module as a kernel's compilation needs them.
 *
 * Owns which function a name stands for (aliases, declarations and definitions of the same name), the numbers
 * that stand for function addresses, and the image of the variables. Invariant: a function whose address is
 * taken has a number that is never zero, so that a null pointer calls nothing.
 */
import type { PtxFunction, PtxModule, PtxOperand } from "../ast.ts";
import { layOutImage } from "./image.ts";
import type { Image } from "./image.ts";

/** A module with its names resolved. */
export interface LinkedModule {
  readonly source: PtxModule;
  /** Definitions, and declarations where there is no definition. */
  readonly functions: ReadonlyMap<string, PtxFunction>;
  /** Numbers of the functions whose addresses are taken. */
  readonly functionIds: ReadonlyMap<string, number>;
  readonly image: Image;
}

/** Numbers of functions begin here, and lie so far apart that no one takes them for data. */
const FUNCTION_ID_BASE = 0x10_0000;
const FUNCTION_ID_STEP = 16;

/** @throws PtxError */
export function linkModule(source: PtxModule): LinkedModule {
  const functions = new Map<string, PtxFunction>();
  for (const fn of source.functions) {
    if (fn.body !== undefined || !functions.has(fn.name)) functions.set(fn.name, fn);
  }
  for (const [alias, name] of source.aliases) {
    const fn = functions.get(name);
    if (fn !== undefined) functions.set(alias, fn);
  }
  const functionIds = new Map<string, number>();
  const take = (name: string): void => {
    if (functions.has(name) && !functionIds.has(name)) {
      functionIds.set(name, FUNCTION_ID_BASE + FUNCTION_ID_STEP * functionIds.size);
    }
  };
  for (const fn of source.functions) {
    for (const { opcode, operands } of fn.body?.instructions ?? []) {
      if (opcode !== "call") { for (const operand of operands) takenIn(operand, take); }
    }
  }
  for (const { initializer } of source.variables) {
    for (const { symbol } of initializer?.relocations ?? []) take(symbol);
  }
  return { source, functions, functionIds, image: layOutImage(source, functionIds) };
}

function takenIn(operand: PtxOperand, take: (name: string) => void): void {
  if (operand.kind === "function") take(operand.name);
  else if (operand.kind === "vector" || operand.kind === "list") {
    for (const element of operand.elements) takenIn(element, take);
  }
}
