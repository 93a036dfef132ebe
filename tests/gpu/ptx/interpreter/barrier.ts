/**
 * Barriers of a block: bar and barrier with sync, arrive and red.
 *
 * Owns who has arrived and when a barrier opens. Arrival counts by warps, as devices count: a warp has arrived
 * when all of its threads that have not exited have. Invariant: threads leave a barrier only together, and an
 * aligned one with lanes of a warp at different places is a fault, never a meeting.
 */
import { GuestFault } from "./fault.ts";
import type { Site } from "./site.ts";
import type { BarrierWait, Thread } from "./thread.ts";

/** Threads that have announced themselves and went on, by barrier. */
interface Arrivals {
  readonly threads: Set<Thread>;
  readonly threadCount: number;
}

export class Barriers {
  readonly #arrivals = new Map<number, Arrivals>();

  reset(): void {
    this.#arrivals.clear();
  }

  arrive(thread: Thread, id: number, threadCount: number): void {
    const known = this.#arrivals.get(id);
    if (known === undefined) this.#arrivals.set(id, { threads: new Set([thread]), threadCount });
    else known.threads.add(thread);
  }

  /** Opens every barrier whose threads are there. Answers whether there was one. */
  resolve(warps: readonly (readonly Thread[])[]): boolean {
    const ids = new Set<number>();
    for (const warp of warps) {
      for (const { state, barrier } of warp) {
        if (state === "barrier" && barrier !== undefined) ids.add(barrier.id);
      }
    }
    let opened = false;
    for (const id of ids) opened = this.#tryOpen(id, warps) || opened;
    return opened;
  }

  #tryOpen(id: number, warps: readonly (readonly Thread[])[]): boolean {
    const arrived = this.#arrivals.get(id);
    const isWaiting = (thread: Thread): boolean => thread.state === "barrier" && thread.barrier?.id === id;
    const isPresent = (thread: Thread): boolean => isWaiting(thread) || arrived?.threads.has(thread) === true;
    const waiting = warps.flatMap((warp) => warp.filter(isWaiting));
    const threadCount = Math.max(
      arrived?.threadCount ?? 0,
      ...waiting.map((each) => each.barrier?.threadCount ?? 0),
    );
    let arrivedWarps = 0;
    let isComplete = true;
    for (const warp of warps) {
      const living = warp.filter((each) => each.state !== "exited");
      checkAligned(living);
      if (living.every(isPresent) && warp.some(isPresent)) arrivedWarps++;
      else if (living.length > 0) isComplete = false;
    }
    if (threadCount === 0 ? !isComplete : arrivedWarps * 32 < threadCount) return false;
    const inputs = waiting.map((each) => each.barrier?.input === true);
    for (const thread of waiting) {
      thread.state = "ready";
      thread.barrier?.deliver?.(thread, inputs);
      thread.barrier = undefined;
    }
    this.#arrivals.delete(id);
    return true;
  }
}

/** @throws GuestFault if all living lanes of a warp wait at aligned barriers, but not at one instruction */
export function checkAligned(living: readonly Thread[]): void {
  if (!living.every((each) => each.state === "barrier")) return;
  const places = new Set<number>();
  for (const { barrier } of living) if (barrier?.isAligned === true) places.add(barrier.place);
  if (places.size > 1) {
    throw new GuestFault(719, `lanes of warp ${living[0]?.warp} wait at different barriers`);
  }
}

/** What the instruction does to a thread: it waits, or announces itself and goes on. */
export type BarrierAction =
  | { readonly kind: "wait"; readonly wait: (thread: Thread) => BarrierWait }
  | { readonly kind: "arrive"; readonly arrive: (thread: Thread) => void };

export function barrierAction(site: Site, barriers: Barriers): BarrierAction {
  const { u32 } = site.registers;
  const isReduction = site.has("red");
  const isAligned = site.ins.opcode === "bar" || site.has("aligned");
  const operands = isReduction ? site.ins.operands.slice(1) : site.ins.operands;
  const [first] = operands;
  if (first === undefined) throw site.unknown("names no barrier");
  const id = site.read(first, "u32");
  const countOperand = isReduction && operands.length < 3 ? undefined : operands[1];
  const count = countOperand === undefined ? site.scope.constant(0n) : site.read(countOperand, "u32");
  const idOf = (t: Thread): number => u32[(t.base + id) << 1] as number;
  const countOf = (t: Thread): number => u32[(t.base + count) << 1] as number;
  if (site.has("arrive")) return { kind: "arrive", arrive: (t) => barriers.arrive(t, idOf(t), countOf(t)) };
  const predicateOperand = operands.at(-1);
  const predicate = isReduction && predicateOperand !== undefined
    ? site.read(predicateOperand, "pred")
    : site.scope.constant(0n);
  const deliver = isReduction ? reduction(site) : undefined;
  const { place } = site;
  const wait = (t: Thread): BarrierWait => ({
    place,
    id: idOf(t),
    threadCount: countOf(t),
    isAligned,
    input: u32[(t.base + predicate) << 1] !== 0,
    deliver,
  });
  return { kind: "wait", wait };
}

function reduction(site: Site): (thread: Thread, inputs: readonly boolean[]) => void {
  const { u32 } = site.registers;
  const d = site.target();
  const put = (t: Thread, value: number): void => void (u32[(t.base + d) << 1] = value);
  if (site.has("popc")) return (t, inputs) => put(t, inputs.filter((each) => each).length);
  if (site.has("and")) return (t, inputs) => put(t, inputs.every((each) => each) ? 1 : 0);
  if (site.has("or")) return (t, inputs) => put(t, inputs.some((each) => each) ? 1 : 0);
  throw site.unknown("names no reduction");
}
