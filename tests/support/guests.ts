/**
 * The built guests of tests/guests/build, by name.
 *
 * Owns where they lie. It does not build them: `deno task guests` does. Invariant: a name that is not in the
 * manifest is an error that says how to build it, never an empty module.
 */
const GUESTS = new URL("../guests/", import.meta.url);

/** One export in the manifest; `signature` is printed as `(i32) -> (f32)` and present for functions only. */
export interface ManifestExport {
  readonly name: string;
  readonly kind: string;
  readonly signature?: string;
}

/** One guest in the manifest: its source relative to tests/guests, digest and size of the built module. */
export interface ManifestEntry {
  readonly name: string;
  readonly source: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly exports: readonly ManifestExport[];
}

/** The manifest of all built guests, in the order of their names. */
export function readManifest(): readonly ManifestEntry[] {
  return JSON.parse(Deno.readTextFileSync(new URL("MANIFEST.json", GUESTS)));
}

/** The bytes of a built guest. Throws Error for a name without a built module. */
export function readGuest(name: string): Uint8Array<ArrayBuffer> {
  try {
    return Deno.readFileSync(new URL(`build/${name}.wasm`, GUESTS));
  } catch (cause) {
    throw new Error(`Guest "${name}" is not built; run: deno task guests`, { cause });
  }
}

/** The bytes of a sample input, such as `text.txt`. */
export function readGuestData(file: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(`data/${file}`, GUESTS));
}
