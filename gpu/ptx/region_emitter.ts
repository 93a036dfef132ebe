/**
 * Region emitter: one region as a WebAssembly function that runs it for a range of threads.
 *
 * Owns the loop over threads, which registers are in locals, what is loaded at the entry and saved at a cut, and
 * the fuel that loops are charged. Function: (first thread, end) -> the state that all threads that still live
 * are in, or EXITED if none is, or MIXED. Invariant: a thread's saved registers are complete whenever it waits.
 */
import type { Block, Cfg, Terminator } from "./cfg.ts";
import { EXIT } from "./cfg.ts";
import type { ThreadConstant } from "./thread_constants.ts";
import { Emitter } from "./emitter.ts";
import type { Frame, SpecialName } from "./emitter.ts";
import type { KernelFacts } from "./facts.ts";
import type { Instruction } from "./ir.ts";
import { storageOf } from "./ir.ts";
import type { Liveness } from "./liveness.ts";
import { terminatorUses } from "./liveness.ts";
import type { ModuleParts } from "./module_parts.ts";
import type { Cut, Region, RegionPlan } from "./regions.ts";
import type { SavedLayout } from "./saved.ts";
import { emitStructured, loopBodies } from "./structure.ts";
import type { Code, Label } from "./wasm/code.ts";
import type { MemoryOpName, ValueName } from "./wasm/opcode.ts";

/** State of a thread that has ended, and answer of a region whose threads all have. */
export const EXITED = -1;
/** Answer of a region whose threads are in different states. */
export const MIXED = -2;

/** What all regions of a kernel share. */
export interface RegionContext {
  readonly cfg: Cfg;
  readonly facts: KernelFacts;
  readonly parts: ModuleParts;
  readonly saved: SavedLayout;
  readonly plan: RegionPlan;
  readonly liveness: Liveness;
  readonly constants: ReadonlyMap<number, ThreadConstant>;
}

/** Fuel that one call may use before it asks; more is charged thread by thread. */
const CHARGE_AT_ONCE_MAX = 200_000;

/** Emits the function of one region. */
export function emitRegion(code: Code, region: Region, context: RegionContext): void {
  new RegionEmitter(code, region, context).emit();
}

class RegionEmitter implements Frame {
  readonly #code: Code;
  readonly #region: Region;
  readonly #context: RegionContext;
  readonly #emitter: Emitter;
  readonly #blocks: readonly Block[];
  /** Locals that stay for the function, by register, and those of the block that is being emitted. */
  readonly #locals = new Map<number, number>();
  readonly #blockLocals = new Map<number, number>();
  readonly #specials = new Map<SpecialName, number>();
  readonly #specialOrder: SpecialName[] = [];
  /** Registers computed before the loop over threads, and those at the head of each thread's turn. */
  readonly #hoisted: number[] = [];
  readonly #recomputed: number[] = [];
  /** Places in the graph by block of the kernel. */
  readonly #places: ReadonlyMap<number, number>;
  readonly #written = new Set<number>();
  readonly #read = new Set<number>();
  readonly #thread: number;
  readonly #fuel: number;
  #seen: number | undefined;
  #arrived: number | undefined;
  #save: { base: number; place4: number; place8: number } | undefined;
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
    this.#thread = code.local("i32");
    this.#fuel = code.local("i32");
    this.#emitter = new Emitter(code, context.facts, context.parts, this);
    this.#noteRegisters();
  }

  read(register: number): void {
    this.#code.get(this.#localOf(register));
  }

  write(register: number): void {
    this.#code.set(this.#localOf(register));
  }

  special(name: SpecialName): number {
    if (name === "thread") return this.#thread;
    const known = this.#specials.get(name);
    if (known !== undefined) return known;
    const { block } = this.#context.facts;
    if (name === "tid.x" && block.y === 1 && block.z === 1) return this.#thread;
    const local = this.#code.local(isNarrowSpecial(name) ? "i32" : "i64");
    this.#specials.set(name, local);
    this.#specialOrder.push(name);
    return local;
  }

  emit(): void {
    const code = this.#code;
    const { parts, plan } = this.#context;
    const hasCuts = plan.cuts.length > 0;
    if (hasCuts) this.#prepareSaving();
    const functionHead = code.mark();
    code.get(0);
    code.set(this.#thread);
    const cost = this.#threadCost();
    const isLoopFree = this.#region.graph.headers.size === 0;
    const group = plan.warpCutCount > 0 ? 32 : this.#context.facts.threads;
    const chargesAtOnce = isLoopFree && cost * group <= CHARGE_AT_ONCE_MAX;
    if (chargesAtOnce) this.#charge(Math.max(1, cost * group));
    const loop = code.loop();
    const threadEnd = code.block();
    this.#threadEnd = threadEnd;
    if (!chargesAtOnce) this.#charge(Math.max(1, cost));
    if (hasCuts) this.#skipOthers(threadEnd);
    const threadHead = code.mark();
    emitStructured(code, this.#region.graph, {
      node: (place, go) => this.#block(place, go),
      loopHead: (header) => this.#charge(this.#loopCosts.get(header) ?? 1),
    });
    code.end();
    code.get(this.#thread);
    code.i32(1);
    code.op("i32Add");
    code.tee(this.#thread);
    code.get(1);
    code.op("i32LtU");
    code.brIf(loop);
    code.end();
    code.get(this.#fuel);
    code.globalSet(parts.globals.fuel);
    this.#answer();
    const heads = this.#heads();
    code.insert(threadHead, heads.thread);
    code.insert(functionHead, heads.function);
  }

  /** Loop bodies' costs, by header. */
  readonly #loopCosts = new Map<number, number>();

  /** Instructions outside of loops; fills in those of the loops. */
  #threadCost(): number {
    const inLoop = new Set<number>();
    const costOf = (place: number): number => (this.#blocks[place]?.instructions.length ?? 0) + 1;
    for (const [header, places] of loopBodies(this.#region.graph)) {
      for (const place of places) inLoop.add(place);
      this.#loopCosts.set(header, places.reduce((sum, place) => sum + costOf(place), 0));
    }
    return this.#blocks.reduce((sum, _, place) => inLoop.has(place) ? sum : sum + costOf(place), 0);
  }

  #charge(cost: number): void {
    const code = this.#code;
    code.get(this.#fuel);
    code.i32(cost);
    code.op("i32Sub");
    code.tee(this.#fuel);
    code.i32(0);
    code.op("i32LtS");
    code.if();
    code.get(this.#fuel);
    code.call(this.#context.parts.functions.refuel);
    code.set(this.#fuel);
    code.end();
  }

  /** Which registers the region reads and writes, and which of them are had without being saved. */
  #noteRegisters(): void {
    const { constants } = this.#context;
    const hoisted = new Set<number>();
    const recomputed = new Set<number>();
    const need = (register: number): void => {
      const constant = constants.get(register);
      if (constant === undefined || hoisted.has(register) || recomputed.has(register)) return;
      for (const use of constant.instruction.uses) need(use);
      // Sets keep the order in which they were filled: operands first.
      if (constant.isUniform) hoisted.add(register);
      else recomputed.add(register);
    };
    const defined = new Set<number>();
    for (const { instructions, terminator } of this.#blocks) {
      for (const { uses, defs } of instructions) {
        for (const use of uses) this.#read.add(use);
        for (const def of defs) this.#written.add(def);
        for (const def of defs) defined.add(def);
      }
      for (const use of terminatorUses(terminator)) this.#read.add(use);
    }
    const entry = this.#context.liveness.liveIn[this.#region.blocks[0] ?? 0];
    for (const register of this.#read) {
      const constant = constants.get(register);
      if (constant === undefined) continue;
      // A varying one that the region itself computes before it reads it stays where it is.
      if (constant.isUniform || !defined.has(register) || entry?.has(register) === true) need(register);
    }
    for (const register of recomputed) if (defined.has(register)) this.#early.add(register);
    this.#hoisted.push(...hoisted);
    this.#recomputed.push(...recomputed);
  }

  /** Computed at the head although the region has their instruction: something at the head needs them. */
  readonly #early = new Set<number>();

  #localOf(register: number): number {
    const known = this.#locals.get(register) ?? this.#blockLocals.get(register);
    if (known !== undefined) return known;
    const storage = this.#storageOf(register);
    const staysInBlock = (this.#context.liveness.universe.places[register] ?? -1) < 0 &&
      !this.#isHoisted(register);
    const local = staysInBlock && this.#isInBlock ? this.#code.temp(storage) : this.#code.local(storage);
    if (staysInBlock && this.#isInBlock) this.#blockLocals.set(register, local);
    else this.#locals.set(register, local);
    return local;
  }

  #isInBlock = false;

  #isHoisted(register: number): boolean {
    const constant = this.#context.constants.get(register);
    return constant !== undefined && (constant.isUniform || this.#early.has(register) ||
      this.#recomputed.includes(register));
  }

  #storageOf(register: number): ValueName {
    return storageOf(this.#context.facts.kernel.registers[register] ?? "b32");
  }

  #block(place: number, go: (to: number) => void): void {
    const block = this.#blocks[place];
    if (block === undefined) throw new Error("Invariant: the graph's places are the region's blocks");
    const lastUse = this.#lastUses(block);
    this.#isInBlock = true;
    block.instructions.forEach((instruction, index) => {
      const [def] = instruction.defs;
      const constant = def === undefined ? undefined : this.#context.constants.get(def);
      const isDone = constant?.instruction === instruction && def !== undefined &&
        (constant.isUniform || this.#early.has(def));
      if (!isDone) this.#instruction(instruction);
      this.#releaseAt(lastUse, index);
    });
    this.#terminator(block, go);
    for (const [register, local] of this.#blockLocals) this.#code.release(this.#storageOf(register), local);
    this.#blockLocals.clear();
    this.#isInBlock = false;
  }

  /** Registers by the index of the instruction that touches them last; what the terminator needs stays. */
  #lastUses(block: Block): ReadonlyMap<number, readonly number[]> {
    const last = new Map<number, number>();
    block.instructions.forEach(({ uses, defs }, index) => {
      for (const register of uses) last.set(register, index);
      for (const register of defs) last.set(register, index);
    });
    for (const register of terminatorUses(block.terminator)) last.delete(register);
    const byIndex = new Map<number, number[]>();
    for (const [register, index] of last) {
      const list = byIndex.get(index);
      if (list === undefined) byIndex.set(index, [register]);
      else list.push(register);
    }
    return byIndex;
  }

  #releaseAt(lastUse: ReadonlyMap<number, readonly number[]>, index: number): void {
    for (const register of lastUse.get(index) ?? []) {
      const local = this.#blockLocals.get(register);
      if (local === undefined) continue;
      this.#code.release(this.#storageOf(register), local);
      this.#blockLocals.delete(register);
    }
  }

  #instruction(instruction: Instruction): void {
    const code = this.#code;
    const { guard, row } = instruction;
    if (row.scalar === undefined) throw new Error(`Invariant: ${row.name} can be emitted`);
    if (guard === undefined) return row.scalar(this.#emitter, instruction);
    this.#pushPredicate(guard);
    code.if();
    row.scalar(this.#emitter, instruction);
    code.end();
  }

  #pushPredicate({ register, isNegated }: { register: number; isNegated: boolean }): void {
    this.read(register);
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
    if (this.#save !== undefined) this.#storeState(EXITED);
    this.#leave();
  }

  #leave(): void {
    if (this.#threadEnd === undefined) {
      throw new Error("Invariant: a thread ends inside the loop over threads");
    }
    this.#code.br(this.#threadEnd);
  }

  #storeState(state: number): void {
    const { saved } = this.#context;
    if (this.#save === undefined) return;
    this.#code.get(this.#save.place4);
    this.#code.i32(state);
    this.#code.memory("i32Store", saved.states);
  }

  /** Saves what is needed behind the cut, and waits. */
  #cut(blockIndex: number): void {
    const code = this.#code;
    const { plan, saved } = this.#context;
    const cut = plan.cutOfBlock.get(blockIndex);
    const save = this.#save;
    if (cut === undefined || save === undefined) throw new Error("Invariant: a cut is planned");
    for (const register of this.#savedAt(cut)) {
      const storage = this.#storageOf(register);
      const place = saved.bytesOf(register) === 8 ? save.place8 : save.place4;
      code.get(place);
      this.read(register);
      code.memory(`${storage}Store` as MemoryOpName, saved.offsetOf(register));
    }
    this.#storeState(cut.id + 1);
    const index = Math.min(this.#region.cuts.indexOf(cut), 30);
    if (this.#seen !== undefined) {
      code.get(this.#seen);
      code.i32(1 << index);
      code.op("i32Or");
      code.set(this.#seen);
    }
    if (cut.isWarp && this.#arrived !== undefined) {
      code.get(this.#arrived);
      code.i32(1);
      code.get(this.#thread);
      // A shift takes its amount modulo 32: the lane.
      code.op("i32Shl", "i32Or");
      code.set(this.#arrived);
    }
    this.#leave();
  }

  /** Registers that this region may have changed and that are read behind the cut or by it. */
  #savedAt(cut: Cut): number[] {
    const { liveness, cfg, constants } = this.#context;
    const to = cfg.blocks[cut.block]?.successors[0] ?? 0;
    const live = new Set<number>(liveness.liveIn[to] ?? []);
    for (const def of cut.instruction.defs) live.delete(def);
    const needed = new Set<number>();
    for (const register of live) {
      if (this.#written.has(register) && !constants.has(register)) needed.add(register);
    }
    // What the gathered instruction reads must lie in memory even if it could be computed again.
    for (const use of cut.instruction.uses) {
      if (this.#written.has(use) || constants.has(use)) needed.add(use);
    }
    return [...needed];
  }

  #prepareSaving(): void {
    const code = this.#code;
    this.#save = { base: code.local("i64"), place4: code.local("i64"), place8: code.local("i64") };
    if (this.#region.cuts.length > 0) this.#seen = code.local("i32");
    if (this.#region.cuts.some((cut) => cut.isWarp)) this.#arrived = code.local("i32");
  }

  /** Only threads that wait for this region run it. */
  #skipOthers(threadEnd: Label): void {
    const code = this.#code;
    const save = this.#save;
    if (save === undefined) return;
    code.get(save.base);
    code.get(this.#thread);
    code.op("i64ExtendI32U");
    code.tee(save.place8);
    code.i64(2n);
    code.op("i64Shl", "i64Add");
    code.tee(save.place4);
    code.memory("i32Load", this.#context.saved.states);
    code.i32(this.#region.index);
    code.op("i32Ne");
    code.brIf(threadEnd);
    code.get(save.base);
    code.get(save.place8);
    code.i64(3n);
    code.op("i64Shl", "i64Add");
    code.set(save.place8);
  }

  /** What comes before the loop over threads and at the head of each turn; known once the body is emitted. */
  #heads(): { function: Uint8Array; thread: Uint8Array } {
    const code = this.#code;
    const { constants } = this.#context;
    const compute = (register: number): void => {
      const instruction = constants.get(register)?.instruction;
      if (instruction !== undefined) this.#instruction(instruction);
    };
    const loads = code.capture(() => this.#loadSaved());
    const recomputed = code.capture(() => this.#recomputed.forEach(compute));
    const hoisted = code.capture(() => this.#hoisted.forEach(compute));
    const perThread = this.#specialOrder.filter(isPerThread);
    const thread = code.capture(() => perThread.forEach((name) => this.#computeSpecial(name)));
    const before = code.capture(() => {
      const save = this.#save;
      if (save !== undefined) {
        code.globalGet(this.#context.parts.globals.saveBase);
        code.set(save.base);
      }
      code.globalGet(this.#context.parts.globals.fuel);
      code.set(this.#fuel);
      for (const name of this.#specialOrder) if (!isPerThread(name)) this.#computeSpecial(name);
    });
    return { function: join(before, hoisted), thread: join(thread, loads, recomputed) };
  }

  #computeSpecial(name: SpecialName): void {
    const code = this.#code;
    const { parts, facts } = this.#context;
    const local = this.#specials.get(name);
    if (local === undefined || name === "thread") return;
    const { x, y } = facts.block;
    switch (name) {
      case "tid.x":
        code.get(this.#thread);
        code.i32(x);
        code.op("i32RemU");
        break;
      case "tid.y":
        code.get(this.#thread);
        code.i32(x);
        code.op("i32DivU");
        if (facts.block.z === 1) break;
        code.i32(y);
        code.op("i32RemU");
        break;
      case "tid.z":
        code.get(this.#thread);
        code.i32(x * y);
        code.op("i32DivU");
        break;
      case "localBase":
        code.globalGet(parts.globals.localBase);
        code.get(this.#thread);
        code.op("i64ExtendI32U");
        code.i64(BigInt(facts.kernel.localBytes));
        code.op("i64Mul", "i64Add");
        break;
      default:
        code.globalGet(parts.globals[name]);
    }
    code.set(local);
  }

  #loadSaved(): void {
    const code = this.#code;
    const { liveness, constants, saved } = this.#context;
    const save = this.#save;
    if (save === undefined || this.#region.index === 0) return;
    for (const register of liveness.liveIn[this.#region.blocks[0] ?? 0] ?? []) {
      if (constants.has(register) || !(this.#read.has(register) || this.#written.has(register))) continue;
      code.get(saved.bytesOf(register) === 8 ? save.place8 : save.place4);
      code.memory(`${this.#storageOf(register)}Load` as MemoryOpName, saved.offsetOf(register));
      this.write(register);
    }
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
    const seen = this.#seen;
    if (seen === undefined) return code.i32(EXITED);
    // Nobody waits; or all at one cut, whose bit says which; cuts beyond the 30th share a bit.
    const answer = code.local("i32");
    code.i32(EXITED);
    code.set(answer);
    code.get(seen);
    code.if();
    code.i32(MIXED);
    code.set(answer);
    cuts.slice(0, cuts.length > 31 ? 30 : 31).forEach((cut, index) => {
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

function isNarrowSpecial(name: SpecialName): boolean {
  return !name.endsWith("Base");
}

function isPerThread(name: SpecialName): boolean {
  return name.startsWith("tid.") || name === "localBase";
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
