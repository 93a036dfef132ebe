/** A table whose elements are made by an initial value that allocates 24 MiB, and element segments that do too. */
import { func, I64, u } from "../../../support/module_bytes.ts";
import { arrayNewDefault, arrayType, i32, refNull } from "../../../support/instructions.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const array = module.type(arrayType(I64));
  const make = [...i32(24 * 131_072), ...arrayNewDefault(array), 0x0b];
  // 0x40 0x00: a table with an initial value.
  module.table([0x40, 0x00, ...refNull(array)], 0, ...u(1000), ...make);
  for (let index = 0; index < 100; index++) {
    // An active segment of ten expressions.
    const items = Array.from({ length: 10 }, () => make).flat();
    module.elements([6, 0, ...i32(index * 10), 0x0b, ...refNull(array), 10, ...items]);
  }
  module.export("run", "func", module.func(module.type(func()), []));
  return module.toBytes();
}
