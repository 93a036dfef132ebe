/** Endless loops whose back edges are br_on_null, br_on_non_null and br_on_cast. */
import { func } from "../../../support/module_bytes.ts";
import { ANYREF, block, br, DROP, EMPTY, loop } from "../../../support/instructions.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";

export function makeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const type = module.type(func());
  const anyLoop = module.type(func([ANYREF]));
  const nullAny = [0xd0, ANYREF];
  const onNull = loop(EMPTY, nullAny, [0xd5, 0], DROP);
  // A loop that takes the reference which br_on_non_null keeps: i31 of zero.
  const refAnyLoop = module.type([0x60, 1, 0x64, ANYREF, 0]);
  const i31 = [0x41, 0, 0xfb, 28];
  const onNonNull = [...i31, ...loop([refAnyLoop], [0xd6, 0])];
  // br_on_cast from anyref to (ref null any), which always succeeds.
  const onCast = [...nullAny, ...loop([anyLoop], [0xfb, 24, 3, 0, ANYREF, ANYREF], DROP)];
  module.export("br_on_null", "func", module.func(type, [], onNull));
  module.export("br_on_non_null", "func", module.func(type, [], onNonNull));
  module.export("br_on_cast", "func", module.func(type, [], onCast));
  module.export("block", "func", module.func(type, [], loop(EMPTY, block(EMPTY, br(1)))));
  return module.toBytes();
}
