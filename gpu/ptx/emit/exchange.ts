/**
 * Exchange: emits what the lanes of a warp do together, once they are gathered.
 *
 * Owns a function (first thread of the warp, lanes that take part) in which the registers of any lane can be
 * read and written: they are saved in memory at that moment. The opcode table says what is done. Invariant: a
 * lane that does not take part is neither read nor written by `forEachLane`.
 */
import type { PtxOperand, PtxType } from "../ast.ts";
import { Emitter } from "./emitter.ts";
import type { Frame, SpecialName } from "./emitter.ts";
import type { KernelFacts } from "../analysis/facts.ts";
import type { ModuleParts } from "./module_parts.ts";
import type { SavedLayout } from "./saved.ts";
import type { Code } from "../wasm/code.ts";
import type { MemoryOpName } from "../wasm/opcode.ts";
import { WholeWarp } from "./whole_warp.ts";

/** Emits one exchange function; parameters are local 0, the warp's first thread, and local 1, the lanes. */
export class Exchange {
  readonly code: Code;
  /** Emits for the lane that `forEachLane` or `at` is at. */
  readonly emitter: Emitter;
  readonly parts: ModuleParts;
  readonly #saved: SavedLayout;
  readonly #saveBase: number;
  readonly #specials = new Map<SpecialName, number>();
  /** The local that holds the number of the lane that is spoken of. */
  #lane: number | undefined;
  #who = 1;

  constructor(code: Code, facts: KernelFacts, parts: ModuleParts, saved: SavedLayout) {
    this.code = code;
    this.parts = parts;
    this.#saved = saved;
    this.#saveBase = code.local("i64");
    code.globalGet(parts.globals.saveBase);
    code.set(this.#saveBase);
    const frame: Frame = {
      read: (register) => this.#read(register),
      write: (register) => this.#write(register),
      special: (name) => this.#special(name),
    };
    this.emitter = new Emitter(code, facts, parts, frame);
  }

  /**
   * Emits `body` for each lane that takes part, lowest first; it is given the local of the lane's number.
   *
   * @param lanes a local with the lanes to go through, if it is not all that take part
   */
  forEachLane(body: (lane: number) => void, lanes = this.who): void {
    const { code } = this;
    const lane = code.temp("i32");
    const rest = code.temp("i32");
    code.get(lanes);
    code.set(rest);
    const end = code.block();
    const loop = code.loop();
    code.get(rest);
    code.op("i32Eqz");
    code.brIf(end);
    code.get(rest);
    code.op("i32Ctz");
    code.set(lane);
    code.get(rest);
    code.get(rest);
    code.i32(1);
    code.op("i32Sub", "i32And");
    code.set(rest);
    this.at(lane, () => body(lane));
    code.br(loop);
    code.end();
    code.end();
    code.release("i32", lane);
    code.release("i32", rest);
  }

  /** The local that holds the lanes that take part, bit by bit. */
  get who(): number {
    return this.#who;
  }

  /**
   * Emits `body` for each team: lanes that named one another as members take part together, without those that
   * came at the same time with other members. `who` is the team while the body is emitted.
   */
  forEachTeam(members: PtxOperand | undefined, body: () => void): void {
    const isEverybody = members?.kind === "integer" && BigInt.asUintN(32, members.value) === 0xffff_ffffn;
    if (members === undefined || isEverybody) return body();
    const { code } = this;
    const [rest, team, leader] = [code.temp("i32"), code.temp("i32"), code.temp("i32")];
    code.get(this.who);
    code.set(rest);
    const loop = code.loop();
    code.get(rest);
    code.op("i32Ctz");
    code.set(leader);
    code.i32(1);
    code.get(leader);
    code.op("i32Shl");
    this.at(leader, () => this.emitter.push(members, "b32"));
    code.get(rest);
    code.op("i32And", "i32Or");
    code.tee(team);
    code.get(rest);
    code.op("i32Xor");
    code.set(rest);
    const before = this.#who;
    this.#who = team;
    body();
    this.#who = before;
    code.get(rest);
    code.brIf(loop);
    code.end();
    for (const local of [rest, team, leader]) code.release("i32", local);
  }

  /** Emits `body` with `emitter` speaking of the lane whose number is in a local. */
  at(lane: number, body: () => void): void {
    const before = this.#lane;
    this.#lane = lane;
    body();
    this.#lane = before;
  }

  /** Emits one way for a warp of which every lane takes part, and another for any other. */
  ifWhole(whole: (warp: WholeWarp) => void, otherwise: () => void): void {
    const { code } = this;
    code.get(this.who);
    code.i32(-1);
    code.op("i32Eq");
    code.if();
    const row = code.temp("i64");
    code.get(this.#saveBase);
    code.get(0);
    code.i32(2);
    code.op("i32Shl", "i64ExtendI32U", "i64Add");
    code.set(row);
    whole(new WholeWarp(code, this.#saved, row));
    code.release("i64", row);
    code.else();
    otherwise();
    code.end();
  }

  /** Whether the 32 values of an operand can be had as vectors: see WholeWarp.quadsOf. */
  hasQuads(operand: PtxOperand | undefined): boolean {
    return new WholeWarp(this.code, this.#saved, 0).quadsOf(operand) !== undefined;
  }

  /** Writes the i32 in a local to the result of every lane that takes part. */
  setAll(operand: PtxOperand, type: PtxType, value: number): void {
    if (operand.kind !== "register") return;
    const { code } = this;
    const each = (): void =>
      this.forEachLane(() => {
        code.get(value);
        this.emitter.set(operand, type);
      });
    if (!this.hasQuads(operand)) return each();
    this.ifWhole((warp) => {
      const vector = code.temp("v128");
      code.get(value);
      code.op("i32x4Splat");
      code.set(vector);
      warp.fill(operand.register, vector);
      code.release("v128", vector);
    }, each);
  }

  /** Pushes the place of the scratch memory, SCRATCH_BYTES of it, plus element `index` (a local) times `bytes`. */
  pushScratch(index?: number, bytes = 4): void {
    const { code } = this;
    code.get(this.#saveBase);
    if (index === undefined) return;
    code.get(index);
    code.i32(bytes);
    code.op("i32Mul", "i64ExtendI32U", "i64Add");
  }

  /** What to add to the place that `pushScratch` pushes: an offset for the memory instruction. */
  scratchOffset(byte = 0): number {
    return this.#saved.scratch + byte;
  }

  /** Pushes the lanes of this warp that exist at all, bit by bit: fewer than 32 in a ragged last warp. */
  pushExisting(): void {
    const { code } = this;
    const missing = code.temp("i32");
    code.get(0);
    code.i32(this.#saved.threads - 32);
    code.op("i32Sub");
    code.set(missing);
    code.i32(-1);
    code.get(missing);
    code.i32(0);
    code.get(missing);
    code.i32(0);
    code.op("i32GtS", "select", "i32ShrU");
    code.release("i32", missing);
  }

  #laneLocal(): number {
    if (this.#lane === undefined) throw new Error("Invariant: a register is read of some lane");
    return this.#lane;
  }

  #pushPlace(register: number): void {
    const { code } = this;
    code.get(this.#saveBase);
    code.get(0);
    code.get(this.#laneLocal());
    code.op("i32Add");
    code.i32(this.#saved.bytesOf(register));
    code.op("i32Mul", "i64ExtendI32U", "i64Add");
  }

  #read(register: number): void {
    this.#pushPlace(register);
    const storage = this.#saved.storageOf(register);
    this.code.memory(`${storage}Load` as MemoryOpName, this.#saved.offsetOf(register));
  }

  #write(register: number): void {
    const { code } = this;
    const storage = this.#saved.storageOf(register);
    const value = code.temp(storage);
    code.set(value);
    this.#pushPlace(register);
    code.get(value);
    code.memory(`${storage}Store` as MemoryOpName, this.#saved.offsetOf(register));
    code.release(storage, value);
  }

  #special(name: SpecialName): number {
    const { code, parts } = this;
    const i32 = name.startsWith("ctaid") || name.startsWith("nctaid") || name === "sharedEnd" ||
      name === "thread" ||
      name.startsWith("tid");
    const known = this.#specials.get(name);
    const local = known ?? code.local(i32 ? "i32" : "i64");
    this.#specials.set(name, local);
    if (name === "thread") {
      code.get(0);
      code.get(this.#laneLocal());
      code.op("i32Add");
    } else if (name === "tid.x" || name === "tid.y" || name === "tid.z") {
      this.#pushThreadId(name);
    } else if (name === "localBase") {
      code.globalGet(parts.globals.localBase);
      code.get(0);
      code.get(this.#laneLocal());
      code.op("i32Add", "i64ExtendI32U");
      code.i64(BigInt(this.emitter.facts.kernel.localBytes));
      code.op("i64Mul", "i64Add");
    } else code.globalGet(parts.globals[name]);
    code.set(local);
    return local;
  }

  #pushThreadId(name: "tid.x" | "tid.y" | "tid.z"): void {
    const { code } = this;
    const { x, y } = this.emitter.facts.block;
    code.get(0);
    code.get(this.#laneLocal());
    code.op("i32Add");
    if (name !== "tid.x") {
      code.i32(name === "tid.y" ? x : x * y);
      code.op("i32DivU");
    }
    if (name === "tid.z") return;
    code.i32(name === "tid.x" ? x : y);
    code.op("i32RemU");
  }
}
