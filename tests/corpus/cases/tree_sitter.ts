/** web-tree-sitter with tree-sitter-json: emscripten's dynamic linking, memory and table shared by two modules. */
import { Language, Parser, Query } from "web-tree-sitter";

export async function run(): Promise<unknown> {
  await Parser.init();
  const grammar = await Deno.readFile(new URL(import.meta.resolve("tree-sitter-json/tree-sitter-json.wasm")));
  const language = await Language.load(grammar);
  const parser = new Parser();
  parser.setLanguage(language);
  const value = Array.from(
    { length: 60 },
    (_, index) => ({ [`key-${index}`]: [index, `é${index}`, null, { deep: [true] }] }),
  );
  const trees = [JSON.stringify(value), '{"broken": [1, 2,, }', "", '"\\u00e9"'].map((text) =>
    parser.parse(text)
  );
  const query = new Query(language, "(pair key: (string) @key value: (array) @value)");
  return trees.map((tree) =>
    tree && {
      text: tree.rootNode.toString(),
      hasError: tree.rootNode.hasError,
      captures: query.captures(tree.rootNode).map(({ name, node }) =>
        `${name}@${node.startIndex}-${node.endIndex}`
      ).join(),
    }
  );
}
