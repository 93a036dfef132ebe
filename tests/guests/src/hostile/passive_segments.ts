/** Ten thousand passive segments, copied one after the other without end, and dropped in between. */
import { func, u } from "../../../support/module_bytes.ts";
import { br, EMPTY, i32, loop } from "../../../support/instructions.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

const COUNT = 10_000;

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  module.memory(0, 1);
  const init: number[] = [];
  for (let index = 0; index < COUNT; index++) {
    const segment = module.passiveData([index & 0xff]);
    init.push(...i32(0), ...i32(0), ...i32(index % 2), 0xfc, 8, ...u(segment), 0);
    // data.drop, after which only copying nothing is within bounds.
    if (index % 2 === 0) init.push(0xfc, 9, ...u(segment));
  }
  module.export("run", "func", module.func(module.type(func()), [], loop(EMPTY, init, br(0))));
  return module.toBytes();
}
