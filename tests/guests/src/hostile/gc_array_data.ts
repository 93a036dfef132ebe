/** Makes arrays from a passive segment without end. */
import { func } from "../../../support/module_bytes.ts";
import { arrayNewData, arrayType, br, DROP, EMPTY, i32, I8, loop } from "../../../support/instructions.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

const SEGMENT_BYTES = 4096;

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const array = module.type(arrayType(I8));
  const segment = module.passiveData(new Uint8Array(SEGMENT_BYTES).fill(0x61));
  const body = loop(EMPTY, i32(0), i32(SEGMENT_BYTES), arrayNewData(array, segment), DROP, br(0));
  module.export("run", "func", module.func(module.type(func()), [], body));
  return module.toBytes();
}
