/**
 * CpuModule: a program in one context: its variables in the context's memory, and instances of its kernels.
 *
 * Owns the image of the variables with the addresses filled in, and one instance a compiled variant. Invariant:
 * once disposed it holds no memory of the context.
 */
import { DEVICE_BASE, IMPORT, RUN_EXPORT } from "../ptx/kernel_interface.ts";
import type { GpuModule, KernelInfo, Pacer } from "../device.ts";
import { inTurns } from "./in_turns.ts";
import type { DeviceMemory } from "./memory.ts";
import type { CodeShape, KernelCode, Program } from "./program.ts";

/** What instances import besides memory and image. */
export interface KernelImports {
  readonly tick: WebAssembly.ImportValue;
  readonly print: (format: bigint, args: bigint) => void;
  readonly clock: () => bigint;
}

/** A variant of a kernel in a context. */
export interface KernelInstance {
  readonly code: KernelCode;
  /** The exported function: place of the launch record. */
  readonly run: unknown;
}

/** Kernels by name, each prepared when it is asked for. */
class KernelTable implements ReadonlyMap<string, KernelInfo> {
  readonly #program: Program;

  constructor(program: Program) {
    this.#program = program;
  }

  get size(): number {
    return this.#program.names.length;
  }

  /** @throws GpuError INVALID_PTX if this kernel is not supported */
  get(name: string): KernelInfo | undefined {
    return this.#program.info(name);
  }

  has(name: string): boolean {
    return this.#program.names.includes(name);
  }

  forEach(callback: (value: KernelInfo, key: string, map: ReadonlyMap<string, KernelInfo>) => void): void {
    for (const [name, info] of this) callback(info, name, this);
  }

  *entries(): MapIterator<[string, KernelInfo]> {
    for (const name of this.#program.names) {
      const info = this.#program.info(name);
      if (info !== undefined) yield [name, info];
    }
    return undefined;
  }

  *keys(): MapIterator<string> {
    yield* this.#program.names;
    return undefined;
  }

  *values(): MapIterator<KernelInfo> {
    for (const [, info] of this) yield info;
    return undefined;
  }

  [Symbol.iterator](): MapIterator<[string, KernelInfo]> {
    return this.entries();
  }
}

/** A module of one context. */
export class CpuModule implements GpuModule {
  readonly kernels: ReadonlyMap<string, KernelInfo>;
  readonly program: Program;
  readonly #memory: DeviceMemory;
  readonly #pacer: Pacer;
  readonly #instances = new Map<KernelCode, KernelInstance>();
  #imageOffset: number | undefined;

  constructor(program: Program, memory: DeviceMemory, pacer: Pacer) {
    this.#pacer = pacer;
    this.program = program;
    this.kernels = new KernelTable(program);
    this.#memory = memory;
    const { byteLength } = program.linked.image;
    if (byteLength > 0) {
      this.#imageOffset = memory.allocate(byteLength, true);
      this.#writeImage(this.#imageOffset);
    }
  }

  /** Place of the variables in the memory. */
  get imageBase(): bigint {
    return BigInt(this.#imageOffset ?? 0);
  }

  get isDisposed(): boolean {
    return this.#imageOffset === -1;
  }

  findGlobal(name: string): { readonly pointer: bigint; readonly byteLength: number } | undefined {
    const symbol = this.program.linked.image.symbols.get(name);
    if (symbol === undefined || this.#imageOffset === undefined || this.isDisposed) return undefined;
    return {
      pointer: DEVICE_BASE + BigInt(this.#imageOffset + symbol.offset),
      byteLength: symbol.byteLength,
    };
  }

  findInTurns(name: string): KernelInfo | undefined | Promise<KernelInfo | undefined> {
    return inTurns(this.program.infoInTurns(name), this.#pacer);
  }

  /** The kernel for a shape, ready to run. */
  async instance(name: string, shape: CodeShape, imports: KernelImports): Promise<KernelInstance> {
    const code = await inTurns(this.program.codeInTurns(name, shape), this.#pacer);
    const known = this.#instances.get(code);
    if (known !== undefined) return known;
    const { exports } = new WebAssembly.Instance(code.module, { k: this.importsOf(imports) });
    const made = { code, run: exports[RUN_EXPORT] };
    this.#instances.set(code, made);
    return made;
  }

  importsOf({ tick, print, clock }: KernelImports): WebAssembly.ModuleImports {
    return {
      [IMPORT.memory]: this.#memory.memory,
      [IMPORT.tick]: tick,
      [IMPORT.print]: print,
      [IMPORT.clock]: clock,
      // A number stands for an immutable global (WebAssembly JavaScript API, "read the imports").
      [IMPORT.imageBase]: this.imageBase as unknown as WebAssembly.ImportValue,
    };
  }

  [Symbol.dispose](): void {
    if (this.#imageOffset !== undefined && this.#imageOffset >= 0) this.#memory.release(this.#imageOffset);
    this.#imageOffset = -1;
    this.#instances.clear();
  }

  #writeImage(at: number): void {
    const { pieces, addresses } = this.program.linked.image;
    const { bytes } = this.#memory;
    for (const { offset, bytes: initial } of pieces) bytes.set(initial, at + offset);
    const view = new DataView(bytes.buffer);
    for (const { offset, size, target, addend } of addresses) {
      const base = target.kind === "function"
        ? BigInt(target.value)
        : DEVICE_BASE + BigInt(at + target.value);
      const value = base + addend;
      if (size === 8) view.setBigUint64(at + offset, BigInt.asUintN(64, value), true);
      else view.setUint32(at + offset, Number(BigInt.asUintN(32, value)), true);
    }
  }
}
