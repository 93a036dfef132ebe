/** vscode-oniguruma: regular expressions in C, compiled by an older emscripten. */
import oniguruma from "vscode-oniguruma";
import { sampleText } from "../inputs.ts";

const PATTERNS = [
  "(?<word>\\p{Greek}+)",
  "(a)(l)(?=p)",
  "(?i)ZETA|iota",
  "((k)(a)(p+)a)+",
  "[^\\x00-\\x7f]{2,}",
  "(",
  "$",
];

export async function run(): Promise<unknown> {
  const wasm = await Deno.readFile(new URL(import.meta.resolve("vscode-oniguruma/release/onig.wasm")));
  await oniguruma.loadWASM(wasm.buffer);
  const text = sampleText(400);
  const results: unknown[] = [];
  for (const pattern of PATTERNS) {
    try {
      const scanner = oniguruma.createOnigScanner([pattern, "never-here"]);
      const target = oniguruma.createOnigString(text);
      let from = 0;
      while (from <= text.length) {
        const match = scanner.findNextMatchSync(target, from);
        if (match === null) break;
        results.push(match);
        from = (match.captureIndices[0]?.end ?? text.length) + 1;
      }
      scanner.dispose();
      target.dispose();
    } catch (error) {
      results.push(String(error));
    }
  }
  return JSON.stringify(results);
}
