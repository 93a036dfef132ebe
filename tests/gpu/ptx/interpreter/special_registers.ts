/**
 * Special registers: `%tid` and its kin.
 *
 * Owns their values. Those that stay the same while a thread runs are read once per frame; clocks are read
 * anew each time. Invariant: an unknown name is an Error that says it.
 */
import type { Machine } from "./machine.ts";
import type { Extent, Step, Thread } from "./thread.ts";

type Value = (thread: Thread) => bigint;

function component(extent: Extent, name: string): bigint {
  return BigInt(name === "x" ? extent.x : name === "y" ? extent.y : name === "z" ? extent.z : 0);
}

const LANE_MASKS: Readonly<Record<string, (lane: number) => number>> = {
  lanemask_eq: (lane) => 1 << lane,
  lanemask_lt: (lane) => (1 << lane) - 1,
  lanemask_le: (lane) => ~(~1 << lane),
  lanemask_gt: (lane) => ~1 << lane,
  lanemask_ge: (lane) => -1 << lane,
};

/** Reads a special register that does not change while a frame lives; undefined if it is not one. */
export function constantSpecial(machine: Machine, name: string): Value | undefined {
  const [register = "", part = "x"] = name.split(".");
  const { grid, block, dynamicSharedBytes, sharedBytes } = machine.options;
  const mask = LANE_MASKS[register];
  if (mask !== undefined) return (thread) => BigInt(mask(thread.lane) >>> 0);
  if (register.startsWith("envreg")) return () => 0n;
  switch (register) {
    case "tid":
      return (thread) => component(thread.tid, part);
    case "ntid":
      return () => component(block, part);
    case "ctaid":
      return () => component(machine.ctaid, part);
    case "nctaid":
      return () => component(grid, part);
    case "laneid":
      return (thread) => BigInt(thread.lane);
    case "warpid":
      return (thread) => BigInt(thread.warp);
    case "nwarpid":
      return () => BigInt(Math.ceil(machine.threadCount / 32));
    case "WARP_SZ":
      return () => 32n;
    case "smid":
    case "gridid":
    case "clusterid":
    case "cluster_ctaid":
    case "cluster_ctarank":
    case "is_explicit_cluster":
      return () => 0n;
    case "nsmid":
    case "cluster_nctaid":
    case "cluster_nctarank":
      return () => 1n;
    case "nclusterid":
      return () => component(grid, part);
    case "dynamic_smem_size":
      return () => BigInt(dynamicSharedBytes);
    case "reserved_smem_offset_begin":
    case "reserved_smem_offset_0":
    case "reserved_smem_offset_1":
      return () => BigInt(sharedBytes);
    case "reserved_smem_offset_end":
    case "reserved_smem_offset_cap":
      return () => BigInt(sharedBytes + machine.options.reservedSharedBytes);
    case "total_smem_size":
      return () => BigInt(sharedBytes);
    default:
      return undefined;
  }
}

/** Reads a clock into a slot. */
export function varyingSpecial(machine: Machine, name: string, slot: number): Step {
  const { u64 } = machine.registers;
  const high = name.endsWith("_hi") ? 32n : 0n;
  switch (name) {
    case "clock":
    case "clock_hi":
    case "clock64":
    case "globaltimer":
    case "globaltimer_lo":
    case "globaltimer_hi":
      return (thread) => void (u64[thread.base + slot] = BigInt(machine.executed++) >> high);
    default:
      if (/^pm\d/.test(name)) return (thread) => void (u64[thread.base + slot] = 0n);
      throw new Error(`Unknown special register %${name}`);
  }
}
