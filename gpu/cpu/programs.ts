/**
 * Programs: the compiled code that a device keeps, by the digest of its PTX.
 *
 * Owns the cache over all contexts of a device: the same PTX is parsed and compiled once. Contexts share code,
 * never data. Invariant: it holds at most `programsMax` programs and `ptxBytesMax` bytes of their texts, those
 * used last.
 */
import { createHash } from "node:crypto";
import { Program } from "./program.ts";
import type { CodeTraits } from "./program.ts";

/** Programs of a device. */
export class Programs {
  readonly #byDigest = new Map<string, { program: Program; bytes: number }>();
  readonly #programsMax: number;
  readonly #ptxBytesMax: number;
  #bytes = 0;

  readonly #traits: CodeTraits;

  constructor(traits: CodeTraits, programsMax: number, ptxBytesMax: number) {
    this.#traits = traits;
    this.#programsMax = programsMax;
    this.#ptxBytesMax = ptxBytesMax;
  }

  get size(): number {
    return this.#byDigest.size;
  }

  /** @throws GpuError INVALID_PTX */
  load(ptx: Uint8Array): Program {
    const digest = createHash("sha256").update(ptx).digest("base64");
    const known = this.#byDigest.get(digest);
    if (known !== undefined) {
      this.#byDigest.delete(digest);
      this.#byDigest.set(digest, known);
      return known.program;
    }
    const program = new Program(ptx, this.#traits);
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
