/**
 * The program as users start it, run to its end: exit code, stdout and stderr.
 */

const ROOT = new URL("../../", import.meta.url).pathname;
/** A program that should have ended by then is killed, and its status says so. */
const RUN_MS_MAX = 60_000;

/** How a run ended. */
export interface ProgramRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `main.ts` with arguments and variables until it ends by itself. */
export async function runProgram(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ProgramRun> {
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-all", "main.ts", ...args],
    cwd: ROOT,
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
    signal: AbortSignal.timeout(RUN_MS_MAX),
  }).output();
  const decoder = new TextDecoder();
  return {
    code: output.code,
    stdout: decoder.decode(output.stdout),
    stderr: decoder.decode(output.stderr),
  };
}

/** Whether a process is there. */
export async function isRunning(pid: number): Promise<boolean> {
  try {
    // A process that has ended and was not waited for is a zombie.
    return !/^\d+ \(.*\) Z/.test(await Deno.readTextFile(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}

/** How long and how often `until` asks. */
export interface Patience {
  readonly waitMsMax: number;
  readonly pollMs: number;
}

const A_MINUTE: Patience = { waitMsMax: 60_000, pollMs: 10 };

/** Asks until the answer is yes; throws Error naming `what` when it is still no after a minute. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  { waitMsMax, pollMs }: Patience = A_MINUTE,
): Promise<void> {
  const endMs = performance.now() + waitMsMax;
  while (!await isSo()) {
    if (performance.now() > endMs) throw new Error(`Not within ${waitMsMax / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
