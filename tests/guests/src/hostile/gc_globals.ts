/**
 * A thousand globals, each of them an array of 24 MiB by its initial value: the heap fills while the module is
 * instantiated, before any function runs.
 */
import { func, I64 } from "../../../support/module_bytes.ts";
import { arrayNewDefault, arrayType, i32, refNull } from "../../../support/instructions.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const array = module.type(arrayType(I64));
  for (let index = 0; index < 1000; index++) {
    module.global(refNull(array), [...i32(24 * 131_072), ...arrayNewDefault(array)]);
  }
  module.export("run", "func", module.func(module.type(func()), []));
  return module.toBytes();
}
