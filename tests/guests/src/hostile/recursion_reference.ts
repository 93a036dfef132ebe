/** Recursion through a reference until the stack ends. */
import { func } from "../../../support/module_bytes.ts";
import { callRef, refFunc } from "../../../support/instructions.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const type = module.type(func());
  const run = module.func(type, [], refFunc(0), callRef(type), refFunc(0), callRef(type));
  module.declare(run);
  module.export("run", "func", run);
  return module.toBytes();
}
