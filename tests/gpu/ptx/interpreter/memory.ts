/**
 * Loads, stores and their asynchronous copies.
 *
 * Owns how values travel between memory and registers: vectors, extension to wider registers, order of faults.
 * Cache operators, volatility and memory order change nothing here, where one thread runs at a time. Invariant:
 * a vector access is checked as one access of its whole size before anything moves.
 */
import { bytesOf, type PtxOperand, type PtxType } from "../../../../gpu/ptx/ast.ts";
import type { AccessSpace, Segment } from "./machine.ts";
import { GuestFault } from "./fault.ts";
import { accessSpace, type AddressOf, addressOf } from "./address.ts";
import { copyArrivalStep } from "./mbarrier.ts";
import type { Site } from "./site.ts";
import type { Step, Thread } from "./thread.ts";

function elementsOf(operand: PtxOperand): readonly PtxOperand[] {
  return operand.kind === "vector" ? operand.elements : [operand];
}

/** Reads one element into a slot, extended to 64 bits. */
function loadElement(
  site: Site,
  type: PtxType,
  slot: number,
): (t: Thread, from: Segment, index: number) => void {
  const { i32, u64 } = site.registers;
  const put = (t: Thread, low: number, high: number): void => {
    const at = (t.base + slot) << 1;
    i32[at] = low;
    i32[at + 1] = high;
  };
  switch (type) {
    case "s8":
      return (t, from, index) => put(t, from.i8[index] as number, (from.i8[index] as number) >> 31);
    case "s16":
      return (t, from, index) =>
        put(t, from.i16[index >> 1] as number, (from.i16[index >> 1] as number) >> 31);
    case "s32":
      return (t, from, index) =>
        put(t, from.i32[index >> 2] as number, (from.i32[index >> 2] as number) >> 31);
  }
  switch (bytesOf(type)) {
    case 1:
      return (t, from, index) => put(t, from.u8[index] as number, 0);
    case 2:
      return (t, from, index) => put(t, from.u16[index >> 1] as number, 0);
    case 4:
      return (t, from, index) => put(t, from.i32[index >> 2] as number, 0);
    case 8:
      return (t, from, index) => put(t, from.i32[index >> 2] as number, from.i32[(index >> 2) + 1] as number);
    default:
      return (t, from, index) => {
        u64[t.base + slot] = from.u64[index >> 3] as bigint;
        u64[t.base + slot + 1] = from.u64[(index >> 3) + 1] as bigint;
      };
  }
}

function storeElement(
  site: Site,
  type: PtxType,
  slot: number,
): (t: Thread, to: Segment, index: number) => void {
  const { u8, u16, i32, u64 } = site.registers;
  switch (bytesOf(type)) {
    case 1:
      return (t, to, index) => void (to.u8[index] = u8[(t.base + slot) << 3] as number);
    case 2:
      return (t, to, index) => void (to.u16[index >> 1] = u16[(t.base + slot) << 2] as number);
    case 4:
      return (t, to, index) => void (to.i32[index >> 2] = i32[(t.base + slot) << 1] as number);
    case 8:
      return (t, to, index) => {
        to.i32[index >> 2] = i32[(t.base + slot) << 1] as number;
        to.i32[(index >> 2) + 1] = i32[((t.base + slot) << 1) + 1] as number;
      };
    default:
      return (t, to, index) => {
        to.u64[index >> 3] = u64[t.base + slot] as bigint;
        to.u64[(index >> 3) + 1] = u64[t.base + slot + 1] as bigint;
      };
  }
}

interface Access {
  readonly space: AccessSpace;
  readonly address: AddressOf;
  readonly bytes: number;
}

function accessOf(site: Site, operand: PtxOperand, bytes: number): Access {
  return { space: accessSpace(site), address: addressOf(site, operand), bytes };
}

export function loadStep(site: Site): Step {
  const { machine, type, line } = site;
  const elements = elementsOf(site.operand(0));
  const { space, address, bytes } = accessOf(site, site.operand(1), bytesOf(type) * elements.length);
  const loads = elements.map((each) => loadElement(site, type, site.write(each)));
  const size = bytesOf(type);
  const [only] = loads;
  if (only !== undefined && loads.length === 1) {
    return (t) => {
      const from = machine.locate(t, space, address(t), bytes, line);
      only(t, from, machine.index);
    };
  }
  return (t) => {
    const from = machine.locate(t, space, address(t), bytes, line);
    const { index } = machine;
    for (let each = 0; each < loads.length; each++) loads[each]?.(t, from, index + each * size);
  };
}

export function storeStep(site: Site): Step {
  const { machine, type, line } = site;
  const elements = elementsOf(site.operand(1));
  const { space, address, bytes } = accessOf(site, site.operand(0), bytesOf(type) * elements.length);
  const stores = elements.map((each) => storeElement(site, type, site.read(each, type)));
  const size = bytesOf(type);
  return (t) => {
    const to = machine.locate(t, space, address(t), bytes, line);
    const { index } = machine;
    for (let each = 0; each < stores.length; each++) stores[each]?.(t, to, index + each * size);
  };
}

/** `cp.async.{ca,cg}.shared.global [to], [from], size{, source size}{, policy}`: done at once. */
export function asyncCopyStep(site: Site): Step {
  const { machine, line } = site;
  if (site.oneOf(["commit_group", "wait_group", "wait_all"]) !== undefined) return () => {};
  if (site.has("mbarrier")) return copyArrivalStep(site);
  if (!site.has("ca") && !site.has("cg")) throw site.unknown();
  const sizeOperand = site.operand(2);
  if (sizeOperand.kind !== "integer") throw site.unknown("needs a constant size");
  const size = Number(sizeOperand.value);
  const to = addressOf(site, site.operand(0));
  const from = addressOf(site, site.operand(1));
  const fourth = site.ins.operands[3];
  const isPredicate = fourth?.kind === "register" && site.scope.typeOf(fourth.register) === "pred";
  const limit = fourth === undefined || isCachePolicy(site)
    ? site.scope.constant(BigInt(size))
    : site.read(fourth, isPredicate ? "pred" : "u32");
  const { u32 } = site.registers;
  return (t) => {
    const value = u32[(t.base + limit) << 1] as number;
    const count = isPredicate ? (value === 0 ? size : 0) : Math.min(value, size);
    const bytes = new Uint8Array(size);
    const start = from(t);
    if (count > 0) {
      if (start % size !== 0) {
        throw new GuestFault(716, `line ${line}: a copy of ${size} bytes from ${start}`);
      }
      // Only the bytes that are copied have to be there.
      machine.locate(t, "global", start + count - 1, 1, line);
      const source = machine.locate(t, "global", start, 1, line);
      bytes.set(source.u8.subarray(machine.index, machine.index + count));
    }
    const target = machine.locate(t, "shared", to(t), size, line);
    target.u8.set(bytes, machine.index);
  };
}

/** Whether the fourth operand of the copy is its cache policy already. */
function isCachePolicy(site: Site): boolean {
  return site.has("L2::cache_hint") && site.count === 4;
}
