/**
 * SocketFolders: the temporary folders in which children find their sockets, and what a killed gateway left of them.
 *
 * Owns their names. A folder is there from the start of a child to its first word (spawn_child.ts), so a `kill -9` in
 * that time leaves it. Its name has the id of the data folder in it, which one gateway holds at a time: whoever has
 * the lock of that folder knows that all others of the name are of gateways that are gone. Neither age nor process
 * ids are looked at. Invariant: a folder of another data folder's gateway is never touched.
 */

/** What the names begin with, for the id of a data folder. */
export function socketPrefixOf(folderId: string): string {
  return `tensor-wasm-${folderId}-`;
}

/**
 * Removes what earlier gateways of the same data folder left. Only before the first child is started, by the holder of
 * the folder's lock. Never rejects: what cannot be removed harms nobody. Answers how many there were.
 */
export async function removeLeftSockets(prefix: string): Promise<number> {
  let count = 0;
  try {
    const parent = await temporaryFolder(prefix);
    for await (const { name, isDirectory } of Deno.readDir(parent)) {
      if (!isDirectory || !name.startsWith(prefix)) continue;
      const isRemoved = await Deno.remove(`${parent}/${name}`, { recursive: true }).then(
        () => true,
        () => false,
      );
      if (isRemoved) count++;
    }
  } catch {
    // No temporary folder, or a closed one: the first cell says so better.
  }
  return count;
}

/** Where this Deno makes temporary folders: it alone knows which variables and permissions count. */
async function temporaryFolder(prefix: string): Promise<string> {
  const probe = await Deno.makeTempDir({ prefix });
  await Deno.remove(probe);
  return probe.slice(0, probe.lastIndexOf("/"));
}
