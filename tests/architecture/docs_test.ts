import assert from "node:assert/strict";
import { generatedDocs } from "../tools/generate_docs.ts";

Deno.test("docs: the generated pages are as their sources say (deno task docs rewrites them)", async () => {
  for (const [name, content] of await generatedDocs()) {
    const written = await Deno.readTextFile(new URL(`../../docs/${name}`, import.meta.url));
    assert.equal(normalize(written), normalize(content), name);
  }
});

/** The formatter pads table cells; padding means nothing. */
function normalize(text: string): string {
  return text.replace(/ {2,}/g, " ").replace(/-{3,}/g, "---");
}
