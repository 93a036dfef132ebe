/**
 * The body of a generated function while it is written: code, locals and the labels around.
 *
 * Owns encoding and the two recursive entries, value() and statement(), which choose from a grammar. It does
 * not know any instruction by itself beyond blocks and constants. Invariant: every method leaves the operand
 * stack as its comment says, so what is written is valid.
 */
import { u } from "../../../support/module_bytes.ts";
import type { Choices } from "./choices.ts";
import type { ModulePlan, Signature } from "./plan.ts";
import { HEAP_BYTES, type Type, TYPE_BYTES } from "./value_type.ts";

/** A place to branch to. Branches to the head of a counted loop would make it endless. */
export interface Label {
  readonly types: readonly Type[];
  readonly mayBranch: boolean;
}

/** Writes a value of a type, or a statement. */
export type Rule = (body: Body, depth: number) => void;

/** What a body may consist of; the first rule of a list is the simple one. */
export interface Grammar {
  readonly values: (type: Type) => readonly Rule[];
  readonly statements: readonly Rule[];
}

const CODE_BYTES_MAX = 6000;

export class Body {
  readonly code: number[] = [];
  readonly plan: ModulePlan;
  readonly choices: Choices;
  readonly signature: Signature;
  readonly labels: Label[];
  readonly #grammar: Grammar;
  readonly #locals: Type[];
  /** Locals that rules may assign as they like. */
  readonly #open: Set<number>;

  constructor(plan: ModulePlan, signature: Signature, grammar: Grammar) {
    this.plan = plan;
    this.choices = plan.choices;
    this.signature = signature;
    this.labels = [{ types: signature.results, mayBranch: true }];
    this.#grammar = grammar;
    this.#locals = [...signature.params];
    this.#open = new Set(signature.params.keys());
  }

  op(...bytes: readonly number[]): void {
    this.code.push(...bytes);
  }

  /** An unsigned LEB128 immediate; now and then in more bytes than it needs. */
  u(value: number): void {
    const padded = this.choices.oneIn(40);
    let rest = value;
    let length = 1;
    for (; rest >= 0x80; length++) {
      this.code.push(rest & 0x7f | 0x80);
      rest = Math.floor(rest / 128);
    }
    if (!padded || length >= 5) {
      this.code.push(rest);
      return;
    }
    this.code.push(rest | 0x80);
    while (++length < 5) this.code.push(0x80);
    this.code.push(0);
  }

  /** A signed LEB128 immediate. */
  s(value: bigint): void {
    let rest = value;
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      if (rest === 0n && low < 0x40 || rest === -1n && low >= 0x40) {
        this.code.push(low);
        return;
      }
      this.code.push(low | 0x80);
    }
  }

  i32(value: number): void {
    this.code.push(0x41);
    this.s(BigInt(value | 0));
  }

  i64(value: bigint): void {
    this.code.push(0x42);
    this.s(BigInt.asIntN(64, value));
  }

  /** The null of a nullable reference type: one value. */
  refNull(type: Type): void {
    const heap = HEAP_BYTES.get(type);
    if (heap === undefined) throw new RangeError(`${type} has no null`);
    this.code.push(0xd0, ...heap);
  }

  /** A value of a type: one value. */
  value(type: Type, depth: number): void {
    const rules = this.#grammar.values(type);
    const isLeaf = depth <= 0 || this.code.length > CODE_BYTES_MAX;
    const rule = isLeaf ? rules[0] : this.choices.pick(rules);
    rule?.(this, depth - 1);
  }

  /** Values of several types, in order. */
  values(types: readonly Type[], depth: number): void {
    for (const type of types) this.value(type, depth);
  }

  /** A statement: nothing on the stack. */
  statement(depth: number): void {
    if (depth <= 0 || this.code.length > CODE_BYTES_MAX) return;
    this.choices.pick(this.#grammar.statements)(this, depth - 1);
  }

  /** A few statements. */
  statements(depth: number): void {
    for (let count = this.choices.below(4); count > 0; count--) this.statement(depth);
  }

  /** A local that nothing else assigns. */
  freshLocal(type: Type): number {
    this.#locals.push(type);
    return this.#locals.length - 1;
  }

  /** Any local of a type, a new one if there is none. */
  local(type: Type): number {
    const known = [...this.#open].filter((index) => this.#locals[index] === type);
    if (known.length > 0 && (known.length >= 3 || !this.choices.oneIn(6))) return this.choices.pick(known);
    const local = this.freshLocal(type);
    this.#open.add(local);
    return local;
  }

  /**
   * A block, loop, if or try: takes the parameters and leaves the results, as `inner` must. Branches to its
   * label carry `label.types`.
   */
  block(opcode: number, signature: Signature, label: Label, inner: () => void): void {
    this.op(opcode);
    this.blockType(signature);
    this.inside(label, inner);
    this.op(0x0b);
  }

  /** Runs `inner` with one more label around. */
  inside(label: Label, inner: () => void): void {
    this.labels.push(label);
    inner();
    this.labels.pop();
  }

  blockType(signature: Signature): void {
    const [result] = signature.results;
    const isShort = signature.params.length === 0 && signature.results.length < 2 && !this.choices.oneIn(8);
    if (isShort) this.op(...(result === undefined ? [0x40] : TYPE_BYTES[result]));
    else this.s(BigInt(this.plan.typeOf(signature)));
  }

  /** Depths of the labels that a branch with such operands may go to; undefined for any operands. */
  branchDepths(types?: readonly Type[]): number[] {
    const wanted = types?.join();
    return this.labels.flatMap((label, index) =>
      label.mayBranch && (wanted === undefined || label.types.join() === wanted)
        ? [this.labels.length - 1 - index]
        : []
    );
  }

  /** The label at a depth. */
  labelAt(depth: number): Label {
    const label = this.labels[this.labels.length - 1 - depth];
    if (label === undefined) throw new RangeError(`There is no label at depth ${depth}`);
    return label;
  }

  /** The body as the code section has it: size, locals, code. */
  finish(): number[] {
    const body = [...localGroups(this.#locals.slice(this.signature.params.length)), ...this.code, 0x0b];
    return [...u(body.length), ...body];
  }
}

function localGroups(locals: readonly Type[]): number[] {
  const groups: { type: Type; count: number }[] = [];
  for (const type of locals) {
    const last = groups.at(-1);
    if (last?.type === type) last.count++;
    else groups.push({ type, count: 1 });
  }
  const bytes = groups.flatMap(({ type, count }) => [...u(count), ...TYPE_BYTES[type]]);
  // A group of no locals is allowed, and says nothing.
  return [...u(groups.length + 1), ...bytes, 0, 0x7f];
}
