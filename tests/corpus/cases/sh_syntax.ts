/** sh-syntax: the shell parser and printer of mvdan/sh, compiled by Go or TinyGo with its own wasm_exec. */
import { parse, print } from "sh-syntax";

const SOURCE = `#!/bin/bash
for i in $(seq 1 10); do if [[ $i -gt 5 && "$FOO" =~ ^a.*b$ ]]; then echo "\${i}: \${FOO:-bar}" | tee >(cat) <<EOS
 text $((i*2))
EOS
else case $i in 1|2) f "$@";; *) : ;; esac; fi; done
f() { local x=\${1%%.*}; return $?; }
`;

export async function run(): Promise<unknown> {
  return {
    printed: await print(SOURCE, { filepath: "a.sh", tabWidth: 4 }),
    minified: await print(SOURCE, { filepath: "a.sh", minify: true }),
    parsed: JSON.stringify(await parse(SOURCE, { filepath: "a.sh" })),
    refused: await print("if then", { filepath: "b.sh" }).catch((error) => String(error)),
  };
}
