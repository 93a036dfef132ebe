/** @dprint/formatter with @dprint/json: a plug-in in Rust behind its own interface of pointers. */
import { createFromBuffer } from "@dprint/formatter";
import { getPath } from "@dprint/json";

export async function run(): Promise<unknown> {
  const formatter = createFromBuffer(await Deno.readFile(getPath()));
  formatter.setConfig({ indentWidth: 2, lineWidth: 60 }, { trailingCommas: "never" });
  const value = Array.from(
    { length: 80 },
    (_, index) => ({ id: index, name: `n${index}`, tags: ["a", "b", null, 1.5e3] }),
  );
  const text = `// comment\n${JSON.stringify(value)}`;
  let refused = "accepted";
  try {
    formatter.formatText({ filePath: "b.json", fileText: '{"a": [1, }' });
  } catch (error) {
    refused = String(error);
  }
  return {
    formatted: formatter.formatText({ filePath: "a.json", fileText: text }),
    diagnostics: formatter.getConfigDiagnostics(),
    refused,
  };
}
