/**
 * Modules that name what they have not got: an index that would be there once the runtime has appended its own
 * definitions. None of them is valid.
 */
import { func, I32, I64 } from "../../../../support/module_bytes.ts";
import {
  block,
  br,
  call,
  DROP,
  EMPTY,
  globalGet,
  globalSet,
  i32,
  loop,
  refFunc,
} from "../../../../support/instructions.ts";
import { ModuleAssembler } from "../../../../support/module_assembler.ts";

/** The kinds of index that a module can be wrong about. */
export const FORESEEN = [
  "global.set",
  "global.get",
  "call",
  "ref.func",
  "type",
  "export",
  "tag",
  "memory",
] as const;

/** A module that uses the index `ahead` of its last definition of a kind. */
export function makeModule(kind: (typeof FORESEEN)[number], ahead: number): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const type = module.type(func());
  const spin = loop(EMPTY, br(0));
  module.global(I32, i32(0));
  // One type, one function and one global are there, so the index after the last is 1.
  const index = ahead;
  switch (kind) {
    case "global.set":
      module.func(type, [], i32(0x7fff_ffff), globalSet(index), spin);
      break;
    case "global.get":
      module.func(type, [], globalGet(index), DROP, spin);
      break;
    case "call":
      module.func(type, [], call(index), spin);
      break;
    case "ref.func":
      module.func(type, [], refFunc(index), DROP);
      module.declare(index);
      break;
    case "type":
      module.func(index, [[1, I64]]);
      break;
    case "export":
      module.func(type, []);
      module.export("tick", "global", index);
      break;
    case "tag":
      module.func(type, [], block(EMPTY, [0x08, index - 1]));
      break;
    case "memory":
      module.func(type, [], i32(0), i32(0), i32(8), [0xfc, 11, index - 1]);
      break;
  }
  module.export("run", "func", 0);
  return module.toBytes();
}
