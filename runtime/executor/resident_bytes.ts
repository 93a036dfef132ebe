/**
 * ResidentBytes: how much memory a process really occupies, as the system sees it from outside.
 *
 * Owns one read of one file. Linux only, and only where the gateway runs with every permission: Deno gives
 * /proc to nobody else, so elsewhere a cell's own word has to do (cell_watch.ts). The figure is taken from
 * /proc/PID/status (proc(5)), which counts in kilobytes, and not from statm, which counts in pages of a size
 * that Deno cannot ask for. Invariant: never rejects; a process that is gone has no figure.
 */

/** Resident bytes of a process, or undefined where they cannot be known. */
export async function readResidentBytes(pid: number): Promise<number | undefined> {
  if (Deno.build.os !== "linux") return undefined;
  try {
    return parseResidentBytes(await Deno.readTextFile(`/proc/${pid}/status`));
  } catch {
    // Gone, or not ours to look at.
    return undefined;
  }
}

/** The figure in the text of a status file; absent once the process is a zombie. */
export function parseResidentBytes(status: string): number | undefined {
  const kilobytes = /^VmRSS:\s+([0-9]+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}
