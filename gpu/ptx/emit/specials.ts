/**
 * Special registers: what `%tid.x`, `%laneid` and the others are in a compiled kernel (PTX ISA 10).
 *
 * Owns the value of each by name. Those of the thread and the grid come from the frame; the machine has one
 * multiprocessor, no clusters and no performance counters. Invariant: a name that it does not know is refused.
 */
import type { Emitter } from "./emitter.ts";
import { RESERVED_SHARED_BYTES } from "../kernel/ir.ts";
import { PtxError } from "../ptx_error.ts";

/** Special registers of 64 bits. */
export function isWide(name: string): boolean {
  return name === "clock64" || name === "globaltimer" || name === "gridid" || name === "current_graph_exec";
}

/** Pushes a special register: an i64 for the wide ones, else an i32. */
export function pushSpecial(emitter: Emitter, name: string): void {
  const { code, facts } = emitter;
  const { x, y, z } = facts.block;
  const threads = x * y * z;
  switch (name) {
    case "tid.x":
    case "tid.y":
    case "tid.z":
    case "ctaid.x":
    case "ctaid.y":
    case "ctaid.z":
    case "nctaid.x":
    case "nctaid.y":
    case "nctaid.z":
      return code.get(emitter.special(name));
    case "ntid.x":
      return code.i32(x);
    case "ntid.y":
      return code.i32(y);
    case "ntid.z":
      return code.i32(z);
    case "laneid":
      code.get(emitter.special("thread"));
      code.i32(31);
      return code.op("i32And");
    case "warpid":
      code.get(emitter.special("thread"));
      code.i32(5);
      return code.op("i32ShrU");
    case "nwarpid":
      return code.i32(Math.ceil(threads / 32));
    case "lanemask_eq":
    case "lanemask_lt":
    case "lanemask_le":
    case "lanemask_gt":
    case "lanemask_ge":
      return pushLaneMask(emitter, name.slice("lanemask_".length));
    case "nsmid":
      return code.i32(1);
    case "clock":
      code.call(emitter.parts.functions.clock);
      return code.op("i32WrapI64");
    case "clock_hi":
      code.call(emitter.parts.functions.clock);
      code.i64(32n);
      return code.op("i64ShrU", "i32WrapI64");
    case "clock64":
    case "globaltimer":
      return code.call(emitter.parts.functions.clock);
    case "globaltimer_lo":
      code.call(emitter.parts.functions.clock);
      return code.op("i32WrapI64");
    case "globaltimer_hi":
      code.call(emitter.parts.functions.clock);
      code.i64(32n);
      return code.op("i64ShrU", "i32WrapI64");
    case "total_smem_size":
      return code.get(emitter.special("sharedEnd"));
    case "dynamic_smem_size":
      code.get(emitter.special("sharedEnd"));
      code.i32(facts.kernel.sharedBytes);
      return code.op("i32Sub");
    case "gridid":
      return code.i64(1n);
    case "smid":
      return code.i32(0);
    case "cluster_nctaid.x":
    case "cluster_nctaid.y":
    case "cluster_nctaid.z":
    case "cluster_nctarank":
      return code.i32(1);
    case "is_explicit_cluster":
      return code.i32(0);
    case "reserved_smem_offset_begin":
    case "reserved_smem_offset_0":
    case "reserved_smem_offset_1":
      return code.i32(facts.kernel.reservedShared ?? 0);
    case "reserved_smem_offset_end":
    case "reserved_smem_offset_cap":
      return code.i32((facts.kernel.reservedShared ?? 0) + RESERVED_SHARED_BYTES);
    default:
      if (/^(envreg\d+|pm\d+|cluster_cta(id\.[xyz]|rank))$/.test(name)) {
        return code.i32(0);
      }
      throw new PtxError(0, "unsupported", `Special register %${name} is not supported`);
  }
}

/** Bits of the lanes that stand in the relation to the thread's own. */
function pushLaneMask(emitter: Emitter, relation: string): void {
  const { code } = emitter;
  // eq is 1 << lane; le is 2 * eq - 1, lt is eq - 1, and the others are their complements.
  if (relation === "gt" || relation === "le") code.i32(2);
  else code.i32(1);
  code.get(emitter.special("thread"));
  code.i32(31);
  code.op("i32And", "i32Shl");
  if (relation === "eq") return;
  code.i32(1);
  code.op("i32Sub");
  if (relation === "lt" || relation === "le") return;
  code.i32(-1);
  code.op("i32Xor");
}
