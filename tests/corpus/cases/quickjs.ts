/** quickjs-emscripten: a JavaScript engine in C, compiled by emscripten with an imported memory. */
import variantModule from "@jitl/quickjs-wasmfile-release-sync";
import {
  newQuickJSWASMModuleFromVariant,
  type QuickJSSyncVariant,
  shouldInterruptAfterDeadline,
} from "quickjs-emscripten-core";

// Its types describe CommonJS, its code is an ES module.
const variant = variantModule as unknown as QuickJSSyncVariant;
const PROGRAM = `
  const primes = []; for (let n = 2; primes.length < 300; n++) if (primes.every((p) => n % p)) primes.push(n);
  const words = "the quick brown fox jumps over the lazy dog".split(" ").sort((a, b) => a.localeCompare(b));
  function* naturals() { let n = 0n; while (true) yield n++; }
  const it = naturals(); const big = [...Array(40)].reduce((acc) => acc * (it.next().value + 1n), 1n);
  JSON.stringify({ primes, words, big: String(big), regexp: "a1b22c333".replace(/(\\d+)/g, (m) => host(m)), date: new Date(0).toISOString() })
`;

export async function run(): Promise<unknown> {
  const quickjs = await newQuickJSWASMModuleFromVariant(variant);
  const context = quickjs.newContext();
  context.runtime.setMaxStackSize(64 * 1_024);
  context.newFunction("host", (text) => context.newString(`<${context.getString(text)}>`))
    .consume((host) => context.setProp(context.global, "host", host));
  const results = [
    PROGRAM,
    "throw new RangeError('no')",
    "let deep = () => deep() + 1; deep()",
    "syntax error",
  ]
    .map((program) => {
      const result = context.evalCode(program);
      if (result.error === undefined) return result.value.consume((value) => context.dump(value));
      const { name, message } = result.error.consume((error) => context.dump(error));
      return { name, message };
    });
  context.runtime.setInterruptHandler(shouldInterruptAfterDeadline(0));
  const stopped = context.evalCode("for (;;) {}");
  results.push(
    stopped.error === undefined ? "ended" : stopped.error.consume((error) => context.dump(error).message),
  );
  context.dispose();
  return results;
}
