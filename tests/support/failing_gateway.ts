/**
 * The program as users start it, with a way to have it fail: a byte on stdin says how. For tests of the ways out
 * of the process; it is spawned, never imported.
 */
import { runCli } from "../../runtime/cli/mod.ts";

/** How the process is to fail. */
export type Failure = "throw" | "reject" | "exit";

const WAYS: Readonly<Record<string, Failure>> = { t: "throw", r: "reject", e: "exit" };

async function failWhenTold(): Promise<void> {
  const byte = new Uint8Array(1);
  if (await Deno.stdin.read(byte) === null) return;
  const way = WAYS[new TextDecoder().decode(byte)];
  if (way === "exit") Deno.exit(7);
  if (way === "reject") void Promise.reject(new Error("a bug, rejected"));
  if (way === "throw") {
    setTimeout(() => {
      throw new Error("a bug, thrown");
    }, 0);
  }
}

if (import.meta.main) {
  void failWhenTold();
  Deno.exit(await runCli(Deno.args, Deno.exit));
}
