import assert from "node:assert/strict";
import { readGuest, readGuestData, readManifest } from "../support/guests.ts";
import { makePpm } from "../support/ppm.ts";
import { assembleWat, describeGuest, generateModule, listSources } from "./build.ts";

Deno.test("MANIFEST.json names every source once, in the order of names", () => {
  const manifest = readManifest().map(({ name, source }) => ({ name, path: source }));
  assert.deepEqual(manifest, listSources().map(({ name, path }) => ({ name, path })));
});

Deno.test("MANIFEST.json has the digest, size and exports of every built module", async () => {
  const described = await Promise.all(
    listSources().map((source) => describeGuest(source, readGuest(source.name))),
  );
  assert.deepEqual(described, readManifest());
});

Deno.test("build/ has no file without a source", () => {
  const built = [...Deno.readDirSync(new URL("build/", import.meta.url))].map((entry) => entry.name);
  assert.deepEqual(built.sort(), listSources().map(({ name }) => `${name}.wasm`).sort());
});

Deno.test("assembleWat() makes the committed bytes of every text module", async () => {
  for (const source of listSources().filter(({ language }) => language === "wat")) {
    const text = Deno.readTextFileSync(new URL(source.path, import.meta.url));
    assert.deepEqual(await assembleWat(source.path, text), readGuest(source.name), source.name);
  }
});

Deno.test("generateModule() makes the committed bytes of every generator", async () => {
  for (const source of listSources().filter(({ language }) => language === "generator")) {
    assert.deepEqual(await generateModule(source.path), readGuest(source.name), source.name);
  }
});

Deno.test("the engine accepts every built module", () => {
  for (const { name } of readManifest()) assert.ok(WebAssembly.validate(readGuest(name)), name);
});

Deno.test("data/gradient_64x48.ppm is what the generator makes", () => {
  assert.deepEqual(readGuestData("gradient_64x48.ppm"), makePpm(64, 48));
});
