/** @hpcc-js/wasm-graphviz: Graphviz in C and C++, compiled by emscripten, its module packed in text. */
import { Graphviz } from "@hpcc-js/wasm-graphviz";

export async function run(): Promise<unknown> {
  const graphviz = await Graphviz.load();
  const edges = Array.from(
    { length: 60 },
    (_, index) => `n${index % 17} -> n${(index * 7) % 23} [label="e${index}"];`,
  );
  const graph = `digraph g { rankdir=LR; node [shape=record]; ${
    edges.join(" ")
  } subgraph cluster_a { n1; n2; label="ä" } }`;
  let refused = "accepted";
  try {
    graphviz.dot("digraph {");
  } catch (error) {
    refused = String(error);
  }
  return {
    dot: graphviz.dot(graph),
    neato: graphviz.neato(graph, "json"),
    circo: graphviz.circo(graph, "plain"),
    refused,
  };
}
