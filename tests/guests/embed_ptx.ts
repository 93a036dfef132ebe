/**
 * PTX as part of a guest: a C header or an AssemblyScript module with one text for each entry.
 *
 * Owns the cut: every text is a whole module of the header, the variables and functions, and one entry, without
 * comments, so that a guest carries what it launches and no more. It compiles nothing. Invariant: the same PTX
 * gives the same bytes.
 */

/** The entries of a PTX module, each with all that it may need. */
export function splitPtx(ptx: string): Map<string, string> {
  const common: string[] = [];
  const entries = new Map<string, string>();
  for (const statement of topLevelStatements(withoutComments(ptx))) {
    const name = /\.entry\s+([\w$%]+)/.exec(statement)?.[1];
    if (name === undefined) common.push(statement);
    else entries.set(name, statement);
  }
  const header = common.join("");
  return new Map([...entries].map(([name, text]) => [name, header + text]));
}

/** A C header that defines `ptx_NAME` for every entry; a compiler drops those that are not used. */
export function ptxHeader(ptx: string): string {
  const texts = [...splitPtx(ptx)].map(([name, text]) =>
    `static const char ptx_${name}[] __attribute__((unused)) =\n${literalLines(text)};\n`
  );
  return texts.join("");
}

/** An AssemblyScript module with a function for each entry that returns its text; unused ones are dropped. */
export function ptxModule(entries: ReadonlyMap<string, string>): string {
  const texts = [...entries].map(([name, text]) => {
    const suffix = name.split("_").map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
    const literal = text.replace(/[\\`$]/g, "\\$&");
    return `\nexport function ptx${suffix}(): string {\n  return \`${literal}\`;\n}\n`;
  });
  return MODULE_HEAD + texts.join("");
}

const MODULE_HEAD =
  `// @ts-nocheck This is AssemblyScript: its types and decorators are not those of TypeScript.
// deno-fmt-ignore-file
// deno-lint-ignore-file
/**
 * kernels: PTX of tests/gpu/kernels as text, for the AssemblyScript guests.
 *
 * Written by tests/guests/build.ts, which says which; not to be edited. A guest carries those that it names.
 */
`;

function literalLines(text: string): string {
  return text.trimEnd().split("\n").map((line) => `${JSON.stringify(line + "\n")}`).join("\n");
}

function withoutComments(ptx: string): string {
  const bare = ptx.replace(/\/\/.*$/gm, "").replace(/\/\*[\s\S]*?\*\//g, "");
  return bare.split("\n").map((line) => line.trim()).filter((line) => line !== "").join("\n") + "\n";
}

/** Whole lines, cut after each directive, variable, declaration or body that stands outside of all braces. */
function topLevelStatements(text: string): string[] {
  const statements: string[] = [];
  let current = "";
  let depth = 0;
  for (const line of text.split("\n")) {
    if (line === "") continue;
    current += line + "\n";
    depth += countOf(line, "{") + countOf(line, "(") - countOf(line, "}") - countOf(line, ")");
    const isDirective = /^\.(version|target|address_size|file)\b/.test(current);
    if (depth === 0 && (isDirective || /[;}]$/.test(line))) {
      statements.push(current);
      current = "";
    }
  }
  if (current !== "") statements.push(current);
  return statements;
}

function countOf(line: string, character: string): number {
  return line.split(character).length - 1;
}
