/** A thousand results, a thousand parameters, and as many parameters as a call may have arguments. */
import { func, I32, I64 } from "../../../support/module_bytes.ts";
import { i64, localGet } from "../../../support/instructions.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

const WIDTH = 1000;
const ARGS_COUNT_MAX = 256;

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const values = new Array<number>(WIDTH).fill(I64);
  const numbers = values.map((_, index) => i64(BigInt(index) - 2n ** 62n));
  module.export("results", "func", module.func(module.type(func([], values)), [], ...numbers));
  module.export("params", "func", module.func(module.type(func(values)), []));
  const few = new Array<number>(ARGS_COUNT_MAX).fill(I32);
  const last = module.func(module.type(func(few, [I32])), [], localGet(ARGS_COUNT_MAX - 1));
  module.export("last", "func", last);
  return module.toBytes();
}
