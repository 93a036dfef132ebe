/**
 * Product: D = A * B + C for the fragments of a warp, one function for each form that a kernel uses.
 *
 * Owns the arithmetic, and where elements lie in registers: lane 4g + q has, in each register of A, elements of
 * row g (of row g + 8 in every second register where blocks have 16 rows), in each of B elements of column g,
 * and of C the columns 2q and 2q + 1 (PTX ISA 9.7.14.5, figures of mma.m16n8k*). So four neighbouring lanes have
 * 16 bytes of one row or column. Invariant: a result starts with its element of C and adds products in rising
 * order of k, one rounding an addition; a result in f16 is rounded once more, at the end.
 */
import type { ModuleParts } from "../module_parts.ts";
import type { Code } from "../wasm/code.ts";
import { accumulate, addSaturating, transpose } from "./accumulate.ts";
import type { Element } from "./element.ts";
import { pushNarrowed, pushWidened } from "./half_vector.ts";
import { eightTimes, sharedFunction, times } from "./shared_function.ts";

/** Extents of a multiplication, and those of the blocks that it is made of: 8 or 16 rows, 8 columns. */
export interface ProductForm {
  readonly key: string;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: Element;
  readonly b: Element;
  /** Types of C and D: f32, f16 or s32. */
  readonly c: "f32" | "f16" | "s32";
  readonly d: "f32" | "f16" | "s32";
  readonly isSaturating: boolean;
  /** Of bits: whether they are combined by `and` instead of `xor`. */
  readonly isAnd: boolean;
  /** Whether a register of D is one of C at another place, so that C is read out first. */
  readonly copiesC: boolean;
}

/** Registers that fragments take. */
export interface FragmentSizes {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/** Rows of a block. */
export function blockRows(m: number): 8 | 16 {
  return m % 16 === 0 ? 16 : 8;
}

export function fragmentSizes({ m, n, k, a, b, c, d }: Omit<ProductForm, "key">): FragmentSizes {
  const results = (type: ProductForm["c"]): number => (m / 8) * (n / 8) * (type === "f16" ? 1 : 2);
  return {
    a: (m / 8) * (k * a.bits / 128),
    b: (n / 8) * (k * b.bits / 128),
    c: results(c),
    d: results(d),
  };
}

/** Bytes of scratch memory, in the order in which they lie there. */
const COPY_OFFSET = 4096;

/**
 * The function of a form. Parameters, all i64: the scratch memory (5 KiB); the places of lane 0 in the registers
 * of A, B, C and D, block by block.
 */
export function productFunction(parts: ModuleParts, form: ProductForm): number {
  const { a, b, c, d } = fragmentSizes(form);
  const params = Array.from({ length: 1 + a + b + c + d }, () => "i64" as const);
  return sharedFunction(
    parts,
    `product ${form.key}`,
    params,
    (code) => new Product(code, parts, form).write(),
  );
}

class Product {
  readonly #code: Code;
  readonly #isFused: boolean;
  readonly #form: ProductForm;
  /** Rows of a block, units of a row, and blocks that are side by side. */
  readonly #rows: 8 | 16;
  readonly #units: number;
  readonly #columnBlocks: number;
  readonly #sizes: FragmentSizes;

  constructor(code: Code, parts: ModuleParts, form: ProductForm) {
    this.#code = code;
    this.#isFused = parts.isFused;
    this.#form = form;
    this.#rows = blockRows(form.m);
    this.#units = form.k * form.a.bits / 128 * form.a.vectors * 4;
    this.#columnBlocks = form.n / 8;
    this.#sizes = fragmentSizes(form);
  }

  write(): void {
    this.#expandA();
    this.#expandB();
    if (this.#form.copiesC) this.#copyC();
    for (let row = 0; row < this.#form.m / this.#rows; row++) {
      for (let column = 0; column < this.#columnBlocks; column++) this.#multiply(row, column);
    }
  }

  /** Pushes a register's place plus what is in a local. */
  #place(param: number, offset: number): void {
    const code = this.#code;
    code.get(param);
    code.get(offset);
    code.op("i64Add");
  }

  /** A, row by row, behind the start of scratch memory. */
  #expandA(): void {
    const code = this.#code;
    const { a, k } = this.#form;
    const chunks = k * a.bits / 128;
    const packed = code.temp("v128");
    const units = Array.from({ length: a.vectors }, () => code.temp("v128"));
    const rowBytes = 4 * this.#units;
    const to = code.temp("i64");
    eightTimes(code, 16, (offset) => {
      code.get(0);
      code.get(offset);
      code.i64(BigInt(rowBytes / 16));
      code.op("i64Mul", "i64Add");
      code.set(to);
      for (let register = 0; register < this.#sizes.a; register++) {
        const halves = this.#rows / 8;
        const block = Math.floor(register / (halves * chunks));
        const within = register % (halves * chunks);
        const row = block * this.#rows + 8 * (within % halves);
        const chunk = Math.floor(within / halves);
        this.#place(1 + register, offset);
        code.memory("v128Load");
        code.set(packed);
        a.expand(code, packed, units);
        units.forEach((unit, index) => {
          code.get(to);
          code.get(unit);
          code.memory("v128Store", row * rowBytes + 16 * (chunk * a.vectors + index));
        });
      }
    });
    for (const local of [packed, ...units]) code.release("v128", local);
    code.release("i64", to);
  }

  get #startOfB(): number {
    return 4 * this.#units * this.#form.m;
  }

  /** Offset of the units of one k for the even or odd columns of a block. */
  #placeInB(unit: number, block: number, parity: number): number {
    return this.#startOfB + 16 * ((unit * this.#columnBlocks + block) * 2 + parity);
  }

  /** B, transposed: of each k the even and the odd columns of a block, as C and D have them. */
  #expandB(): void {
    const code = this.#code;
    const { b, k } = this.#form;
    const chunks = k * b.bits / 128;
    const packed = code.temp("v128");
    const units = Array.from({ length: 4 }, () => Array.from({ length: b.vectors }, () => code.temp("v128")));
    const to = code.temp("i64");
    times(code, 2, 16, (offset) => {
      code.get(0);
      code.get(offset);
      code.op("i64Add");
      code.set(to);
      for (let register = 0; register < this.#sizes.b; register++) {
        const [block, chunk] = [Math.floor(register / chunks), register % chunks];
        units.forEach((column, index) => {
          this.#place(1 + this.#sizes.a + register, offset);
          code.memory("v128Load", 32 * index);
          code.set(packed);
          b.expand(code, packed, column);
        });
        for (let vector = 0; vector < b.vectors; vector++) {
          const first = 4 * (chunk * b.vectors + vector);
          transpose(code, units.map((column) => column[vector] ?? 0), (index, push) => {
            code.get(to);
            push();
            code.memory("v128Store", this.#placeInB(first + index, block, 0));
          });
        }
      }
    });
    for (const local of [packed, ...units.flat()]) code.release("v128", local);
    code.release("i64", to);
  }

  #paramOfC(index: number): number {
    return 1 + this.#sizes.a + this.#sizes.b + index;
  }

  #paramOfD(index: number): number {
    return this.#paramOfC(this.#sizes.c + index);
  }

  #copyC(): void {
    const code = this.#code;
    for (let register = 0; register < this.#sizes.c; register++) {
      for (let quad = 0; quad < 8; quad++) {
        code.get(0);
        code.get(this.#paramOfC(register));
        code.memory("v128Load", 16 * quad);
        code.memory("v128Store", COPY_OFFSET + 128 * register + 16 * quad);
      }
      code.get(0);
      code.i64(BigInt(COPY_OFFSET + 128 * register));
      code.op("i64Add");
      code.set(this.#paramOfC(register));
    }
  }

  /** One block: for each of eight rows (and those eight below) the even and the odd columns. */
  #multiply(blockRow: number, blockColumn: number): void {
    const code = this.#code;
    const { isSaturating } = this.#form;
    const halves = this.#rows / 8;
    const block = blockRow * this.#columnBlocks + blockColumn;
    const rowBytes = 4 * this.#units;
    const sums = Array.from({ length: halves }, () => [code.temp("v128"), code.temp("v128")] as const);
    const rights = [code.temp("v128"), code.temp("v128")] as const;
    const left = code.temp("v128");
    const row = code.temp("i64");
    eightTimes(code, 16, (offset) => {
      code.get(0);
      code.get(offset);
      code.i64(BigInt(rowBytes / 16));
      code.op("i64Mul", "i64Add");
      code.set(row);
      sums.forEach((pair, half) => {
        if (!isSaturating) return this.#loadC(block * halves + half, offset, pair);
        for (const sum of pair) {
          code.v128([0, 0, 0, 0]);
          code.set(sum);
        }
      });
      for (let unit = 0; unit < this.#units; unit++) {
        rights.forEach((right, parity) => {
          code.get(0);
          code.memory("v128Load", this.#placeInB(unit, blockColumn, parity));
          code.set(right);
        });
        sums.forEach((pair, half) => {
          code.get(row);
          const place = (blockRow * this.#rows + 8 * half) * rowBytes + 4 * unit;
          code.memory("v128Load32Splat", place);
          code.set(left);
          pair.forEach((sum, parity) =>
            accumulate(code, this.#form, this.#isFused, left, rights[parity] ?? 0, sum)
          );
        });
      }
      sums.forEach((pair, half) => {
        if (isSaturating) this.#addC(block * halves + half, offset, pair);
        this.#storeD(block * halves + half, offset, pair);
      });
    });
    for (const local of [left, ...rights, ...sums.flat()]) code.release("v128", local);
    code.release("i64", row);
  }

  /** C of a row, the even and the odd columns. */
  #loadC(index: number, offset: number, [even, odd]: readonly [number, number]): void {
    const code = this.#code;
    if (this.#form.c !== "f16") {
      [even, odd].forEach((sum, parity) => {
        this.#place(this.#paramOfC(2 * index + parity), offset);
        code.memory("v128Load");
        code.set(sum);
      });
      return;
    }
    this.#place(this.#paramOfC(index), offset);
    code.memory("v128Load");
    code.tee(odd);
    code.v128([0xffff, 0xffff, 0xffff, 0xffff]);
    code.op("v128And");
    code.set(even);
    pushWidened(code, even);
    code.set(even);
    code.get(odd);
    code.i32(16);
    code.op("i32x4ShrU");
    code.set(odd);
    pushWidened(code, odd);
    code.set(odd);
  }

  #addC(index: number, offset: number, pair: readonly [number, number]): void {
    const code = this.#code;
    const start = code.temp("v128");
    pair.forEach((sum, parity) => {
      this.#place(this.#paramOfC(2 * index + parity), offset);
      code.memory("v128Load");
      code.set(start);
      addSaturating(code, start, sum);
    });
    code.release("v128", start);
  }

  #storeD(index: number, offset: number, [even, odd]: readonly [number, number]): void {
    const code = this.#code;
    if (this.#form.d !== "f16") {
      [even, odd].forEach((sum, parity) => {
        this.#place(this.#paramOfD(2 * index + parity), offset);
        code.get(sum);
        code.memory("v128Store");
      });
      return;
    }
    this.#place(this.#paramOfD(index), offset);
    pushNarrowed(code, even);
    pushNarrowed(code, odd);
    code.i32(16);
    code.op("i32x4Shl", "v128Or");
    code.memory("v128Store");
  }
}
