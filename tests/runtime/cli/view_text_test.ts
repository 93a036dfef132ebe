/** Words in lines. */
import assert from "node:assert/strict";
import { fold, painter } from "../../../runtime/cli/view_text.ts";

const FOLDED:
  readonly (readonly [words: readonly string[], columns: number | undefined, lines: readonly string[]])[] = [
    [[], 10, []],
    [["a", "b"], undefined, ["a b"]],
    [["abc", "def"], 7, ["abc def"]],
    [["abc", "def"], 6, ["abc", "def"]],
    [["abcdefgh", "i", "j"], 3, ["abcdefgh", "i j"]],
    [["a", "", "b"], 9, ["a  b"]],
  ];

for (const [words, columns, lines] of FOLDED) {
  Deno.test(`fold() makes ${JSON.stringify(lines)} of ${JSON.stringify(words)} in ${columns} columns`, () => {
    assert.deepEqual(fold(words, columns), lines);
  });
}

Deno.test("fold() counts no colours", () => {
  const paint = painter(true);
  const words = ["abc", "def"].map((word) => paint("red", word));
  assert.deepEqual([fold(words, 7).length, fold(words, 6).length], [1, 2]);
});

Deno.test("fold() puts as much between words as it is told", () => {
  assert.deepEqual(fold(["ab", "cd"], 6, "  "), ["ab  cd"]);
  assert.deepEqual(fold(["ab", "cd"], 5, "  "), ["ab", "cd"]);
});
