/** Endless by a tail call of its own reference. */
import { func } from "../../../support/module_bytes.ts";
import { refFunc, returnCallRef } from "../../../support/instructions.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const type = module.type(func());
  const run = module.func(type, [], refFunc(0), returnCallRef(type));
  module.declare(run);
  module.export("run", "func", run);
  return module.toBytes();
}
