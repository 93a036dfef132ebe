/**
 * Statements: nested control flow around template lines.
 *
 * Owns ifs, loops, switches and where templates that need the whole block may stand. Invariant: what stands in
 * a place that is not uniform is run by any part of the block and never waits for another thread.
 */
import type { Builder } from "./builder.ts";
import { CONVERSION_TEMPLATES, FLOAT_TEMPLATES, HALF_TEMPLATES } from "./float_templates.ts";
import { INTEGER_TEMPLATES, PREDICATE_TEMPLATES } from "./integer_templates.ts";
import { MATRIX_TEMPLATES } from "./matrix_templates.ts";
import { MEMORY_TEMPLATES } from "./memory_templates.ts";
import { COUNTED_EXCHANGE, EXCHANGE_TEMPLATES, SHUFFLE_TEMPLATES, VOTE_TEMPLATES } from "./warp_templates.ts";

/** Where a statement stands. */
export interface Place {
  readonly depth: number;
  /** Whether all threads of the block that have not exited come here together. */
  readonly isUniform: boolean;
  /** Label behind the innermost loop, if threads may leave it on their own. */
  readonly breakLabel?: string;
}

/** What one function's statements may do. */
export interface Abilities {
  /** Memory, warp and block templates, which need the kernel's base registers. */
  readonly hasBases: boolean;
  readonly hasHalves: boolean;
  readonly hasMatrices: boolean;
  /** Parts of instructions that must not occur: `mad24.hi.sat`, `u16x2`. */
  readonly excludes: readonly string[];
  /** Threads of the block if they are whole warps. */
  readonly wholeWarpThreads: number | undefined;
  /** Emits a call of a function; absent if there is none. */
  readonly call?: (place: Place) => void;
}

const DEPTH_MAX = 4;

export class Statements {
  readonly #builder: Builder;
  readonly #abilities: Abilities;
  readonly #budget: number;
  /** Whether threads may have exited: their lanes have no values then. */
  hasExits = false;

  constructor(builder: Builder, abilities: Abilities, budget: number) {
    this.#builder = builder;
    this.#abilities = abilities;
    this.#budget = budget;
  }

  get #isSpent(): boolean {
    return this.#builder.spent + 12 * this.#builder.times > this.#budget;
  }

  /** Statements until their number or the budget is used up. */
  block(place: Place, count: number): void {
    for (let each = 0; each < count && !this.#isSpent; each++) this.#statement(place);
  }

  #statement(place: Place): void {
    const { random } = this.#builder;
    const canNest = place.depth < DEPTH_MAX;
    const { call, hasBases } = this.#abilities;
    random.weighted<() => void>([
      [60, () => this.#line()],
      [hasBases ? 22 : 0, () => this.#memoryLine()],
      [canNest ? 11 : 0, () => this.#if(place)],
      [canNest ? 8 : 0, () => this.#loop(place)],
      [canNest ? 3 : 0, () => this.#switch(place)],
      [call === undefined ? 0 : 4, () => call?.(place)],
      [hasBases && place.isUniform ? 12 : 0, () => this.#exchange()],
      [place.breakLabel === undefined ? 0 : 4, () => this.#break(place.breakLabel ?? "")],
    ])();
  }

  #pick(templates: readonly string[]): string {
    const { excludes } = this.#abilities;
    const left = templates.filter((template) => !excludes.some((word) => template.includes(word)));
    return this.#builder.random.pick(left);
  }

  /** One template, now and then under a guard. */
  #line(): void {
    const builder = this.#builder;
    const { random } = builder;
    const template = this.#pick(random.weighted([
      [50, INTEGER_TEMPLATES],
      [20, FLOAT_TEMPLATES],
      [12, CONVERSION_TEMPLATES],
      [10, PREDICATE_TEMPLATES],
      [this.#abilities.hasHalves ? 8 : 0, HALF_TEMPLATES],
    ]));
    // Temporaries under a guard would be written on some ways only, so guards are for single instructions.
    const canGuard = !template.includes(";");
    const guard = canGuard && random.percent(12)
      ? `@${random.pick(["", "!"])}${builder.source("pred")} `
      : "";
    builder.expand(template, guard);
  }

  #memoryLine(): void {
    const builder = this.#builder;
    const { random } = builder;
    const template = this.#pick(random.weighted(MEMORY_TEMPLATES));
    const guard = !template.includes(";") && random.percent(10) ? `@${builder.source("pred")} ` : "";
    builder.expand(template, guard);
  }

  #exchange(): void {
    const builder = this.#builder;
    const { random } = builder;
    const { wholeWarpThreads, hasMatrices } = this.#abilities;
    const canCount = wholeWarpThreads !== undefined && !this.hasExits;
    const template = random.weighted<() => string>([
      [5, () => this.#pick(EXCHANGE_TEMPLATES)],
      [4, () => this.#pick(VOTE_TEMPLATES)],
      [this.hasExits ? 0 : 5, () => this.#pick(SHUFFLE_TEMPLATES)],
      [canCount && hasMatrices ? 4 : 0, () => this.#pick(MATRIX_TEMPLATES)],
      [canCount ? 1 : 0, () => COUNTED_EXCHANGE.replaceAll("<threads>", String(wholeWarpThreads))],
    ])();
    builder.expand(template);
  }

  /** A predicate that all threads of the block agree on. */
  #uniformCondition(): string {
    const builder = this.#builder;
    const predicate = builder.register("pred");
    const { random } = builder;
    const word = random.pick(["eq", "ne", "lt", "gt"]);
    builder.emit(
      `setp.${word}.s32 ${predicate}, ${random.pick(builder.uniforms)}, ${random.between(-1, 4)};`,
    );
    return predicate;
  }

  #condition(isUniform: boolean): string {
    if (isUniform) return this.#uniformCondition();
    const builder = this.#builder;
    const { random } = builder;
    if (random.percent(30)) return random.pick(builder.variables.pred);
    const predicate = builder.register("pred");
    const source = builder.source("b32");
    if (random.percent(50)) {
      const bits = builder.register("b32");
      builder.emit(`and.b32 ${bits}, ${source}, ${random.pick([1, 2, 3, 7, 16])};`);
      builder.emit(`setp.${random.pick(["eq", "ne"])}.u32 ${predicate}, ${bits}, 0;`);
    } else {
      builder.emit(
        `setp.${random.pick(["lt", "gt", "le"])}.s32 ${predicate}, ${source}, ${builder.source("b32")};`,
      );
    }
    return predicate;
  }

  #inner(place: Place, isUniform: boolean): Place {
    const { breakLabel } = place;
    const base = { depth: place.depth + 1, isUniform };
    return breakLabel === undefined ? base : { ...base, breakLabel };
  }

  #if(place: Place): void {
    const builder = this.#builder;
    const { random } = builder;
    const isUniform = place.isUniform && random.percent(35);
    const condition = this.#condition(isUniform);
    const [otherwise, end] = [builder.label(), builder.label()];
    const inner = this.#inner(place, isUniform);
    const hasElse = random.percent(50);
    builder.emit(`@${random.pick(["", "!"])}${condition} bra ${hasElse ? otherwise : end};`);
    this.block(inner, random.between(1, 4));
    if (hasElse) {
      builder.emit(`bra${isUniform ? ".uni" : ""} ${end};`);
      builder.place(otherwise);
      this.block(inner, random.between(1, 4));
    }
    builder.place(end);
  }

  /** How often a loop runs: its register or constant, the largest number, and whether threads agree on it. */
  #trips(place: Place): { count: string; most: number; isUniform: boolean } {
    const builder = this.#builder;
    const { random } = builder;
    const isUniform = place.isUniform && random.percent(60);
    if (random.percent(isUniform ? 60 : 25)) {
      const most = random.between(1, 5);
      return { count: String(most), most, isUniform };
    }
    const count = builder.register("b32");
    const most = random.pick([1, 3, 3, 7]);
    const source = isUniform ? random.pick(builder.uniforms) : builder.source("b32");
    builder.emit(`and.b32 ${count}, ${source}, ${most};`);
    return { count, most, isUniform };
  }

  #loop(place: Place): void {
    const builder = this.#builder;
    const { random } = builder;
    const { count, most, isUniform } = this.#trips(place);
    const index = builder.register("b32");
    const done = builder.register("pred");
    const [head, end] = [builder.label(), builder.label()];
    const testsFirst = random.percent(50);
    builder.emit(`mov.u32 ${index}, 0;`);
    builder.place(head);
    const times = builder.times;
    builder.times = times * Math.max(most, 1);
    if (testsFirst) {
      builder.emit(`setp.ge.u32 ${done}, ${index}, ${count};`);
      builder.emit(`@${done} bra ${end};`);
    }
    if (isUniform) builder.uniforms.push(index);
    const inner: Place = { depth: place.depth + 1, isUniform, ...(isUniform ? {} : { breakLabel: end }) };
    this.block(inner, random.between(1, 5));
    if (isUniform) builder.uniforms.splice(builder.uniforms.indexOf(index), 1);
    builder.emit(`add.u32 ${index}, ${index}, 1;`);
    if (testsFirst) {
      builder.emit(`bra ${head};`);
    } else {
      builder.emit(`setp.lt.u32 ${done}, ${index}, ${count};`);
      builder.emit(`@${done} bra ${head};`);
    }
    builder.times = times;
    builder.place(end);
  }

  #break(label: string): void {
    this.#builder.emit(`@${this.#condition(false)} bra ${label};`);
  }

  /** `brx.idx` over two to four cases, some of which fall through to the next. */
  #switch(place: Place): void {
    const builder = this.#builder;
    const { random } = builder;
    const isUniform = place.isUniform && random.percent(30);
    const cases = Array.from({ length: random.pick([2, 4]) }, () => builder.label());
    const [end, table] = [builder.label(), builder.label()];
    const index = builder.register("b32");
    const source = isUniform ? random.pick(builder.uniforms) : builder.source("b32");
    builder.emit(`and.b32 ${index}, ${source}, ${cases.length - 1};`);
    builder.directive(`${table}: .branchtargets ${cases.join(", ")};`);
    builder.emit(`brx.idx${isUniform ? ".uni" : ""} ${index}, ${table};`);
    for (const label of cases) {
      builder.place(label);
      // Threads that fall through meet those of the next case only at the end.
      this.block(this.#inner(place, false), random.between(1, 2));
      if (random.percent(75)) builder.emit(`bra ${end};`);
    }
    builder.place(end);
  }
}
