/**
 * Windows: which parts of guest memory a launch uploads, zeroes and writes back.
 *
 * Owns the grouping of a launch's windows: those that share a byte are one piece of device memory, so that
 * kernels which read through one pointer and write through another see what they would with unified memory.
 * It copies and allocates nothing (window_memory.ts does). Invariants: the groups of a launch are disjoint;
 * each byte of a group is either uploaded (some window reads it) or zeroed; only bytes of windows that are
 * written are written back.
 */
import { GPU_ARG_TAGS as TAG } from "../abi.ts";
import type { ArgList } from "./args.ts";

/** Ranges of guest memory in ascending order, disjoint: start, end, start, end, … */
export type Ranges = readonly number[];

/** Windows that share bytes, as one piece. */
export interface WindowGroup {
  /** The piece of guest memory from the first window's start to the last one's end. */
  readonly start: number;
  readonly end: number;
  /** Bytes that a window reads, and the others. */
  readonly uploads: Ranges;
  readonly zeros: Ranges;
  /** Bytes that a window writes. */
  readonly downloads: Ranges;
  /** The arguments that are these windows. */
  readonly members: readonly number[];
}

const NOTHING: Ranges = Object.freeze([]);

/** Groups the windows of a launch; those without a byte are in no group. */
export function groupWindows(args: ArgList): WindowGroup[] {
  const windows: number[] = [];
  for (let index = 0; index < args.count; index++) {
    const tag = args.tag(index);
    if (tag < TAG.windowInOut || tag > TAG.windowOut || args.windowLength(index) === 0) continue;
    // By their starts; there are few, and most guests name them in order.
    let at = windows.length;
    while (at > 0 && args.windowOffset(windows[at - 1] ?? 0) > args.windowOffset(index)) at--;
    windows.splice(at, 0, index);
  }
  const groups: WindowGroup[] = [];
  for (let from = 0; from < windows.length;) {
    let to = from;
    let end = 0;
    do end = Math.max(end, endOf(args, windows[to++] ?? 0)); while (
      to < windows.length && args.windowOffset(windows[to] ?? 0) < end
    );
    groups.push(makeGroup(args, windows.slice(from, to), end));
    from = to;
  }
  return groups;
}

function endOf(args: ArgList, index: number): number {
  return args.windowOffset(index) + args.windowLength(index);
}

function makeGroup(args: ArgList, members: readonly number[], end: number): WindowGroup {
  const start = args.windowOffset(members[0] ?? 0);
  if (members.length === 1) {
    const tag = args.tag(members[0] ?? 0);
    const all: Ranges = [start, end];
    return {
      start,
      end,
      uploads: tag === TAG.windowOut ? NOTHING : all,
      zeros: tag === TAG.windowOut ? all : NOTHING,
      downloads: tag === TAG.windowIn ? NOTHING : all,
      members,
    };
  }
  const uploads = unionOf(args, members, TAG.windowOut);
  const downloads = unionOf(args, members, TAG.windowIn);
  return { start, end, uploads, zeros: complement(uploads, start, end), downloads, members };
}

/** The bytes of all windows but those with a tag; they are in the order of their starts. */
function unionOf(args: ArgList, members: readonly number[], except: number): Ranges {
  const ranges: number[] = [];
  for (const index of members) {
    if (args.tag(index) === except) continue;
    const [start, end] = [args.windowOffset(index), endOf(args, index)];
    const last = ranges.length - 1;
    if (last > 0 && start <= (ranges[last] ?? 0)) ranges[last] = Math.max(ranges[last] ?? 0, end);
    else ranges.push(start, end);
  }
  return ranges;
}

/** What of start…end is not in the ranges. */
function complement(ranges: Ranges, start: number, end: number): Ranges {
  const others: number[] = [];
  let from = start;
  for (let at = 0; at < ranges.length; at += 2) {
    const [rangeStart = 0, rangeEnd = 0] = [ranges[at], ranges[at + 1]];
    if (rangeStart > from) others.push(from, rangeStart);
    from = rangeEnd;
  }
  if (from < end) others.push(from, end);
  return others;
}

/** How many bytes ranges have. */
export function countBytes(ranges: Ranges): number {
  let count = 0;
  for (let at = 0; at < ranges.length; at += 2) count += (ranges[at + 1] ?? 0) - (ranges[at] ?? 0);
  return count;
}

/** Whether two lists of ranges share a byte. */
export function overlaps(left: Ranges, right: Ranges): boolean {
  let [i, j] = [0, 0];
  while (i < left.length && j < right.length) {
    if ((left[i + 1] ?? 0) <= (right[j] ?? 0)) i += 2;
    else if ((right[j + 1] ?? 0) <= (left[i] ?? 0)) j += 2;
    else return true;
  }
  return false;
}

/** Whether every byte of `inner` is in `outer`; both are unions, so that a range lies in one range or in none. */
export function covers(outer: Ranges, inner: Ranges): boolean {
  let at = 0;
  for (let range = 0; range < inner.length; range += 2) {
    const [start = 0, end = 0] = [inner[range], inner[range + 1]];
    while (at < outer.length && (outer[at + 1] ?? 0) < end) at += 2;
    if (at >= outer.length || (outer[at] ?? 0) > start) return false;
  }
  return true;
}
