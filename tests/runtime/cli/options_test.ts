/** Command lines as they are typed, and what is said of wrong ones. */
import assert from "node:assert/strict";
import { type OptionTable, parseOptions } from "../../../runtime/cli/options.ts";

const TABLE: OptionTable = {
  "cells-min": { type: "string" },
  "log-file": { type: "string" },
  follow: { type: "boolean", short: "f" },
};

Deno.test("parseOptions() takes values, flags, short names and words in any order", () => {
  const { values, words } = parseOptions(
    ["a", "--cells-min", "3", "-f", "--log-file=-x", "b", "--", "-c"],
    TABLE,
  );
  assert.deepEqual(values, { "cells-min": "3", follow: true, "log-file": "-x" });
  assert.deepEqual(words, ["a", "b", "-c"]);
});

Deno.test("parseOptions() takes a dash, an empty value, and the last of several", () => {
  const { values } = parseOptions(["--log-file", "-", "--cells-min=", "--cells-min", ""], TABLE);
  assert.deepEqual(values, { "log-file": "-", "cells-min": "" });
});

const REFUSED: readonly (readonly [args: readonly string[], message: string])[] = [
  [["--celss-min", "3"], "Unknown option --celss-min; did you mean --cells-min?"],
  [["--no-such"], "Unknown option --no-such"],
  [["--constructor"], "Unknown option --constructor"],
  [["-x"], "Unknown option -x"],
  [["--cells-min"], "--cells-min takes a value, got none"],
  [["--follow=yes"], "--follow takes no value"],
  [
    ["--cells-min", "-1"],
    "--cells-min takes a value, got the option -1; a value like it: --cells-min=-1",
  ],
];

for (const [args, message] of REFUSED) {
  Deno.test(`parseOptions() refuses ${args.join(" ")}`, () => {
    assert.throws(() => parseOptions(args, TABLE), { message });
  });
}
