/**
 * Calls and returns, direct and by address, and the functions that every device has.
 *
 * Owns frames: where a callee's registers and local memory start, and how arguments and results cross over.
 * Invariant: a frame that does not fit the thread's share is a fault 719, as on a device whose stack ends.
 */
import { bytesOf, type PtxFunction, type PtxOperand, type PtxVariable } from "../../../../gpu/ptx/ast.ts";
import { findBuiltin } from "./builtins.ts";
import { GuestFault } from "./fault.ts";
import type { End, FunctionCode, Program } from "./program.ts";
import type { Scope } from "./scope.ts";
import type { Site } from "./site.ts";
import type { Block, Frame, Thread } from "./thread.ts";

/** Where a value is at a call: in bytes of the frame's local memory, or in a slot. */
type Place =
  | { readonly kind: "bytes"; readonly offset: number; readonly byteLength: number }
  | { readonly kind: "slot"; readonly slot: number; readonly byteLength: number };

/** Moves a value between the frames of caller and callee, each given by base and local byte. */
type Transfer = (t: Thread, fromBase: number, fromLocal: number, toBase: number, toLocal: number) => void;

interface Parts {
  readonly results: readonly PtxOperand[];
  readonly callee: PtxOperand;
  readonly args: readonly PtxOperand[];
}

function partsOf(site: Site): Parts {
  const { operands } = site.ins;
  const index = operands.findIndex((each) => each.kind === "function" || each.kind === "register");
  const callee = operands[index];
  if (callee === undefined) throw site.unknown("names no function");
  const listAt = (at: number): readonly PtxOperand[] => {
    const list = operands[at];
    return list?.kind === "list" ? list.elements : [];
  };
  return { results: listAt(index - 1), callee, args: listAt(index + 1) };
}

/** Where the caller has an argument or wants a result. */
function callerPlace(site: Site, operand: PtxOperand, param: PtxVariable): Place {
  if (operand.kind === "variable") {
    const offset = site.scope.frameOffset(operand.variable);
    if (offset === undefined) throw site.unknown(`cannot pass ${operand.variable.name}`);
    return {
      kind: "bytes",
      offset: offset + Number(operand.offset),
      byteLength: operand.variable.byteLength,
    };
  }
  return { kind: "slot", slot: site.read(operand, param.type), byteLength: bytesOf(param.type) || 8 };
}

function calleePlace(scope: Scope, param: PtxVariable): Place {
  if (param.space === "reg") {
    const slot = scope.slotOf(scope.registerNamed(param.name));
    return { kind: "slot", slot, byteLength: bytesOf(param.type) || 8 };
  }
  const offset = scope.frameOffset(param);
  if (offset === undefined) throw new Error(`Parameter ${param.name} has no place`);
  return { kind: "bytes", offset, byteLength: param.byteLength };
}

function transfer(site: Site, from: Place, to: Place): Transfer {
  const { machine } = site;
  const registers = machine.registers.u8;
  const memory = machine.local.u8;
  const size = machine.options.localBytesPerThread;
  const length = Math.min(from.byteLength, to.byteLength);
  const at = (place: Place, t: Thread, base: number, local: number): number =>
    place.kind === "slot" ? (base + place.slot) << 3 : t.index * size + local + place.offset;
  const source = from.kind === "slot" ? registers : memory;
  const target = to.kind === "slot" ? registers : memory;
  return (t, fromBase, fromLocal, toBase, toLocal) => {
    const start = at(from, t, fromBase, fromLocal);
    target.set(source.subarray(start, start + length), at(to, t, toBase, toLocal));
  };
}

/** How one callee is entered and left from one call. */
interface Binding {
  readonly code: FunctionCode;
  readonly args: readonly Transfer[];
  readonly finish: Frame["finish"];
}

function bind(program: Program, site: Site, parts: Parts, fn: PtxFunction): Binding {
  const code = program.codeOf(fn);
  const args = fn.params.map((param, index) => {
    const operand = parts.args[index];
    if (operand === undefined) throw site.unknown(`lacks an argument for ${fn.name}`);
    return transfer(site, callerPlace(site, operand, param), calleePlace(code.scope, param));
  });
  const results = fn.returns.flatMap((param, index) => {
    const operand = parts.results[index];
    if (operand === undefined || operand.kind === "sink") return [];
    return [transfer(site, calleePlace(code.scope, param), callerPlace(site, operand, param))];
  });
  const finish = (t: Thread, calleeBase: number, calleeLocal: number): void => {
    for (const each of results) each(t, calleeBase, calleeLocal, t.base, t.local);
  };
  return { code, args, finish };
}

/** Makes the callee's frame and passes the arguments. */
function enter(program: Program, site: Site, binding: Binding, next: Block, t: Thread): Block {
  const { machine } = program;
  const { code } = binding;
  const { base, local } = t;
  const newBase = base + t.code.slotCount;
  const newLocal = local + t.code.localBytes;
  const { slotsPerThread, localBytesPerThread } = machine.options;
  const slotsEnd = (t.index + 1) * slotsPerThread;
  if (newBase + code.slotCount > slotsEnd || newLocal + code.localBytes > localBytesPerThread) {
    throw new GuestFault(719, `line ${site.line}: the stack is full at the call of ${code.name}`);
  }
  t.frames.push({ base, local, code: t.code, block: next, finish: binding.finish });
  t.base = newBase;
  t.local = newLocal;
  t.code = code;
  code.scope.enter(t);
  for (const each of binding.args) each(t, base, local, newBase, newLocal);
  return code.entry;
}

export function callEnd(program: Program, site: Site, next: Block): End {
  const parts = partsOf(site);
  const { callee } = parts;
  if (callee.kind === "function") {
    const fn = program.layout.findFunction(callee.name);
    if (fn === undefined) throw site.unknown(`calls ${callee.name}, which does not exist`);
    if (fn.body === undefined) return builtinEnd(program, site, parts, fn, next);
    const binding = bind(program, site, parts, fn);
    return (t) => enter(program, site, binding, next, t);
  }
  const slot = site.read(callee, "u64");
  // Constants get their slots now; a frame cannot grow once the kernel runs.
  for (const each of parts.args) if (each.kind !== "variable") site.read(each, "b64");
  const { u64 } = site.registers;
  const bindings = new Map<bigint, Binding>();
  return (t) => {
    const address = u64[t.base + slot] as bigint;
    let binding = bindings.get(address);
    if (binding === undefined) {
      const fn = program.layout.functionAt(address);
      if (fn?.body === undefined) {
        throw new GuestFault(719, `line ${site.line}: no function at 0x${address.toString(16)}`);
      }
      binding = bind(program, site, parts, fn);
      bindings.set(address, binding);
    }
    return enter(program, site, binding, next, t);
  };
}

/** A declared function without a body: one that every device has. */
function builtinEnd(program: Program, site: Site, parts: Parts, fn: PtxFunction, next: Block): End {
  const builtin = findBuiltin(fn.name);
  if (builtin === undefined) throw site.unknown(`calls ${fn.name}, which has no body`);
  const { machine } = program;
  const scratch = site.scope.scratch();
  const argument: Place = { kind: "slot", slot: scratch, byteLength: 8 };
  const args = fn.params.map((param, index) => {
    const operand = parts.args[index];
    if (operand === undefined) throw site.unknown(`lacks an argument for ${fn.name}`);
    return transfer(site, callerPlace(site, operand, param), argument);
  });
  const [result] = parts.results;
  const [returned] = fn.returns;
  const deliver = result === undefined || returned === undefined
    ? undefined
    : transfer(site, argument, callerPlace(site, result, returned));
  const { u64 } = site.registers;
  return (t) => {
    const values = args.map((each) => {
      u64[t.base + scratch] = 0n;
      each(t, t.base, t.local, t.base, t.local);
      return u64[t.base + scratch] as bigint;
    });
    u64[t.base + scratch] = BigInt.asUintN(64, builtin(machine, t, values, site.line));
    deliver?.(t, t.base, t.local, t.base, t.local);
    return next;
  };
}

/** `ret`: back to the caller, or the end of the thread. */
export function returnFrom(t: Thread): Block | undefined {
  const frame = t.frames.pop();
  if (frame === undefined) {
    t.state = "exited";
    return undefined;
  }
  const { base, local } = t;
  t.base = frame.base;
  t.local = frame.local;
  t.code = frame.code;
  frame.finish(t, base, local);
  return frame.block;
}
