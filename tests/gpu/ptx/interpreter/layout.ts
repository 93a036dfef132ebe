/**
 * Layout: where the variables and functions of a module lie.
 *
 * Owns the addresses of everything with a fixed one, and the initial bytes of variables that the caller did not
 * place. What lies in a function's frame (local variables, its parameters) is the function's own. Invariant:
 * two variables never overlap, except that all extern shared arrays start at the same byte.
 */
import type { PtxFunction, PtxModule, PtxVariable } from "../../../../gpu/ptx/ast.ts";
import { WINDOWS } from "./machine.ts";

/** Device addresses of module variables, by name. */
export type Placements = ReadonlyMap<string, bigint>;

export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

export class Layout {
  readonly #module: PtxModule;
  readonly #addresses = new Map<PtxVariable, bigint>();
  readonly #byName = new Map<string, PtxVariable>();
  readonly #functions = new Map<string, PtxFunction>();
  readonly #functionAddresses = new Map<string, bigint>();
  readonly #functionsByAddress = new Map<bigint, PtxFunction>();
  /** Bytes of shared variables, and where dynamic shared memory starts behind them. */
  readonly staticSharedBytes: number;
  readonly dynamicSharedStart: number;
  readonly globals: Uint8Array;
  readonly constants: Uint8Array;

  constructor(module: PtxModule, placements: Placements) {
    this.#module = module;
    for (const [index, each] of module.functions.entries()) {
      const known = this.#functions.get(each.name);
      if (known?.body !== undefined) continue;
      this.#functions.set(each.name, each);
      const address = BigInt(WINDOWS.function + 16 * (index + 1));
      this.#functionAddresses.set(each.name, address);
      this.#functionsByAddress.set(address, each);
    }
    const variables = [
      ...module.variables,
      ...module.functions.flatMap((each) => each.body?.variables ?? []),
    ];
    const next = { shared: 0, global: 0, const: 0 };
    const dynamic: PtxVariable[] = [];
    for (const variable of variables) {
      const { space, name } = variable;
      if (space !== "shared" && space !== "global" && space !== "const") continue;
      if (module.variables.includes(variable)) this.#byName.set(name, variable);
      const placed = placements.get(name);
      if (placed !== undefined && space !== "shared") {
        this.#addresses.set(variable, placed);
      } else if (space === "shared" && variable.linkage === "extern") {
        dynamic.push(variable);
      } else {
        const start = alignUp(next[space], Math.max(variable.alignment, 1));
        next[space] = start + variable.byteLength;
        const window = space === "shared" ? 0 : space === "global" ? WINDOWS.global : WINDOWS.constant;
        this.#addresses.set(variable, BigInt(window + start));
      }
    }
    this.staticSharedBytes = next.shared;
    this.dynamicSharedStart = alignUp(next.shared, Math.max(16, ...dynamic.map((each) => each.alignment)));
    for (const variable of dynamic) this.#addresses.set(variable, BigInt(this.dynamicSharedStart));
    this.globals = new Uint8Array(alignUp(next.global, 8));
    this.constants = new Uint8Array(alignUp(next.const, 8));
    for (const variable of variables) {
      if (variable.space === "global" && !placements.has(variable.name)) {
        this.#initialize(variable, this.globals, WINDOWS.global);
      } else if (variable.space === "const" && !placements.has(variable.name)) {
        this.#initialize(variable, this.constants, WINDOWS.constant);
      }
    }
  }

  /** The address in the variable's own space: an offset for shared, a generic address for others. */
  addressOf(variable: PtxVariable): bigint {
    const address = this.#addresses.get(variable);
    if (address === undefined) throw new Error(`Variable ${variable.name} has no fixed address`);
    return address;
  }

  findFunction(name: string): PtxFunction | undefined {
    return this.#functions.get(name) ?? this.#functions.get(this.#module.aliases.get(name) ?? "");
  }

  functions(): readonly PtxFunction[] {
    return [...this.#functions.values()];
  }

  functionAt(address: bigint): PtxFunction | undefined {
    return this.#functionsByAddress.get(address);
  }

  addressOfFunction(name: string): bigint {
    const found = this.findFunction(name);
    const address = found === undefined ? undefined : this.#functionAddresses.get(found.name);
    if (address === undefined) throw new Error(`Unknown function ${name}`);
    return address;
  }

  /** Writes the initial bytes of a variable to its place in `bytes`, which starts at the address `start`. */
  #initialize(variable: PtxVariable, bytes: Uint8Array, start: number): void {
    const at = Number(this.addressOf(variable)) - start;
    this.writeInitial(variable, bytes.subarray(at, at + variable.byteLength));
  }

  /** Fills `target` with what the variable holds at the start. */
  writeInitial(variable: PtxVariable, target: Uint8Array): void {
    target.fill(0);
    const initializer = variable.initializer;
    if (initializer === undefined) return;
    target.set(initializer.bytes);
    const view = new DataView(target.buffer, target.byteOffset, target.length);
    for (const { offset, size, symbol, addend, isGeneric } of initializer.relocations) {
      const referred = this.#byName.get(symbol);
      let address = referred === undefined ? this.addressOfFunction(symbol) : this.addressOf(referred);
      if (isGeneric && referred?.space === "shared") address += BigInt(WINDOWS.shared);
      const value = address + addend;
      if (size === 8) view.setBigUint64(offset, BigInt.asUintN(64, value), true);
      else view.setUint32(offset, Number(BigInt.asUintN(32, value)), true);
    }
  }
}
