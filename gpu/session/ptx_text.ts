/**
 * PtxText: the look at a PTX text before a device compiles it.
 *
 * Owns the check of its bytes (not empty, no NUL, UTF-8) and its fingerprint, both in one pass, as eight
 * megabytes are allowed. It parses nothing. Invariant: equal texts have equal fingerprints. Unequal ones hardly
 * ever do; a guest that makes them meet gets its own module in place of its own other one.
 */
import { GpuRefusal } from "./refusal.ts";

/** Odd constants with an even mix of bits (the golden ratio's fraction and two primes). */
const [FACTOR_A, FACTOR_B, SEED_B] = [0x9e3779b1, 0x85ebca77, 0x27d4eb2f];

/**
 * The fingerprint of a PTX text.
 *
 * @throws GpuRefusal malformedPtx for one that is empty, has a NUL or is not UTF-8
 */
export function fingerprintPtx(ptx: Uint8Array): string {
  if (ptx.length === 0) throw new GpuRefusal("malformedPtx", "PTX is empty");
  let [a, b] = [ptx.length | 0, SEED_B | 0];
  let isAscii = true;
  for (let at = 0; at < ptx.length; at++) {
    const byte = ptx[at] ?? 0;
    if (byte === 0) throw new GpuRefusal("malformedPtx", `PTX has a NUL at byte ${at}`);
    if (byte >= 0x80) isAscii = false;
    a = Math.imul(a ^ byte, FACTOR_A);
    a ^= a >>> 15;
    b = Math.imul((b << 5 | b >>> 27) ^ byte, FACTOR_B);
  }
  if (!isAscii) checkUtf8(ptx);
  return `${ptx.length}:${a >>> 0}:${b >>> 0}`;
}

function checkUtf8(ptx: Uint8Array): void {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(ptx);
  } catch {
    throw new GpuRefusal("malformedPtx", "PTX is not UTF-8");
  }
}
