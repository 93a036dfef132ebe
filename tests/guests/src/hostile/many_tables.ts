/** Five hundred tables, each of which grows as far as it is let; returns how many elements they have together. */
import { FUNCREF, i32, I32_ADD, refNullOf } from "../../../support/instructions.ts";
import { func, I32, u } from "../../../support/module_bytes.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

const COUNT = 500;
const STEP = 250_000;
const STEPS = 8;
const FUNC_HEAP_TYPE = -16;

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const body: number[] = [...i32(0)];
  for (let index = 0; index < COUNT; index++) {
    module.table(FUNCREF, 0, 0);
    const grow = [...refNullOf(FUNC_HEAP_TYPE), ...i32(STEP), 0xfc, 15, ...u(index), 0x1a];
    for (let step = 0; step < STEPS; step++) body.push(...grow);
    body.push(0xfc, 16, ...u(index), ...I32_ADD);
  }
  module.export("run", "func", module.func(module.type(func([], [I32])), [], body));
  return module.toBytes();
}
