/**
 * Lockstep: stores that the lanes of a warp do together although nothing in the text says so.
 *
 * Owns the row of `st.volatile.shared`. Reductions from before `__syncwarp` add what other lanes of the warp
 * have just stored, and count on the lanes being at one instruction; threads that run one after the other are
 * not, so they are gathered for the store. It waits for no lane that is elsewhere. Invariant: what is stored is
 * what `st` stores.
 */
import type { Exchange } from "../emit/exchange.ts";
import type { Instruction } from "../kernel/ir.ts";
import { MEMORY_ROWS } from "./memory.ts";
import type { OpcodeRow } from "./row.ts";

const LOCKSTEP_STORE = "$st.together";

/** The name of the row of such a store; undefined for other instructions. */
export function lockstepRow(opcode: string, modifiers: readonly string[]): string | undefined {
  const isShared = modifiers.includes("shared") || modifiers.includes("shared::cta");
  return opcode === "st" && isShared && modifiers.includes("volatile") ? LOCKSTEP_STORE : undefined;
}

function together(store: OpcodeRow): OpcodeRow {
  const { scalar, ...rest } = store;
  return {
    ...rest,
    name: LOCKSTEP_STORE,
    effect: "warp",
    exchange: (x: Exchange, i: Instruction) => x.forEachLane(() => scalar?.(x.emitter, i)),
  };
}

export const LOCKSTEP_ROWS: readonly OpcodeRow[] = MEMORY_ROWS.filter(({ name }) => name === "st").map(
  together,
);
