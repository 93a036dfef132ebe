/**
 * A data segment of 5 MB, active at the start of a memory that it fills; `last` reads its last byte.
 *
 * Made when it is needed: a file of its size is not kept.
 */
import { func, I32, moduleOf, name, section, u, vec } from "../../../../support/module_bytes.ts";
import { i32 } from "../../../../support/instructions.ts";

export const DATA_BYTES = 5_000_000;

export function makeModule(): Uint8Array<ArrayBuffer> {
  const load = [...i32(DATA_BYTES - 1), 0x2d, 0, 0];
  const pages = Math.ceil(DATA_BYTES / 65_536);
  return moduleOf(
    section(1, vec(func([], [I32]))),
    section(3, vec([0])),
    section(5, vec([0, ...u(pages)])),
    section(7, vec([...name("last"), 0, 0])),
    section(10, vec([load.length + 2, 0, ...load, 0x0b])),
    section(11, u(1), [0, ...i32(0), 0x0b, ...u(DATA_BYTES)], new Array<number>(DATA_BYTES).fill(0x77)),
  );
}
