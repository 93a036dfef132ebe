/**
 * Threads and what they run: basic blocks of steps.
 *
 * Owns the shapes that the decoder makes and the scheduler runs. A thread is resumable: between blocks all that
 * it is lies in its fields and its registers. Invariant: `block` is the next block to run whenever the thread's
 * state is "ready".
 */

/** One instruction without control flow. */
export type Step = (thread: Thread) => void;

/** Instructions that run in a row, and where to go then. */
export interface Block {
  steps: Step[];
  /** Instructions that it stands for, as fuel counts them. */
  cost: number;
  /** Answers the next block, or undefined if the thread stops here: it has set its state and `block` then. */
  end: (thread: Thread) => Block | undefined;
}

/** A warp-wide instruction at which lanes wait for each other. */
export interface WarpOperation {
  /** Place in the program: lanes at the lowest place go first when nobody can go on. */
  readonly place: number;
  /** The operation; lanes come in rising order of their ids and write their results. */
  execute(lanes: readonly Thread[]): void;
}

/** A barrier at which a thread waits, and what it brings. */
export interface BarrierWait {
  readonly place: number;
  readonly id: number;
  /** Threads that take part, 0 for all of the block. */
  readonly threadCount: number;
  /** Whether the lanes of a warp have to be at one instruction. */
  readonly isAligned: boolean;
  /** What the thread brings to a reduction, and where its result goes. */
  readonly input: boolean;
  readonly deliver: ((thread: Thread, inputs: readonly boolean[]) => void) | undefined;
}

/** A caller that waits for its callee. */
export interface Frame {
  readonly base: number;
  readonly local: number;
  readonly code: FrameCode;
  readonly block: Block;
  /** Takes the results out of the callee's frame, which starts at the given base and local byte. */
  readonly finish: (thread: Thread, calleeBase: number, calleeLocal: number) => void;
}

/** What frames need to know of their function. */
export interface FrameCode {
  readonly name: string;
  readonly slotCount: number;
  readonly localBytes: number;
}

/** Three numbers by dimension. */
export interface Extent {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

export type ThreadState = "ready" | "exited" | "warp" | "barrier";

/** A thread of the running block. */
export class Thread {
  /** Number in the block, x first. */
  readonly index: number;
  readonly lane: number;
  readonly warp: number;
  readonly tid: Extent;

  state: ThreadState = "ready";
  block: Block;
  code: FrameCode;
  /** First register slot, and first byte of local memory, of the running function. */
  base: number;
  local: number;
  /** The carry bit of add.cc and its kin. */
  carry = 0;
  frames: Frame[] = [];
  operation: WarpOperation | undefined;
  /** Lanes that the operation waits for. */
  memberMask = 0;
  barrier: BarrierWait | undefined;

  constructor(index: number, tid: Extent, base: number, local: number, block: Block, code: FrameCode) {
    this.index = index;
    this.lane = index & 31;
    this.warp = index >> 5;
    this.tid = tid;
    this.base = base;
    this.local = local;
    this.block = block;
    this.code = code;
  }
}
