// Whole C programs (tests/guests/src) on our WASI, without the rest of a cell.
import assert from "node:assert/strict";
import { readGuest } from "../../../../support/guests.ts";
import { WasiGuest } from "./wasi_guest.ts";
import type { WasiGuestOptions } from "./wasi_guest.ts";
import type { Outcome } from "../../../../../runtime/model/outcome.ts";

const RETURNED: Outcome = { type: "returned", values: [] };

async function run(
  name: string,
  options: WasiGuestOptions = {},
): Promise<{ outcome: Outcome; guest: WasiGuest }> {
  const guest = new WasiGuest({ args: [name], ...options });
  return { outcome: await guest.runProgram(readGuest(name)), guest };
}

Deno.test("echo copies its input, however large, to its output", async () => {
  const input = "0123456789abcdef".repeat(20_000);
  const { outcome, guest } = await run("echo", { input });
  assert.deepEqual(outcome, RETURNED);
  assert.equal(guest.output, input);
});

Deno.test("word_freq counts the words of its input", async () => {
  assert.equal((await run("word_freq", { input: "b a b\nc B a b" })).guest.output, "4\tb\n2\ta\n1\tc\n");
});

Deno.test("sha256 reads its input to the end", async () => {
  const input = "x".repeat(100_001);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(input));
  assert.equal((await run("sha256", { input })).guest.output, `${new Uint8Array(digest).toHex()}\n`);
});

Deno.test("args_env sees arguments and environment in order", async () => {
  const { guest } = await run("args_env", { args: ["args_env", "a", "b c"], environment: ["Z=1", "A=ü"] });
  assert.equal(guest.output, "argc 3\nargv[0] args_env\nargv[1] a\nargv[2] b c\nenv Z=1\nenv A=ü\n");
});

Deno.test("exit_code ends with its code after its output was flushed", async () => {
  const { outcome, guest } = await run("exit_code", { args: ["exit_code", "42"] });
  assert.deepEqual(outcome, { type: "exited", exitCode: 42 });
  assert.equal(guest.output, "exiting with 42\n");
});

Deno.test("sleep sleeps", async () => {
  assert.equal((await run("sleep", { args: ["sleep", "1"] })).guest.output, "slept 1 ms\n");
});

Deno.test("sleep is stopped at the deadline", async () => {
  const { outcome } = await run("sleep", { args: ["sleep", "100000"], deadlineRemainingMs: () => 1 });
  assert.deepEqual(outcome, { type: "exhausted", limit: "deadline_ms", max: 1, actual: 1 });
});

Deno.test("files creates, seeks, lists, renames and unlinks in the root", async () => {
  const { outcome, guest } = await run("files");
  assert.deepEqual(outcome, RETURNED);
  assert.deepEqual(guest.output.split("\n"), [
    "wrote 12 bytes",
    "read at 7: files",
    "size 12",
    "list after create: first.txt",
    "list after rename: second.txt",
    "reread: hello, FILES",
    "list after unlink: nothing",
    "",
  ]);
});

Deno.test("huge_files is told that there is no space at the limit, and goes on", async () => {
  const { outcome, guest } = await run("huge_files", { fileBytesMax: 5 * 2 ** 20 });
  assert.deepEqual(outcome, RETURNED);
  assert.match(guest.output, /^wrote 5242880 bytes, then errno 51 \(No space left on device\)\n$/);
});

Deno.test("log_lines: each of its lines is logged under its stream", async () => {
  const { guest } = await run("log_lines", { args: ["log_lines", "2"] });
  const textOf = (source: string): string =>
    guest.log.filter((call) => call.source === source).map((call) => call.text).join("");
  assert.equal(textOf("stdout"), "stdout line 1\nstdout line 2\n");
  assert.equal(textOf("stderr"), "stderr line 1\nstderr line 2\n");
});

Deno.test("stdout of a C program is buffered in full: more lines make no more writes", async () => {
  // The library flushes at the first newline, finds that this is no terminal, and then only at the end.
  const few = (await run("word_freq", { input: "one two three" })).guest;
  const many = (await run("word_freq", { input: "one two three four five six seven eight nine" })).guest;
  assert.equal(many.output.split("\n").length, 10);
  assert.equal(many.outputs.length, few.outputs.length);
});
