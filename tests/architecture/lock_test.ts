import assert from "node:assert/strict";

const lock = await Deno.readTextFile(new URL("../../deno.lock", import.meta.url));

Deno.test("lock: exactly one version of @opentelemetry/api is in the graph", () => {
  const versions = new Set([...lock.matchAll(/"@opentelemetry\/api@([0-9.]+)"/g)].map((match) => match[1]));
  assert.equal(versions.size, 1, [...versions].join(", "));
});

Deno.test("lock: names no registry host", () => {
  assert.equal(/https?:\/\//.test(lock), false);
});

Deno.test("versions: sources import npm packages through the import map only", async () => {
  const inline: string[] = [];
  for (const folder of ["runtime/", "telemetry/", "gpu/", "tests/"]) {
    for await (const url of sources(new URL(`../../${folder}`, import.meta.url))) {
      const text = await Deno.readTextFile(url);
      if (/from "(npm|jsr|https?):/.test(text)) inline.push(url.pathname);
    }
  }
  assert.deepEqual(inline, []);
});

async function* sources(folder: URL): AsyncGenerator<URL> {
  for await (const entry of Deno.readDir(folder)) {
    const url = new URL(entry.name + (entry.isDirectory ? "/" : ""), folder);
    if (entry.isDirectory) yield* sources(url);
    else if (entry.name.endsWith(".ts")) yield url;
  }
}
