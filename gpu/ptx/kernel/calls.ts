/**
 * Calls: the body of a function, with the bodies of those that it calls in place of the calls.
 *
 * Owns the renaming of registers and variables of each expansion, the binding of parameters, calls by address
 * (a comparison with every function that fits) and the few external functions that a device has. Invariant:
 * recursion is refused; what is expanded ends by jumping behind the call.
 */
import type { PtxFunction, PtxInstruction, PtxOperand, PtxVariable } from "../ast.ts";
import type { Draft, Flattener, Scope } from "./flatten.ts";
import { synthetic } from "./flatten.ts";
import { rowOf } from "../opcodes/mod.ts";
import { PtxError } from "../ptx_error.ts";

/** Most calls within calls. */
const DEPTH_MAX = 200;

const NO_REGISTERS: ReadonlyMap<string, PtxOperand> = new Map();

type Bindings = Map<PtxVariable, PtxVariable>;

/** External functions and the pseudo instruction of each, with the number of arguments. */
const EXTERNAL: ReadonlyMap<string, readonly [opcode: string, args: number]> = new Map([
  ["vprintf", ["$vprintf", 2]],
  ["__assertfail", ["$assertfail", 5]],
]);

/** Expands bodies into a flattener. */
export class CallExpander {
  readonly #flattener: Flattener;
  readonly #stack: string[] = [];

  constructor(flattener: Flattener) {
    this.#flattener = flattener;
  }

  /** Appends a body. `ends` receives the jumps that must go behind it; a kernel's become `exit`. */
  body(fn: PtxFunction, bindings: Bindings, ends: Draft[]): void {
    const { body } = fn;
    if (body === undefined) {
      throw new PtxError(fn.line, "unsupported", `${fn.name} is not defined in the module`);
    }
    const flattener = this.#flattener;
    const isKernel = this.#stack.length === 0;
    if (this.#stack.length > DEPTH_MAX) {
      const text = `Calls are nested too deep: callDepthMax is ${DEPTH_MAX}, got ${this.#stack.length}`;
      throw new PtxError(fn.line, "limit", text);
    }
    this.#stack.push(fn.name);
    const base = flattener.registers.length;
    for (const { type } of body.registers) flattener.registers.push(type);
    const scope: Scope = { starts: [] };
    const expansion = { base, bindings, scope, isKernel, locals: new Set(body.variables), ends };
    for (const instruction of body.instructions) {
      scope.starts.push(flattener.drafts.length);
      this.#instruction(instruction, expansion);
    }
    scope.starts.push(flattener.drafts.length);
    // A label at the end, or a body that falls off its end, returns.
    this.#return(synthetic(fn.line, "ret", []), undefined, expansion);
    this.#stack.pop();
  }

  #instruction(source: PtxInstruction, expansion: Expansion): void {
    const flattener = this.#flattener;
    const guard = source.guard === undefined
      ? undefined
      : { ...source.guard, register: source.guard.register + expansion.base };
    const operands = source.operands.map((operand) => rename(operand, expansion));
    if (source.opcode === "ret") return this.#return(source, guard, expansion);
    if (source.opcode === "call") return this.#around(source, guard, () => this.#call(source, operands));
    const effect = rowOf(source)?.effect;
    if (effect === "warp" || effect === "barrier") {
      return this.#around(
        source,
        guard,
        () => void flattener.emit(source, operands, undefined, expansion.scope),
      );
    }
    flattener.emit(source, operands, guard, expansion.scope);
  }

  #return(source: PtxInstruction, guard: PtxInstruction["guard"], { isKernel, ends }: Expansion): void {
    const flattener = this.#flattener;
    if (isKernel) flattener.emit(synthetic(source.line, "exit", []), [], guard, undefined);
    else ends.push(flattener.emit(synthetic(source.line, "bra", []), [], guard, undefined));
  }

  /** What has a guard but cannot be emitted under one is jumped over. */
  #around(source: PtxInstruction, guard: PtxInstruction["guard"], emit: () => void): void {
    const flattener = this.#flattener;
    if (guard === undefined) return emit();
    const inverse = { register: guard.register, isNegated: !guard.isNegated };
    const skip = flattener.emit(synthetic(source.line, "bra", []), [], inverse, undefined);
    emit();
    skip.operands = [here(flattener)];
  }

  #call(source: PtxInstruction, operands: readonly PtxOperand[]): void {
    const lists = operands.filter((operand) => operand.kind === "list");
    const calleeIndex = operands.findIndex(({ kind }) => kind === "function" || kind === "register");
    const callee = operands[calleeIndex];
    if (callee === undefined) throw new PtxError(source.line, "syntax", "call: expected a function");
    const hasReturns = operands[0]?.kind === "list" && calleeIndex > 0;
    const returns = hasReturns ? lists[0]?.elements ?? [] : [];
    const args = (hasReturns ? lists[1] : lists[0])?.elements ?? [];
    if (callee.kind === "function") return this.#direct(source, callee.name, returns, args);
    this.#indirect(source, callee, operands, returns, args);
  }

  #direct(
    source: PtxInstruction,
    name: string,
    returns: readonly PtxOperand[],
    args: readonly PtxOperand[],
  ): void {
    const external = EXTERNAL.get(name);
    const fn = this.#flattener.module.functions.get(name);
    if (fn?.body === undefined && external !== undefined) {
      return this.#external(source, external, returns, args);
    }
    if (fn === undefined || fn.body === undefined) {
      throw new PtxError(source.line, "unsupported", `call: ${name} is not defined in the module`);
    }
    if (this.#stack.includes(fn.name)) {
      throw new PtxError(source.line, "unsupported", `call: recursion of ${fn.name} is not supported`);
    }
    const bindings: Bindings = new Map();
    const registers = this.#registersOf(fn);
    this.#bind(source, fn.params, args, bindings, registers);
    const after = this.#bind(source, fn.returns, returns, bindings, registers, false);
    const ends: Draft[] = [];
    this.body(fn, bindings, ends);
    const end = here(this.#flattener);
    for (const draft of ends) draft.operands = [end];
    for (const emit of after) emit();
  }

  /** What the registers of a function will be, by name, if its body is what comes next. */
  #registersOf({ body, params, returns }: PtxFunction): ReadonlyMap<string, PtxOperand> {
    if (![...params, ...returns].some(({ space }) => space === "reg")) return NO_REGISTERS;
    const base = this.#flattener.registers.length;
    // A name that is declared once more inside is not the parameter, which comes first.
    return new Map(
      (body?.registers ?? []).map(({ name }, index) =>
        [name, { kind: "register", register: base + index }] as [string, PtxOperand]
      ).reverse(),
    );
  }

  /** Formal parameters become the caller's variables; a register or constant gets a variable of its own. */
  #bind(
    source: PtxInstruction,
    formals: readonly PtxVariable[],
    actuals: readonly PtxOperand[],
    bindings: Bindings,
    registers: ReadonlyMap<string, PtxOperand>,
    isInput = true,
  ): (() => void)[] {
    if (formals.length !== actuals.length) {
      const text = `call: expected ${formals.length} ${
        isInput ? "arguments" : "results"
      }, got ${actuals.length}`;
      throw new PtxError(source.line, "syntax", text);
    }
    const after: (() => void)[] = [];
    formals.forEach((formal, index) => {
      const actual = actuals[index];
      if (formal.space === "reg") {
        const register = registers.get(formal.name);
        if (actual === undefined || register === undefined) return;
        const move = (): void => this.#move(source, formal, register, actual, isInput);
        if (isInput) move();
        else after.push(move);
        return;
      }
      if (actual?.kind === "variable" && actual.offset === 0n) {
        bindings.set(formal, actual.variable);
        return;
      }
      if (actual === undefined || formal.space !== "param") {
        throw new PtxError(source.line, "unsupported", `call: parameter ${formal.name} cannot be passed so`);
      }
      const slot = { ...formal };
      bindings.set(formal, slot);
      const address: PtxOperand = { kind: "address", base: { kind: "variable", variable: slot }, offset: 0n };
      const emit = (opcode: string, operands: PtxOperand[]): void =>
        void this.#flattener.emit(
          synthetic(source.line, opcode, ["param", formal.type]),
          operands,
          undefined,
          undefined,
        );
      if (isInput) emit("st", [address, actual]);
      else after.push(() => emit("ld", [actual, address]));
    });
    return after;
  }

  /** Between the register of a formal parameter and what stands for it in the call. */
  #move(
    { line }: PtxInstruction,
    { type }: PtxVariable,
    register: PtxOperand,
    actual: PtxOperand,
    isInput: boolean,
  ): void {
    const isVariable = actual.kind === "variable";
    const other: PtxOperand = isVariable
      ? { kind: "address", base: { kind: "variable", variable: actual.variable }, offset: actual.offset }
      : actual;
    const [opcode, ...modifiers] = isVariable ? [isInput ? "ld" : "st", "param", type] : ["mov", type];
    this.#flattener.emit(
      synthetic(line, opcode ?? "mov", modifiers),
      isInput ? [register, other] : [other, register],
      undefined,
      undefined,
    );
  }

  #external(
    source: PtxInstruction,
    [opcode, count]: readonly [string, number],
    returns: readonly PtxOperand[],
    args: readonly PtxOperand[],
  ): void {
    const flattener = this.#flattener;
    if (args.length !== count) {
      throw new PtxError(source.line, "syntax", `call: expected ${count} arguments, got ${args.length}`);
    }
    const values = args.map((arg): PtxOperand => {
      if (arg.kind !== "variable") return arg;
      const type = arg.variable.byteLength === 8 ? "b64" : "b32";
      const result: PtxOperand = { kind: "register", register: flattener.newRegister(type) };
      const address: PtxOperand = {
        kind: "address",
        base: { kind: "variable", variable: arg.variable },
        offset: 0n,
      };
      flattener.emit(synthetic(source.line, "ld", ["param", type]), [result, address], undefined, undefined);
      return result;
    });
    flattener.emit(synthetic(source.line, opcode, []), values, undefined, undefined);
    for (const target of returns) {
      if (target.kind !== "variable") continue;
      const address: PtxOperand = {
        kind: "address",
        base: { kind: "variable", variable: target.variable },
        offset: 0n,
      };
      const one: PtxOperand = { kind: "integer", value: 1n };
      flattener.emit(synthetic(source.line, "st", ["param", "b32"]), [address, one], undefined, undefined);
    }
  }

  /** Every function that fits, one comparison each; a number that is none of them traps. */
  #indirect(
    source: PtxInstruction,
    callee: PtxOperand,
    operands: readonly PtxOperand[],
    returns: readonly PtxOperand[],
    args: readonly PtxOperand[],
  ): void {
    const flattener = this.#flattener;
    const prototype = operands.find((operand) => operand.kind === "prototype");
    const ends: Draft[] = [];
    for (const [name, id] of flattener.module.functionIds) {
      const fn = flattener.module.functions.get(name);
      if (fn?.body === undefined || fn.kind === "entry" || this.#stack.includes(fn.name)) continue;
      if (!fits(fn, returns, args)) continue;
      if (prototype?.targets !== undefined && !prototype.targets.includes(name)) continue;
      const isEqual = flattener.newRegister("pred");
      const wanted: PtxOperand = { kind: "integer", value: BigInt(id) };
      flattener.emit(
        synthetic(source.line, "setp", ["eq", "b64"]),
        [{ kind: "register", register: isEqual }, callee, wanted],
        undefined,
        undefined,
      );
      const skip = flattener.emit(synthetic(source.line, "bra", []), [], {
        register: isEqual,
        isNegated: true,
      }, undefined);
      this.#direct(source, name, returns, args);
      ends.push(flattener.emit(synthetic(source.line, "bra", []), [], undefined, undefined));
      skip.operands = [here(flattener)];
    }
    flattener.emit(synthetic(source.line, "trap", []), [], undefined, undefined);
    for (const draft of ends) draft.operands = [here(flattener)];
  }
}

interface Expansion {
  readonly base: number;
  readonly bindings: Bindings;
  readonly scope: Scope;
  readonly isKernel: boolean;
  readonly locals: ReadonlySet<PtxVariable>;
  readonly ends: Draft[];
}

function fits(fn: PtxFunction, returns: readonly PtxOperand[], args: readonly PtxOperand[]): boolean {
  const same = (formals: readonly PtxVariable[], actuals: readonly PtxOperand[]): boolean =>
    formals.length === actuals.length && formals.every((formal, index) => {
      const actual = actuals[index];
      return actual?.kind !== "variable" || actual.variable.byteLength === formal.byteLength;
    });
  return same(fn.params, args) && same(fn.returns, returns);
}

/** The place behind the last draft. */
function here(flattener: Flattener): PtxOperand {
  return { kind: "label", name: "", target: flattener.drafts.length };
}

/** The operand in terms of the kernel: registers count on, variables of this expansion are its own. */
function rename(operand: PtxOperand, expansion: Expansion): PtxOperand {
  const { base } = expansion;
  switch (operand.kind) {
    case "register":
      return { ...operand, register: operand.register + base };
    case "variable":
      return { ...operand, variable: own(operand.variable, expansion) };
    case "address":
      if (operand.base.kind === "register") {
        return { ...operand, base: { kind: "register", register: operand.base.register + base } };
      }
      if (operand.base.kind === "variable") {
        return { ...operand, base: { kind: "variable", variable: own(operand.base.variable, expansion) } };
      }
      return operand;
    case "vector":
    case "list":
      return { ...operand, elements: operand.elements.map((element) => rename(element, expansion)) };
    case "pair":
      return {
        ...operand,
        first: rename(operand.first, expansion),
        second: rename(operand.second, expansion),
      };
    default:
      return operand;
  }
}

function own(variable: PtxVariable, { bindings, locals, isKernel }: Expansion): PtxVariable {
  const bound = bindings.get(variable);
  if (bound !== undefined) return bound;
  if (isKernel || !locals.has(variable)) return variable;
  // Shared and module-scope variables are one for all calls; frames and parameters are of the call.
  if (variable.space !== "local" && variable.space !== "param") return variable;
  const made = { ...variable };
  bindings.set(variable, made);
  return made;
}
