/**
 * Flatten: a kernel of the parsed module becomes one list of checked instructions, with every call inlined.
 *
 * Owns inlining (direct and by function address), the places of variables, the parameters of calls and the
 * guards of what ends a block. It analyses nothing. Invariant: whatever the opcode table does not take, and
 * recursion, is refused here, at load, with the line.
 */
import { SHARED_BYTES_MAX } from "../kernel_interface.ts";
import type { PtxFunction, PtxInstruction, PtxOperand, PtxType, PtxVariable } from "../ast.ts";
import { expandedSize } from "./call_sizes.ts";
import { CallExpander } from "./calls.ts";
import { RESERVED_SHARED_BYTES } from "./ir.ts";
import type { Instruction, Kernel, Placement } from "./ir.ts";
import type { LinkedModule } from "./link.ts";
import { rowOf } from "../opcodes/mod.ts";
import { accept } from "../opcodes/row.ts";
import { promoteParams } from "./param_slots.ts";
import { PtxError } from "../ptx_error.ts";

/** Most instructions of a kernel after inlining. */
export const INSTRUCTIONS_MAX = 250_000;
/** Most registers of a kernel after inlining. */
const REGISTERS_MAX = 1_000_000;
/** Most bytes of a kernel's parameters (PTX ISA 4.4: from sm_70 on). */
export const PARAM_BYTES_MAX = 32_764;
/** Most local memory of a thread, and shared memory of a block (that of an H100, opted in). */
const LOCAL_BYTES_MAX = 512 * 1024;

/** One expansion of a body: where each of its instructions came to stand. */
export interface Scope {
  readonly starts: number[];
}

/** An instruction on its way: labels still count in their own body. */
export interface Draft {
  readonly source: PtxInstruction;
  operands: readonly PtxOperand[];
  guard: PtxInstruction["guard"];
  /** The body whose labels the operands name; undefined if targets are final. */
  readonly scope: Scope | undefined;
}

/** A kernel being flattened. */
export class Flattener {
  readonly module: LinkedModule;
  readonly kernel: PtxFunction;
  readonly drafts: Draft[] = [];
  readonly registers: PtxType[] = [];
  readonly #placements = new Map<PtxVariable, Placement>();
  readonly #dynamicShared = new Set<PtxVariable>();
  #carry: number | undefined;
  #reservedShared: number | undefined;
  #sharedBytes = 0;
  #localBytes = 0;

  constructor(module: LinkedModule, kernel: PtxFunction) {
    this.module = module;
    this.kernel = kernel;
  }

  flatten(): Kernel {
    const paramBytes = this.#placeParams();
    const size = expandedSize(this.kernel, (name) => this.module.functions.get(name));
    if (size > INSTRUCTIONS_MAX) throw this.#tooLarge(this.kernel.line, size);
    const end: Draft[] = [];
    new CallExpander(this).body(this.kernel, new Map(), end);
    promoteParams(this);
    const instructions = this.#accept();
    // Dynamic shared memory begins behind what is static; every name of it is the same place.
    let alignment = 16;
    for (const variable of this.#dynamicShared) alignment = Math.max(alignment, variable.alignment);
    const sharedBytes = alignUp(this.#sharedBytes, alignment);
    for (const variable of this.#dynamicShared) {
      this.#placements.set(variable, { space: "shared", offset: sharedBytes });
    }
    return {
      name: this.kernel.name,
      source: this.kernel,
      registers: this.registers,
      instructions,
      placements: this.#placements,
      paramBytes,
      sharedBytes,
      localBytes: alignUp(this.#localBytes, 16),
      usesDynamicShared: this.#dynamicShared.size > 0,
      reservedShared: this.#reservedShared,
    };
  }

  /** A register of the kernel's own. */
  newRegister(type: PtxType): number {
    return this.registers.push(type) - 1;
  }

  emit(
    source: PtxInstruction,
    operands: readonly PtxOperand[],
    guard: PtxInstruction["guard"],
    scope: Scope | undefined,
  ): Draft {
    if (this.drafts.length >= INSTRUCTIONS_MAX) throw this.#tooLarge(source.line, this.drafts.length + 1);
    if (this.registers.length > REGISTERS_MAX) {
      const text = `Too many registers: registersMax is ${REGISTERS_MAX}, got ${this.registers.length}`;
      throw new PtxError(source.line, "limit", text);
    }
    const draft = { source, operands, guard, scope };
    this.drafts.push(draft);
    return draft;
  }

  #tooLarge(line: number, size: number): PtxError {
    const text = `${this.kernel.name} is too large with its calls inlined: instructionsMax is ` +
      `${INSTRUCTIONS_MAX}, got ${size}`;
    return new PtxError(line, "limit", text);
  }

  /** The place of a variable, which it gets when it is first met. */
  place(variable: PtxVariable, line: number): void {
    if (this.#placements.has(variable) || this.#dynamicShared.has(variable)) return;
    switch (variable.space) {
      case "global":
      case "const": {
        const offset = this.module.image.offsets.get(variable);
        if (offset === undefined) {
          throw new PtxError(line, "unsupported", `${variable.name} is not defined here`);
        }
        this.#placements.set(variable, { space: "global", offset });
        return;
      }
      case "shared":
        if (variable.byteLength === 0) this.#dynamicShared.add(variable);
        else this.#placeShared(variable, line);
        return;
      case "local":
        this.placeLocal(variable, line);
        return;
      default:
        throw new PtxError(line, "unsupported", `${variable.name}: .${variable.space} has no address here`);
    }
  }

  placeLocal(variable: PtxVariable, line: number): void {
    const offset = alignUp(this.#localBytes, Math.max(variable.alignment, 1));
    this.#localBytes = offset + variable.byteLength;
    if (this.#localBytes > LOCAL_BYTES_MAX) {
      const text = `Too much local memory: localBytesMax is ${LOCAL_BYTES_MAX}, got ${this.#localBytes}`;
      throw new PtxError(line, "limit", text);
    }
    this.#placements.set(variable, { space: "local", offset });
  }

  #placeShared(variable: PtxVariable, line: number): void {
    const offset = this.#takeShared(variable.byteLength, variable.alignment, line);
    this.#placements.set(variable, { space: "shared", offset });
  }

  #takeShared(byteLength: number, alignment: number, line: number): number {
    const offset = alignUp(this.#sharedBytes, Math.max(alignment, 1));
    this.#sharedBytes = offset + byteLength;
    if (this.#sharedBytes > SHARED_BYTES_MAX) {
      const text = `Too much shared memory: sharedBytesMax is ${SHARED_BYTES_MAX}, got ${this.#sharedBytes}`;
      throw new PtxError(line, "limit", text);
    }
    return offset;
  }

  #placeParams(): number {
    let bytes = 0;
    for (const param of this.kernel.params) {
      bytes = alignUp(bytes, Math.max(param.alignment, 1));
      this.#placements.set(param, { space: "param", offset: bytes });
      bytes += param.byteLength;
      if (bytes > PARAM_BYTES_MAX) {
        const text = `Too many parameters: paramBytesMax is ${PARAM_BYTES_MAX}, got ${bytes}`;
        throw new PtxError(param.line, "limit", text);
      }
    }
    return bytes;
  }

  #accept(): Instruction[] {
    return this.drafts.map(({ source, operands, guard, scope }) => {
      const row = rowOf(source);
      if (row === undefined) {
        throw new PtxError(source.line, "unsupported", `Opcode ${source.opcode} is not supported`);
      }
      if (guard !== undefined && this.registers[guard.register] !== "pred") {
        throw new PtxError(source.line, "syntax", `${source.opcode}: a guard is a predicate`);
      }
      const placed = this.#withCarry(source, operands.map((operand) => resolveLabels(operand, scope)));
      for (const operand of placed) this.#placeOperand(operand, source.line);
      return accept(row, { ...source, guard }, placed);
    });
  }

  /** The carry of extended arithmetic (PTX ISA 9.7.2) becomes a register that is named like any other. */
  #withCarry(source: PtxInstruction, operands: readonly PtxOperand[]): readonly PtxOperand[] {
    const isIn = source.opcode === "addc" || source.opcode === "subc" || source.opcode === "madc";
    const isOut = source.modifiers.includes("cc");
    const [target] = operands;
    if ((!isIn && !isOut) || target === undefined) return operands;
    this.#carry ??= this.newRegister("pred");
    const carry: PtxOperand = { kind: "register", register: this.#carry };
    const first: PtxOperand = isOut ? { kind: "pair", first: target, second: carry } : target;
    return [first, ...operands.slice(1), ...(isIn ? [carry] : [])];
  }

  #placeOperand(operand: PtxOperand, line: number): void {
    if (operand.kind === "variable") this.place(operand.variable, line);
    else if (operand.kind === "special" && operand.name.startsWith("reserved_smem_offset_")) {
      this.#reservedShared ??= this.#takeShared(RESERVED_SHARED_BYTES, 128, line);
    } else if (operand.kind === "address" && operand.base.kind === "variable") {
      this.place(operand.base.variable, line);
    } else if (operand.kind === "vector" || operand.kind === "list") {
      for (const element of operand.elements) this.#placeOperand(element, line);
    }
  }
}

function resolveLabels(operand: PtxOperand, scope: Scope | undefined): PtxOperand {
  if (scope === undefined) return operand;
  if (operand.kind === "label") return { ...operand, target: scope.starts[operand.target] ?? 0 };
  if (operand.kind === "targets") {
    return { kind: "targets", targets: operand.targets.map((target) => scope.starts[target] ?? 0) };
  }
  return operand;
}

/** The next multiple of a power of two. */
export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

/** A plain instruction of our own. */
export function synthetic(line: number, opcode: string, modifiers: readonly string[]): PtxInstruction {
  return { line, guard: undefined, opcode, modifiers, operands: [] };
}
