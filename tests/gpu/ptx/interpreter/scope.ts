/**
 * Scope: the frame of one function, as its instructions see it.
 *
 * Owns the numbers of slots (registers first, then constants, special registers and scratch, in one frame) and
 * the offsets of local variables and parameters. Every source operand becomes a slot, so that steps read slots
 * only. Invariant: slots of constants and special registers are written once, when the frame is made.
 */
import type { PtxFunction, PtxOperand, PtxType, PtxVariable } from "../../../../gpu/ptx/ast.ts";
import { bytesOf } from "../../../../gpu/ptx/ast.ts";
import { alignUp, type Layout } from "./layout.ts";
import { type Machine, WINDOWS } from "./machine.ts";
import { constantSpecial, varyingSpecial } from "./special_registers.ts";
import type { Step, Thread } from "./thread.ts";

/** Alignment of frames in local memory; no variable asks for more in practice. */
const FRAME_ALIGNMENT = 256;

/** A slot that a frame fills when it is made. */
interface FrameSlot {
  readonly slot: number;
  readonly value: (thread: Thread) => bigint;
}

export class Scope {
  readonly machine: Machine;
  readonly layout: Layout;
  readonly fn: PtxFunction;
  readonly #registerSlots: number[] = [];
  readonly #constants = new Map<bigint, number>();
  readonly #filled: FrameSlot[] = [];
  readonly #filledByKey = new Map<string, number>();
  readonly #offsets = new Map<PtxVariable, number>();
  readonly registerSlotCount: number;
  slotCount: number;
  localBytes = 0;

  constructor(machine: Machine, layout: Layout, fn: PtxFunction) {
    this.machine = machine;
    this.layout = layout;
    this.fn = fn;
    let slot = 0;
    for (const { type } of fn.body?.registers ?? []) {
      this.#registerSlots.push(slot);
      slot += type === "b128" ? 2 : 1;
    }
    this.registerSlotCount = slot;
    this.slotCount = slot;
    if (fn.kind === "entry") {
      let offset = 0;
      for (const param of fn.params) {
        offset = alignUp(offset, param.alignment);
        this.#offsets.set(param, offset);
        offset += param.byteLength;
      }
    }
    const inFrame = [
      ...(fn.kind === "func" ? [...fn.params, ...fn.returns] : []),
      ...(fn.body?.variables ?? []),
    ];
    for (const variable of inFrame) {
      if (variable.space !== "local" && variable.space !== "param") continue;
      const start = alignUp(this.localBytes, Math.max(variable.alignment, 1));
      this.#offsets.set(variable, start);
      this.localBytes = start + variable.byteLength;
    }
    this.localBytes = alignUp(this.localBytes, FRAME_ALIGNMENT);
  }

  slotOf(register: number): number {
    const slot = this.#registerSlots[register];
    if (slot === undefined) throw new Error(`${this.fn.name} has no register ${register}`);
    return slot;
  }

  typeOf(register: number): PtxType {
    const type = this.fn.body?.registers[register]?.type;
    if (type === undefined) throw new Error(`${this.fn.name} has no register ${register}`);
    return type;
  }

  /** The register that stands for a parameter in register space. */
  registerNamed(name: string): number {
    const index = this.fn.body?.registers.findIndex((each) => each.name === name) ?? -1;
    if (index < 0) throw new Error(`${this.fn.name} has no register ${name}`);
    return index;
  }

  scratch(): number {
    return this.slotCount++;
  }

  /** A slot that holds the 64 bits of a constant. */
  constant(bits: bigint): number {
    const value = BigInt.asUintN(64, bits);
    const known = this.#constants.get(value);
    if (known !== undefined) return known;
    const slot = this.scratch();
    this.#constants.set(value, slot);
    this.#filled.push({ slot, value: () => value });
    return slot;
  }

  #perFrame(key: string, value: (thread: Thread) => bigint): number {
    const known = this.#filledByKey.get(key);
    if (known !== undefined) return known;
    const slot = this.scratch();
    this.#filledByKey.set(key, slot);
    this.#filled.push({ slot, value });
    return slot;
  }

  /** Whether a variable lies in the frame of the function. */
  frameOffset(variable: PtxVariable): number | undefined {
    if (this.isKernelParam(variable)) return undefined;
    return this.#offsets.get(variable);
  }

  isKernelParam(variable: PtxVariable): boolean {
    return this.fn.kind === "entry" && this.fn.params.includes(variable);
  }

  /** A slot that holds a variable's address in its own space; parameters have generic ones. */
  address(variable: PtxVariable, offset: bigint): number {
    const inFrame = this.#offsets.get(variable);
    if (inFrame === undefined) return this.constant(this.layout.addressOf(variable) + offset);
    if (this.isKernelParam(variable)) return this.constant(BigInt(WINDOWS.param + inFrame) + offset);
    const window = variable.space === "param" ? WINDOWS.local : 0;
    const start = BigInt(inFrame + window) + offset;
    return this.#perFrame(`frame ${start}`, (thread) => BigInt(thread.local) + start);
  }

  /** A slot that holds the operand's value as an instruction of the type reads it. */
  source(operand: PtxOperand, type: PtxType, before: Step[]): number {
    switch (operand.kind) {
      case "register":
        return this.#register(operand, before);
      case "integer":
        return this.constant(type === "pred" ? BigInt(operand.value !== 0n) : operand.value);
      case "float":
        return this.constant(floatBits(operand.width, operand.bits, type));
      case "variable":
        return this.address(operand.variable, operand.offset);
      case "function":
        return this.constant(this.layout.addressOfFunction(operand.name));
      case "special": {
        const { name } = operand;
        const fixed = constantSpecial(this.machine, name);
        if (fixed !== undefined) return this.#perFrame(`special ${name}`, fixed);
        const slot = this.scratch();
        before.push(varyingSpecial(this.machine, name, slot));
        return slot;
      }
      default:
        throw new Error(`Cannot read a ${operand.kind} operand in ${this.fn.name}`);
    }
  }

  #register(operand: PtxOperand & { kind: "register" }, before: Step[]): number {
    const slot = this.slotOf(operand.register);
    if (operand.isNegated !== true) return slot;
    const scratch = this.scratch();
    const { u32 } = this.machine.registers;
    before.push((t) => void (u32[(t.base + scratch) << 1] = u32[(t.base + slot) << 1] === 0 ? 1 : 0));
    return scratch;
  }

  /** Prepares the thread's frame at its `base`: registers zero, constants and special registers in place. */
  enter(thread: Thread): void {
    const { u64 } = this.machine.registers;
    u64.fill(0n, thread.base, thread.base + this.registerSlotCount);
    for (const { slot, value } of this.#filled) u64[thread.base + slot] = BigInt.asUintN(64, value(thread));
  }
}

/** Bits of a constant as wide as the type; decimal ones are doubles that narrower types round. */
function floatBits(width: 32 | 64, bits: bigint, type: PtxType): bigint {
  if (width === 8 * bytesOf(type)) return bits;
  const view = new DataView(new ArrayBuffer(8));
  if (width === 64) {
    view.setBigUint64(0, bits);
    view.setFloat32(0, view.getFloat64(0));
    return BigInt(view.getUint32(0));
  }
  view.setUint32(0, Number(bits));
  view.setFloat64(0, view.getFloat32(0));
  return view.getBigUint64(0);
}
