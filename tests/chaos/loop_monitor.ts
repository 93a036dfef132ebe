/**
 * LoopMonitor: how late the event loop of a process comes, measured from within.
 *
 * Preloaded into a gateway (`deno run --preload`), whose own code knows nothing of it. Appends one line of JSON a
 * second to the file named by LOOP_DELAY_FILE: LoopDelays. Invariant: a loop that was blocked for long counts for
 * every period of that time, as calls that had arrived meanwhile would have felt it.
 */
import process from "node:process";

/** What is written each second, in milliseconds. */
export interface LoopDelays {
  /** How late the loop came. */
  readonly all: readonly number[];
  /** The same, at most as much as the process used of any core meanwhile: what can be its own doing. */
  readonly own: readonly number[];
}

const PERIOD_MS = 5;
const WRITE_MS = 1000;

function monitor(path: string): void {
  const file = Deno.openSync(path, { create: true, append: true });
  const encoder = new TextEncoder();
  let delays: { all: number[]; own: number[] } = { all: [], own: [] };
  let dueAtMs = 0;
  let cpuAtStartMs = 0;
  let writeAtMs = performance.now() + WRITE_MS;
  const note = (lateMs: number, busyMs: number): void => {
    for (let leftMs = lateMs; leftMs >= 0; leftMs -= PERIOD_MS) {
      delays.all.push(round(leftMs));
      delays.own.push(round(Math.min(leftMs, busyMs)));
    }
  };
  const tick = (): void => {
    const nowMs = performance.now();
    note(nowMs - dueAtMs, cpuMs() - cpuAtStartMs);
    if (nowMs >= writeAtMs) {
      file.writeSync(encoder.encode(JSON.stringify(delays) + "\n"));
      delays = { all: [], own: [] };
      writeAtMs = nowMs + WRITE_MS;
    }
    arm();
  };
  const arm = (): void => {
    dueAtMs = performance.now() + PERIOD_MS;
    cpuAtStartMs = cpuMs();
    Deno.unrefTimer(setTimeout(tick, PERIOD_MS));
  };
  arm();
}

/** Time of all cores that the process has used. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}

const path = Deno.env.get("LOOP_DELAY_FILE");
if (path !== undefined) monitor(path);
