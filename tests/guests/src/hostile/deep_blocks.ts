/** Blocks, loops and conditions one in the other: as built, 9,000 of them. */
import { func, I32 } from "../../../support/module_bytes.ts";
import { br, type Code, EMPTY, localGet } from "../../../support/instructions.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

const DEPTH = 9_000;

export function makeModule(depth: number = DEPTH): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const type = module.type(func());
  module.export("blocks", "func", module.func(type, [], nest(depth, [0x02, EMPTY])));
  module.export("loops", "func", module.func(type, [], nest(depth, [0x03, EMPTY])));
  module.export("ifs", "func", module.func(type, [[1, I32]], nest(depth, [...localGet(0), 0x04, EMPTY])));
  // The innermost of many loops goes back to the outermost.
  module.export("spin", "func", module.func(type, [], nest(depth, [0x03, EMPTY], br(depth - 1))));
  return module.toBytes();
}

function nest(depth: number, open: Code, innermost: Code = []): Code {
  const opens = Array.from({ length: depth }, () => open).flat();
  return [...opens, ...innermost, ...new Array<number>(depth).fill(0x0b)];
}
