/** Ten thousand exports of two functions; the last of them spins. */
import { func } from "../../../../support/module_bytes.ts";
import { br, EMPTY, loop } from "../../../../support/instructions.ts";
import { ModuleAssembler } from "../../../../support/module_assembler.ts";

const COUNT = 10_000;

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const type = module.type(func());
  const nothing = module.func(type, []);
  const spin = module.func(type, [], loop(EMPTY, br(0)));
  for (let index = 0; index < COUNT - 1; index++) module.export(`e${index}`, "func", nothing);
  module.export("spin", "func", spin);
  return module.toBytes();
}
