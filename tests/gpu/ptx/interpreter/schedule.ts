/**
 * Schedule: runs the threads of one block until all have exited.
 *
 * Owns the order: warps in turn, lanes in turn, each until it waits, exits or has had its share. Invariant:
 * every pass moves at least one thread on, or the launch ends with a fault.
 */
import { checkAligned } from "./barrier.ts";
import { GuestFault } from "./fault.ts";
import type { Machine } from "./machine.ts";
import type { FunctionCode, Program } from "./program.ts";
import { type Block, type Extent, Thread } from "./thread.ts";

/** Instructions after which a thread lets others run; threads may spin on what others write. */
const SHARE = 20_000;

/** Makes the threads of the block at `ctaid`, x first, each at the kernel's entry. */
export function makeThreads(program: Program, code: FunctionCode, ctaid: Extent): Thread[] {
  const { machine } = program;
  const { block, slotsPerThread } = machine.options;
  machine.ctaid = ctaid;
  const threads: Thread[] = [];
  for (let index = 0; index < machine.threadCount; index++) {
    const tid = {
      x: index % block.x,
      y: Math.floor(index / block.x) % block.y,
      z: Math.floor(index / (block.x * block.y)),
    };
    const thread = new Thread(index, tid, index * slotsPerThread, 0, code.entry, code);
    code.scope.enter(thread);
    threads.push(thread);
  }
  return threads;
}

/** Runs one block to its end. @throws GuestFault */
export function runBlock(program: Program, code: FunctionCode, ctaid: Extent, isReversed: boolean): void {
  const { machine, barriers } = program;
  machine.shared.u8.fill(0);
  machine.local.u8.fill(0);
  barriers.reset();
  const threads = makeThreads(program, code, ctaid);
  const warps: Thread[][] = [];
  for (let first = 0; first < threads.length; first += 32) warps.push(threads.slice(first, first + 32));
  for (;;) {
    let moved = false;
    for (const warp of isReversed ? warps.toReversed() : warps) {
      moved = runWarp(machine, warp, isReversed) || moved;
    }
    if (threads.every((each) => each.state === "exited")) return;
    for (const warp of warps) checkAligned(warp.filter((each) => each.state !== "exited"));
    moved = barriers.resolve(warps) || moved;
    if (!moved) throw new GuestFault(719, "every thread waits for another one");
  }
}

/** Runs the lanes of a warp until all wait for other warps or have had their share. Answers whether one moved. */
function runWarp(machine: Machine, warp: readonly Thread[], isReversed: boolean): boolean {
  let moved = false;
  const order = isReversed ? warp.toReversed() : warp;
  for (;;) {
    for (const thread of order) {
      if (thread.state !== "ready") continue;
      runThread(machine, thread);
      moved = true;
    }
    const group = nextGroup(warp);
    if (group === undefined) return moved;
    moved = true;
    const operation = group[0]?.operation;
    for (const thread of group) {
      thread.state = "ready";
      thread.operation = undefined;
    }
    machine.executed += group.length;
    operation?.execute(group);
  }
}

/** Lanes that may do their warp operation now, in rising order. */
function nextGroup(warp: readonly Thread[]): readonly Thread[] | undefined {
  const waiting = warp.filter((each) => each.state === "warp");
  if (waiting.length === 0) return undefined;
  const groupOf = (first: Thread): Thread[] =>
    waiting.filter((each) => each.operation === first.operation && each.memberMask === first.memberMask);
  for (const first of waiting) {
    const group = groupOf(first);
    const missing = warp.some((each) =>
      each.state !== "exited" && ((first.memberMask >>> each.lane) & 1) === 1 && !group.includes(each)
    );
    if (!missing) return group;
  }
  if (warp.some((each) => each.state === "ready")) return undefined;
  // Nobody can go on: the lanes at the lowest place proceed without those that they wait for.
  let lowest = waiting[0];
  for (const each of waiting) {
    if ((each.operation?.place ?? 0) < (lowest?.operation?.place ?? 0)) lowest = each;
  }
  return lowest === undefined ? undefined : groupOf(lowest);
}

function runThread(machine: Machine, thread: Thread): void {
  let block: Block | undefined = thread.block;
  let left = SHARE;
  while (block !== undefined) {
    const { steps, cost } = block;
    for (let index = 0; index < steps.length; index++) steps[index]?.(thread);
    machine.executed += cost;
    machine.fuel -= cost;
    left -= cost;
    if (machine.fuel < 0) throw new GuestFault(702, "the kernel has used up its fuel");
    block = block.end(thread);
    if (left <= 0 && block !== undefined) {
      thread.block = block;
      return;
    }
  }
}
