/**
 * Program: the decoded functions of a module, for one machine.
 *
 * Owns cutting bodies into basic blocks and handing instructions to the files that know them. Functions are
 * decoded when something first calls them. Invariant: an instruction that no file knows is an Error with its
 * name, at decoding, also if it would never run.
 */
import type { PtxFunction, PtxInstruction } from "../../../../gpu/ptx/ast.ts";
import { Barriers } from "./barrier.ts";
import { controlEnd } from "./control.ts";
import type { Layout } from "./layout.ts";
import type { Machine } from "./machine.ts";
import { stepOf } from "./opcodes.ts";
import { Scope } from "./scope.ts";
import { Site } from "./site.ts";
import type { Block, FrameCode, Step, Thread } from "./thread.ts";

/** A decoded function. */
export interface FunctionCode extends FrameCode {
  readonly fn: PtxFunction;
  readonly scope: Scope;
  readonly entry: Block;
}

/** Instructions of a function, at most; places of functions lie this far apart. */
const PLACES_PER_FUNCTION = 1e7;

/** Decides at the end of a block where to go; `next` is the block that follows in the text. */
export type End = (thread: Thread) => Block | undefined;

export class Program {
  readonly machine: Machine;
  readonly layout: Layout;
  readonly barriers = new Barriers();
  readonly #codes = new Map<string, FunctionCode>();

  constructor(machine: Machine, layout: Layout) {
    this.machine = machine;
    this.layout = layout;
  }

  /** The code of a function with a body. */
  codeOf(fn: PtxFunction): FunctionCode {
    const known = this.#codes.get(fn.name);
    if (known !== undefined) return known;
    const scope = new Scope(this.machine, this.layout, fn);
    const entry: Block = { steps: [], cost: 0, end: () => undefined };
    const code: FunctionCode = {
      fn,
      scope,
      entry,
      name: fn.name,
      localBytes: scope.localBytes,
      get slotCount() {
        return scope.slotCount;
      },
    };
    // Known before its body is, for calls of itself.
    this.#codes.set(fn.name, code);
    this.#decode(scope, fn, entry, this.#codes.size * PLACES_PER_FUNCTION);
    return code;
  }

  /** Functions that have been decoded so far. */
  codes(): readonly FunctionCode[] {
    return [...this.#codes.values()];
  }

  #decode(scope: Scope, fn: PtxFunction, entry: Block, firstPlace: number): void {
    const instructions = fn.body?.instructions ?? [];
    const blocks = new Map<number, Block>([[0, entry]]);
    const blockAt = (index: number): Block => {
      let block = blocks.get(index);
      if (block === undefined) {
        block = { steps: [], cost: 0, end: () => undefined };
        blocks.set(index, block);
      }
      return block;
    };
    const starts = new Set([0, ...(fn.body?.labels.values() ?? [])]);
    for (const instruction of instructions) for (const target of targetsOf(instruction)) starts.add(target);
    let block: Block | undefined = entry;
    for (const [index, ins] of instructions.entries()) {
      if (starts.has(index) || block === undefined) {
        const start: Block = blockAt(index);
        if (block !== undefined && block !== start) block.end = () => start;
        block = start;
      }
      const site = new Site(this.machine, scope, ins, firstPlace + index);
      const next = (): Block => blockAt(index + 1);
      const end = controlEnd(this, site, blockAt, next);
      block.cost++;
      if (end === undefined) {
        block.steps.push(...guarded(site, stepOf(site)));
      } else {
        block.steps.push(...site.before);
        block.end = guardedEnd(site, end, next());
        block = undefined;
      }
    }
    // Falling off the end is a return.
    const last = blockAt(instructions.length);
    if (block !== undefined && block !== last) block.end = () => last;
    const returns = controlEnd(this, new Site(this.machine, scope, RETURN, firstPlace), blockAt, () => last);
    if (returns !== undefined) last.end = returns;
  }
}

const RETURN: PtxInstruction = { line: 0, guard: undefined, opcode: "ret", modifiers: [], operands: [] };

function targetsOf(instruction: PtxInstruction): readonly number[] {
  return instruction.operands.flatMap((each) => {
    if (each.kind === "label") return [each.target];
    return each.kind === "targets" ? each.targets : [];
  });
}

/** What reads the operands first, then the step, each under the guard. */
function guarded(site: Site, step: Step): readonly Step[] {
  const { guard } = site.ins;
  if (guard === undefined) return [...site.before, step];
  const { u32 } = site.registers;
  const slot = site.scope.slotOf(guard.register);
  if (guard.isNegated) {
    return [...site.before, (t) => {
      if (u32[(t.base + slot) << 1] === 0) step(t);
    }];
  }
  return [...site.before, (t) => {
    if (u32[(t.base + slot) << 1] !== 0) step(t);
  }];
}

function guardedEnd(site: Site, end: End, next: Block): End {
  const { guard } = site.ins;
  if (guard === undefined) return end;
  const { u32 } = site.registers;
  const slot = site.scope.slotOf(guard.register);
  const wanted = guard.isNegated ? 0 : 1;
  return (t) => ((u32[(t.base + slot) << 1] === 0 ? 0 : 1) === wanted ? end(t) : next);
}
