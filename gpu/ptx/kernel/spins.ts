/**
 * Spins: loops in which a thread waits for what another one writes.
 *
 * Owns finding them and the pseudo instruction on their way back, at which the threads of the block go on in
 * turns: a thread runs until it waits, and one that spins would keep the one that it waits for from running. A
 * spin writes nothing but by atomics, the same each time, and every way out of it depends on what it reads anew.
 * Invariant: other loops stay as they are.
 */
import { buildCfg } from "../analysis/cfg.ts";
import type { Block } from "../analysis/cfg.ts";
import { synthetic } from "./flatten.ts";
import type { Instruction, Kernel } from "./ir.ts";
import { YIELD } from "../opcodes/barrier.ts";
import { findRow } from "../opcodes/mod.ts";
import { accept } from "../opcodes/row.ts";
import { terminatorUses } from "../analysis/liveness.ts";
import { loopBodies, orderGraph } from "../emit/structure.ts";

/** What a spin may do besides computing and reading. */
const WRITES: ReadonlySet<string> = new Set(["atom", "fence", "membar", "nanosleep", "prefetch"]);
/** Words of a load that sees what other threads have written since. */
const FRESH: readonly string[] = ["volatile", "acquire", "relaxed", "mmio"];

/** The kernel with a yield in every spin. */
export function yieldInSpins(kernel: Kernel): Kernel {
  if (!kernel.instructions.some(isFresh) || !hasBackwardBranch(kernel.instructions)) return kernel;
  const cfg = buildCfg(kernel);
  const graph = orderGraph({ successors: cfg.blocks.map(({ successors }) => successors) });
  const heads = new Map<number, ReadonlySet<number>>();
  for (const [header, places] of loopBodies(graph)) {
    const blocks = places.flatMap((place) => cfg.blocks[graph.order[place] ?? 0] ?? []);
    const first = cfg.blocks[graph.order[header] ?? 0];
    if (first === undefined || !isSpin(blocks)) continue;
    const inside = new Set<number>();
    for (const { start, instructions } of blocks) {
      // What ends a block stands behind its instructions; where nothing does, the next block begins there.
      for (let index = 0; index <= instructions.length; index++) inside.add(start + index);
    }
    heads.set(first.start, inside);
  }
  return heads.size === 0 ? kernel : { ...kernel, instructions: rewrite(kernel.instructions, heads) };
}

function isFresh({ row, modifiers }: Instruction): boolean {
  if (row.name === "atom") return true;
  return row.name === "ld" && modifiers.some((word) => FRESH.includes(word));
}

function hasBackwardBranch(instructions: readonly Instruction[]): boolean {
  return instructions.some(({ operands }, index) =>
    operands.some((operand) => operand.kind === "label" && operand.target <= index)
  );
}

function isSpin(body: readonly Block[]): boolean {
  if (body.some(({ terminator }) => terminator.kind === "cut")) return false;
  const inside = new Set(body.map(({ index }) => index));
  const instructions = body.flatMap((block) => block.instructions);
  if (
    instructions.some(({ row }) => row.effect !== "pure" && row.effect !== "read" && !WRITES.has(row.name))
  ) {
    return false;
  }
  // Who tries to exchange what he has just read, until nobody came between, needs nobody else to go on.
  const isRead = ({ row }: Instruction): boolean => row.effect === "read" || row.name === "atom";
  const read = closure(instructions, isRead);
  if (instructions.some(({ row, uses }) => row.name === "atom" && uses.some((use) => read.has(use)))) {
    return false;
  }
  const fresh = closure(instructions, isFresh);
  const exits = body.filter(({ successors, terminator }) =>
    terminator.kind === "exit" || successors.some((to) => !inside.has(to)) ||
    (terminator.kind === "branch" && successors.length < 2)
  );
  return exits.length > 0 &&
    exits.every(({ terminator }) => [...terminatorUses(terminator)].some((use) => fresh.has(use)));
}

/** Registers that depend on what some of the instructions give. */
function closure(
  instructions: readonly Instruction[],
  isSource: (instruction: Instruction) => boolean,
): ReadonlySet<number> {
  const found = new Set<number>();
  for (let size = -1; size !== found.size;) {
    size = found.size;
    for (const instruction of instructions) {
      if (!isSource(instruction) && !instruction.uses.some((use) => found.has(use))) continue;
      for (const def of instruction.defs) found.add(def);
    }
  }
  return found;
}

/** Puts a yield before each head, which only ways from inside of its loop come through. */
function rewrite(
  instructions: readonly Instruction[],
  heads: ReadonlyMap<number, ReadonlySet<number>>,
): Instruction[] {
  const [bra, pause] = [findRow("bra"), findRow(YIELD)];
  if (bra === undefined || pause === undefined) throw new Error("Invariant: the table has bra and the yield");
  // Where an instruction stands afterwards, and for a head where its yield does.
  const moved: number[] = [];
  const yields = new Map<number, number>();
  let at = 0;
  instructions.forEach((_, index) => {
    const inside = heads.get(index);
    if (inside !== undefined) {
      if (!inside.has(index - 1)) at++;
      yields.set(index, at++);
    }
    moved.push(at++);
  });
  const place = (target: number, from: number): number => {
    const isBack = heads.get(target)?.has(from) === true;
    return (isBack ? yields.get(target) : moved[target]) ?? at;
  };
  return instructions.flatMap((instruction, index): Instruction[] => {
    const operands = instruction.operands.map((operand) => {
      if (operand.kind === "label") return { ...operand, target: place(operand.target, index) };
      if (operand.kind !== "targets") return operand;
      return { ...operand, targets: operand.targets.map((target) => place(target, index)) };
    });
    const same = { ...instruction, operands };
    const inside = heads.get(index);
    if (inside === undefined) return [same];
    const { line } = instruction;
    const rest = accept(pause, synthetic(line, YIELD, []), []);
    if (inside.has(index - 1)) return [rest, same];
    const label = { kind: "label", name: "", target: moved[index] ?? at } as const;
    return [accept(bra, synthetic(line, "bra", []), [label]), rest, same];
  });
}
