/**
 * Control-flow graph: the basic blocks of a kernel, their order and their dominators.
 *
 * Owns blocks, edges, reverse postorder, immediate dominators (Cooper, Harvey and Kennedy, "A Simple, Fast
 * Dominance Algorithm") and which edges go back. A block ends where control does, and behind every instruction
 * at which threads are gathered. Invariant: blocks that cannot be reached are not in it; block 0 is the entry.
 */
import type { Instruction, Kernel } from "../kernel/ir.ts";
import { PtxError } from "../ptx_error.ts";

/** Stands among targets for the end of the thread. */
export const EXIT = -1;

/** How a block ends. Targets are blocks. */
export type Terminator =
  | { readonly kind: "jump"; readonly to: number }
  | {
    readonly kind: "branch";
    readonly register: number;
    readonly isNegated: boolean;
    readonly taken: number;
    readonly otherwise: number;
  }
  | { readonly kind: "switch"; readonly instruction: Instruction; readonly targets: readonly number[] }
  /** Threads are gathered for the block's last instruction and go on at `to`. */
  | { readonly kind: "cut"; readonly instruction: Instruction; readonly to: number }
  | { readonly kind: "exit" };

/** A basic block. */
export interface Block {
  readonly index: number;
  /** Where it begins in the kernel's list of instructions. */
  readonly start: number;
  /** Its instructions without the one that ends it. */
  readonly instructions: readonly Instruction[];
  readonly terminator: Terminator;
  readonly successors: readonly number[];
}

/** The blocks of a kernel in reverse postorder. */
export interface Cfg {
  readonly blocks: readonly Block[];
  readonly predecessors: readonly (readonly number[])[];
}

interface Raw {
  readonly start: number;
  readonly instructions: Instruction[];
  terminator: Terminator;
}

/** @throws PtxError for a branch without a target */
export function buildCfg({ instructions, source }: Kernel): Cfg {
  const raws = split(instructions, source.line);
  const order = reversePostorder(raws.map(({ terminator }) => successorsOf(terminator)));
  const renumbered = new Map(order.map((old, index) => [old, index] as const));
  const to = (old: number): number => renumbered.get(old) ?? 0;
  const blocks = order.map((old, index): Block => {
    const raw = raws[old];
    if (raw === undefined) throw new Error("Invariant: the order names blocks that exist");
    const terminator = retarget(raw.terminator, to);
    const { start, instructions } = raw;
    return { index, start, instructions, terminator, successors: successorsOf(terminator) };
  });
  return { blocks, predecessors: predecessorsOf(blocks.map(({ successors }) => successors)) };
}

function split(instructions: readonly Instruction[], line: number): Raw[] {
  const leaders = new Set([0]);
  instructions.forEach((instruction, index) => {
    if (!endsBlock(instruction)) return;
    leaders.add(index + 1);
    for (const target of targetsOf(instruction)) leaders.add(target);
  });
  const starts = [...leaders].filter((start) => start < instructions.length).sort((a, b) => a - b);
  const blockAt = new Map(starts.map((start, index) => [start, index] as const));
  const find = (target: number): number => {
    const block = blockAt.get(target);
    if (block === undefined) throw new PtxError(line, "syntax", "A branch leaves the function");
    return block;
  };
  return starts.map((start, index) => {
    const end = starts[index + 1] ?? instructions.length;
    const last = instructions[end - 1];
    const ends = last !== undefined && endsBlock(last);
    const body = instructions.slice(start, ends ? end - 1 : end);
    const terminator = ends ? terminatorOf(last, end, find) : { kind: "jump" as const, to: find(end) };
    return { start, instructions: body, terminator };
  });
}

function endsBlock({ row }: Instruction): boolean {
  return row.effect === "control" || row.effect === "warp" || row.effect === "barrier";
}

function targetsOf({ operands }: Instruction): number[] {
  return operands.flatMap((operand) =>
    operand.kind === "label" ? [operand.target] : operand.kind === "targets" ? operand.targets : []
  );
}

function terminatorOf(last: Instruction, next: number, find: (target: number) => number): Terminator {
  const { row, guard } = last;
  if (row.effect !== "control") return { kind: "cut", instruction: last, to: find(next) };
  if (row.name === "exit") {
    if (guard === undefined) return { kind: "exit" };
    return { kind: "branch", ...guard, taken: EXIT, otherwise: find(next) };
  }
  const targets = targetsOf(last).map(find);
  if (row.name === "brx") return { kind: "switch", instruction: last, targets };
  const [target] = targets;
  if (target === undefined) throw new PtxError(last.line, "syntax", `${row.name}: expected a label`);
  if (guard === undefined) return { kind: "jump", to: target };
  return { kind: "branch", ...guard, taken: target, otherwise: find(next) };
}

function successorsOf(terminator: Terminator): number[] {
  switch (terminator.kind) {
    case "jump":
    case "cut":
      return [terminator.to];
    case "branch":
      return [terminator.taken, terminator.otherwise].filter((target) => target !== EXIT);
    case "switch":
      return [...new Set(terminator.targets)];
    case "exit":
      return [];
  }
}

function retarget(terminator: Terminator, to: (old: number) => number): Terminator {
  const move = (target: number): number => target === EXIT ? EXIT : to(target);
  switch (terminator.kind) {
    case "jump":
      return { kind: "jump", to: move(terminator.to) };
    case "cut":
      return { ...terminator, to: move(terminator.to) };
    case "branch":
      return { ...terminator, taken: move(terminator.taken), otherwise: move(terminator.otherwise) };
    case "switch":
      return { ...terminator, targets: terminator.targets.map(move) };
    case "exit":
      return terminator;
  }
}

/** Reverse postorder from node 0, without recursion: a hostile graph is a long path. */
export function reversePostorder(successors: readonly (readonly number[])[]): number[] {
  const seen = new Uint8Array(successors.length);
  const postorder: number[] = [];
  const stack: { node: number; next: number }[] = [{ node: 0, next: 0 }];
  seen[0] = 1;
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const list = successors[top.node] ?? [];
    // Last successor first, so that the first comes next in the final order.
    const child = list[list.length - 1 - top.next++];
    if (child === undefined) {
      postorder.push(top.node);
      stack.pop();
    } else if (seen[child] === 0) {
      seen[child] = 1;
      stack.push({ node: child, next: 0 });
    }
  }
  return postorder.reverse();
}

/** Predecessors of each node. */
export function predecessorsOf(successors: readonly (readonly number[])[]): number[][] {
  const predecessors: number[][] = successors.map(() => []);
  successors.forEach((list, from) => {
    for (const to of list) predecessors[to]?.push(from);
  });
  return predecessors;
}

/**
 * Immediate dominators of a graph whose nodes are numbered in reverse postorder; that of node 0 is 0.
 */
export function dominatorsOf(predecessors: readonly (readonly number[])[]): Int32Array {
  const idom = new Int32Array(predecessors.length).fill(-1);
  idom[0] = 0;
  const at = (node: number): number => idom[node] ?? -1;
  const meet = (left: number, right: number): number => {
    let [a, b] = [left, right];
    while (a !== b) {
      while (a > b) a = at(a);
      while (b > a) b = at(b);
    }
    return a;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (let node = 1; node < predecessors.length; node++) {
      let dominator = -1;
      for (const from of predecessors[node] ?? []) {
        if (at(from) < 0) continue;
        dominator = dominator < 0 ? from : meet(from, dominator);
      }
      if (dominator >= 0 && at(node) !== dominator) {
        idom[node] = dominator;
        changed = true;
      }
    }
  }
  return idom;
}

/** Whether one node dominates another, by the immediate dominators. */
export function dominates(idom: Int32Array, dominator: number, node: number): boolean {
  let at = node;
  // Dominators have smaller numbers in reverse postorder.
  while (at > dominator) at = idom[at] ?? 0;
  return at === dominator;
}
