/** Arrays of 100 MiB and of all that the engine allows, kept (`keep`) or let go (`drop`), without end. */
import { func, I64 } from "../../../support/module_bytes.ts";
import {
  arrayNew,
  arrayNewDefault,
  arrayType,
  br,
  DROP,
  EMPTY,
  globalSet,
  i32,
  i64,
  loop,
  refNull,
  refNullOf,
} from "../../../support/instructions.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const array = module.type(arrayType(I64));
  const kept = module.global(refNull(array), refNullOf(array));
  const run = module.type(func());
  const keep = loop(EMPTY, i64(1n), i32(100 * 131_072), arrayNew(array), globalSet(kept), br(0));
  const drop = loop(EMPTY, i32(0x7fff_ffff), arrayNewDefault(array), DROP, br(0));
  module.export("keep", "func", module.func(run, [], keep));
  module.export("drop", "func", module.func(run, [], drop));
  return module.toBytes();
}
