/**
 * CodeRewriter: one function body in, the same body with checks out.
 *
 * Owns where fuel is charged and checked. Invariants: the operand stack stays as it was, and no index moves;
 * every cycle of execution, be it a loop or a recursion by calls of any kind, passes a check; and outside of
 * a region the fuel global is the truth. docs/decisions/0006 has the measurements behind the forms.
 *
 * A *region* is an outermost loop with few calls. In it the fuel is kept in a local, a register at run time:
 * it is loaded in front of the loop, and stored on every way out and around calls. An innermost loop of a
 * region is *wrapped*: the host is asked in a loop of ours around it, so that the engine finds no call inside
 * and unrolls it as ever. Labels that lead out of it are then one higher.
 */
import { EMPTY_BLOCK_TYPE, OP, skipImmediates } from "../opcode.ts";
import type { ByteReader } from "../reader.ts";
import { type FunctionAnalysis, LOOP } from "./analysis.ts";
import { type Body, LOCALS_MAX } from "./body.ts";
import type { BulkChoice } from "./bulk_choice.ts";
import { ByteWriter } from "./byte_writer.ts";
import { ColumnU8 } from "./column.ts";
import { checkBodyBytes } from "./complexity.ts";
import { EVENT } from "./event_list.ts";
import { FuelCode, type FuelIndices } from "./fuel_code.ts";
import { I32 } from "./numeric.ts";

/** Calls in a loop up to which it is a region: each costs a store and a load, as a check on the global does. */
const REGION_CALLS_MAX = 2;
/** Cost of a loop up to which it is wrapped: the engine unrolls no larger ones. */
const WRAPPED_COST_MAX = 100;
/** A function whose straight code costs no more is only checked in front of calls. */
export const UNCHECKED_COST_MAX = 100;

/** Flags of an open block of the original. */
const FRAME = {
  loop: 1,
  /** A check precedes its first instruction on every way there. */
  checked: 2,
  /** A branch to its label takes no values along. */
  empty: 4,
} as const;

/** What a rewriter writes with. */
export interface RewriteContext {
  readonly indices: FuelIndices;
  /** Chooses the helpers for bulk operations. */
  readonly bulk: BulkChoice;
}

/** Whether a function is over soon, whatever it does. */
function isShort({ loops, hasCalls, cost }: FunctionAnalysis): boolean {
  return loops.count === 0 && !hasCalls && cost <= UNCHECKED_COST_MAX;
}

/** Rewrites bodies, one after the other. */
export class CodeRewriter {
  readonly #bulk: BulkChoice;
  readonly #bytes: Uint8Array;
  readonly #fuel: FuelCode;
  /** FRAME of each open block. */
  readonly #frames = new ColumnU8();
  #out = new ByteWriter(0);
  #depth = 0;
  #loopNumber = 0;
  #copiedTo = 0;
  /** Whether there is a local for the fuel. */
  #hasLocal = false;
  /** Number of frames around the region, -1 outside of one. */
  #region = -1;
  /** Number of frames around the wrapped loop, -1 outside of one. */
  #wrapped = -1;
  /** Whether a check precedes the current instruction on every way from the function's entry. */
  #checked = false;
  /** What a check outside of loops charges. */
  #cost = 0;

  /** Reads from `bytes`. */
  constructor({ indices, bulk }: RewriteContext, bytes: Uint8Array) {
    this.#bulk = bulk;
    this.#bytes = bytes;
    this.#fuel = new FuelCode(indices);
  }

  /** Offsets, in the body written last, of branches whose condition is false nearly always. */
  get hints(): readonly number[] {
    return this.#fuel.hints;
  }

  /** Appends the rewritten body to `out`, without its size. @throws RuntimeFault `invalid_wasm` */
  write(body: Body, out: ByteWriter): void {
    this.#out = out;
    const { analysis, locals, recursion } = body;
    const isUnchecked = recursion?.bodiesPaid === 0 || isShort(analysis);
    this.#begin(body, isUnchecked);
    if (isUnchecked && !analysis.hasBulk && recursion === undefined) {
      this.#copyTo(analysis.bodyEnd);
      return;
    }
    this.#cost = Math.max(1, analysis.cost) * Math.max(1, recursion?.bodiesPaid ?? 1);
    this.#checked = recursion?.bodiesPaid === 0;
    this.#copiedTo = locals.end;
    if (analysis.cost > UNCHECKED_COST_MAX) this.#check();
    for (let event = 0; event < analysis.events.count; event++) {
      this.#take(event, body);
      // A body of nothing but loops grows by the factor of ten.
      checkBodyBytes(out.length);
    }
    this.#copyTo(analysis.bodyEnd);
  }

  /** The declarations, with one more i32 if it is wanted and there is room. */
  #begin({ locals, localCount }: Body, isUnchecked: boolean): void {
    this.#depth = 0;
    this.#loopNumber = 0;
    this.#region = -1;
    this.#wrapped = -1;
    this.#copiedTo = locals.start;
    this.#hasLocal = !isUnchecked && localCount < LOCALS_MAX;
    this.#fuel.begin(this.#out, this.#hasLocal ? localCount : -1);
    if (this.#hasLocal) {
      this.#out.unsigned(locals.groupCount + 1);
      this.#copiedTo = locals.groupsStart;
    }
    this.#copyTo(locals.end);
    if (!this.#hasLocal) return;
    this.#out.u8(1);
    this.#out.u8(I32);
  }

  #take(event: number, body: Body): void {
    const { events } = body.analysis;
    const start = events.offset(event);
    switch (events.kind(event)) {
      case EVENT.open:
        return this.#open(start, 0);
      case EVENT.loop:
        return this.#loop(start, body);
      case EVENT.alternative:
        this.#checked = (this.#frames.get(this.#depth - 1) & FRAME.checked) !== 0;
        return;
      case EVENT.end:
        return this.#end(start);
      case EVENT.branch:
      case EVENT.branchTable:
      case EVENT.branchOnCast:
        return this.#branch(events.kind(event), start, body.reader);
      case EVENT.branchIf:
        return this.#branchIf(start, body.reader);
      case EVENT.leave:
        return this.#leaveRegion(start);
      case EVENT.tailCall:
        return this.#region >= 0 ? this.#leaveRegion(start) : this.#checkBefore(start);
      case EVENT.call:
      case EVENT.lastCall:
        if (this.#region < 0) this.#checkBefore(start);
        return this.#call(events.kind(event) === EVENT.lastCall, start, body);
      case EVENT.callImport:
      case EVENT.lastCallImport:
        return this.#call(events.kind(event) === EVENT.lastCallImport, start, body);
      case EVENT.replace:
        return this.#replace(start, body.reader);
      case EVENT.measure:
        return this.#measure(start, body.reader);
    }
  }

  #open(start: number, flags: number): void {
    const isEmpty = this.#bytes[start + 1] === EMPTY_BLOCK_TYPE;
    const checked = this.#checked ? FRAME.checked : 0;
    this.#frames.set(this.#depth++, flags | checked | (isEmpty ? FRAME.empty : 0));
  }

  #loop(start: number, { analysis: { loops }, reader }: Body): void {
    const number = this.#loopNumber++;
    const cost = Math.max(1, loops.costs.get(number));
    const calls = loops.calls.get(number);
    const flags = loops.flags.get(number);
    this.#copyTo(start);
    const end = this.#endOf(start, reader);
    if (this.#region < 0 && this.#hasLocal && (flags & LOOP.hasTry) === 0 && calls <= REGION_CALLS_MAX) {
      this.#fuel.load();
      this.#region = this.#depth;
    }
    const isInnermost = (flags & LOOP.hasLoop) === 0 && calls === 0;
    if (this.#region >= 0 && isInnermost && cost <= WRAPPED_COST_MAX && this.#takesNothing(start)) {
      this.#wrapped = this.#depth;
      this.#out.copy(this.#bytes, start, end);
      this.#fuel.replenish(cost);
      this.#copyTo(end);
      this.#fuel.checkLocalAndLeave(cost);
    } else {
      this.#copyTo(end);
      if (this.#region >= 0) this.#fuel.checkLocal(cost);
      else this.#fuel.checkGlobal(cost);
    }
    this.#checked = true;
    this.#open(start, FRAME.loop);
  }

  /** Whether a block has no parameters, as far as one byte tells: those with a type index may. */
  #takesNothing(start: number): boolean {
    const type = this.#bytes[start + 1] ?? 0;
    return type >= 0x40 && type < 0x80;
  }

  #end(start: number): void {
    const frame = this.#frames.get(--this.#depth);
    // A branch to a loop goes to its head: what follows its end was reached through the head's check.
    this.#checked = (frame & (FRAME.loop | FRAME.checked)) !== 0;
    if (this.#depth === this.#wrapped) {
      this.#wrapped = -1;
      this.#copyTo(start + 1);
      this.#out.u8(OP.end);
    }
    if (this.#depth !== this.#region) return;
    this.#region = -1;
    this.#copyTo(start + 1);
    this.#fuel.store();
  }

  #leavesRegion(label: number): boolean {
    return this.#region >= 0 && this.#depth - 1 - label < this.#region;
  }

  /** The label in the rewritten body. */
  #moved(label: number): number {
    return this.#wrapped >= 0 && this.#depth - 1 - label < this.#wrapped ? label + 1 : label;
  }

  #branch(kind: number, start: number, reader: ByteReader): void {
    if (this.#region < 0) return;
    reader.moveTo(start + 1);
    switch (kind) {
      case EVENT.branchTable:
        return this.#branchTable(start, reader);
      case EVENT.branchOnCast:
        reader.u32();
        reader.skip(1);
    }
    const labelAt = reader.offset;
    const label = reader.u32();
    if (this.#leavesRegion(label)) this.#leaveRegion(start);
    this.#relabel(label, labelAt, reader.offset);
  }

  #relabel(label: number, start: number, end: number): void {
    const moved = this.#moved(label);
    if (moved === label) return;
    this.#copyTo(start);
    this.#out.unsigned(moved);
    this.#copiedTo = end;
  }

  #branchTable(start: number, reader: ByteReader): void {
    const count = reader.u32();
    const labelsAt = reader.offset;
    let outermost = 0;
    for (let target = 0; target <= count; target++) outermost = Math.max(outermost, reader.u32());
    if (this.#leavesRegion(outermost)) this.#leaveRegion(start);
    if (this.#moved(outermost) === outermost) return;
    reader.moveTo(labelsAt);
    this.#copyTo(labelsAt);
    for (let target = 0; target <= count; target++) this.#out.unsigned(this.#moved(reader.u32()));
    this.#copiedTo = reader.offset;
  }

  /** Out of the region, the store is only done when the branch is taken. */
  #branchIf(start: number, reader: ByteReader): void {
    if (this.#region < 0) return;
    reader.moveTo(start + 1);
    const label = reader.u32();
    if (!this.#leavesRegion(label)) return this.#relabel(label, start + 1, reader.offset);
    if (!this.#isLabelEmpty(label)) {
      this.#leaveRegion(start);
      return this.#relabel(label, start + 1, reader.offset);
    }
    this.#copyTo(start);
    this.#fuel.hint();
    this.#out.u8(OP.if);
    this.#out.u8(EMPTY_BLOCK_TYPE);
    this.#fuel.store();
    this.#out.u8(OP.br);
    this.#out.unsigned(this.#moved(label) + 1);
    this.#out.u8(OP.end);
    this.#copiedTo = reader.offset;
  }

  /** Whether a branch to the label takes no values along; that of the function itself takes its results. */
  #isLabelEmpty(label: number): boolean {
    const depth = this.#depth - 1 - label;
    return depth >= 0 && (this.#frames.get(depth) & FRAME.empty) !== 0;
  }

  #leaveRegion(start: number): void {
    if (this.#region < 0) return;
    this.#copyTo(start);
    this.#fuel.store();
  }

  #call(isLast: boolean, start: number, { reader, functionIndex, recursion }: Body): void {
    if (recursion !== undefined && this.#bytes[start] === OP.call) {
      reader.moveTo(start + 1);
      if (reader.u32() === functionIndex) {
        this.#copyTo(start + 1);
        this.#out.unsigned(recursion.successor);
        this.#copiedTo = reader.offset;
      }
    }
    if (this.#region < 0) return;
    this.#leaveRegion(start);
    if (isLast) return;
    this.#copyTo(this.#endOf(start, reader));
    this.#fuel.load();
  }

  #replace(start: number, reader: ByteReader): void {
    const end = this.#endOf(start, reader);
    reader.moveTo(start);
    this.#callHelper(this.#bulk.replacement(reader), start);
    this.#copiedTo = end;
    if (this.#region >= 0) this.#fuel.load();
  }

  #measure(start: number, reader: ByteReader): void {
    reader.moveTo(start);
    this.#callHelper(this.#bulk.measure(reader), start);
    if (this.#region < 0) return;
    this.#copyTo(this.#endOf(start, reader));
    this.#fuel.load();
  }

  #callHelper(index: number, start: number): void {
    this.#copyTo(start);
    if (this.#region >= 0) this.#fuel.store();
    this.#out.u8(OP.call);
    this.#out.unsigned(index);
  }

  /** Offset behind the instruction at `start`. */
  #endOf(start: number, reader: ByteReader): number {
    reader.moveTo(start);
    skipImmediates(reader.u8(), reader);
    return reader.offset;
  }

  #checkBefore(start: number): void {
    if (this.#checked) return;
    this.#copyTo(start);
    this.#check();
  }

  #check(): void {
    this.#checked = true;
    this.#fuel.checkGlobal(this.#cost);
  }

  #copyTo(end: number): void {
    if (end <= this.#copiedTo) return;
    this.#out.copy(this.#bytes, this.#copiedTo, end);
    this.#copiedTo = end;
  }
}
