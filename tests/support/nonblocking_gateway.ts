/**
 * The program as users start it, with a stdout that does not wait, as whoever shares a pipe or terminal may have set
 * it; it is spawned, never imported.
 */
import { runCli } from "../../runtime/cli/mod.ts";

const STDOUT = 1;
/** Linux, fcntl(2) and open(2). */
const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;

function setNonblocking(): void {
  using stack = new DisposableStack();
  const libc = stack.adopt(
    Deno.dlopen("libc.so.6", { fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" } }),
    (library) => library.close(),
  );
  const flags = libc.symbols.fcntl(STDOUT, F_GETFL, 0);
  if (libc.symbols.fcntl(STDOUT, F_SETFL, flags | O_NONBLOCK) !== 0) throw new Error("fcntl failed");
}

if (import.meta.main) {
  setNonblocking();
  Deno.exit(await runCli(Deno.args, Deno.exit));
}
