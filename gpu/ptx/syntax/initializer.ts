/**
 * InitializerReader: what `=` gives a variable, as bytes and the addresses in them.
 *
 * Owns the layout of nested braces, of floats and of addresses, masked ones included. Whether a symbol exists
 * is asked at the end of the module. Invariant: nothing is written beyond the variable, and the bytes kept end
 * with the last one that was given, so that a huge variable costs what its text does.
 */
import { bytesOf, type PtxInitializer, type PtxRelocation, type PtxType } from "../ast.ts";
import { NESTING_MAX, parseConstant, parseInteger, type PtxConstant } from "./constant.ts";
import { type PtxLexer, shown } from "./lexer.ts";
import { CHAR, TOKEN } from "./tokens.ts";

/** Bytes of all initialisers of a module: more than any text of the permitted length gives without gaps. */
const BYTES_MAX = 64 * 1024 * 1024;
/** Addresses in all initialisers of a module. */
const ADDRESSES_MAX = 262_144;

/** What initialisers of a module may still take. */
export interface InitializerBudget {
  bytesLeft: number;
  addressesLeft: number;
}

/** An address in an initialiser, and the line to blame. */
export interface SymbolUse {
  readonly symbol: string;
  readonly line: number;
}

/** A budget for one module. */
export function makeInitializerBudget(): InitializerBudget {
  return { bytesLeft: BYTES_MAX, addressesLeft: ADDRESSES_MAX };
}

/** An address of which single bytes are given: `0xff00(x)`. */
interface Masked extends PtxRelocation {
  readonly line: number;
}

/** Reads one initialiser. */
export class InitializerReader {
  readonly #lexer: PtxLexer;
  readonly #type: PtxType;
  readonly #elementBytes: number;
  readonly #budget: InitializerBudget;
  readonly #relocations: PtxRelocation[] = [];
  readonly symbols: SymbolUse[] = [];
  #bytes = new Uint8Array(64);
  #length = 0;
  #masked: Masked | undefined;

  /** Reads from `lexer`, which stands behind the `=`, elements of `type`. */
  constructor(lexer: PtxLexer, type: PtxType, budget: InitializerBudget) {
    this.#lexer = lexer;
    this.#type = type;
    this.#elementBytes = bytesOf(type);
    this.#budget = budget;
  }

  /**
   * Reads values for a variable of these dimensions, the innermost last; the first may be `undefined`, any
   * number. Gives the bytes that the values span: those of the variable if its dimensions are known.
   */
  read(dimensions: readonly (number | undefined)[]): number {
    if (dimensions.length === 0 && this.#lexer.kind !== CHAR.braceOpen) {
      this.#value(0);
      return this.#elementBytes;
    }
    const spans = [this.#elementBytes];
    for (const count of dimensions.slice(1).reverse()) spans.unshift((spans[0] ?? 0) * (count ?? 0));
    const count = dimensions.length === 0 ? 1 : dimensions[0];
    const step = spans[0] ?? 0;
    const end = this.#list(0, count === undefined ? Infinity : count * step, spans, 0);
    return count === undefined ? Math.ceil(end / step) * step : count * step;
  }

  /** What was read. */
  finish(): PtxInitializer {
    if (this.#masked !== undefined) throw this.#incomplete(this.#masked);
    return { bytes: this.#bytes.slice(0, this.#length), relocations: this.#relocations };
  }

  // Values in braces for [start, end); `spans[level]` is the size of an element of this list. Values without
  // braces of their own fill in order, as in C. Gives where the values end.
  #list(start: number, end: number, spans: readonly number[], level: number): number {
    const lexer = this.#lexer;
    if (level > NESTING_MAX) throw lexer.error("an initialiser is nested too deep", "limit");
    lexer.expect(CHAR.braceOpen, "`{`");
    const span = spans[level] ?? 0;
    let at = start;
    if (lexer.accept(CHAR.braceClose)) return at;
    for (;;) {
      if (at >= end) throw lexer.error("more values than the variable has elements");
      if (lexer.kind === CHAR.braceOpen && level + 1 < spans.length) {
        if ((at - start) % span !== 0) throw lexer.error("braces in the middle of an element");
        this.#list(at, at + span, spans, level + 1);
        at += span;
      } else {
        this.#value(at);
        at += this.#elementBytes;
      }
      if (lexer.accept(CHAR.braceClose)) return at;
      lexer.expect(CHAR.comma, "`,` or `}`");
    }
  }

  #value(at: number): void {
    const lexer = this.#lexer;
    if (lexer.kind === TOKEN.word && !lexer.is("WARP_SZ")) {
      this.#endMasked();
      this.#address(at);
      return;
    }
    const line = lexer.line;
    const constant = parseConstant(lexer);
    if (lexer.kind === CHAR.parenOpen && constant.kind === "integer") {
      this.#maskedAddress(at, constant.value, line);
      return;
    }
    this.#endMasked();
    this.#write(at, this.#bitsOf(constant), this.#elementBytes);
  }

  #address(at: number): void {
    const { line } = this.#lexer;
    const size = this.#elementBytes;
    const address = this.#symbol();
    if (size !== 4 && size !== 8) throw this.#lexer.error(`an address in ${size} bytes`);
    this.#write(at, 0n, size);
    this.#addRelocation({ offset: at, size, ...address }, line);
  }

  // `name`, `name+4`, `generic(name)+4`.
  #symbol(): Pick<PtxRelocation, "symbol" | "addend" | "isGeneric"> {
    const lexer = this.#lexer;
    let symbol = lexer.word("a constant or a name");
    const isGeneric = symbol === "generic" && lexer.accept(CHAR.parenOpen);
    let addend = 0n;
    if (isGeneric) {
      symbol = lexer.word("a name");
      addend = this.#addend();
      lexer.expect(CHAR.parenClose, "`)`");
    }
    return { symbol, addend: addend + this.#addend(), isGeneric };
  }

  #addend(): bigint {
    const { kind } = this.#lexer;
    return kind === CHAR.plus || kind === CHAR.minus ? parseInteger(this.#lexer) : 0n;
  }

  // `0xff00(name)`: byte 1 of an address. Bytes 0 to 7 in order make one address; nothing else is emitted.
  #maskedAddress(at: number, mask: bigint, line: number): void {
    const lexer = this.#lexer;
    lexer.expect(CHAR.parenOpen, "`(`");
    const address = this.#symbol();
    lexer.expect(CHAR.parenClose, "`)`");
    const before = this.#masked;
    const size = before?.size ?? 0;
    const continues = before === undefined ||
      (before.symbol === address.symbol && before.addend === address.addend &&
        before.isGeneric === address.isGeneric && at === before.offset + size);
    if (this.#elementBytes !== 1 || !continues || mask !== 0xffn << BigInt(8 * size)) {
      throw lexer.error("a masked address whose bytes are not all there in order", "unsupported");
    }
    this.#write(at, 0n, 1);
    const offset = before?.offset ?? at;
    this.#masked = { offset, size: size + 1, ...address, line: before?.line ?? line };
    if (size + 1 === 8) this.#endMasked();
  }

  #endMasked(): void {
    const masked = this.#masked;
    if (masked === undefined) return;
    if (masked.size !== 4 && masked.size !== 8) throw this.#incomplete(masked);
    const { line, ...relocation } = masked;
    this.#addRelocation(relocation, line);
    this.#masked = undefined;
  }

  #addRelocation(relocation: PtxRelocation, line: number): void {
    if (--this.#budget.addressesLeft < 0) {
      throw this.#lexer.error(`initialisers have more than ${ADDRESSES_MAX} addresses`, "limit");
    }
    this.symbols.push({ symbol: relocation.symbol, line });
    this.#relocations.push(relocation);
  }

  #incomplete(masked: Masked): Error {
    return this.#lexer.error(`${masked.size} masked bytes of \`${shown(masked.symbol)}\``, "unsupported");
  }

  #bitsOf(constant: PtxConstant): bigint {
    const type = this.#type;
    if (constant.kind === "integer") {
      if (type === "f32" || type === "f64") {
        throw this.#lexer.error("an integer where a floating-point constant belongs");
      }
      return constant.value;
    }
    const isSingle = type === "f32" || type === "b32";
    if (!isSingle && type !== "f64" && type !== "b64") {
      throw this.#lexer.error(`a floating-point constant in a variable of type .${type}`);
    }
    if (constant.width === (isSingle ? 32 : 64)) return constant.bits;
    const view = new DataView(new ArrayBuffer(8));
    if (constant.width === 32) {
      view.setUint32(0, Number(constant.bits));
      view.setFloat64(0, view.getFloat32(0));
      return view.getBigUint64(0);
    }
    view.setBigUint64(0, constant.bits);
    view.setFloat32(0, view.getFloat64(0));
    return BigInt(view.getUint32(0));
  }

  #write(at: number, bits: bigint, size: number): void {
    this.#reserve(at + size);
    if (size <= 4) {
      let rest = Number(BigInt.asUintN(32, bits));
      for (let i = 0; i < size; i++, rest >>>= 8) this.#bytes[at + i] = rest & 0xff;
      return;
    }
    let rest = BigInt.asUintN(8 * size, bits);
    for (let i = 0; i < size; i++, rest >>= 8n) this.#bytes[at + i] = Number(rest & 0xffn);
  }

  #reserve(end: number): void {
    if (end <= this.#length) return;
    this.#budget.bytesLeft -= end - this.#length;
    if (this.#budget.bytesLeft < 0) {
      throw this.#lexer.error(`initialisers span more than ${BYTES_MAX} bytes`, "limit");
    }
    this.#length = end;
    if (end <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
    bytes.set(this.#bytes);
    this.#bytes = bytes;
  }
}
