/** What is read from a report of `deno test --junit-path`. */
import assert from "node:assert/strict";
import { parseReport } from "./junit.ts";

Deno.test("parseReport() has each test with its result, names and messages as they were", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(
      `${folder}/a_test.ts`,
      `Deno.test('a < b & "c": 1×2', () => {});
Deno.test("bad (x)", () => { throw new Error("first & second\\nthird"); });
Deno.test({ name: "left out", ignore: true, fn: () => {} });
`,
    );
    const args = ["test", "--no-check", `--junit-path=${folder}/report.xml`, `${folder}/a_test.ts`];
    await new Deno.Command(Deno.execPath(), { args, stdout: "null", stderr: "null" }).output();
    const tests = parseReport(await Deno.readTextFile(`${folder}/report.xml`));
    assert.deepEqual(tests.map(({ name, result }) => [name, result]), [
      ['a < b & "c": 1×2', "passed"],
      ["bad (x)", "failed"],
      ["left out", "skipped"],
    ]);
    assert.match(tests[1]?.message ?? "", /^Error: first & second third/);
    assert.deepEqual(parseReport("nothing"), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
