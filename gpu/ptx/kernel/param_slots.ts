/**
 * Parameter slots: parameters of calls as registers.
 *
 * Owns the choice, for each `.param` variable of a call, between registers (every access is at a fixed offset
 * and no two overlap in part) and the thread's local memory. Parameters of the kernel itself are not touched.
 * Invariant: after it no instruction names a call's parameter variable.
 */
import type { PtxInstruction, PtxOperand, PtxType, PtxVariable } from "../ast.ts";
import { bytesOf, isPtxType } from "../ast.ts";
import type { Draft, Flattener } from "./flatten.ts";
import { synthetic } from "./flatten.ts";

interface Slots {
  /** Registers by `offset:bytes`; undefined once the variable must lie in memory. */
  registers: Map<string, number> | undefined;
  readonly pieces: { offset: number; bytes: number }[];
}

/** Rewrites the drafts in place. Indices of drafts change, so labels are moved along. */
export function promoteParams(flattener: Flattener): void {
  const kernelParams = new Set(flattener.kernel.params);
  const slots = new Map<PtxVariable, Slots>();
  for (const draft of flattener.drafts) collect(draft, kernelParams, slots);
  if (slots.size === 0) return;
  for (const [variable, entry] of slots) {
    if (!isDisjoint(entry.pieces)) entry.registers = undefined;
    if (entry.registers === undefined) flattener.placeLocal(variable, variable.line);
  }
  rewrite(flattener, slots);
}

function callParam(variable: PtxVariable, kernelParams: ReadonlySet<PtxVariable>): boolean {
  return variable.space === "param" && !kernelParams.has(variable);
}

function collect(draft: Draft, kernelParams: ReadonlySet<PtxVariable>, slots: Map<PtxVariable, Slots>): void {
  const entryOf = (variable: PtxVariable): Slots => {
    const known = slots.get(variable);
    if (known !== undefined) return known;
    const made: Slots = { registers: new Map(), pieces: [] };
    slots.set(variable, made);
    return made;
  };
  for (const operand of draft.operands) {
    if (operand.kind === "variable" && callParam(operand.variable, kernelParams)) {
      entryOf(operand.variable).registers = undefined;
    }
    if (operand.kind !== "address" || operand.base.kind !== "variable") continue;
    const { variable } = operand.base;
    if (!callParam(variable, kernelParams)) continue;
    const entry = entryOf(variable);
    const access = accessOf(draft.source);
    if (access === undefined) {
      entry.registers = undefined;
      continue;
    }
    for (let index = 0; index < access.count; index++) {
      entry.pieces.push({ offset: Number(operand.offset) + index * access.bytes, bytes: access.bytes });
    }
  }
}

/** Element type and count of a ld or st. */
function accessOf(source: PtxInstruction): { type: PtxType; bytes: number; count: number } | undefined {
  const type = source.modifiers.findLast(isPtxType);
  if (type === undefined || (source.opcode !== "ld" && source.opcode !== "st")) return undefined;
  const vector = source.modifiers.find((word) => /^v[248]$/.test(word));
  return { type, bytes: bytesOf(type), count: vector === undefined ? 1 : Number(vector.slice(1)) };
}

function isDisjoint(pieces: readonly { offset: number; bytes: number }[]): boolean {
  const sorted = [...pieces].sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);
  for (let index = 1; index < sorted.length; index++) {
    const [before, after] = [sorted[index - 1], sorted[index]];
    if (before === undefined || after === undefined) continue;
    if (before.offset === after.offset && before.bytes === after.bytes) continue;
    if (after.offset < before.offset + before.bytes) return false;
  }
  return true;
}

function rewrite(flattener: Flattener, slots: ReadonlyMap<PtxVariable, Slots>): void {
  const { drafts } = flattener;
  const rewritten: Draft[] = [];
  const moved: number[] = [];
  for (const draft of drafts) {
    moved.push(rewritten.length);
    rewritten.push(...rewriteOne(flattener, draft, slots));
  }
  moved.push(rewritten.length);
  const move = (target: number): number => moved[target] ?? rewritten.length;
  const scopes = new Set(rewritten.flatMap(({ scope }) => scope === undefined ? [] : [scope]));
  for (const { starts } of scopes) starts.forEach((start, index) => (starts[index] = move(start)));
  for (const draft of rewritten) {
    if (draft.scope !== undefined) continue;
    draft.operands = draft.operands.map((operand) =>
      operand.kind === "label" ? { ...operand, target: move(operand.target) } : operand
    );
  }
  drafts.length = 0;
  for (const draft of rewritten) drafts.push(draft);
}

function rewriteOne(flattener: Flattener, draft: Draft, slots: ReadonlyMap<PtxVariable, Slots>): Draft[] {
  const operand = draft.operands.find(({ kind }) => kind === "address");
  if (operand?.kind !== "address" || operand.base.kind !== "variable") return [draft];
  const entry = slots.get(operand.base.variable);
  if (entry === undefined) return [draft];
  const access = accessOf(draft.source);
  if (entry.registers === undefined || access === undefined) {
    const modifiers = draft.source.modifiers.map((word) => word.startsWith("param") ? "local" : word);
    return [{ ...draft, source: { ...draft.source, modifiers } }];
  }
  const isLoad = draft.source.opcode === "ld";
  const value = draft.operands[isLoad ? 0 : 1];
  const values: readonly (PtxOperand | undefined)[] = value?.kind === "vector" ? value.elements : [value];
  const { registers } = entry;
  return values.flatMap((element, index): Draft[] => {
    if (element === undefined || element.kind === "sink") return [];
    const key = `${Number(operand.offset) + index * access.bytes}:${access.bytes}`;
    let register = registers.get(key);
    if (register === undefined) {
      register = flattener.newRegister(access.bytes === 8 ? "b64" : access.bytes === 4 ? "b32" : "b16");
      registers.set(key, register);
    }
    const slot: PtxOperand = { kind: "register", register };
    const source = synthetic(draft.source.line, isLoad ? "$get" : "$set", [access.type]);
    return [{
      source,
      operands: isLoad ? [element, slot] : [slot, element],
      guard: draft.guard,
      scope: undefined,
    }];
  });
}
