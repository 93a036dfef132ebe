/**
 * ModuleAssembler: a module put together definition by definition, so that nobody counts indices.
 *
 * Owns the order of sections and the indices that it hands out. It checks nothing, so that tests can also make what
 * is invalid. Invariant: imports are declared before functions, as the index space has them.
 */
import type { Code } from "./instructions.ts";
import { moduleOf, name, section, u, vec } from "./module_bytes.ts";

/** Groups of equal locals: how many, and their type. */
export type Locals = readonly (readonly [count: number, type: number | Code])[];

/** Kinds of externals by their byte. */
const KIND = { func: 0, table: 1, memory: 2, global: 3, tag: 4 } as const;

/** A module in the making. */
export class ModuleAssembler {
  readonly #types: Code[] = [];
  readonly #imports: Code[] = [];
  readonly #functions: Code[] = [];
  readonly #bodies: Code[] = [];
  readonly #tables: Code[] = [];
  readonly #memories: Code[] = [];
  readonly #tags: Code[] = [];
  readonly #globals: Code[] = [];
  readonly #exports: Code[] = [];
  readonly #elements: Code[] = [];
  readonly #data: Uint8Array[] = [];
  #start: number | undefined;

  /** A type; the bytes of `func`, `arrayType`, `structType`, or of a subtype. Returns its index. */
  type(bytes: Code): number {
    return this.#types.push(bytes) - 1;
  }

  importFunction(module: string, field: string, type: number): number {
    return this.#imports.push([...name(module), ...name(field), KIND.func, ...u(type)]) - 1;
  }

  /** A function; `body` is without its `end`. Returns its index. */
  func(type: number, locals: Locals, ...body: readonly Code[]): number {
    const groups = locals.map(([count, local]) => [...u(count), ...typeBytes(local)]);
    // Not spread: bodies may be longer than what a call takes as arguments.
    this.#bodies.push(vec(...groups).concat(body.flat(), 0x0b));
    return this.#imports.length + this.#functions.push(u(type)) - 1;
  }

  memory(...limits: readonly number[]): number {
    return this.#memories.push(limits) - 1;
  }

  table(type: number | Code, ...limits: readonly number[]): number {
    return this.#tables.push([...typeBytes(type), ...limits]) - 1;
  }

  tag(type: number): number {
    return this.#tags.push([0, ...u(type)]) - 1;
  }

  /** A mutable global; `value` is its initial value, without `end`. */
  global(type: number | Code, value: Code): number {
    return this.#globals.push([...typeBytes(type), 1, ...value, 0x0b]) - 1;
  }

  export(field: string, kind: keyof typeof KIND, index: number): void {
    this.#exports.push([...name(field), KIND[kind], ...u(index)]);
  }

  /** Lets `ref.func` name functions. */
  declare(...functions: readonly number[]): void {
    this.#elements.push([3, 0, ...vec(...functions.map(u))]);
  }

  /** An element segment in its binary form. */
  elements(bytes: Code): number {
    return this.#elements.push(bytes) - 1;
  }

  /** A passive data segment. */
  passiveData(bytes: Uint8Array | Code): number {
    return this.#data.push(Uint8Array.from([1, ...u(bytes.length), ...bytes])) - 1;
  }

  start(func: number): void {
    this.#start = func;
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    const bodies = this.#bodies.map((body) => u(body.length).concat(body));
    return moduleOf(...[
      list(1, this.#types),
      list(2, this.#imports),
      list(3, this.#functions),
      list(4, this.#tables),
      list(5, this.#memories),
      list(13, this.#tags),
      list(6, this.#globals),
      list(7, this.#exports),
      this.#start === undefined ? [] : section(8, u(this.#start)),
      list(9, this.#elements),
      this.#data.length === 0 ? [] : section(12, u(this.#data.length)),
      list(10, bodies),
      list(11, this.#data.map((bytes) => [...bytes])),
    ]);
  }
}

function typeBytes(type: number | Code): Code {
  return typeof type === "number" ? [type] : type;
}

/** A section of a vector, left out when there is nothing in it. */
function list(id: number, items: readonly Code[]): number[] {
  return items.length === 0 ? [] : section(id, u(items.length), items.flat());
}
