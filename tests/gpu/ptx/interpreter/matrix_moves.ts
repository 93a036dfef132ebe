/**
 * ldmatrix, stmatrix, movmatrix: 8x8 matrices of 16-bit elements between shared memory and fragments.
 *
 * Owns which lane names which row, and which elements a lane has. Invariant: lane `4g + q` has elements 2q and
 * 2q + 1 of row g; with `.trans`, of column g.
 */
import { accessSpace, addressOf } from "./address.ts";
import { GuestFault } from "./fault.ts";
import type { Site } from "./site.ts";
import type { Thread } from "./thread.ts";
import type { WarpAction } from "./warp_operations.ts";

const ROW_BYTES = 16;

/** Element (row, column) that half `half` of a lane's register is. */
function elementOf(lane: number, half: number, isTransposed: boolean): { row: number; column: number } {
  const [outer, inner] = [lane >> 2, (lane & 3) * 2 + half];
  return isTransposed ? { row: inner, column: outer } : { row: outer, column: inner };
}

function checkForm(site: Site): void {
  if (!site.has("m8n8") || !site.has("b16")) throw site.unknown();
}

function everyLane(site: Site): bigint {
  checkForm(site);
  return 0xffff_ffffn;
}

/** Slots of the one, two or four registers of a lane. */
function registersOf(site: Site, index: number): readonly number[] {
  const operand = site.operand(index);
  return (operand.kind === "vector" ? operand.elements : [operand]).map((each) => site.write(each));
}

/** Addresses of the rows: row r of matrix m is named by lane 8m + r. */
function rowsOf(
  site: Site,
  lanes: readonly Thread[],
  address: (t: Thread) => number,
  count: number,
): readonly { readonly bytes: Uint16Array; readonly start: number }[] {
  const { machine, line } = site;
  const space = accessSpace(site);
  return Array.from({ length: 8 * count }, (_, lane) => {
    const t = lanes.find((each) => each.lane === lane);
    if (t === undefined) throw new GuestFault(719, `line ${line}: lane ${lane} is not there for its row`);
    const memory = machine.locate(t, space, address(t), ROW_BYTES, line);
    return { bytes: memory.u16, start: machine.index >> 1 };
  });
}

export function loadMatrix(site: Site): WarpAction {
  const mask = site.scope.constant(everyLane(site));
  const isTransposed = site.has("trans");
  const targets = registersOf(site, 0);
  const address = addressOf(site, site.operand(1));
  const { u16 } = site.registers;
  const execute = (lanes: readonly Thread[]): void => {
    const rows = rowsOf(site, lanes, address, targets.length);
    for (const t of lanes) {
      for (const [matrix, slot] of targets.entries()) {
        for (const half of [0, 1]) {
          const { row, column } = elementOf(t.lane, half, isTransposed);
          const from = rows[8 * matrix + row];
          u16[((t.base + slot) << 2) + half] = from?.bytes[from.start + column] ?? 0;
        }
      }
    }
  };
  return { mask, execute };
}

export function storeMatrix(site: Site): WarpAction {
  const mask = site.scope.constant(everyLane(site));
  const isTransposed = site.has("trans");
  const sources = registersOf(site, 1);
  const address = addressOf(site, site.operand(0));
  const { u16 } = site.registers;
  const execute = (lanes: readonly Thread[]): void => {
    const rows = rowsOf(site, lanes, address, sources.length);
    for (const t of lanes) {
      for (const [matrix, slot] of sources.entries()) {
        for (const half of [0, 1]) {
          const { row, column } = elementOf(t.lane, half, isTransposed);
          const to = rows[8 * matrix + row];
          if (to !== undefined) to.bytes[to.start + column] = u16[((t.base + slot) << 2) + half] as number;
        }
      }
    }
  };
  return { mask, execute };
}

/** `movmatrix.sync.aligned.m8n8.trans.b16 d, a`. */
export function moveMatrix(site: Site): WarpAction {
  const mask = site.scope.constant(everyLane(site));
  const [d, a] = [site.target(), site.source(1, "b32")];
  const { u16 } = site.registers;
  const execute = (lanes: readonly Thread[]): void => {
    const matrix: number[] = [];
    for (const t of lanes) {
      for (const half of [0, 1]) {
        const { row, column } = elementOf(t.lane, half, false);
        matrix[row * 8 + column] = u16[((t.base + a) << 2) + half] as number;
      }
    }
    for (const t of lanes) {
      for (const half of [0, 1]) {
        const { row, column } = elementOf(t.lane, half, true);
        u16[((t.base + d) << 2) + half] = matrix[row * 8 + column] ?? 0;
      }
    }
  };
  return { mask, execute };
}
