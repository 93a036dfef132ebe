/** A list of caught exceptions, each with a reference to the one before: what the engine makes of each is large. */
import { func } from "../../../support/module_bytes.ts";
import {
  block,
  br,
  EMPTY,
  EXNREF,
  EXTERNREF,
  i32,
  localGet,
  localSet,
  loop,
  refNull,
  structNew,
  structType,
  UNREACHABLE,
} from "../../../support/instructions.ts";
import { I32 } from "../../../support/module_bytes.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const node = module.type(structType(EXNREF, refNull(0)));
  const tag = module.tag(module.type(func([I32, EXTERNREF])));
  const throwOne = [...i32(1), 0xd0, EXTERNREF, 0x08, tag];
  // try_table with one clause, catch_all_ref, to the block around it.
  const caught = block(EXNREF, [0x1f, EMPTY, 1, 3, 0, ...throwOne, 0x0b], UNREACHABLE);
  const body = loop(EMPTY, caught, localGet(0), structNew(node), localSet(0), br(0));
  module.export("run", "func", module.func(module.type(func()), [[1, refNull(node)]], body));
  return module.toBytes();
}
