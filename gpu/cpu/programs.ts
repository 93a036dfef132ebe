/**
 * Programs: the compiled code that a device keeps, by its PTX.
 *
 * Owns the cache over all contexts of a device: the same PTX is parsed and compiled once. The compiler itself is
 * fetched when the first PTX comes: most cells never see any, and reading it takes longer than starting one.
 * Contexts share code, never data. Invariant: it holds at most `programsMax` programs and `ptxBytesMax` bytes of their texts, those
 * used last.
 */
import type { CodeTraits, Program } from "./program.ts";

/** The compiler: what makes programs. */
export interface Compiler {
  compileProgram(ptx: Uint8Array, traits: CodeTraits): Program;
}

/** Programs of a device. */
export class Programs {
  /** The text is kept and compared: tenants share programs, and a hash can be made to meet another's. */
  readonly #byKey = new Map<string, { readonly program: Program; readonly ptx: Uint8Array }>();
  readonly #programsMax: number;
  readonly #ptxBytesMax: number;
  readonly #traits: CodeTraits;
  readonly #fetchCompiler: () => Promise<Compiler>;
  #compiler: Compiler | undefined;
  #bytes = 0;

  constructor(
    traits: CodeTraits,
    compiler: Compiler | (() => Promise<Compiler>),
    { programsMax, ptxBytesMax }: { readonly programsMax: number; readonly ptxBytesMax: number },
  ) {
    this.#traits = traits;
    this.#compiler = typeof compiler === "function" ? undefined : compiler;
    this.#fetchCompiler = typeof compiler === "function" ? compiler : () => Promise.resolve(compiler);
    this.#programsMax = programsMax;
    this.#ptxBytesMax = ptxBytesMax;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** Resolves once `load` may be called; undefined if it may now. */
  ready(): Promise<void> | undefined {
    if (this.#compiler !== undefined) return undefined;
    return this.#fetchCompiler().then((compiler) => void (this.#compiler = compiler));
  }

  /** @throws GpuError INVALID_PTX */
  load(ptx: Uint8Array): Program {
    if (this.#compiler === undefined) {
      throw new Error("Invariant: programs are loaded once the compiler is there");
    }
    const key = keyOf(ptx);
    const known = this.#byKey.get(key);
    if (known !== undefined && isEqual(known.ptx, ptx)) {
      this.#byKey.delete(key);
      this.#byKey.set(key, known);
      return known.program;
    }
    const program = this.#compiler.compileProgram(ptx, this.#traits);
    if (known !== undefined) this.#forget(key, known.ptx);
    this.#byKey.set(key, { program, ptx: ptx.slice() });
    this.#bytes += ptx.length;
    for (const [oldest, entry] of this.#byKey) {
      if (this.#byKey.size <= this.#programsMax && this.#bytes <= this.#ptxBytesMax) break;
      if (oldest === key) break;
      this.#forget(oldest, entry.ptx);
    }
    return program;
  }

  #forget(key: string, ptx: Uint8Array): void {
    this.#byKey.delete(key);
    this.#bytes -= ptx.length;
  }
}

/** FNV-1a over the text, and its length. */
function keyOf(ptx: Uint8Array): string {
  let hash = 0x811c_9dc5;
  for (let at = 0; at < ptx.length; at++) hash = Math.imul(hash ^ (ptx[at] ?? 0), 0x0100_0193);
  return `${ptx.length}:${hash >>> 0}`;
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
