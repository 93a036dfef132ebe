/**
 * A module that imports every host function there is and calls each with every combination of hostile numbers.
 *
 * Made from the table of host modules, so that a new function is attacked from its first day. Each export `call_N`
 * is one function; its result is how many calls were made. What ends a guest at once is left out of `call_all`.
 */
import { HOST_MODULES } from "../../../../../runtime/cell/imports/mod.ts";
import type { FunctionType, ValueType } from "../../../../../runtime/model/value_type.ts";
import { type Code, DROP, i32, i64 } from "../../../../support/instructions.ts";
import { ModuleAssembler } from "../../../../support/module_assembler.ts";
import { F32, F64, func, I32, I64, u } from "../../../../support/module_bytes.ts";

/** Pages of its memory. */
const PAGES = 2;
const END = PAGES * 65_536;
/** Where pointers and lengths change from good to bad. */
const NUMBERS = [0, 1, 8, END - 1, END, 0x7fff_ffff, -0x8000_0000, -1];
/** Fewer of them for functions of many parameters: what is tried is the product. */
const NUMBERS_FEW = [0, END - 1, -1];
const PARAMS_MANY = 4;
const COMBINATIONS_MAX = 4096;

/** A host function as this module calls it. */
export interface HostileCall {
  /** Name of the export that calls it. */
  readonly export: string;
  readonly host: string;
  readonly combinations: number;
}

/** The module and what its exports call. */
export function makeModule(): { bytes: Uint8Array<ArrayBuffer>; calls: readonly HostileCall[] } {
  const module = new ModuleAssembler();
  const functions = HOST_MODULES.flatMap(({ names, functions }) =>
    names.flatMap((from) => Object.entries(functions).map(([field, type]) => ({ from, field, type })))
  );
  for (const { from, field, type } of functions) {
    module.importFunction(from, field, module.type(func(type.params.map(byteOf), type.results.map(byteOf))));
  }
  module.memory(1, PAGES, PAGES);
  module.export("memory", "memory", 0);
  const counter = module.type(func([], [I32]));
  const calls = functions.map(({ from, field, type }, index): HostileCall => {
    const attempts = attemptsOf(index, type);
    module.export(`call_${index}`, "func", module.func(counter, [], ...attempts, i32(attempts.length)));
    return { export: `call_${index}`, host: `${from} ${field}`, combinations: attempts.length };
  });
  return { bytes: module.toBytes(), calls };
}

/** Every combination of hostile arguments, with what the function returns dropped. */
function attemptsOf(index: number, type: FunctionType): Code[] {
  const numbers = type.params.length > PARAMS_MANY ? NUMBERS_FEW : NUMBERS;
  let argumentLists: number[][] = [[]];
  for (const param of type.params) {
    argumentLists = argumentLists.flatMap((before) =>
      numbers.map((number) => [...before, ...constant(param, number)])
    );
    // Evenly spread over what there is.
    const step = Math.ceil(argumentLists.length / COMBINATIONS_MAX);
    argumentLists = argumentLists.filter((_, position) => position % step === 0);
  }
  const drops = type.results.flatMap(() => [...DROP]);
  return argumentLists.map((list) => [...list, 0x10, ...u(index), ...drops]);
}

function constant(type: ValueType, number: number): Code {
  return type === "i64" ? i64(BigInt(number)) : i32(number);
}

function byteOf(type: ValueType): number {
  switch (type) {
    case "i32":
      return I32;
    case "i64":
      return I64;
    case "f32":
      return F32;
    case "f64":
      return F64;
    default:
      throw new Error(`No host function is expected to have a ${type}`);
  }
}
