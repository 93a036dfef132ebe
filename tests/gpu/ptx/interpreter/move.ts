/**
 * Moves: mov with packing and unpacking, cvta, isspacep.
 *
 * Owns how parts make a whole, lowest part first, and what addresses turn into between spaces. Invariant: bits
 * move unchanged, NaN payloads included.
 */
import { bytesOf, type PtxOperand } from "../../../../gpu/ptx/ast.ts";
import { WINDOWS } from "./machine.ts";
import type { Site } from "./site.ts";
import type { Step, Thread } from "./thread.ts";

/** Copies bits between slots: of whole parts, in bytes. */
function copyPart(
  site: Site,
  from: number,
  fromByte: number,
  to: number,
  toByte: number,
  bytes: number,
): Step {
  const { u8 } = site.registers;
  return (t) => {
    const source = ((t.base + from) << 3) + fromByte;
    const target = ((t.base + to) << 3) + toByte;
    for (let byte = 0; byte < bytes; byte++) u8[target + byte] = u8[source + byte] as number;
  };
}

export function movStep(site: Site): Step {
  const [to, from] = [site.operand(0), site.operand(1)];
  const { type } = site;
  if (to.kind === "vector") return unpackStep(site, to, from);
  if (from.kind === "vector") return packStep(site, to, from);
  const d = site.write(to);
  const s = site.read(from, type);
  if (type === "b128") return copyPart(site, s, 0, d, 0, 16);
  const { i32 } = site.registers;
  return (t) => {
    const [target, source] = [(t.base + d) << 1, (t.base + s) << 1];
    const high = i32[source + 1] as number;
    i32[target] = i32[source] as number;
    i32[target + 1] = high;
  };
}

/** Sources go through scratch slots, since a destination may be one of them. */
function packStep(site: Site, to: PtxOperand, from: PtxOperand & { kind: "vector" }): Step {
  const bytes = bytesOf(site.type) / from.elements.length;
  const scratch = site.scope.scratch();
  site.scope.scratch();
  const d = site.write(to);
  const steps = from.elements.map((each, index) =>
    copyPart(site, site.read(each, bytes === 8 ? "b64" : "b32"), 0, scratch, index * bytes, bytes)
  );
  steps.push(copyPart(site, scratch, 0, d, 0, bytesOf(site.type)));
  return inOrder(steps);
}

function unpackStep(site: Site, to: PtxOperand & { kind: "vector" }, from: PtxOperand): Step {
  const bytes = bytesOf(site.type) / to.elements.length;
  const scratch = site.scope.scratch();
  site.scope.scratch();
  const steps = [copyPart(site, site.read(from, site.type), 0, scratch, 0, bytesOf(site.type))];
  for (const [index, each] of to.elements.entries()) {
    if (each.kind === "sink") continue;
    steps.push(copyPart(site, scratch, index * bytes, site.write(each), 0, bytes));
  }
  return inOrder(steps);
}

function inOrder(steps: readonly Step[]): Step {
  return (t) => {
    for (const each of steps) each(t);
  };
}

/** `cvta.space` to a generic address, `cvta.to.space` from one; only shared and local addresses differ. */
export function cvtaStep(site: Site): Step {
  const space = site.oneOf(["shared::cta", "shared::cluster", "shared", "local", "global", "const", "param"]);
  if (space === undefined) throw site.unknown("names no space");
  const window = space.startsWith("shared") ? WINDOWS.shared : space === "local" ? WINDOWS.local : 0;
  const { u64, u32 } = site.registers;
  const isWide = bytesOf(site.type) === 8;
  const [d, a] = [site.target(), site.source(1)];
  const offset = BigInt(site.has("to") ? -window : window);
  if (!isWide && window !== 0) throw site.unknown("needs addresses of 64 bits");
  return (t) => {
    const address = isWide ? u64[t.base + a] as bigint : BigInt(u32[(t.base + a) << 1] as number);
    u64[t.base + d] = address + offset;
  };
}

/** `isspacep.space p, a`. */
export function isspacepStep(site: Site): Step {
  const word = site.ins.modifiers[0] ?? "";
  const space = word.split("::")[0];
  const { u64, u32 } = site.registers;
  const [p, a] = [site.target(), site.source(1, "u64")];
  const isIn = (t: Thread): boolean => site.machine.spaceOf(Number(u64[t.base + a] as bigint)) === space;
  return (t) => void (u32[(t.base + p) << 1] = isIn(t) ? 1 : 0);
}
