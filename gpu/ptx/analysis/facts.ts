/**
 * Facts: what the analyses know of a kernel for one block shape, as the emitter asks for it.
 *
 * Owns the answers only; the analyses own how they are found. Invariant: what is not known is answered on the
 * safe side.
 */
import type { PtxBase, PtxVariable } from "../ast.ts";
import type { Kernel, Placement } from "../kernel/ir.ts";
import { PtxError } from "../ptx_error.ts";

/** A block's extents in threads. */
export interface BlockShape {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/** What is known of a kernel. */
export class KernelFacts {
  readonly kernel: Kernel;
  readonly block: BlockShape;
  readonly functionIds: ReadonlyMap<string, number>;
  /** Registers that are kept without DEVICE_BASE, for what addresses are made of. */
  readonly pointers: ReadonlySet<number>;
  readonly #alignments: Uint8Array;
  readonly #bounds: Float64Array;

  constructor(
    kernel: Kernel,
    block: BlockShape,
    functionIds: ReadonlyMap<string, number>,
    pointers: ReadonlySet<number>,
    alignments: Uint8Array,
    bounds: Float64Array,
  ) {
    this.kernel = kernel;
    this.block = block;
    this.functionIds = functionIds;
    this.pointers = pointers;
    this.#alignments = alignments;
    this.#bounds = bounds;
  }

  get threads(): number {
    return this.block.x * this.block.y * this.block.z;
  }

  placeOf(variable: PtxVariable): Placement {
    const placement = this.kernel.placements.get(variable);
    if (placement === undefined) {
      throw new PtxError(variable.line, "unsupported", `${variable.name} has no address`);
    }
    return placement;
  }

  /** Whether an address of so many bytes is known to be aligned to them (a power of two). */
  isAligned(base: PtxBase, offset: bigint, bytes: number): boolean {
    if (bytes === 1) return true;
    if ((offset & BigInt(bytes - 1)) !== 0n) return false;
    if (base.kind !== "register") return true;
    return 1 << (this.#alignments[base.register] ?? 0) >= bytes;
  }

  /** Whether an access of so many bytes at a register's value plus an offset is known to end within a window. */
  isWithin(base: PtxBase, offset: bigint, bytes: number, windowBytes: number): boolean {
    if (base.kind !== "register" || offset < 0n) return false;
    return (this.#bounds[base.register] ?? Infinity) + Number(offset) + bytes <= windowBytes;
  }
}
