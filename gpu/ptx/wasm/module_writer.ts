/**
 * ModuleWriter: functions, imports and globals into the bytes of one WebAssembly module.
 *
 * Owns the sections and the index spaces: imported functions first, then ours in the order in which they were
 * declared. A function is declared before its body is known, so that bodies may call each other. It knows
 * nothing of PTX. Invariant: every declared function has a body when the module is finished.
 */
import { ByteSink } from "./byte_sink.ts";
import { Code } from "./code.ts";
import { CodeLines } from "./code_lines.ts";
import { checkLimit } from "./limit_error.ts";
import { VALUE } from "./opcode.ts";
import type { ValueName } from "./opcode.ts";

/** How a global starts and whether it is written. */
export interface GlobalType {
  readonly type: "i32" | "i64";
  readonly isMutable: boolean;
}

/** The memory that a module imports: 64-bit addresses, sizes in pages of 64 KiB. */
export interface MemoryType {
  readonly pagesMin: number;
  readonly pagesMax: number;
  readonly isShared: boolean;
}

/** A module, and which lines its code is for. */
export interface FinishedModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly lines: CodeLines;
}

interface Import {
  readonly name: string;
  readonly write: (sink: ByteSink) => void;
}

/** Builds one module. */
export class ModuleWriter {
  readonly #types: string[] = [];
  readonly #typeBytes: Uint8Array[] = [];
  readonly #imports: Import[] = [];
  readonly #functions: { type: number; code: Code | undefined }[] = [];
  readonly #globals: GlobalType[] = [];
  readonly #exports: { name: string; kind: number; index: number }[] = [];
  readonly #elements: number[] = [];
  #importedFunctions = 0;
  #importedGlobals = 0;

  /** The index of a function type. */
  type(params: readonly ValueName[], results: readonly ValueName[]): number {
    const key = `${params.join()}>${results.join()}`;
    const known = this.#types.indexOf(key);
    if (known >= 0) return known;
    const sink = new ByteSink();
    sink.byte(0x60);
    for (const list of [params, results]) {
      sink.unsigned(list.length);
      for (const type of list) sink.byte(VALUE[type]);
    }
    this.#typeBytes.push(sink.take());
    return this.#types.push(key) - 1;
  }

  importFunction(name: string, params: readonly ValueName[], results: readonly ValueName[]): number {
    if (this.#functions.length > 0) throw new Error("Invariant: imports come before functions");
    const type = this.type(params, results);
    this.#imports.push({ name, write: (sink) => (sink.byte(0x00), sink.unsigned(type)) });
    return this.#importedFunctions++;
  }

  importGlobal(name: string, { type, isMutable }: GlobalType): number {
    if (this.#globals.length > 0) throw new Error("Invariant: imported globals come first");
    this.#imports.push({
      name,
      write: (sink) => (sink.byte(0x03), sink.byte(VALUE[type]), sink.byte(isMutable ? 1 : 0)),
    });
    return this.#importedGlobals++;
  }

  importMemory(name: string, { pagesMin, pagesMax, isShared }: MemoryType): void {
    this.#imports.push({
      name,
      // Limits with a maximum: bit 0; shared: bit 1; 64-bit addresses: bit 2.
      write: (
        sink,
      ) => (sink.byte(0x02),
        sink.byte(isShared ? 0x07 : 0x05),
        sink.unsigned(pagesMin),
        sink.unsigned(pagesMax)),
    });
  }

  /** A global that starts at zero. */
  global(type: GlobalType): number {
    this.#globals.push(type);
    return this.#importedGlobals + this.#globals.length - 1;
  }

  /** Takes a place in the index space; `define` gives it its body. */
  declare(params: readonly ValueName[], results: readonly ValueName[]): number {
    this.#functions.push({ type: this.type(params, results), code: undefined });
    return this.#importedFunctions + this.#functions.length - 1;
  }

  define(index: number, code: Code): void {
    const entry = this.#functions[index - this.#importedFunctions];
    if (entry === undefined || entry.code !== undefined) {
      throw new Error("Invariant: defined once, when declared");
    }
    entry.code = code;
  }

  /** Declares and begins a function. */
  begin(params: readonly ValueName[], results: readonly ValueName[]): { index: number; code: Code } {
    const index = this.declare(params, results);
    const code = new Code(params, results);
    this.define(index, code);
    return { index, code };
  }

  export(name: string, kind: "function" | "global", index: number): void {
    this.#exports.push({ name, kind: kind === "function" ? 0x00 : 0x03, index });
  }

  /** Puts a function into the table for indirect calls. @returns its place */
  tableEntry(functionIndex: number): number {
    return this.#elements.push(functionIndex) - 1;
  }

  /** @throws WasmLimitError for a module that is too large */
  finish(): FinishedModule {
    checkLimit("moduleFunctionsMax", this.#functions.length);
    const out = new ByteSink();
    out.bytes(new Uint8Array([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]));
    const bodies = this.#functions.map(({ code }) => {
      if (code === undefined) throw new Error("Invariant: every declared function has a body");
      return code.finish();
    });
    section(out, 1, this.#typeBytes, (sink, bytes) => sink.bytes(bytes));
    section(out, 2, this.#imports, (sink, { name, write }) => (sink.name("k"), sink.name(name), write(sink)));
    section(out, 3, this.#functions, (sink, { type }) => sink.unsigned(type));
    if (this.#elements.length > 0) {
      section(out, 4, [this.#elements.length], (sink, size) => {
        sink.byte(0x70);
        sink.byte(0x01);
        sink.unsigned(size);
        sink.unsigned(size);
      });
    }
    section(out, 6, this.#globals, (sink, { type, isMutable }) => {
      sink.byte(VALUE[type]);
      sink.byte(isMutable ? 1 : 0);
      sink.byte(type === "i32" ? 0x41 : 0x42);
      sink.byte(0);
      sink.byte(0x0b);
    });
    section(out, 7, this.#exports, (sink, { name, kind, index }) => {
      sink.name(name);
      sink.byte(kind);
      sink.unsigned(index);
    });
    if (this.#elements.length > 0) {
      section(out, 9, [this.#elements], (sink, elements) => {
        sink.unsigned(0);
        sink.bytes(new Uint8Array([0x41, 0x00, 0x0b]));
        sink.unsigned(elements.length);
        for (const index of elements) sink.unsigned(index);
      });
    }
    section(out, 10, bodies, (sink, bytes) => sink.bytes(bytes));
    // The bodies are the end of the module.
    let offset = out.length - bodies.reduce((sum, { length }) => sum + length, 0);
    const lines = this.#functions.flatMap(({ code }, index) => {
      const start = offset;
      offset += bodies[index]?.length ?? 0;
      return [start, 0, ...code?.linesFrom(start) ?? []];
    });
    return { bytes: out.take().slice(), lines: new CodeLines(lines) };
  }
}

function section<T>(
  out: ByteSink,
  id: number,
  items: readonly T[],
  write: (sink: ByteSink, item: T) => void,
): void {
  if (items.length === 0) return;
  const sink = new ByteSink();
  sink.unsigned(items.length);
  for (const item of items) write(sink, item);
  out.byte(id);
  out.unsigned(sink.length);
  out.bytes(sink.take());
}
