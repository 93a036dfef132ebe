/**
 * What a process holds, as the system sees it: children, descriptors, memory. Linux only.
 *
 * Invariant: nothing here asks the process itself.
 */
import { readResidentBytes } from "../../runtime/executor/resident_bytes.ts";

/** What a process holds at one moment. */
export interface ProcessFacts {
  readonly children: readonly number[];
  readonly descriptorsCount: number;
  readonly residentBytes: number;
}

/** How long a process's main thread ran, and how long it could have run but had no core. */
export interface CoreTime {
  readonly ranMs: number;
  readonly waitedMs: number;
}

/** The time of the main thread so far, by /proc/PID/schedstat. */
export async function readCoreTime(pid: number): Promise<CoreTime> {
  const [ranNanos = NaN, waitedNanos = NaN] = (await Deno.readTextFile(`/proc/${pid}/task/${pid}/schedstat`))
    .split(" ").map(Number);
  return { ranMs: ranNanos / 1e6, waitedMs: waitedNanos / 1e6 };
}

/** The facts of a living process. */
export async function readProcessFacts(pid: number): Promise<ProcessFacts> {
  const descriptors = await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`));
  return {
    children: await childrenOf(pid),
    descriptorsCount: descriptors.length,
    residentBytes: await readResidentBytes(pid) ?? 0,
  };
}

/** Processes that were started by any thread of a process and have not been waited for. */
async function childrenOf(pid: number): Promise<number[]> {
  const children: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
    // The name of the program stands in parentheses and may have any character.
    const parent = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
    if (parent === String(pid)) children.push(Number(name));
  }
  return children;
}
