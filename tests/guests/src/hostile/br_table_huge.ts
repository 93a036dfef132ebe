/** A br_table of 65,000 targets, all of them the loop that it is in. */
import { func, I32, u } from "../../../support/module_bytes.ts";
import { EMPTY, i32, I32_ADD, localGet, localSet, loop } from "../../../support/instructions.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

const TARGETS = 65_000;

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const table = [0x0e, ...u(TARGETS), ...new Array<number>(TARGETS + 1).fill(0)];
  const next = [...localGet(0), ...i32(1), ...I32_ADD, ...localSet(0)];
  const run = module.func(module.type(func()), [[1, I32]], loop(EMPTY, next, localGet(0), table));
  module.export("run", "func", run);
  return module.toBytes();
}
