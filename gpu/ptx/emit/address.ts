/**
 * Addresses: the place in memory that an address operand names, with the checks that the engine does not make.
 *
 * Owns bounds of the shared and local windows, alignment, and the base of device addresses, without which a null
 * pointer lies outside of the memory. Bounds of the memory itself are the engine's. Invariant: no address
 * reaches memory unless it is checked here or there.
 */
import { DEVICE_BASE } from "../kernel_interface.ts";
import type { PtxBase, PtxOperand, PtxVariable } from "../ast.ts";
import type { Emitter } from "./emitter.ts";
import type { Instruction } from "../kernel/ir.ts";
import { FAULT } from "../launch_record.ts";
import { PtxError } from "../ptx_error.ts";

/** One access. */
export interface Access {
  readonly operand: PtxOperand;
  /** As the instruction names it; undefined is generic. */
  readonly space: string | undefined;
  /** Bytes that are accessed, for bounds and alignment. */
  readonly bytes: number;
  readonly instruction: Instruction;
}

/** No variable lies as far behind the start of its space; what is nearer may be counted in 32 bits. */
const STATIC_MAX = 2n ** 30n;

/** Pushes the place. @returns the offset for the memory instruction */
export function pushAddress(e: Emitter, access: Access): bigint {
  const { operand, space, instruction } = access;
  if (operand.kind !== "address") {
    throw new PtxError(
      instruction.line,
      "syntax",
      `${instruction.row.name}: expected an address in brackets`,
    );
  }
  e.code.noteLine(instruction.line);
  const { base } = operand;
  // Addresses have 64 bits, and so have sums of them.
  const offset = BigInt.asIntN(64, operand.offset);
  if (base.kind === "variable") return pushStatic(e, access, base.variable, offset);
  return space === "shared" || space === "local"
    ? pushWindow(e, access, base, offset, space)
    : pushGeneric(e, access, base, offset);
}

/** A variable and an offset: most of the checks are made now. */
function pushStatic(
  e: Emitter,
  { bytes, instruction }: Access,
  variable: PtxVariable,
  offset: bigint,
): bigint {
  const { space, offset: place } = e.facts.placeOf(variable);
  const { code } = e;
  const at = BigInt(place) + offset;
  const isOutside = at < 0n || at > STATIC_MAX;
  if (isOutside || (at & BigInt(bytes - 1)) !== 0n) {
    // Known to be wrong, and only an error if it is executed.
    e.fault(isOutside ? FAULT.illegalAddress : FAULT.misalignedAddress, instruction.line);
  }
  const end = at + BigInt(bytes);
  switch (space) {
    case "global":
      code.get(e.special("imageBase"));
      break;
    case "param":
      if (end > BigInt(e.facts.kernel.paramBytes)) e.fault(FAULT.illegalAddress, instruction.line);
      code.get(e.special("paramBase"));
      break;
    case "shared":
      if (end > BigInt(e.facts.kernel.sharedBytes)) {
        code.i32(Number(at) + bytes);
        code.get(e.special("sharedEnd"));
        code.op("i32GtU");
        e.faultIf(FAULT.illegalAddress, instruction.line);
      }
      code.get(e.special("sharedBase"));
      break;
    case "local":
      if (end > BigInt(e.facts.kernel.localBytes)) e.fault(FAULT.illegalAddress, instruction.line);
      code.get(e.special("localBase"));
  }
  return isOutside ? 0n : at;
}

/** Shared and local addresses count from their window's start; they are 32 bits wide and wrap so. */
function pushWindow(
  e: Emitter,
  { bytes, instruction: { line } }: Access,
  base: PtxBase,
  offset: bigint,
  space: "shared" | "local",
): bigint {
  const { code } = e;
  const { kernel } = e.facts;
  const pushBase = (): void => {
    if (base.kind === "register") e.push({ kind: "register", register: base.register }, "b32");
    else code.i32(0);
  };
  const windowBytes = space === "shared" ? kernel.sharedBytes : kernel.localBytes;
  const isWithin = e.facts.isWithin(base, offset, bytes, windowBytes);
  if (isWithin && e.facts.isAligned(base, offset, bytes)) {
    // The sum cannot wrap, so the memory instruction may add the offset.
    code.get(e.special(space === "shared" ? "sharedBase" : "localBase"));
    pushBase();
    code.op("i64ExtendI32U", "i64Add");
    return offset;
  }
  pushBase();
  if (offset !== 0n) {
    code.i32(Number(BigInt.asIntN(32, offset)));
    code.op("i32Add");
  }
  const at = code.temp("i32");
  if (isWithin) code.set(at);
  else {
    code.tee(at);
    pushIsBeyond(e, space, bytes);
    e.faultIf(FAULT.illegalAddress, line);
  }
  checkAlignment(e, { at, type: "i32", base, offset, bytes, line });
  code.get(e.special(space === "shared" ? "sharedBase" : "localBase"));
  code.get(at);
  code.op("i64ExtendI32U", "i64Add");
  code.release("i32", at);
  return 0n;
}

/** Whether an access at the address on the stack leaves its window. */
function pushIsBeyond(e: Emitter, space: "shared" | "local", bytes: number): void {
  const { code } = e;
  const { kernel } = e.facts;
  if (space === "shared") {
    code.get(e.special("sharedEnd"));
    code.i32(bytes);
    code.op("i32Sub");
  } else code.i32(Math.max(0, kernel.localBytes - bytes));
  code.op("i32GtU");
  // A window smaller than the access makes the bound negative, which reads as large.
  if (space === "shared" && kernel.sharedBytes < bytes) {
    code.get(e.special("sharedEnd"));
    code.i32(bytes);
    code.op("i32LtS", "i32Or");
  }
  if (space === "local" && kernel.localBytes < bytes) {
    code.op("drop");
    code.i32(1);
  }
}

function pushGeneric(
  e: Emitter,
  { bytes, instruction: { line } }: Access,
  base: PtxBase,
  offset: bigint,
): bigint {
  const { code } = e;
  if (base.kind === "register") {
    if (e.facts.pointers.has(base.register)) e.pushRelative(base.register);
    else {
      e.push({ kind: "register", register: base.register }, "b64");
      code.i64(DEVICE_BASE);
      code.op("i64Sub");
    }
  } else code.i64(-DEVICE_BASE);
  let rest = offset;
  if (offset < 0n) {
    code.i64(offset);
    code.op("i64Add");
    rest = 0n;
  }
  if (!e.facts.isAligned(base, offset, bytes)) {
    const at = code.temp("i64");
    code.set(at);
    checkAlignment(e, { at, type: "i64", base, offset: rest, bytes, line });
    code.get(at);
    code.release("i64", at);
  }
  return rest;
}

interface Alignment {
  /** The local that holds the address, and its type. */
  readonly at: number;
  readonly type: "i32" | "i64";
  readonly base: PtxBase;
  /** What an i64 address still lacks; that of a window is in it already. */
  readonly offset: bigint;
  readonly bytes: number;
  readonly line: number;
}

function checkAlignment(e: Emitter, { at, type, base, offset, bytes, line }: Alignment): void {
  if (bytes === 1 || e.facts.isAligned(base, offset, bytes)) return;
  const { code } = e;
  code.get(at);
  if (type === "i64") code.op("i32WrapI64");
  const rest = Number(offset & BigInt(bytes - 1));
  if (type === "i64" && rest !== 0) {
    code.i32(rest);
    code.op("i32Add");
  }
  code.i32(bytes - 1);
  code.op("i32And");
  e.faultIf(FAULT.misalignedAddress, line);
}
