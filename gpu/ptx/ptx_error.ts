/**
 * PtxError: why PTX was refused at load, with the line.
 *
 * Owns the one error that lexer, parser and compiler throw for what a module says; the device turns it into
 * the ABI's MalformedPtx and its log. Invariant: it is thrown for bad or unsupported input only, never for a
 * bug of ours.
 */

/** A module that cannot be loaded. */
export class PtxError extends Error {
  override readonly name = "PtxError";
  /** Line of the PTX text, from 1; 0 where there is no one line. */
  readonly line: number;
  /** `unsupported` for valid PTX that this device does not run; `limit` for what is too large. */
  readonly kind: "syntax" | "unsupported" | "limit";

  constructor(line: number, kind: PtxError["kind"], message: string) {
    super(line > 0 ? `line ${line}: ${message}` : message);
    this.line = line;
    this.kind = kind;
  }
}
