/**
 * Region emitter: one region as a WebAssembly function that runs it for a range of threads.
 *
 * Owns the loop over threads, loads at the entry, saves at a cut and the fuel that loops are charged. Function: (first thread, end) -> the state that all threads that still live
 * are in, or EXITED if none is, or MIXED. Invariant: a thread's saved registers are complete whenever it waits.
 */
import type { Block, Terminator } from "../analysis/cfg.ts";
import { EXIT } from "../analysis/cfg.ts";
import { Emitter } from "./emitter.ts";
import type { Instruction } from "../kernel/ir.ts";
import { nameOf } from "../opcodes/row.ts";
import { PtxError } from "../ptx_error.ts";
import { concatBytes } from "../wasm/byte_sink.ts";
import { EXITED, MIXED } from "./region_context.ts";
import type { RegionContext } from "./region_context.ts";
import { RegionFrame } from "./region_frame.ts";
import { RegionFuel } from "./region_fuel.ts";
import { RegionSaves } from "./region_saves.ts";
import { RegionRegisters } from "./region_registers.ts";
import type { Cut, Region } from "../analysis/regions.ts";
import { emitStructured } from "./structure.ts";
import type { Code, Label } from "../wasm/code.ts";

/** Of the bits that say which cuts were come to, the one that all further cuts share. */
const LAST_CUT_BIT = 30;

/** Emits the function of one region. */
export function emitRegion(code: Code, region: Region, context: RegionContext): void {
  new RegionEmitter(code, region, context).emit();
}

class RegionEmitter {
  readonly #code: Code;
  readonly #region: Region;
  readonly #context: RegionContext;
  readonly #registers: RegionRegisters;
  readonly #frame: RegionFrame;
  readonly #emitter: Emitter;
  /** By place in the graph. */
  readonly #blocks: readonly Block[];
  readonly #places: ReadonlyMap<number, number>;
  readonly #fuel: RegionFuel;
  /** Cuts that a thread came to, a bit each; and lanes that came to a warp-wide one. */
  #seen: number | undefined;
  #arrived: number | undefined;
  /** The state that all threads come to, in kernels that keep none for each. */
  #outcome: number | undefined;
  #saves: RegionSaves | undefined;
  #threadEnd: Label | undefined;

  constructor(code: Code, region: Region, context: RegionContext) {
    this.#code = code;
    this.#region = region;
    this.#context = context;
    this.#blocks = region.graph.order.flatMap((node) => {
      const block = context.cfg.blocks[region.blocks[node] ?? -1];
      return block === undefined ? [] : [block];
    });
    this.#places = new Map(
      region.blocks.map((block, node) => [block, region.graph.placeOf[node] ?? 0] as const),
    );
    this.#registers = new RegionRegisters(region, context);
    this.#frame = new RegionFrame(code, context, this.#registers);
    this.#fuel = new RegionFuel(code, region, context, this.#blocks);
    this.#emitter = new Emitter(code, context.facts, context.parts, this.#frame);
  }

  emit(): void {
    const code = this.#code;
    const { thread } = this.#frame;
    const hasCuts = this.#context.plan.cuts.length > 0;
    if (hasCuts) this.#prepareSaving();
    const functionHead = code.mark();
    code.get(0);
    code.set(thread);
    const chargePerThread = this.#fuel.chargeAtOnce();
    const loop = code.loop();
    const threadEnd = code.block();
    this.#threadEnd = threadEnd;
    if (chargePerThread !== undefined) this.#fuel.charge(chargePerThread);
    if (hasCuts) this.#skipOthers(threadEnd);
    const threadHead = code.mark();
    emitStructured(code, this.#region.graph, {
      node: (place, go) => this.#block(place, go),
      loopHead: (header) => this.#fuel.chargeLoop(header),
    });
    code.end();
    code.get(thread);
    code.i32(1);
    code.op("i32Add");
    code.tee(thread);
    code.get(1);
    code.op("i32LtU");
    code.brIf(loop);
    code.end();
    this.#fuel.leave();
    for (const register of this.#registers.savedOnce()) this.#saves?.storeOnce(register);
    this.#answer();
    const heads = this.#heads();
    code.insert(threadHead, heads.thread);
    code.insert(functionHead, heads.function);
  }

  #block(place: number, go: (to: number) => void): void {
    const block = this.#blocks[place];
    if (block === undefined) throw new Error("Invariant: the graph's places are the region's blocks");
    this.#frame.enterBlock(block);
    block.instructions.forEach((instruction, index) => {
      if (!this.#registers.isDone(instruction)) this.#instruction(instruction);
      this.#frame.passInstruction(index);
    });
    this.#terminator(block, go);
    this.#frame.leaveBlock();
  }

  #instruction(instruction: Instruction): void {
    const code = this.#code;
    const { guard, row } = instruction;
    if (row.scalar === undefined) throw new Error(`Invariant: ${row.name} can be emitted`);
    if (guard !== undefined) {
      this.#pushPredicate(guard);
      code.if();
    }
    try {
      row.scalar(this.#emitter, instruction);
    } catch (error) {
      throw atLine(error, instruction);
    }
    if (guard !== undefined) code.end();
  }

  #pushPredicate({ register, isNegated }: { register: number; isNegated: boolean }): void {
    this.#frame.read(register);
    if (isNegated) this.#code.op("i32Eqz");
  }

  #terminator(block: Block, go: (to: number) => void): void {
    const code = this.#code;
    const { terminator } = block;
    const follow = (to: number): void => {
      if (to === EXIT) this.#exit();
      else go(this.#placeOf(to));
    };
    switch (terminator.kind) {
      case "jump":
        return follow(terminator.to);
      case "exit":
        return this.#exit();
      case "cut":
        return this.#cut(block.index);
      case "branch":
        this.#pushPredicate(terminator);
        code.if();
        follow(terminator.taken);
        code.else();
        follow(terminator.otherwise);
        code.end();
        return;
      case "switch":
        return this.#switch(terminator, follow);
    }
  }

  #switch(terminator: Terminator & { kind: "switch" }, follow: (to: number) => void): void {
    const code = this.#code;
    const [selector] = terminator.instruction.operands;
    if (selector === undefined) throw new Error("Invariant: brx has an index");
    const { targets } = terminator;
    const last = targets.at(-1) ?? EXIT;
    // One comparison a target: the ways out of a region's block are not all labels.
    const distinct = [...new Set(targets)];
    const indexOf = new Map(distinct.map((target, index) => [target, index] as const));
    const labels = distinct.map(() => code.block()).reverse();
    this.#emitter.push(selector, "u32");
    const labelOf = (target: number): Label => {
      const label = labels[indexOf.get(target) ?? 0];
      if (label === undefined) throw new Error("Invariant: every target has a label");
      return label;
    };
    // An index beyond the list is undefined; it takes the last way.
    code.brTable(targets.map(labelOf), labelOf(last));
    for (const target of distinct) {
      code.end();
      follow(target);
    }
  }

  #placeOf(block: number): number {
    return this.#places.get(block) ?? 0;
  }

  /** The thread has ended. */
  #exit(): void {
    if (this.#outcome !== undefined) this.#setOutcome(EXITED);
    else this.#saves?.storeState(EXITED);
    this.#leave();
  }

  #leave(): void {
    if (this.#threadEnd === undefined) {
      throw new Error("Invariant: a thread ends inside the loop over threads");
    }
    this.#code.br(this.#threadEnd);
  }

  /** Saves what is needed behind the cut, and waits. */
  #cut(blockIndex: number): void {
    const cut = this.#context.plan.cutOfBlock.get(blockIndex);
    const saves = this.#saves;
    if (cut === undefined || saves === undefined) throw new Error("Invariant: a cut is planned");
    for (const register of this.#registers.savedAt(cut)) saves.store(register);
    if (this.#outcome !== undefined) this.#setOutcome(cut.id + 1);
    else {
      saves.storeState(cut.id + 1);
      this.#noteArrival(cut);
    }
    this.#leave();
  }

  /** Where this thread goes, all go. */
  #setOutcome(state: number): void {
    if (this.#outcome === undefined) return;
    this.#code.i32(state);
    this.#code.set(this.#outcome);
  }

  #noteArrival(cut: Cut): void {
    const code = this.#code;
    const index = Math.min(this.#region.cuts.indexOf(cut), LAST_CUT_BIT);
    if (this.#seen !== undefined) {
      code.get(this.#seen);
      code.i32(1 << index);
      code.op("i32Or");
      code.set(this.#seen);
    }
    if (!cut.isWarp || this.#arrived === undefined) return;
    code.get(this.#arrived);
    code.i32(1);
    code.get(this.#frame.thread);
    // A shift takes its amount modulo 32: the lane.
    code.op("i32Shl", "i32Or");
    code.set(this.#arrived);
  }

  #prepareSaving(): void {
    const code = this.#code;
    this.#saves = new RegionSaves(code, this.#context, this.#frame);
    if (this.#context.isConvergent) {
      this.#outcome = code.local("i32");
      return;
    }
    if (this.#region.cuts.length > 0) this.#seen = code.local("i32");
    if (this.#region.cuts.some((cut) => cut.isWarp)) this.#arrived = code.local("i32");
  }

  /** Only threads that wait for this region run it. */
  #skipOthers(threadEnd: Label): void {
    this.#saves?.enterThread();
    // All threads of a block begin with region 0, and no thread comes back to it.
    if (this.#region.index === 0 || this.#context.isConvergent) return;
    this.#saves?.pushIsElsewhere(this.#region.index);
    if (this.#saves !== undefined) this.#code.brIf(threadEnd);
  }

  /** What comes before the loop over threads and at the head of each turn; known once the body is emitted. */
  #heads(): { readonly function: Uint8Array; readonly thread: Uint8Array } {
    const code = this.#code;
    const { constants } = this.#context;
    const compute = (register: number): void => {
      const instruction = constants.get(register)?.instruction;
      if (instruction !== undefined) this.#instruction(instruction);
    };
    // What is computed may ask for special values; those are emitted in front of it, and so captured after it.
    const once = this.#registers.loadedOnce().map((entry) => ({
      ...entry,
      local: this.#saves?.commonLocal(entry),
    }));
    const loadsOnce = code.capture(() => {
      for (const { register, local } of once) this.#saves?.loadOnce(register, local);
    });
    const loads = code.capture(() => {
      for (const { register, local } of once) {
        if (local === undefined) continue;
        // A thread that writes it must not change it for the next.
        code.get(local);
        this.#frame.write(register);
      }
      for (const register of this.#registers.loaded()) this.#saves?.load(register);
    });
    const recomputed = code.capture(() => this.#registers.recomputed.forEach(compute));
    const hoisted = code.capture(() => this.#registers.hoisted.forEach(compute));
    const ofThread = code.capture(() => this.#frame.computeSpecials("thread"));
    const before = code.capture(() => {
      this.#saves?.enter();
      this.#fuel.enter();
      this.#frame.computeSpecials("function");
    });
    return {
      function: concatBytes(before, loadsOnce, hoisted),
      thread: concatBytes(ofThread, loads, recomputed),
    };
  }

  /** The state that all threads are in. */
  #answer(): void {
    const code = this.#code;
    const { parts } = this.#context;
    const { cuts } = this.#region;
    if (this.#arrived !== undefined) {
      code.get(this.#arrived);
      code.globalSet(parts.globals.arrived);
    }
    if (this.#outcome !== undefined) return code.get(this.#outcome);
    const seen = this.#seen;
    if (seen === undefined) return code.i32(EXITED);
    // Nobody waits; or all at one cut, whose bit says which; the last bit is shared by all beyond.
    const answer = code.local("i32");
    code.i32(EXITED);
    code.set(answer);
    code.get(seen);
    code.if();
    code.i32(MIXED);
    code.set(answer);
    cuts.slice(0, cuts.length > LAST_CUT_BIT + 1 ? LAST_CUT_BIT : LAST_CUT_BIT + 1).forEach((cut, index) => {
      code.i32(cut.id + 1);
      code.get(answer);
      code.get(seen);
      code.i32(1 << index);
      code.op("i32Eq", "select");
      code.set(answer);
    });
    code.end();
    code.get(answer);
  }
}

/** Operands do not know where they stand. */
function atLine(error: unknown, instruction: Instruction): unknown {
  if (!(error instanceof PtxError) || error.line > 0) return error;
  return new PtxError(instruction.line, error.kind, `${nameOf(instruction)}: ${error.message}`);
}
