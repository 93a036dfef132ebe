/** esbuild-wasm: the bundler, a module of 12 MB from the Go compiler. */
import esbuild from "esbuild-wasm/lib/browser.js";

const SOURCE = `
interface Point { x: number; y?: number }
export const enum Kind { One = 1, Two = "two" }
export class Shape<T extends Point> { #points: T[] = []; static count = 0n;
  constructor(private readonly name: string = "none", public kind?: Kind) { Shape.count++; }
  async *walk() { for await (const p of this.#points) yield { ...p, y: p.y ?? (p.x ** 2), tag: \`\${this.name}\` }; } }
export default function view(props: { a: number }) { return <div className="a" {...props}>{props.a && <b>{Kind.One}</b>}</div>; }
`;

export async function run(): Promise<unknown> {
  const wasm = await Deno.readFile(new URL(import.meta.resolve("esbuild-wasm/esbuild.wasm")));
  await esbuild.initialize({ wasmModule: await WebAssembly.compile(wasm), worker: false });
  const shared = { loader: "tsx", sourcefile: "a.tsx" } as const;
  const small = await esbuild.transform(SOURCE, {
    ...shared,
    minify: true,
    target: "es2018",
    sourcemap: "inline",
  });
  const plain = await esbuild.transform(SOURCE, { ...shared, jsx: "automatic" });
  const refused = await esbuild.transform("let a = ;", shared).catch((error: Error) => error.message);
  await esbuild.stop();
  return { small: small.code, plain: plain.code, warnings: plain.warnings, refused };
}
