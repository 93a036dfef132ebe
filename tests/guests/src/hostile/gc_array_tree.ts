/** Arrays of references to arrays of references: each allocation is small, what hangs together is not. */
import { func } from "../../../support/module_bytes.ts";
import {
  ANYREF,
  arrayNew,
  arrayNewFixed,
  arrayType,
  br,
  EMPTY,
  i32,
  localGet,
  localSet,
  loop,
} from "../../../support/instructions.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const array = module.type(arrayType(ANYREF));
  const body = loop(
    EMPTY,
    ...[localGet(0), localGet(0), localGet(0), localGet(0), arrayNewFixed(array, 4)],
    ...[i32(1000), arrayNew(array), localSet(0), br(0)],
  );
  module.export("run", "func", module.func(module.type(func()), [[1, ANYREF]], body));
  return module.toBytes();
}
