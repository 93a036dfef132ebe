/**
 * Launcher: the programs through which child processes are started.
 *
 * Owns which of them the system has. It starts none. Invariant: what is missing is left out.
 */

const SETPRIV = "/usr/bin/setpriv";
const NICE = "/usr/bin/nice";
const CELL_NICENESS = 5;

/**
 * The programs through which a cell is started, where the system has them. A spinning guest never looks at its
 * socket, so a cell may not notice by itself that the gateway was killed: Linux can tell it (PR_SET_PDEATHSIG,
 * prctl(2)), and util-linux has the program that asks for it. And guests give way to the gateway (nice(1)),
 * which has to hear the next request while they compute.
 */
export async function findLauncher(): Promise<readonly string[]> {
  const launcher: string[] = [];
  if (Deno.build.os === "linux" && await isFile(SETPRIV)) launcher.push(SETPRIV, "--pdeathsig", "KILL", "--");
  if (await isFile(NICE)) launcher.push(NICE, "-n", String(CELL_NICENESS));
  return launcher;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}
