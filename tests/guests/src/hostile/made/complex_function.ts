/**
 * One function whose locals and branches together make a compiler slow: what each costs is the product of both.
 */
import { func, I32 } from "../../../../support/module_bytes.ts";
import { brIf, EMPTY, localGet, localSet, loop } from "../../../../support/instructions.ts";
import { ModuleAssembler } from "../../../../support/module_assembler.ts";

export function makeModule(locals: number, loops: number): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const step = [...loop(EMPTY, localGet(0), brIf(0)), ...localGet(0), ...localSet(locals)];
  const body = Array.from({ length: loops }, () => step);
  module.export("run", "func", module.func(module.type(func([I32])), [[locals, I32]], ...body));
  return module.toBytes();
}
