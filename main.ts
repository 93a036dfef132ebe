/**
 * Entry point: hands argv to the command line and its exit code to the system. The only Deno.exit.
 */
import { runCli } from "./runtime/cli/mod.ts";

if (import.meta.main) Deno.exit(await runCli(Deno.args, Deno.exit));
