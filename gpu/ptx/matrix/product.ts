/**
 * Product: D = A * B + C for the fragments of a warp, one function for each form that a kernel uses.
 *
 * Owns the arithmetic, and where elements lie in registers: lane 4g + q has, in each register of A, elements of
 * row g (of row g + 8 in every second register where blocks have 16 rows), in each of B elements of column g,
 * and of C the columns 2q and 2q + 1 (PTX ISA 9.7.14.5, figures of mma.m16n8k*). So four neighbouring lanes have
 * 16 bytes of one row or column. Invariant: a result starts with its element of C and adds products in rising
 * order of k, one rounding an addition; a result in f16 is rounded once more, at the end.
 */
import type { ModuleParts } from "../emit/module_parts.ts";
import type { Code } from "../wasm/code.ts";
import { accumulate, addSaturating, transpose } from "./accumulate.ts";
import type { Element } from "./element.ts";
import { pushNarrowed, pushWidened } from "./half_vector.ts";
import { sharedFunction, times } from "./shared_function.ts";

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
  /** Whether a register of D is one that a later block reads, so that all are read out first. */
  readonly copiesInputs: boolean;
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

/**
 * The function of a form. Parameters, all i64: scratch memory, of which copies of A, B and C take 128 bytes a
 * register; the places of lane 0 in the registers of A, B, C and D, block by block.
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

/** Sums of a row: its even and its odd columns, as the lanes' registers of C have them. */
type RowSums = readonly [even: number, odd: number];

class Product {
  readonly #code: Code;
  readonly #isFused: boolean;
  readonly #form: ProductForm;
  /** Rows of a block over 8, units of a row, registers of a row or column, and blocks that are side by side. */
  readonly #halves: 1 | 2;
  readonly #units: number;
  readonly #chunks: number;
  readonly #columnBlocks: number;
  readonly #sizes: FragmentSizes;

  constructor(code: Code, parts: ModuleParts, form: ProductForm) {
    this.#code = code;
    this.#isFused = parts.isFused;
    this.#form = form;
    this.#halves = blockRows(form.m) === 16 ? 2 : 1;
    this.#chunks = form.k * form.a.bits / 128;
    this.#units = this.#chunks * form.a.vectors * 4;
    this.#columnBlocks = form.n / 8;
    this.#sizes = fragmentSizes(form);
  }

  write(): void {
    if (this.#form.copiesInputs) this.#copyInputs();
    // B's units, even and odd columns, stay in locals: loads would cost a check of their bounds each.
    const right = Array.from({ length: this.#units }, () => [this.#vector(), this.#vector()] as const);
    for (let column = 0; column < this.#columnBlocks; column++) {
      this.#expandB(column, right);
      for (let row = 0; row < this.#form.m / (8 * this.#halves); row++) this.#multiply(row, column, right);
    }
  }

  #vector(): number {
    return this.#code.temp("v128");
  }

  #vectors(count: number): number[] {
    return Array.from({ length: count }, () => this.#vector());
  }

  #release(locals: readonly number[]): void {
    for (const local of locals) this.#code.release("v128", local);
  }

  /** Pushes a register's place plus what is in a local. */
  #place(param: number, offset: number): void {
    const code = this.#code;
    code.get(param);
    code.get(offset);
    code.op("i64Add");
  }

  /** The parameter of a register of A: blocks of rows, in each its chunks, in each the eights of rows. */
  #paramOfA(blockRow: number, chunk: number, half: number): number {
    return 1 + (blockRow * this.#chunks + chunk) * this.#halves + half;
  }

  #paramOfB(blockColumn: number, chunk: number): number {
    return 1 + this.#sizes.a + blockColumn * this.#chunks + chunk;
  }

  #paramOfC(index: number): number {
    return 1 + this.#sizes.a + this.#sizes.b + index;
  }

  #paramOfD(index: number): number {
    return this.#paramOfC(this.#sizes.c + index);
  }

  #copyInputs(): void {
    const code = this.#code;
    const { a, b, c } = this.#sizes;
    for (let register = 0; register < a + b + c; register++) {
      for (let quad = 0; quad < 8; quad++) {
        code.get(0);
        code.get(1 + register);
        code.memory("v128Load", 16 * quad);
        code.memory("v128Store", 128 * register + 16 * quad);
      }
      code.get(0);
      code.i64(BigInt(128 * register));
      code.op("i64Add");
      code.set(1 + register);
    }
  }

  /** The columns of a block, of which four lanes have one: units of one k side by side, even columns and odd. */
  #expandB(blockColumn: number, right: readonly (readonly [number, number])[]): void {
    const code = this.#code;
    const { b } = this.#form;
    const packed = this.#vector();
    const columns = Array.from({ length: 4 }, () => this.#vectors(b.vectors));
    for (let chunk = 0; chunk < this.#chunks; chunk++) {
      for (const parity of [0, 1] as const) {
        columns.forEach((units, index) => {
          code.get(this.#paramOfB(blockColumn, chunk));
          code.memory("v128Load", 16 * (2 * index + parity));
          code.set(packed);
          b.expand(code, packed, units);
        });
        for (let vector = 0; vector < b.vectors; vector++) {
          const first = 4 * (chunk * b.vectors + vector);
          transpose(code, columns.map((units) => units[vector] ?? 0), (index, push) => {
            push();
            code.set(right[first + index]?.[parity] ?? 0);
          });
        }
      }
    }
    this.#release([packed, ...columns.flat()]);
  }

  /** One block, two of eight rows at a time and those eight below: enough sums to keep the processor busy. */
  #multiply(blockRow: number, blockColumn: number, right: readonly RowSums[]): void {
    const code = this.#code;
    const { a, isSaturating } = this.#form;
    const block = blockRow * this.#columnBlocks + blockColumn;
    const rows = [0, 16].flatMap((quad) =>
      Array.from({ length: this.#halves }, (_, half) => ({
        quad,
        half,
        sums: [this.#vector(), this.#vector()] as const,
        units: this.#vectors(a.vectors),
      }))
    );
    const [packed, left] = [this.#vector(), this.#vector()];
    times(code, 4, 32, (offset) => {
      for (const { quad, half, sums } of rows) {
        if (!isSaturating) this.#loadC(block * this.#halves + half, offset, quad, sums);
        else for (const sum of sums) code.v128([0, 0, 0, 0]), code.set(sum);
      }
      for (let chunk = 0; chunk < this.#chunks; chunk++) {
        for (const { quad, half, units } of rows) {
          this.#place(this.#paramOfA(blockRow, chunk, half), offset);
          code.memory("v128Load", quad);
          code.set(packed);
          a.expand(code, packed, units);
        }
        for (let unit = 0; unit < 4 * a.vectors; unit++) {
          const columns = right[4 * a.vectors * chunk + unit] ?? [0, 0];
          for (const { units, sums } of rows) {
            const from = units[unit >> 2] ?? 0;
            code.get(from);
            code.get(from);
            code.shuffle32([unit & 3, unit & 3, unit & 3, unit & 3]);
            code.set(left);
            sums.forEach((sum, parity) => {
              accumulate(code, this.#form, this.#isFused, left, columns[parity] ?? 0, sum);
            });
          }
        }
      }
      for (const { quad, half, sums } of rows) {
        if (isSaturating) this.#addC(block * this.#halves + half, offset, quad, sums);
        this.#storeD(block * this.#halves + half, offset, quad, sums);
      }
    });
    this.#release([packed, left, ...rows.flatMap(({ sums, units }) => [...sums, ...units])]);
  }

  /** C of a row, the even and the odd columns. */
  #loadC(index: number, offset: number, quad: number, [even, odd]: RowSums): void {
    const code = this.#code;
    if (this.#form.c !== "f16") {
      [even, odd].forEach((sum, parity) => {
        this.#place(this.#paramOfC(2 * index + parity), offset);
        code.memory("v128Load", quad);
        code.set(sum);
      });
      return;
    }
    this.#place(this.#paramOfC(index), offset);
    code.memory("v128Load", quad);
    code.tee(odd);
    code.i32(16);
    code.op("i32x4Shl");
    code.i32(16);
    code.op("i32x4ShrS");
    code.set(even);
    pushWidened(code, even);
    code.set(even);
    code.get(odd);
    code.i32(16);
    code.op("i32x4ShrS");
    code.set(odd);
    pushWidened(code, odd);
    code.set(odd);
  }

  #addC(index: number, offset: number, quad: number, pair: RowSums): void {
    const code = this.#code;
    const start = code.temp("v128");
    pair.forEach((sum, parity) => {
      this.#place(this.#paramOfC(2 * index + parity), offset);
      code.memory("v128Load", quad);
      code.set(start);
      addSaturating(code, start, sum);
    });
    code.release("v128", start);
  }

  #storeD(index: number, offset: number, quad: number, [even, odd]: RowSums): void {
    const code = this.#code;
    if (this.#form.d !== "f16") {
      [even, odd].forEach((sum, parity) => {
        this.#place(this.#paramOfD(2 * index + parity), offset);
        code.get(sum);
        code.memory("v128Store", quad);
      });
      return;
    }
    this.#place(this.#paramOfD(index), offset);
    pushNarrowed(code, even);
    pushNarrowed(code, odd);
    code.i32(16);
    code.op("i32x4Shl", "v128Or");
    code.memory("v128Store", quad);
  }
}
