/**
 * LoaderPaths: where the system's loader would find the CUDA driver library.
 *
 * Owns what is asked instead of the loader, which tells nobody the path of what it opens, while a permission is for
 * a path: the folders that it was told of, and the list that it keeps of all others (ld.so(8), ldconfig(8)). It
 * opens no library. Invariant: never rejects; where nothing can be read there are no paths.
 */

const FILE = "libcuda.so.1";
const CACHE = "/etc/ld.so.cache";

/** Whole paths, in the loader's order; not each of them exists. */
export async function findLoaderPaths(
  folders: readonly string[],
  cachePath: string = CACHE,
): Promise<readonly string[]> {
  const told = folders.map((folder) => `${folder.replace(/\/+$/, "")}/${FILE}`);
  // A comma would part the permission for the one file into two.
  return [...told, ...await cachedPaths(cachePath)].filter((path) => !path.includes(","));
}

/** The cache has each path as text closed by a zero, whatever else is in it (glibc, dl-cache.h). */
async function cachedPaths(cachePath: string): Promise<readonly string[]> {
  try {
    const text = new TextDecoder("latin1").decode(await Deno.readFile(cachePath));
    return text.split("\0").filter((path) => path.startsWith("/") && path.endsWith(`/${FILE}`));
  } catch {
    // None there, or not ours to read: the usual places are left.
    return [];
  }
}
