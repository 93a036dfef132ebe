/**
 * LastError: the text of the last call that failed, as a guest may read it.
 *
 * Owns the bound on its length and the cut: before a character, with an ellipsis. It does not choose what is
 * an error (session.ts does). Invariant: what is copied is valid UTF-8 of at most the bound, unless the guest's
 * own buffer cuts it shorter.
 */

const ELLIPSIS = "…";

/** One instance's last error. */
export class LastError {
  readonly #bytesMax: number;
  #text = "";
  /** Made when the guest asks: most errors are never read. */
  #bytes: Uint8Array | undefined;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  set(text: string): void {
    this.#text = text;
    this.#bytes = undefined;
  }

  /** The text as the guest gets it. */
  get bytes(): Uint8Array {
    this.#bytes ??= encodeWithin(this.#text, this.#bytesMax);
    return this.#bytes;
  }
}

/** UTF-8 of a text, cut to at most `bytesMax` bytes. */
export function encodeWithin(text: string, bytesMax: number): Uint8Array {
  const encoder = new TextEncoder();
  const target = new Uint8Array(bytesMax);
  const { read, written } = encoder.encodeInto(text, target);
  if (read === text.length) return target.subarray(0, written);
  const ellipsis = encoder.encode(ELLIPSIS);
  if (ellipsis.length > bytesMax) return target.subarray(0, 0);
  let end = bytesMax - ellipsis.length;
  // Not inside a character: continuation bytes are 10xxxxxx.
  while (end > 0 && ((target[end] ?? 0) & 0xc0) === 0x80) end--;
  target.set(ellipsis, end);
  return target.subarray(0, end + ellipsis.length);
}
