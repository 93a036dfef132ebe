/** A list of arrays of 7 MiB each that only grows. */
import { func, I64 } from "../../../support/module_bytes.ts";
import {
  arrayNewDefault,
  arrayType,
  br,
  EMPTY,
  i32,
  localGet,
  localSet,
  loop,
  ref,
  refNull,
  structNew,
  structType,
} from "../../../support/instructions.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const array = module.type(arrayType(I64));
  const node = module.type(structType(ref(array), refNull(1)));
  const run = module.func(
    module.type(func()),
    [[1, refNull(node)]],
    loop(EMPTY, i32(7 * 131_072), arrayNewDefault(array), localGet(0), structNew(node), localSet(0), br(0)),
  );
  module.export("run", "func", run);
  return module.toBytes();
}
