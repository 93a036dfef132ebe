/** A list of small structures that only grows: the heap of the engine fills with what is reachable. */
import { func } from "../../../support/module_bytes.ts";
import {
  br,
  EMPTY,
  i32,
  localGet,
  localSet,
  loop,
  refNull,
  structNew,
  structType,
} from "../../../support/instructions.ts";
import { I32 } from "../../../support/module_bytes.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const node = module.type(structType(I32, refNull(0)));
  const run = module.func(
    module.type(func()),
    [[1, refNull(node)]],
    loop(EMPTY, i32(7), localGet(0), structNew(node), localSet(0), br(0)),
  );
  module.export("run", "func", run);
  return module.toBytes();
}
