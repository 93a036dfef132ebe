/**
 * instrumenterGeneration: a name that changes with whatever makes instrumented modules.
 *
 * Owns the digest over the sources of runtime/wasm, so that an instrumented module that was kept is never used
 * once the instrumenter was changed, by an upgrade or by hand, without anybody having to remember a version.
 * Invariant: the same sources give the same name.
 */

/** The name, or undefined where the sources cannot be read: then nothing can be kept. */
export async function instrumenterGeneration(): Promise<string | undefined> {
  const root = new URL("../wasm/", import.meta.url);
  try {
    const digests: string[] = [];
    for (const file of await sourcesOf(root)) {
      const bytes = await Deno.readFile(file);
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      digests.push(`${file.href.slice(root.href.length)} ${digest.toHex()}`);
    }
    const text = new TextEncoder().encode(digests.sort().join("\n"));
    return new Uint8Array(await crypto.subtle.digest("SHA-256", text)).toHex().slice(0, 32);
  } catch {
    return undefined;
  }
}

async function sourcesOf(folder: URL): Promise<URL[]> {
  const files: URL[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) files.push(...await sourcesOf(new URL(`${name}/`, folder)));
    else if (name.endsWith(".ts")) files.push(new URL(name, folder));
  }
  return files;
}
