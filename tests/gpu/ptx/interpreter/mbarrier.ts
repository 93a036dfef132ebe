/**
 * mbarrier: barriers that lie in shared memory.
 *
 * Owns the form of the object, which PTX leaves open: arrivals that are missing in the low word; in the high one
 * the phase in bit 31 and the arrivals of a phase below. A state is the whole object as it was before an
 * arrival. Asynchronous copies are done at once here, so no transaction is ever pending. Invariant: a phase ends
 * with its last arrival, and the next one starts with all of its arrivals missing.
 */
import { accessSpace, addressOf } from "./address.ts";
import type { Segment } from "./machine.ts";
import type { Site } from "./site.ts";
import type { Step, Thread } from "./thread.ts";

const PHASE = 0x8000_0000;
const COUNT_MASK = 0xf_ffff;

/** Where the object of an instruction is. */
function locator(site: Site, operand: number): (t: Thread) => { memory: Segment; word: number } {
  const { machine, line } = site;
  const address = addressOf(site, site.operand(operand));
  const space = accessSpace(site);
  return (t) => {
    const memory = machine.locate(t, space, address(t), 8, line);
    return { memory, word: machine.index >> 2 };
  };
}

/** Takes arrivals off; the last one starts the next phase. */
function arrive({ u32 }: Segment, word: number, count: number, isDropped: boolean): void {
  let high = u32[word + 1] as number;
  if (isDropped) high = ((high & PHASE) | ((high & COUNT_MASK) - count)) >>> 0;
  let missing = (u32[word] as number) - count;
  if (missing <= 0) {
    high = (high ^ PHASE) >>> 0;
    missing = high & COUNT_MASK;
  }
  u32[word] = missing;
  u32[word + 1] = high;
}

export function memoryBarrierStep(site: Site): Step {
  const { u32, u64 } = site.registers;
  const at = (t: Thread, slot: number): number => u32[(t.base + slot) << 1] as number;
  if (site.has("init")) {
    const locate = locator(site, 0);
    const count = site.source(1, "u32");
    return (t) => {
      const { memory, word } = locate(t);
      memory.u32[word] = at(t, count);
      memory.u32[word + 1] = at(t, count);
    };
  }
  if (site.has("inval")) return () => {};
  if (site.has("pending_count")) {
    const [d, state] = [site.target(), site.source(1, "b64")];
    return (t) => void (u32[(t.base + d) << 1] = at(t, state));
  }
  if (site.has("arrive") || site.has("arrive_drop")) return arriveStep(site);
  if (site.has("test_wait") || site.has("try_wait")) {
    const p = site.target();
    const locate = locator(site, 1);
    const isParity = site.has("parity");
    const wanted = site.source(2, isParity ? "u32" : "b64");
    return (t) => {
      const { memory, word } = locate(t);
      const phase = (memory.u32[word + 1] as number) >>> 31;
      const before = isParity ? at(t, wanted) & 1 : Number((u64[t.base + wanted] as bigint) >> 63n);
      u32[(t.base + p) << 1] = phase !== before ? 1 : 0;
    };
  }
  throw site.unknown();
}

/** `mbarrier.arrive{_drop} {state,} [object]{, count}`; the state may be `_`. */
function arriveStep(site: Site): Step {
  if (site.has("expect_tx")) throw site.unknown();
  const { u64, u32 } = site.registers;
  const hasState = site.operand(0).kind !== "address";
  const place = hasState ? 1 : 0;
  const d = hasState ? site.target() : site.scope.scratch();
  const locate = locator(site, place);
  const count = site.count > place + 1 ? site.source(place + 1, "u32") : site.scope.constant(1n);
  const isDropped = site.has("arrive_drop");
  return (t) => {
    const { memory, word } = locate(t);
    u64[t.base + d] = memory.u64[word >> 1] as bigint;
    arrive(memory, word, u32[(t.base + count) << 1] as number, isDropped);
  };
}

/** `cp.async.mbarrier.arrive{.noinc} [object]`: the copies are done, so that the arrival is now. */
export function copyArrivalStep(site: Site): Step {
  const locate = locator(site, 0);
  // Without `.noinc` one more arrival is expected first, which this one then is.
  if (!site.has("noinc")) return (t) => void locate(t);
  return (t) => {
    const { memory, word } = locate(t);
    arrive(memory, word, 1, false);
  };
}
