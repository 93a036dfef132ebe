/**
 * Warp operations: shfl, vote, match, redux, activemask, elect, bar.warp.sync.
 *
 * Owns what lanes exchange; who takes part is the scheduler's to say. Invariant: all inputs are read before the
 * first result is written.
 */
import type { PtxType } from "../../../../gpu/ptx/ast.ts";
import { readerOf } from "./compare.ts";
import { isSigned } from "./integer.ts";
import type { Site } from "./site.ts";
import type { Thread } from "./thread.ts";

/** An operation of lanes, and the slot with the mask of those that it waits for. */
export interface WarpAction {
  readonly mask: number;
  readonly execute: (lanes: readonly Thread[]) => void;
}

const ALL_LANES = 0xffff_ffffn;

function maskSlot(site: Site, operandIndex: number): number {
  if (!site.has("sync") || site.count <= operandIndex) return site.scope.constant(ALL_LANES);
  return site.source(operandIndex, "b32");
}

/** Slots of `d|p`, of which either may be missing. */
function resultSlots(site: Site): { d: number; p: number } {
  const first = site.operand(0);
  if (first.kind === "pair") return { d: site.write(first.first), p: site.write(first.second) };
  return { d: site.write(first), p: site.scope.scratch() };
}

/** `shfl{.sync}.mode.b32 d{|p}, a, b, c{, mask}`. */
export function shuffle(site: Site): WarpAction {
  const { u32 } = site.registers;
  const { d, p } = resultSlots(site);
  const [a, b, c] = [site.source(1, "b32"), site.source(2, "b32"), site.source(3, "b32")];
  const mode = site.oneOf(["up", "down", "bfly", "idx"]);
  const get = (t: Thread, slot: number): number => u32[(t.base + slot) << 1] as number;
  const execute = (lanes: readonly Thread[]): void => {
    const values = new Map(lanes.map((t) => [t.lane, get(t, a)]));
    const results = lanes.map((t) => {
      const { lane } = t;
      const amount = get(t, b) & 31;
      const clamp = get(t, c) & 31;
      const segment = (get(t, c) >> 8) & 31;
      const last = (lane & segment) | (clamp & ~segment);
      const sources = {
        up: lane - amount,
        down: lane + amount,
        bfly: lane ^ amount,
        idx: (lane & segment) | (amount & ~segment),
      };
      if (mode === undefined) throw site.unknown("names no mode");
      const source = sources[mode];
      const isInRange = mode === "up" ? source >= last : source <= last;
      // A lane that takes no part has no value that a program may rely on.
      return { isInRange, value: values.get(isInRange ? source : lane) ?? 0 };
    });
    for (const [index, t] of lanes.entries()) {
      const result = results[index];
      u32[(t.base + d) << 1] = result?.value ?? 0;
      u32[(t.base + p) << 1] = result?.isInRange === true ? 1 : 0;
    }
  };
  return { mask: maskSlot(site, 4), execute };
}

function bitsOf(lanes: readonly Thread[], test: (t: Thread) => boolean): number {
  let bits = 0;
  for (const t of lanes) if (test(t)) bits |= 1 << t.lane;
  return bits >>> 0;
}

/** `vote{.sync}.mode d, a{, mask}`. */
export function vote(site: Site): WarpAction {
  const { u32 } = site.registers;
  const [d, a] = [site.target(), site.source(1, "pred")];
  const execute = (lanes: readonly Thread[]): void => {
    const ballot = bitsOf(lanes, (t) => u32[(t.base + a) << 1] !== 0);
    const everyone = bitsOf(lanes, () => true);
    let result: number;
    if (site.has("ballot")) result = ballot;
    else if (site.has("all")) result = ballot === everyone ? 1 : 0;
    else if (site.has("any")) result = ballot !== 0 ? 1 : 0;
    else if (site.has("uni")) result = ballot === everyone || ballot === 0 ? 1 : 0;
    else throw site.unknown("names no mode");
    for (const t of lanes) u32[(t.base + d) << 1] = result;
  };
  return { mask: maskSlot(site, 2), execute };
}

/** `match.any.sync d, a, mask` and `match.all.sync d{|p}, a, mask`. */
export function match(site: Site): WarpAction {
  const { u32 } = site.registers;
  const { d, p } = resultSlots(site);
  const a = site.source(1);
  const read = readerOf(site, site.type);
  const execute = (lanes: readonly Thread[]): void => {
    const values = lanes.map((t) => read(t, a));
    const everyone = bitsOf(lanes, () => true);
    const isSame = values.every((each) => each === values[0]);
    for (const [index, t] of lanes.entries()) {
      if (site.has("all")) {
        u32[(t.base + d) << 1] = isSame ? everyone : 0;
        u32[(t.base + p) << 1] = isSame ? 1 : 0;
      } else {
        u32[(t.base + d) << 1] = bitsOf(
          lanes.filter((_, other) => values[other] === values[index]),
          () => true,
        );
      }
    }
  };
  return { mask: maskSlot(site, 2), execute };
}

type Reduce = (a: number, b: number) => number;

function reduceOf(site: Site, type: PtxType): Reduce {
  const operation = site.oneOf(["add", "min", "max", "and", "or", "xor"]);
  if (type === "f32") {
    const propagates = site.has("NaN");
    const isMin = operation === "min";
    return (a, b) => {
      if (!propagates && Number.isNaN(a)) return b;
      if (!propagates && Number.isNaN(b)) return a;
      return isMin ? Math.min(a, b) : Math.max(a, b);
    };
  }
  switch (operation) {
    case "add":
      return (a, b) => (a + b) | 0;
    case "min":
      return isSigned(type) ? Math.min : (a, b) => Math.min(a >>> 0, b >>> 0);
    case "max":
      return isSigned(type) ? Math.max : (a, b) => Math.max(a >>> 0, b >>> 0);
    case "and":
      return (a, b) => a & b;
    case "or":
      return (a, b) => a | b;
    case "xor":
      return (a, b) => a ^ b;
    default:
      throw site.unknown("names no operation");
  }
}

/** `redux.sync.op.type d, a, mask`. */
export function redux(site: Site): WarpAction {
  const { i32, f32, u32 } = site.registers;
  const [d, a] = [site.target(), site.source(1)];
  const { type } = site;
  const reduce = reduceOf(site, type);
  const view = type === "f32" ? f32 : i32;
  const magnitude = (value: number): number => type === "f32" && site.has("abs") ? Math.abs(value) : value;
  const execute = (lanes: readonly Thread[]): void => {
    const result = lanes.map((t) => magnitude(view[(t.base + a) << 1] as number)).reduce((x, y) =>
      reduce(x, y)
    );
    for (const t of lanes) {
      if (Number.isNaN(result)) u32[(t.base + d) << 1] = 0x7fff_ffff;
      else view[(t.base + d) << 1] = result;
    }
  };
  return { mask: maskSlot(site, 2), execute };
}

/** `activemask.b32 d`: the lanes that are here together. */
export function activeMask(site: Site): WarpAction {
  const { u32 } = site.registers;
  const d = site.target();
  const execute = (lanes: readonly Thread[]): void => {
    const everyone = bitsOf(lanes, () => true);
    for (const t of lanes) u32[(t.base + d) << 1] = everyone;
  };
  return { mask: site.scope.constant(ALL_LANES), execute };
}

/** `elect.sync d|p, mask`: the lowest lane is elected. */
export function elect(site: Site): WarpAction {
  const { u32 } = site.registers;
  const { d, p } = resultSlots(site);
  const execute = (lanes: readonly Thread[]): void => {
    const leader = lanes[0]?.lane ?? 0;
    for (const t of lanes) {
      u32[(t.base + d) << 1] = leader;
      u32[(t.base + p) << 1] = t.lane === leader ? 1 : 0;
    }
  };
  return { mask: maskSlot(site, 1), execute };
}

/** `bar.warp.sync mask`. */
export function warpBarrier(site: Site): WarpAction {
  return { mask: site.source(0, "b32"), execute: () => {} };
}
