import assert from "node:assert/strict";
import { LogFile } from "../../../runtime/cli/log_file.ts";

/** Runs `use` with a folder of its own. */
async function inFolder(use: (folder: string) => void): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  try {
    use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Writes as LineBuffer does: again what was not taken. */
function write(file: LogFile, text: string): void {
  for (let rest = new TextEncoder().encode(text); rest.length > 0;) rest = rest.subarray(file.write(rest));
}

Deno.test("LogFile appends to what is there", async () => {
  await inFolder((folder) => {
    for (const text of ["a\n", "b\n"]) {
      using file = new LogFile(`${folder}/log`);
      write(file, text);
    }
    assert.equal(Deno.readTextFileSync(`${folder}/log`), "a\nb\n");
  });
});

Deno.test("LogFile.reopen() leaves the rest of a line that was begun out of the new file", async () => {
  await inFolder((folder) => {
    using file = new LogFile(`${folder}/log`);
    write(file, "a\nbeg");
    Deno.renameSync(`${folder}/log`, `${folder}/old`);
    file.reopen();
    write(file, "un and");
    write(file, " done\nc\n");
    assert.equal(Deno.readTextFileSync(`${folder}/old`), "a\nbeg");
    assert.equal(Deno.readTextFileSync(`${folder}/log`), "c\n");
  });
});

Deno.test("LogFile.reopen() that fails goes on with the old file, and with a new one as soon as there can be one", async () => {
  await inFolder((folder) => {
    Deno.mkdirSync(`${folder}/logs`);
    using file = new LogFile(`${folder}/logs/log`);
    Deno.renameSync(`${folder}/logs`, `${folder}/away`);
    assert.throws(() => file.reopen(), /Cannot open the log file/);
    write(file, "a\n");
    Deno.mkdirSync(`${folder}/logs`);
    write(file, "b\n");
    write(file, "c\n");
    assert.equal(Deno.readTextFileSync(`${folder}/away/log`), "a\n");
    assert.equal(Deno.readTextFileSync(`${folder}/logs/log`), "b\nc\n");
  });
});
