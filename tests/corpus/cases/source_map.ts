/** source-map: its decoder of mappings in Rust, without a binding generator. */
import { SourceMapConsumer, SourceMapGenerator } from "source-map";
import { makeSequence } from "../inputs.ts";

export async function run(): Promise<unknown> {
  const next = makeSequence(7);
  const generator = new SourceMapGenerator({ file: "out.js" });
  for (let line = 1; line < 400; line++) {
    for (let column = 0; column < 5; column++) {
      generator.addMapping({
        generated: { line, column: column * 9 },
        original: { line: 1 + next() % 300, column: next() % 80 },
        source: `source-${next() % 4}.ts`,
        name: `name${next() % 9}`,
      });
    }
  }
  return await SourceMapConsumer.with(generator.toString(), null, (consumer) => {
    const mappings: unknown[] = [];
    consumer.eachMapping((mapping) => mappings.push(Object.values(mapping).join()));
    const positions = [];
    for (let line = 1; line < 400; line += 13) {
      positions.push(consumer.originalPositionFor({ line, column: line % 40 }));
      positions.push(
        consumer.generatedPositionFor({ source: "source-1.ts", line: line % 300 + 1, column: 3 }),
      );
    }
    return { mappings: mappings.join("\n"), positions };
  });
}
