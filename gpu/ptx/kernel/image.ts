/**
 * Image: the module-scope variables of a module laid out in one piece of memory.
 *
 * Owns offsets, initial bytes and the places that hold addresses, which the device fills in when it knows where
 * the image lies. Shared variables are not in it: every kernel lays out its own. Invariant: a compiled kernel
 * names a variable by its offset in the image, never by an address, so that contexts can share the code.
 */
import type { PtxModule, PtxVariable } from "../ast.ts";
import { PtxError } from "../ptx_error.ts";

/** Most bytes of a module's variables. */
const IMAGE_BYTES_MAX = 256 * 1024 * 1024;

/** What is written where an initialiser names something. */
export interface ImageAddress {
  readonly offset: number;
  readonly size: number;
  /** An offset in the image, or the number of a function. */
  readonly target: { readonly kind: "image" | "function"; readonly value: number };
  readonly addend: bigint;
}

/** The variables of a module. */
export interface Image {
  readonly byteLength: number;
  /** Initial bytes that are not zero, piece by piece. */
  readonly pieces: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
  readonly addresses: readonly ImageAddress[];
  readonly offsets: ReadonlyMap<PtxVariable, number>;
  readonly symbols: ReadonlyMap<string, { readonly offset: number; readonly byteLength: number }>;
}

/** Device addresses are aligned at least to this. */
const IMAGE_ALIGNMENT = 256;

/**
 * @param functionIds numbers of the functions whose addresses may be taken
 * @throws PtxError for an extern variable that nothing defines, or one too large
 */
export function layOutImage(module: PtxModule, functionIds: ReadonlyMap<string, number>): Image {
  const offsets = new Map<PtxVariable, number>();
  const symbols = new Map<string, { offset: number; byteLength: number }>();
  const variables = [
    ...module.variables,
    ...module.functions.flatMap((fn) => fn.body?.variables ?? []),
  ].filter(({ space }) => space === "global" || space === "const");
  let byteLength = 0;
  for (const variable of variables) {
    if (variable.linkage === "extern") continue;
    const alignment = Math.min(Math.max(variable.alignment, 1), IMAGE_ALIGNMENT);
    byteLength = Math.ceil(byteLength / alignment) * alignment;
    offsets.set(variable, byteLength);
    symbols.set(variable.name, { offset: byteLength, byteLength: variable.byteLength });
    byteLength += variable.byteLength;
    if (byteLength > IMAGE_BYTES_MAX) {
      const text =
        `The module's variables are too large: imageBytesMax is ${IMAGE_BYTES_MAX}, got ${byteLength}`;
      throw new PtxError(variable.line, "limit", text);
    }
  }
  for (const variable of variables) {
    if (variable.linkage !== "extern") continue;
    const defined = symbols.get(variable.name);
    // It is an error only where it is used; flatten.ts finds no place for it then.
    if (defined !== undefined) offsets.set(variable, defined.offset);
  }
  return { byteLength, offsets, symbols, ...initialValues(offsets, symbols, functionIds) };
}

function initialValues(
  offsets: ReadonlyMap<PtxVariable, number>,
  symbols: ReadonlyMap<string, { offset: number }>,
  functionIds: ReadonlyMap<string, number>,
): Pick<Image, "pieces" | "addresses"> {
  const pieces: { offset: number; bytes: Uint8Array }[] = [];
  const addresses: ImageAddress[] = [];
  for (const [{ initializer, line, name }, start] of offsets) {
    if (initializer === undefined) continue;
    pieces.push({ offset: start, bytes: initializer.bytes });
    for (const { offset, size, symbol, addend } of initializer.relocations) {
      const variable = symbols.get(symbol);
      const id = functionIds.get(symbol);
      if (variable === undefined && id === undefined) {
        throw new PtxError(
          line,
          "unsupported",
          `${name}: its initialiser names ${symbol}, which has no address`,
        );
      }
      const target = variable === undefined
        ? { kind: "function" as const, value: id ?? 0 }
        : { kind: "image" as const, value: variable.offset };
      addresses.push({ offset: start + offset, size, target, addend });
    }
  }
  return { pieces, addresses };
}
