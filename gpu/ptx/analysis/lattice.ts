/**
 * Lattice: how each value differs from thread to thread of a block, and how it is aligned.
 *
 * Owns the data-flow over SSA values. A value's stride is what it grows by from one thread to the next along x:
 * 0 is uniform, undefined is varying. Its alignment is the count of low bits that are zero. Where control
 * diverges, values that meet vary. The scalar body uses the alignment and the provenance of addresses; the
 * vector body will use the strides. Invariant: what is claimed holds for every launch of the block shape whose
 * parameters are aligned as assumed.
 */
import type { PtxOperand } from "../ast.ts";
import { bounded, resultBound } from "./bounds.ts";
import type { Cfg } from "./cfg.ts";
import { divergentJoins, postDominators } from "./divergence.ts";
import type { BlockShape } from "./facts.ts";
import type { Instruction, Kernel } from "../kernel/ir.ts";
import { spaceOf } from "../opcodes/memory.ts";
import type { Ssa } from "./ssa.ts";

/** What is known of a value. */
export interface ValueFacts {
  /** Growth from thread to thread; undefined if it is not known or not constant. */
  readonly stride: bigint | undefined;
  /** Low bits that are zero, at most ALIGNMENT_MAX. */
  readonly alignment: number;
  /** Largest value, read as unsigned; Infinity if it is not known. */
  readonly max: number;
}

/** Bits beyond which nothing is asked: an access is at most 32 bytes. */
const ALIGNMENT_MAX = 6;
/** Low zero bits of a parameter that may be an address, where that was checked at the launch. */
const PARAMETER_ALIGNMENT = 4;

/** How often a value's bound may grow before it is given up: around a loop it would grow for ever. */
const GROWTHS_MAX = 3;

/** Of a value that nothing has reached yet: it is known by being this very object. */
const TOP: ValueFacts = { stride: 0n, alignment: ALIGNMENT_MAX, max: -1 };
const BOTTOM: ValueFacts = { stride: undefined, alignment: 0, max: Infinity };

const UNIFORM_SPECIAL =
  /^(n?ctaid|ntid|nctaid|total_smem_size|dynamic_smem_size|nsmid|smid|gridid|nwarpid|envreg)/;

const ROUNDS_MAX = 8;

/** What the analysis needs of a kernel. */
export interface LatticeInput {
  readonly kernel: Kernel;
  readonly cfg: Cfg;
  readonly ssa: Ssa;
  readonly block: BlockShape;
  readonly areParamsAligned: boolean;
}

/** Facts by value. */
export function analyzeLattice(input: LatticeInput): readonly ValueFacts[] {
  return new LatticeAnalysis(input).run();
}

class LatticeAnalysis {
  readonly #input: LatticeInput;
  readonly #facts: ValueFacts[];
  readonly #users = new Map<number, number[]>();
  readonly #growths: Uint8Array;
  readonly #postDominator: Int32Array;
  #divergent: Set<number> = new Set();

  constructor(input: LatticeInput) {
    this.#input = input;
    this.#facts = input.ssa.values.map(() => TOP);
    this.#growths = new Uint8Array(input.ssa.values.length);
    this.#postDominator = postDominators(input.cfg);
    this.#noteUsers();
  }

  /**
   * To the greatest solution for the branches that are known to diverge, and again while that finds more of
   * them: both only ever grow.
   */
  run(): readonly ValueFacts[] {
    const { values, conditions } = this.#input.ssa;
    for (let round = 1;; round++) {
      this.#settle(values.map((_, index) => index));
      const divergent = new Set<number>();
      for (const [block, value] of conditions) {
        if (this.#facts[value]?.stride !== 0n || round > ROUNDS_MAX) divergent.add(block);
      }
      if (divergent.size === this.#divergent.size) {
        return this.#facts.map((facts) => facts === TOP ? BOTTOM : facts);
      }
      this.#divergent = divergent;
      this.#joins = undefined;
    }
  }

  #noteUsers(): void {
    const { values, uses } = this.#input.ssa;
    values.forEach(({ instruction, inputs }, index) => {
      const reads = [...inputs, ...(instruction === undefined ? [] : uses.get(instruction) ?? [])];
      for (const read of reads) {
        const known = this.#users.get(read);
        if (known === undefined) this.#users.set(read, [index]);
        else known.push(index);
      }
    });
  }

  #settle(start: number[]): void {
    const pending = start.reverse();
    const isPending = new Uint8Array(this.#facts.length).fill(1);
    for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
      isPending[index] = 0;
      const before = this.#facts[index] ?? BOTTOM;
      const after = this.#widen(index, before, meet(before, this.#evaluate(index)));
      if (
        after.stride === before.stride && after.alignment === before.alignment && after.max === before.max
      ) continue;
      this.#facts[index] = after;
      for (const user of this.#users.get(index) ?? []) {
        if (isPending[user] === 1) continue;
        isPending[user] = 1;
        pending.push(user);
      }
    }
  }

  /** A bound that grows again and again is none. */
  #widen(index: number, before: ValueFacts, after: ValueFacts): ValueFacts {
    if (after.max <= before.max || after.max === Infinity) return after;
    const growths = (this.#growths[index] ?? 0) + 1;
    this.#growths[index] = growths;
    return growths > GROWTHS_MAX ? { ...after, max: Infinity } : after;
  }

  #evaluate(index: number): ValueFacts {
    const value = this.#input.ssa.values[index];
    if (value === undefined || value.kind === "unwritten") return BOTTOM;
    let facts = value.instruction === undefined
      ? TOP
      : this.#ofInstruction(value.instruction, value.register);
    for (const input of value.inputs) facts = meet(facts, this.#facts[input] ?? BOTTOM);
    if (facts === TOP) return TOP;
    if (value.kind === "phi" && this.#isDivergentJoin(value.block)) return { ...facts, stride: undefined };
    // Under a guard some threads may keep what they had.
    const guard = value.instruction?.guard;
    if (guard !== undefined && value.instruction !== undefined) {
      const uses = this.#input.ssa.uses.get(value.instruction) ?? [];
      const condition = uses.at(-1);
      const decides = condition === undefined ? BOTTOM : this.#facts[condition] ?? BOTTOM;
      if (decides !== TOP && decides.stride !== 0n) return { ...facts, stride: undefined };
    }
    return facts;
  }

  #joins: Set<number> | undefined;

  /** Blocks where threads that went different ways meet again, or leave a loop at different times. */
  #isDivergentJoin(block: number): boolean {
    this.#joins ??= divergentJoins(this.#input.cfg, this.#postDominator, this.#divergent);
    return this.#joins.has(block);
  }

  #ofInstruction(instruction: Instruction, register: number): ValueFacts {
    const { row, operands, types } = instruction;
    if (row.effect === "read") return this.#ofLoad(instruction);
    if (row.effect !== "pure" || row.lattice === "varying") return BOTTOM;
    const parts = operands.slice(1).map((operand) => this.#ofOperand(operand, instruction));
    if (parts.includes(TOP)) return TOP;
    const [a = BOTTOM, b = BOTTOM, c = BOTTOM] = parts;
    const isUniform = parts.every(({ stride }) => stride === 0n);
    const max = resultBound(instruction, parts.map((part) => part.max));
    const joined: ValueFacts = { stride: isUniform ? 0n : undefined, alignment: 0, max };
    // What saturates loses its low zeros.
    const isOpaque = types.some((type) => /^(f|bf|tf)|x2$/.test(type)) ||
      instruction.modifiers.includes("sat");
    if (isOpaque || instruction.defs.length !== 1 || instruction.defs[0] !== register) {
      return { ...joined, max: Infinity };
    }
    switch (row.lattice) {
      case "copy":
        // Frames of threads lie next to each other, each a multiple of 16 bytes.
        if (row.name === "cvta" && spaceOf(instruction) === "local") {
          return { stride: undefined, alignment: Math.min(a.alignment, 4), max: Infinity };
        }
        return operands[1]?.kind === "vector" ? joined : { ...a, max };
      case "convert":
        return { stride: a.stride, alignment: a.alignment, max };
      case "add":
        return { stride: sum(a.stride, b.stride, 1n), alignment: Math.min(a.alignment, b.alignment), max };
      case "sub":
        return { stride: sum(a.stride, b.stride, -1n), alignment: Math.min(a.alignment, b.alignment), max };
      case "mul":
        return this.#product(instruction, a, b, joined);
      case "mad": {
        const product = this.#product(instruction, a, b, joined);
        return {
          stride: sum(product.stride, c.stride, 1n),
          alignment: Math.min(product.alignment, c.alignment),
          max,
        };
      }
      case "shl": {
        const [, , amount] = operands;
        if (amount?.kind !== "integer") return joined;
        const bits = Number(BigInt.asUintN(32, amount.value));
        const stride = a.stride === undefined ? undefined : a.stride << BigInt(Math.min(bits, 64));
        return { stride, alignment: Math.min(ALIGNMENT_MAX, a.alignment + bits), max };
      }
      default:
        return this.#masked(instruction, a, b, joined);
    }
  }

  /** An and keeps the zeros of both operands, an or those that both have. */
  #masked({ row }: Instruction, a: ValueFacts, b: ValueFacts, joined: ValueFacts): ValueFacts {
    if (row.name === "and") return { ...joined, alignment: Math.max(a.alignment, b.alignment) };
    if (
      row.name === "or" || row.name === "xor" || row.name === "selp" || row.name === "min" ||
      row.name === "max"
    ) {
      return { ...joined, alignment: Math.min(a.alignment, b.alignment) };
    }
    return joined;
  }

  #product(
    { modifiers, operands }: Instruction,
    a: ValueFacts,
    b: ValueFacts,
    joined: ValueFacts,
  ): ValueFacts {
    if (modifiers.includes("hi")) return joined;
    const alignment = Math.min(ALIGNMENT_MAX, a.alignment + b.alignment);
    const [, left, right] = operands;
    const { max } = joined;
    if (a.stride === 0n && b.stride === 0n) return { stride: 0n, alignment, max };
    if (right?.kind === "integer" && a.stride !== undefined) {
      return { stride: a.stride * right.value, alignment, max };
    }
    if (left?.kind === "integer" && b.stride !== undefined) {
      return { stride: b.stride * left.value, alignment, max };
    }
    return { stride: undefined, alignment, max };
  }

  /** Parameters of the kernel are the same for all; whatever else is loaded may be anything. */
  #ofLoad(instruction: Instruction): ValueFacts {
    const [, address] = instruction.operands;
    const isParameter = spaceOf(instruction) === "param" && address?.kind === "address" &&
      address.base.kind === "variable";
    if (!isParameter) return BOTTOM;
    // Only whole parameters of 8 bytes are looked at when a kernel is launched.
    const { byteLength } = address.base.variable;
    const isAddress = byteLength === 8 && address.offset === 0n && /64$/.test(instruction.types[0] ?? "");
    const alignment = isAddress && this.#input.areParamsAligned ? PARAMETER_ALIGNMENT : 0;
    return { stride: 0n, alignment, max: Infinity };
  }

  #ofOperand(operand: PtxOperand, instruction: Instruction): ValueFacts {
    switch (operand.kind) {
      case "register": {
        const place = instruction.uses.indexOf(operand.register);
        const value = this.#input.ssa.uses.get(instruction)?.[place];
        return value === undefined ? BOTTOM : this.#facts[value] ?? BOTTOM;
      }
      case "integer":
        return { stride: 0n, alignment: zeros(operand.value), max: bounded(Number(operand.value)) };
      case "variable": {
        const place = this.#input.kernel.placements.get(operand.variable);
        const bits = Math.min(
          zeros(BigInt(place?.offset ?? 1)),
          zeros(BigInt(Math.max(1, operand.variable.alignment))),
        );
        const isWindow = place?.space === "shared" || place?.space === "local";
        const max = isWindow ? bounded(place.offset + Number(operand.offset)) : Infinity;
        return { stride: 0n, alignment: Math.min(bits, zeros(operand.offset)), max };
      }
      case "special":
        return this.#ofSpecial(operand.name);
      case "vector": {
        const parts = operand.elements.map((element) => this.#ofOperand(element, instruction));
        if (parts.includes(TOP)) return TOP;
        const isUniform = parts.every(({ stride }) => stride === 0n);
        return { stride: isUniform ? 0n : undefined, alignment: 0, max: Infinity };
      }
      case "float":
      case "function":
        return { stride: 0n, alignment: 0, max: Infinity };
      default:
        return BOTTOM;
    }
  }

  #ofSpecial(name: string): ValueFacts {
    const { x, y, z } = this.#input.block;
    const [of, axis] = name.split(".");
    const extent = axis === "x" ? x : axis === "y" ? y : z;
    if (of === "ntid") return { stride: 0n, alignment: zeros(BigInt(extent)), max: extent };
    if (of === "tid") {
      const stride = extent === 1 ? 0n : axis === "x" ? 1n : undefined;
      return { stride, alignment: extent === 1 ? ALIGNMENT_MAX : 0, max: extent - 1 };
    }
    const max = name === "laneid" ? 31 : name === "warpid" ? Math.ceil(x * y * z / 32) - 1 : Infinity;
    return { stride: UNIFORM_SPECIAL.test(name) ? 0n : undefined, alignment: 0, max };
  }
}

function meet(a: ValueFacts, b: ValueFacts): ValueFacts {
  if (a === TOP) return b;
  if (b === TOP) return a;
  return {
    stride: a.stride === b.stride ? a.stride : undefined,
    alignment: Math.min(a.alignment, b.alignment),
    max: Math.max(a.max, b.max),
  };
}

function sum(a: bigint | undefined, b: bigint | undefined, sign: bigint): bigint | undefined {
  return a === undefined || b === undefined ? undefined : a + sign * b;
}

/** Low zero bits of a number. */
function zeros(value: bigint): number {
  for (let bits = 0; bits < ALIGNMENT_MAX; bits++) if ((value >> BigInt(bits) & 1n) === 1n) return bits;
  return ALIGNMENT_MAX;
}

/** Largest value that a register ever has, by register; Infinity where it is not known. */
export function registerBounds(
  { values }: Ssa,
  facts: readonly ValueFacts[],
  registerCount: number,
): Float64Array {
  const bounds = new Float64Array(registerCount);
  values.forEach(({ register }, index) => {
    bounds[register] = Math.max(bounds[register] ?? 0, facts[index]?.max ?? Infinity);
  });
  return bounds;
}

/** Low zero bits that every value of a register has, by register. */
export function registerAlignments(
  { values }: Ssa,
  facts: readonly ValueFacts[],
  registerCount: number,
): Uint8Array {
  const alignments = new Uint8Array(registerCount).fill(ALIGNMENT_MAX);
  values.forEach(({ register, kind }, index) => {
    if (kind === "unwritten") return;
    alignments[register] = Math.min(alignments[register] ?? 0, facts[index]?.alignment ?? 0);
  });
  return alignments;
}
