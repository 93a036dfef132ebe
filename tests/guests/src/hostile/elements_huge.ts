/** A passive segment of fifty thousand functions, copied to a table (`init`) or into arrays (`array`) without end. */
import { arrayType, br, type Code, DROP, EMPTY, FUNCREF, i32, loop } from "../../../support/instructions.ts";
import { func, u } from "../../../support/module_bytes.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

const COUNT = 50_000;

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const type = module.type(func());
  const array = module.type(arrayType(FUNCREF));
  module.table(FUNCREF, 0, ...u(COUNT));
  const segment = module.elements([1, 0, ...u(COUNT), ...new Array<number>(COUNT).fill(0)]);
  const all: Code = [...i32(0), ...i32(COUNT)];
  const init = loop(EMPTY, i32(0), all, [0xfc, 12, segment, 0], br(0));
  const arrays = loop(EMPTY, all, [0xfb, 10, array, segment], DROP, br(0));
  module.export("init", "func", module.func(type, [], init));
  module.export("array", "func", module.func(type, [], arrays));
  return module.toBytes();
}
