/**
 * The revision of this build: the commit that a checkout is at.
 *
 * Owns reading it from the checkout's files, without git itself. Invariant: whatever is or is not there, it is 40 or 64
 * hex digits or `"unknown"`, and never an error: a package or an image has no checkout.
 */

/** What stands in for a revision that nobody knows. */
export const UNKNOWN_REVISION = "unknown";

/** An object's name, of SHA-1 or SHA-256. */
const OBJECT_NAME = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
/** Where the sources are. */
const SOURCES = new URL("../", import.meta.url);

/** The commit that is checked out in the folder of the sources. Source of the forms: gitrepository-layout(5). */
export function findRevision(sources: URL = SOURCES): string {
  try {
    const folder = gitFolderOf(sources);
    const head = read(folder, "HEAD");
    const reference = /^ref: (refs\/[^\s]+)$/.exec(head)?.[1];
    const name = reference === undefined ? head : nameOf(reference, folder);
    return OBJECT_NAME.test(name) ? name : UNKNOWN_REVISION;
  } catch {
    return UNKNOWN_REVISION;
  }
}

/** A further working tree has a file with the path of its own folder. */
function gitFolderOf(sources: URL): URL {
  const place = new URL(".git", sources);
  if (Deno.statSync(place).isDirectory) return new URL(".git/", sources);
  const path = /^gitdir: (.+)$/.exec(Deno.readTextFileSync(place).trim())?.[1] ?? "";
  return new URL(`${path}/`, sources);
}

/** What a reference stands for: in a file of its own, or among the packed ones. */
function nameOf(reference: string, folder: URL): string {
  const common = commonFolderOf(folder);
  try {
    return read(common, reference);
  } catch {
    const line = read(common, "packed-refs").split("\n").find((line) => line.endsWith(` ${reference}`));
    return line?.split(" ")[0] ?? "";
  }
}

/** References are with the first working tree. */
function commonFolderOf(folder: URL): URL {
  try {
    return new URL(`${read(folder, "commondir")}/`, folder);
  } catch {
    return folder;
  }
}

function read(folder: URL, path: string): string {
  return Deno.readTextFileSync(new URL(path, folder)).trim();
}
