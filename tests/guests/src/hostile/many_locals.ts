/** A function of 50,000 locals that recurses, and one that loops. */
import { func, I32, I64 } from "../../../support/module_bytes.ts";
import { br, call, EMPTY, localGet, localSet, loop } from "../../../support/instructions.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

/** Most locals of a function (JavaScript interface specification, §"Limits"). */
const LOCALS_MAX = 50_000;

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const type = module.type(func());
  const groups = [[LOCALS_MAX - 1, I64], [1, I32]] as const;
  module.export("recurse", "func", module.func(type, groups, call(0), call(0)));
  const spin = loop(EMPTY, localGet(1), localSet(LOCALS_MAX - 2), br(0));
  module.export("spin", "func", module.func(type, groups, spin));
  module.export("run", "func", module.func(type, groups));
  return module.toBytes();
}
