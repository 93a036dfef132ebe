/**
 * Region saves: a region's way to the save area of its block.
 *
 * Owns the locals that point into it, and the loads and stores of registers: an array over the threads for each,
 * or one value a group of threads for those that all have in common. What is saved is region_registers.ts's.
 * Invariant: places of a thread are right from the head of its turn to its end.
 */
import type { RegionContext } from "./region_context.ts";
import type { RegionFrame } from "./region_frame.ts";
import type { Code } from "../wasm/code.ts";
import type { MemoryOpName } from "../wasm/opcode.ts";

/** Emits accesses to the save area for one region. */
export class RegionSaves {
  readonly #code: Code;
  readonly #context: RegionContext;
  readonly #frame: RegionFrame;
  readonly #base: number;
  /** The thread's places in arrays of 4 and of 8 bytes. */
  readonly #place4: number;
  readonly #place8: number;

  constructor(code: Code, context: RegionContext, frame: RegionFrame) {
    this.#code = code;
    this.#context = context;
    this.#frame = frame;
    this.#base = code.local("i64");
    this.#place4 = code.local("i64");
    this.#place8 = code.local("i64");
  }

  /** At the function's start. */
  enter(): void {
    this.#code.globalGet(this.#context.parts.globals.saveBase);
    this.#code.set(this.#base);
  }

  /** At the head of a thread's turn. */
  enterThread(): void {
    const code = this.#code;
    for (const [place, shift] of [[this.#place4, 2n], [this.#place8, 3n]] as const) {
      code.get(this.#base);
      code.get(this.#frame.thread);
      code.op("i64ExtendI32U");
      code.i64(shift);
      code.op("i64Shl", "i64Add");
      code.set(place);
    }
  }

  /** Pushes whether the thread waits for another region. */
  pushIsElsewhere(region: number): void {
    this.#code.get(this.#place4);
    this.#code.memory("i32Load", this.#context.saved.states);
    this.#code.i32(region);
    this.#code.op("i32Ne");
  }

  storeState(state: number): void {
    this.#code.get(this.#place4);
    this.#code.i32(state);
    this.#code.memory("i32Store", this.#context.saved.states);
  }

  load(register: number): void {
    const { saved } = this.#context;
    this.#pushPlace(register);
    this.#code.memory(`${saved.storageOf(register)}Load` as MemoryOpName, saved.offsetOf(register));
    this.#frame.write(register);
  }

  store(register: number): void {
    const { saved } = this.#context;
    this.#pushPlace(register);
    this.#frame.read(register);
    this.#code.memory(`${saved.storageOf(register)}Store` as MemoryOpName, saved.offsetOf(register));
  }

  #pushPlace(register: number): void {
    this.#code.get(this.#context.saved.bytesOf(register) === 8 ? this.#place8 : this.#place4);
  }

  /** The local that keeps a common register for all threads; the register's own is enough if nobody writes it. */
  commonLocal({ register, isWritten }: { register: number; isWritten: boolean }): number | undefined {
    return isWritten ? this.#code.local(this.#frame.storageOf(register)) : undefined;
  }

  /** Pushes the place of what the group of threads has in common, without the register's offset. */
  #pushCommonPlace(): void {
    const code = this.#code;
    code.globalGet(this.#context.parts.globals.saveBase);
    if (this.#context.plan.warpCutCount === 0) return;
    code.get(0);
    code.i32(5);
    code.op("i32ShrU");
    code.i32(3);
    code.op("i32Shl", "i64ExtendI32U", "i64Add");
  }

  /** Before the threads; into a local that keeps it, or the register's own. */
  loadOnce(register: number, local: number | undefined): void {
    const { saved } = this.#context;
    this.#pushCommonPlace();
    this.#code.memory(`${saved.storageOf(register)}Load` as MemoryOpName, saved.commonOffsetOf(register));
    if (local === undefined) this.#frame.write(register);
    else this.#code.set(local);
  }

  /** The last thread's value is everybody's. */
  storeOnce(register: number): void {
    const { saved } = this.#context;
    this.#pushCommonPlace();
    this.#frame.read(register);
    this.#code.memory(`${saved.storageOf(register)}Store` as MemoryOpName, saved.commonOffsetOf(register));
  }
}
