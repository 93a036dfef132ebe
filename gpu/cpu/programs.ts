/**
 * Programs: the compiled code that a device keeps, by the digest of its PTX.
 *
 * Owns the cache over all contexts of a device: the same PTX is parsed and compiled once. The compiler itself is
 * fetched when the first PTX comes: most cells never see any, and reading it takes longer than starting one.
 * Contexts share code, never data. Invariant: it holds at most `programsMax` programs and `ptxBytesMax` bytes of their texts, those
 * used last.
 */
import { createHash } from "node:crypto";
import type { CodeTraits, Program } from "./program.ts";

/** The compiler: what makes programs. */
export interface Compiler {
  compileProgram(ptx: Uint8Array, traits: CodeTraits): Program;
}

/** Programs of a device. */
export class Programs {
  readonly #byDigest = new Map<string, { program: Program; bytes: number }>();
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
    return this.#byDigest.size;
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
    const digest = createHash("sha256").update(ptx).digest("base64");
    const known = this.#byDigest.get(digest);
    if (known !== undefined) {
      this.#byDigest.delete(digest);
      this.#byDigest.set(digest, known);
      return known.program;
    }
    const program = this.#compiler.compileProgram(ptx, this.#traits);
    this.#byDigest.set(digest, { program, bytes: ptx.length });
    this.#bytes += ptx.length;
    for (const [oldest, { bytes }] of this.#byDigest) {
      if (this.#byDigest.size <= this.#programsMax && this.#bytes <= this.#ptxBytesMax) break;
      if (oldest === digest) break;
      this.#byDigest.delete(oldest);
      this.#bytes -= bytes;
    }
    return program;
  }
}
