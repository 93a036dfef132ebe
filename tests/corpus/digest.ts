/**
 * digestOf: a result of a package as plain JSON that two runs can be compared by.
 *
 * Owns the form of values that JSON does not have: binary data by length and SHA-256, big integers, numbers that
 * are not finite, long text. Invariant: equal values give equal digests, and different ones different
 * digests, or an error.
 */
const TEXT_MAX = 2_000;

/** The digest of any plain value. */
export async function digestOf(value: unknown): Promise<unknown> {
  if (typeof value === "string") return value.length > TEXT_MAX ? await digestText(value) : value;
  if (typeof value === "bigint") return `bigint:${value}`;
  if (typeof value === "number" && !Number.isFinite(value) || Object.is(value, -0)) {
    return `number:${show(value)}`;
  }
  if (value === undefined) return "undefined";
  if (value instanceof ArrayBuffer) return await digestBytes("ArrayBuffer", new Uint8Array(value));
  if (ArrayBuffer.isView(value)) {
    const bytes = Uint8Array.from(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    return await digestBytes(value.constructor.name, bytes);
  }
  if (Array.isArray(value)) return await Promise.all(value.map(digestOf));
  if (typeof value !== "object" || value === null) return value;
  // A class that keeps its state elsewhere would compare equal whatever it holds.
  if (Object.keys(value).length === 0 && Object.getPrototypeOf(value) !== Object.prototype) {
    throw new TypeError(`A result holds a ${value.constructor.name}, which has no members to compare`);
  }
  const entries: [string, unknown][] = [];
  for (const [key, member] of Object.entries(value)) entries.push([key, await digestOf(member)]);
  return Object.fromEntries(entries);
}

function show(value: unknown): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

async function digestText(text: string): Promise<string> {
  return await digestBytes(`text ${JSON.stringify(text.slice(0, 60))}`, new TextEncoder().encode(text));
}

async function digestBytes(kind: string, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `${kind} of ${bytes.length} bytes, sha256 ${hash.toHex()}`;
}
