/**
 * Emitter: what the opcode table emits with: operands onto the stack, results into registers, addresses.
 *
 * Owns the meeting of PTX's loosely typed registers and WebAssembly's strict types; addresses are address.ts's. It knows no opcode and no control flow. Invariant: a register of 8 or 16 bits holds its value with
 * the bits above it zero.
 */
import { DEVICE_BASE } from "../kernel_interface.ts";
import { pushAddress } from "./address.ts";
import type { PtxOperand, PtxType } from "../ast.ts";
import { bytesOf } from "../ast.ts";
import type { KernelFacts } from "../analysis/facts.ts";
import type { HelperName } from "../helpers/mod.ts";
import type { Instruction } from "../kernel/ir.ts";
import { storageOf } from "../kernel/ir.ts";
import type { ModuleParts } from "./module_parts.ts";
import { PtxError } from "../ptx_error.ts";
import { isWide, pushSpecial } from "./specials.ts";
import type { Code } from "../wasm/code.ts";
import type { ValueName } from "../wasm/opcode.ts";

/** Where registers and per-thread values are while a function is emitted. */
export interface Frame {
  /** Pushes a register's value as its storage type. */
  read(register: number): void;
  /** Pops it. */
  write(register: number): void;
  /** Locals of special values, which the frame computes in time. */
  special(name: SpecialName): number;
}

/** Values that a function computes once, or once a thread, if anything needs them. */
export type SpecialName =
  | "thread"
  | "tid.x"
  | "tid.y"
  | "tid.z"
  | "ctaid.x"
  | "ctaid.y"
  | "ctaid.z"
  | "nctaid.x"
  | "nctaid.y"
  | "nctaid.z"
  | "imageBase"
  | "paramBase"
  | "sharedBase"
  | "sharedEnd"
  | "localBase";

/** Emits operands and results of one function. */
export class Emitter {
  readonly code: Code;
  readonly facts: KernelFacts;
  readonly parts: ModuleParts;
  readonly #frame: Frame;

  constructor(code: Code, facts: KernelFacts, parts: ModuleParts, frame: Frame) {
    this.code = code;
    this.facts = facts;
    this.parts = parts;
    this.#frame = frame;
  }

  typeOf(register: number): PtxType {
    return this.facts.kernel.registers[register] ?? "b32";
  }

  special(name: SpecialName): number {
    return this.#frame.special(name);
  }

  /** Calls a helper function of the module with what is on the stack. */
  call(name: HelperName): void {
    this.code.call(this.parts.helper(name));
  }

  /** Pushes an operand as the WebAssembly type that holds `type`. Narrow types are not extended: see pushInt. */
  push(operand: PtxOperand, type: PtxType): void {
    const want = storageOf(type);
    switch (operand.kind) {
      case "register": {
        const storage = storageOf(this.typeOf(operand.register));
        this.#frame.read(operand.register);
        if (this.facts.pointers.has(operand.register)) this.#addBase();
        if (operand.isNegated === true) {
          if (this.typeOf(operand.register) !== "pred") {
            throw new PtxError(0, "syntax", "Only a predicate can be negated with `!`");
          }
          this.code.op("i32Eqz");
        }
        return this.#convert(storage, want);
      }
      case "integer":
        // Compilers write true as -1; a predicate is one bit.
        if (type === "pred") return this.code.i32(operand.value === 0n ? 0 : 1);
        return this.#pushInteger(operand.value, want);
      case "float":
        return this.#pushFloat(operand.bits, operand.width, want);
      case "special":
        this.pushSpecial(operand.name);
        return this.#convert(isWide(operand.name) ? "i64" : "i32", want);
      case "variable":
        this.#pushVariable(operand.variable, operand.offset);
        return this.#convert("i64", want);
      case "function":
        return this.#pushInteger(BigInt(this.facts.functionIds.get(operand.name) ?? 0), want);
      default:
        throw new PtxError(0, "unsupported", `An operand of the form ${operand.kind} is not a value`);
    }
  }

  #addBase(): void {
    this.code.i64(DEVICE_BASE);
    this.code.op("i64Add");
  }

  /** Pushes an integer operand, extended from the width of `type` to 32 or 64 bits by its signedness. */
  pushInt(operand: PtxOperand, type: PtxType): void {
    if (operand.kind === "integer") {
      const bits = 8 * bytesOf(type);
      const value = type.startsWith("s")
        ? BigInt.asIntN(bits, operand.value)
        : BigInt.asUintN(bits, operand.value);
      return this.#pushInteger(value, storageOf(type));
    }
    this.push(operand, type);
    const held = operand.kind === "register" ? this.typeOf(operand.register) : "b32";
    const isNarrow = bytesOf(held) <= bytesOf(type) && operand.kind === "register";
    this.extend(type, isNarrow);
  }

  /**
   * Extends what is on the stack from the width of a type. `isClean`: the bits above it are zero already.
   */
  extend(type: PtxType, isClean = false): void {
    switch (type) {
      case "s8":
        return this.code.op("i32Extend8S");
      case "s16":
        return this.code.op("i32Extend16S");
      case "u8":
      case "b8":
        if (!isClean) this.#mask(0xff);
        return;
      case "u16":
      case "b16":
      case "f16":
      case "bf16":
        if (!isClean) this.#mask(0xffff);
    }
  }

  #mask(bits: number): void {
    this.code.i32(bits);
    this.code.op("i32And");
  }

  /** Pops a value of the WebAssembly type that holds `type` and writes it to the result. */
  set(operand: PtxOperand | undefined, type: PtxType): void {
    if (operand?.kind !== "register") return this.code.op("drop");
    const held = this.typeOf(operand.register);
    this.#convert(storageOf(type), storageOf(held), type.startsWith("s"));
    if (held !== "pred") {
      if (bytesOf(held) === 1) this.#mask(0xff);
      // What is narrower than the register, or as narrow and unsigned, must come clean; only sums may not.
      else if (bytesOf(held) === 2) this.#mask(0xffff);
    }
    if (this.facts.pointers.has(operand.register)) {
      this.code.i64(DEVICE_BASE);
      this.code.op("i64Sub");
    }
    this.#frame.write(operand.register);
  }

  /** As `set`, for a pointer register whose value on the stack already lacks the base. */
  setRelative(register: number): void {
    this.#frame.write(register);
  }

  /** Pushes a pointer register without the base. */
  pushRelative(register: number): void {
    this.#frame.read(register);
  }

  #convert(from: ValueName, to: ValueName, isSigned = false): void {
    if (from === to) return;
    const { code } = this;
    if (from === "f32") {
      code.op("i32ReinterpretF32");
      return this.#convert("i32", to);
    }
    if (from === "f64") {
      code.op("i64ReinterpretF64");
      return this.#convert("i64", to);
    }
    if (from === "i32" && (to === "i64" || to === "f64")) {
      code.op(isSigned ? "i64ExtendI32S" : "i64ExtendI32U");
      return this.#convert("i64", to);
    }
    if (from === "i64" && (to === "i32" || to === "f32")) {
      code.op("i32WrapI64");
      return this.#convert("i32", to);
    }
    code.op(to === "f32" ? "f32ReinterpretI32" : "f64ReinterpretI64");
  }

  #pushInteger(value: bigint, want: ValueName): void {
    switch (want) {
      case "i32":
        return this.code.i32(Number(BigInt.asIntN(32, value)));
      case "i64":
        return this.code.i64(value);
      // An integer where a float is wanted is one written without a point.
      case "f32":
        return this.code.f32(Number(value));
      case "f64":
        return this.code.f64(Number(value));
    }
  }

  #pushFloat(bits: bigint, width: 32 | 64, want: ValueName): void {
    CONVERT.setBigUint64(0, bits);
    const value = width === 32 ? CONVERT.getFloat32(4) : CONVERT.getFloat64(0);
    switch (want) {
      case "f64":
        return width === 64 ? this.code.f64Bits(bits) : this.code.f64(value);
      case "f32":
        return width === 32 ? this.code.f32Bits(Number(bits)) : this.code.f32(value);
      case "i64":
        return this.code.i64(bits);
      case "i32":
        if (width === 32) return this.code.i32(Number(BigInt.asIntN(32, bits)));
        CONVERT.setFloat32(0, value);
        return this.code.i32(CONVERT.getInt32(0));
    }
  }

  /** The address of a variable in the space where it was declared; parameters have generic ones. */
  #pushVariable(variable: Parameters<KernelFacts["placeOf"]>[0], offset: bigint): void {
    const { space, offset: place } = this.facts.placeOf(variable);
    const { code } = this;
    const sum = BigInt(place) + offset;
    switch (space) {
      case "shared":
      case "local":
        return code.i64(sum);
      case "global":
        code.get(this.special("imageBase"));
        break;
      case "param":
        code.get(this.special("paramBase"));
    }
    code.i64(DEVICE_BASE + sum);
    code.op("i64Add");
  }

  /** Pushes a special register: an i64 for the wide ones, else an i32. */
  pushSpecial(name: string): void {
    pushSpecial(this, name);
  }

  /**
   * Pushes the place in memory of an address operand, checked as far as the engine does not check it.
   *
   * @param space as the instruction names it; undefined is generic
   * @param bytes that are accessed there, for bounds and alignment
   * @returns the offset for the memory instruction
   */
  pushAddress(
    operand: PtxOperand,
    space: string | undefined,
    bytes: number,
    instruction: Instruction,
  ): bigint {
    return pushAddress(this, { operand, space, bytes, instruction });
  }

  /** Ends the kernel if what is on the stack is not zero. */
  faultIf(code: number, line: number): void {
    this.code.if();
    this.fault(code, line);
    this.code.end();
  }

  /** Ends the kernel. What follows is not executed. */
  fault(code: number, line: number): void {
    this.code.i32(code);
    this.code.i32(line);
    this.code.call(this.parts.functions.fault);
    this.code.op("unreachable");
  }
}

const CONVERT = new DataView(new ArrayBuffer(8));
