/** Fills and copies one array of 7 MiB without end: work that is one instruction each time. */
import { func, I64 } from "../../../support/module_bytes.ts";
import {
  arrayCopy,
  arrayFill,
  arrayNewDefault,
  arrayType,
  br,
  EMPTY,
  i32,
  i64,
  localGet,
  localSet,
  loop,
  refNull,
} from "../../../support/instructions.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

const LENGTH = 7 * 131_072;

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const array = module.type(arrayType(I64));
  const run = module.type(func());
  const make = [...i32(LENGTH), ...arrayNewDefault(array), ...localSet(0)];
  const fill = loop(EMPTY, localGet(0), i32(0), i64(1n), i32(LENGTH), arrayFill(array), br(0));
  const copy = loop(
    EMPTY,
    ...[localGet(0), i32(1), localGet(0), i32(0), i32(LENGTH - 1), arrayCopy(array, array), br(0)],
  );
  module.export("fill", "func", module.func(run, [[1, refNull(array)]], make, fill));
  module.export("copy", "func", module.func(run, [[1, refNull(array)]], make, copy));
  return module.toBytes();
}
