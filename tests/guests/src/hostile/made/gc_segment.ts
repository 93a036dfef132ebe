/**
 * An active element segment of objects, each made by an initial value of four bytes: what is allocated while the
 * module is instantiated is two thousand times as large as the module.
 */
import { i32, refNull, structType } from "../../../../support/instructions.ts";
import { ModuleAssembler } from "../../../../support/module_assembler.ts";
import { func, I64, u } from "../../../../support/module_bytes.ts";

const FIELDS = 1000;
/** `struct.new_default 0`, `end`. */
const NEW_OBJECT = [0xfb, 1, 0, 0x0b];

/** A module that makes `count` objects of 8 KB. */
export function makeModule(count: number): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const object = module.type(structType(...new Array<number>(FIELDS).fill(I64)));
  module.table(refNull(object), 0, ...u(count));
  const objects = Array.from({ length: count }, () => NEW_OBJECT).flat();
  module.elements([6, 0, ...i32(0), 0x0b, ...refNull(object), ...u(count), ...objects]);
  module.export("run", "func", module.func(module.type(func()), []));
  return module.toBytes();
}
