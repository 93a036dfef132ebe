/**
 * FunctionAnalysis: the instructions of one function that the instrumenter acts upon, in order.
 *
 * Owns the single pass over a body: where control flows, where calls and bulk operations are, per loop what
 * one round costs, and how hard the body is to compile. It rewrites nothing (rewrite.ts does). Invariant: one
 * pass, linear time, at most nine bytes of memory per byte of the largest body, and buffers that are kept
 * from function to function, so that a module of many small functions allocates nothing per function.
 */
import type { IndexSpaces } from "../index_spaces.ts";
import { BULK, GC, OP, skipImmediates } from "../opcode.ts";
import { type ByteReader, malformed } from "../reader.ts";
import { ColumnU32, ColumnU8 } from "./column.ts";
import { EVENT, EventList } from "./event_list.ts";
import { UNCHARGED_BYTES_MAX } from "./appended_functions.ts";
import { RELAXED_VECTOR_FIRST, type UsedOpcodes } from "../features.ts";

/** Extra cost of instructions that take far longer than one unit of fuel. */
const WEIGHT = {
  importCall: 50,
  indirectCall: 4,
  allocation: 10,
  tableSet: 50,
  grow: 2000,
  throw: 1000,
} as const;

/** Most that one check charges: fuel and a charge never add up to more than an i32 holds. */
export const COST_MAX = 2 ** 28;

/** Flags of a loop. */
export const LOOP = {
  /** Holds a try of any form. */
  hasTry: 1,
  /** Holds another loop. */
  hasLoop: 2,
} as const;

/** What was found out about the loops of a function, by their number in the order of their opening. */
export class LoopTable {
  readonly costs: ColumnU32 = new ColumnU32();
  readonly calls: ColumnU32 = new ColumnU32();
  readonly flags: ColumnU8 = new ColumnU8();
  count = 0;

  add(): number {
    this.costs.set(this.count, 0);
    this.calls.set(this.count, 0);
    this.flags.set(this.count, 0);
    return this.count++;
  }
}

/** The events and facts of one function; valid until the next `run`. */
export class FunctionAnalysis {
  readonly events: EventList = new EventList();
  readonly loops: LoopTable = new LoopTable();
  /** Offset behind the last `end`. */
  bodyEnd = 0;
  /** Cost of the instructions outside of loops, at most COST_MAX. */
  cost = 0;
  /** Calls of functions of the module, or of unknown ones, anywhere in it. */
  hasCalls = false;
  /** Bulk operations that are replaced or measured. */
  hasBulk = false;
  /** Direct calls of the function itself that return to it. */
  selfCalls = 0;
  /** Places where ways of control meet or part; each costs a compiler time in proportion to the locals. */
  controlCount = 0;
  /** Most blocks that are open at once. */
  depthMax = 0;

  readonly #spaces: IndexSpaces;
  readonly #used: UsedOpcodes;
  #functionIndex = 0;
  /** Offset of the instruction in front of the current one. */
  #previous = 0;
  /** Loops around the current instruction, innermost last. */
  readonly #loopStack = new ColumnU32();
  #loopDepth = 0;
  /** For each open block whether it is a loop. */
  readonly #blockStack = new ColumnU8();
  #blockDepth = 0;

  /** Notes the opcodes of all functions in `used`. */
  constructor(spaces: IndexSpaces, used: UsedOpcodes) {
    this.#spaces = spaces;
    this.#used = used;
  }

  /**
   * Reads the instructions of a body up to the end of the reader.
   *
   * @throws RuntimeFault `invalid_wasm`
   */
  run(functionIndex: number, bodyStart: number, reader: ByteReader): void {
    this.#reset(functionIndex, bodyStart);
    const { globalCount } = this.#spaces;
    const { plain } = this.#used;
    let uncounted = 0;
    let previous = bodyStart;
    let start = bodyStart;
    for (;;) {
      previous = start;
      start = reader.offset;
      const opcode = reader.u8();
      if (opcode === OP.end && this.#blockDepth === 0) break;
      uncounted++;
      plain[opcode] = 1;
      // Most instructions are neither control nor bulk: these rooms hold all that are.
      if (opcode > 0x1f && opcode < OP.memoryGrow) {
        if (opcode === OP.globalGet || opcode === OP.globalSet) {
          if (reader.u32() >= globalCount) throw malformed("a global index is out of range", start);
          continue;
        }
        if (opcode === OP.tableSet) uncounted += WEIGHT.tableSet;
        skipImmediates(opcode, reader);
        continue;
      }
      if (opcode > OP.memoryGrow && opcode < OP.refFunc) {
        skipImmediates(opcode, reader);
        continue;
      }
      if (opcode === OP.vectorPrefix) {
        if (skipImmediates(opcode, reader) >= RELAXED_VECTOR_FIRST) this.#used.relaxedVector = true;
        continue;
      }
      this.#charge(uncounted);
      uncounted = 0;
      this.#previous = previous;
      this.#take(opcode, start, reader);
    }
    this.#charge(uncounted);
    this.bodyEnd = reader.offset;
    reader.finish();
  }

  #reset(functionIndex: number, bodyStart: number): void {
    this.events.clear(bodyStart);
    this.loops.count = 0;
    this.cost = 0;
    this.hasCalls = false;
    this.hasBulk = false;
    this.selfCalls = 0;
    this.controlCount = 0;
    this.depthMax = 0;
    this.#functionIndex = functionIndex;
    this.#loopDepth = 0;
    this.#blockDepth = 0;
  }

  /** The number of the innermost loop, -1 outside of any. */
  #loop(): number {
    return this.#loopDepth === 0 ? -1 : this.#loopStack.get(this.#loopDepth - 1);
  }

  #charge(units: number): void {
    const loop = this.#loop();
    if (loop < 0) this.cost = Math.min(COST_MAX, this.cost + units);
    else this.loops.costs.set(loop, Math.min(COST_MAX, this.loops.costs.get(loop) + units));
  }

  #take(opcode: number, start: number, reader: ByteReader): void {
    switch (opcode) {
      case OP.block:
      case OP.if:
      case OP.tryTable:
      case OP.try:
        return this.#open(opcode, start, reader);
      case OP.loop:
        return this.#openLoop(start, reader);
      case OP.else:
      case OP.catch:
      case OP.catchAll:
        return this.#control(EVENT.alternative, opcode, start, reader);
      case OP.end:
      case OP.delegate:
        return this.#close(opcode, start, reader);
      case OP.br:
      case OP.brOnNull:
      case OP.brOnNonNull:
        return this.#control(EVENT.branch, opcode, start, reader);
      case OP.brIf:
        return this.#control(EVENT.branchIf, opcode, start, reader);
      case OP.brTable:
        this.controlCount += reader.peekU32();
        return this.#control(EVENT.branchTable, opcode, start, reader);
      case OP.throw:
      case OP.rethrow:
      case OP.throwRef:
        this.#charge(WEIGHT.throw);
        return this.#control(EVENT.leave, opcode, start, reader);
      case OP.return:
        return this.#control(EVENT.leave, opcode, start, reader);
      case OP.call:
        return this.#call(start, reader);
      case OP.callIndirect:
      case OP.callRef:
        skipImmediates(opcode, reader);
        this.#charge(WEIGHT.indirectCall);
        return this.#addCall(false, start, reader);
      case OP.returnCall:
      case OP.returnCallIndirect:
      case OP.returnCallRef:
        if (opcode === OP.returnCall) this.#checkFunction(reader.peekU32(), start);
        this.hasCalls = true;
        return this.#control(EVENT.tailCall, opcode, start, reader);
      case OP.memoryGrow:
        this.#charge(WEIGHT.grow);
        break;
      case OP.refFunc:
        this.#checkFunction(reader.peekU32(), start);
        break;
      case OP.gcPrefix:
        return this.#gc(start, reader);
      case OP.bulkPrefix:
        return this.#bulk(start, reader);
    }
    skipImmediates(opcode, reader);
  }

  #control(kind: number, opcode: number, start: number, reader: ByteReader): void {
    this.controlCount++;
    this.events.add(kind, start);
    skipImmediates(opcode, reader);
  }

  #open(opcode: number, start: number, reader: ByteReader): void {
    this.#control(EVENT.open, opcode, start, reader);
    this.#enter(0);
    if (opcode !== OP.try && opcode !== OP.tryTable) return;
    // The loops around it learn of it when this one ends.
    this.#mark(this.#loop(), LOOP.hasTry);
  }

  #openLoop(start: number, reader: ByteReader): void {
    this.#control(EVENT.loop, OP.loop, start, reader);
    this.#enter(1);
    this.#mark(this.#loop(), LOOP.hasLoop);
    this.#loopStack.set(this.#loopDepth++, this.loops.add());
  }

  #enter(isLoop: number): void {
    this.#blockStack.set(this.#blockDepth++, isLoop);
    if (this.#blockDepth > this.depthMax) this.depthMax = this.#blockDepth;
  }

  #mark(loop: number, flag: number): void {
    if (loop >= 0) this.loops.flags.set(loop, this.loops.flags.get(loop) | flag);
  }

  #close(opcode: number, start: number, reader: ByteReader): void {
    if (this.#blockDepth === 0) throw malformed("a block ends that was not opened", start);
    this.#control(EVENT.end, opcode, start, reader);
    if (this.#blockStack.get(--this.#blockDepth) === 0) return;
    const closed = this.#loopStack.get(--this.#loopDepth);
    const around = this.#loop();
    if (around < 0) return;
    this.loops.calls.set(around, this.loops.calls.get(around) + this.loops.calls.get(closed));
    this.#mark(around, this.loops.flags.get(closed) & LOOP.hasTry);
  }

  #call(start: number, reader: ByteReader): void {
    const callee = reader.u32();
    this.#checkFunction(callee, start);
    const isImport = callee < this.#spaces.importedFunctionCount;
    if (isImport) this.#charge(WEIGHT.importCall);
    if (callee === this.#functionIndex) this.selfCalls++;
    this.#addCall(isImport, start, reader);
  }

  #addCall(isImport: boolean, start: number, reader: ByteReader): void {
    if (!isImport) this.hasCalls = true;
    const isLast = reader.peek() === OP.unreachable;
    if (!isLast) this.#countCall();
    if (isImport) this.events.add(isLast ? EVENT.lastCallImport : EVENT.callImport, start);
    else this.events.add(isLast ? EVENT.lastCall : EVENT.call, start);
  }

  /** What is appended must stay out of the guest's reach, whether or not the engine saw the original. */
  #checkFunction(index: number, at: number): void {
    if (index >= this.#spaces.functions.length) throw malformed("a function index is out of range", at);
  }

  #countCall(): void {
    const loop = this.#loop();
    if (loop >= 0) this.loops.calls.set(loop, this.loops.calls.get(loop) + 1);
  }

  #gc(start: number, reader: ByteReader): void {
    switch (skipImmediates(OP.gcPrefix, reader)) {
      case GC.brOnCast:
      case GC.brOnCastFail:
        this.controlCount++;
        this.events.add(EVENT.branchOnCast, start);
        return;
      case GC.structNew:
      case GC.structNewDefault:
      case GC.arrayNewFixed:
        this.#charge(WEIGHT.allocation);
        return;
      case GC.arrayNew:
      case GC.arrayNewDefault:
      case GC.arrayNewData:
      case GC.arrayNewElem:
        this.#charge(WEIGHT.allocation);
        return this.#addBulk(EVENT.measure, start);
      case GC.arrayFill:
      case GC.arrayCopy:
      case GC.arrayInitData:
      case GC.arrayInitElem:
        return this.#addBulk(EVENT.measure, start);
    }
  }

  /** Whether the instruction in front puts a constant on the stack that is too small a length to be charged. */
  #hasSmallLength(reader: ByteReader): boolean {
    const end = reader.offset;
    reader.moveTo(this.#previous);
    const length = reader.u8() === OP.i32Const ? reader.s33() : -1;
    reader.moveTo(end);
    return length >= 0 && length <= UNCHARGED_BYTES_MAX;
  }

  #addBulk(kind: number, start: number): void {
    this.hasBulk = true;
    this.#countCall();
    this.events.add(kind, start);
  }

  #bulk(start: number, reader: ByteReader): void {
    const operation = skipImmediates(OP.bulkPrefix, reader);
    this.#used.bulk[operation] = 1;
    switch (operation) {
      case BULK.memoryCopy:
      case BULK.memoryFill:
        if (this.#hasSmallLength(reader)) return;
        return this.#addBulk(EVENT.replace, start);
      case BULK.tableGrow:
        this.#charge(WEIGHT.grow);
        return this.#addBulk(EVENT.replace, start);
      case BULK.tableInit:
      case BULK.tableCopy:
      case BULK.tableFill:
        return this.#addBulk(EVENT.replace, start);
      case BULK.memoryInit:
        return this.#addBulk(EVENT.measure, start);
    }
  }
}
