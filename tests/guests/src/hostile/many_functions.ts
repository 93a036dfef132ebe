/** Twenty thousand functions, each of which calls the next two: more calls than could ever end. */
import { func } from "../../../support/module_bytes.ts";
import { call } from "../../../support/instructions.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

const COUNT = 20_000;
/** How deep calls go before they turn back: within the stack. */
const DEPTH = 1000;

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const type = module.type(func());
  for (let index = 0; index < COUNT; index++) {
    const isLast = index % DEPTH === DEPTH - 1;
    module.func(type, [], ...(isLast ? [] : [call(index + 1), call(index + 1)]));
  }
  module.export("run", "func", 0);
  return module.toBytes();
}
