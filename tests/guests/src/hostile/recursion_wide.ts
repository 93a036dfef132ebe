/** Recursion of a function of a thousand parameters and a thousand results, until the stack ends. */
import { func, I64 } from "../../../support/module_bytes.ts";
import { call, DROP, i64, localGet } from "../../../support/instructions.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

const WIDTH = 1000;

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const values = new Array<number>(WIDTH).fill(I64);
  const wide = module.type(func(values, values));
  const pass = Array.from({ length: WIDTH }, (_, index) => localGet(index));
  const recurse = module.func(wide, [], ...pass, call(0));
  const numbers = Array.from({ length: WIDTH }, (_, index) => i64(BigInt(index)));
  const drops = numbers.map(() => DROP);
  module.export("run", "func", module.func(module.type(func()), [], ...numbers, call(recurse), ...drops));
  return module.toBytes();
}
