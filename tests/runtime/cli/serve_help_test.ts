/** The help of the program. */
import assert from "node:assert/strict";
import { serveHelp } from "../../../runtime/cli/serve_help.ts";
import { SETTINGS } from "../../../runtime/settings.ts";

Deno.test("serveHelp() names every setting with its variable", () => {
  const words = new Set(serveHelp().split(/[\s,]+/));
  for (const { flag, env } of SETTINGS) assert.ok(words.has(`--${flag}`) && words.has(env), flag);
});

Deno.test("serveHelp() has no line of options that is longer than 100 columns, but for what cannot be folded", () => {
  const options = serveHelp().split("\n").filter((line) => line.startsWith("  "));
  for (const line of options.filter(({ length }) => length > 100)) {
    assert.equal(line.trim().split(" ").length, 1, line);
  }
});
