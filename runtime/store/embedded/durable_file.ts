/**
 * Durable files: folders and files that outlive a loss of power once the call has returned.
 *
 * Owns the order of operations (write, sync, rename, sync the folder). It knows nothing of digests.
 * Invariant: a file appears under its final name whole or not at all; a rename is durable only after its
 * folder was synced, which on Linux is an fsync(2) of the opened folder.
 */

/** Only the owner may enter. */
const FOLDER_MODE = 0o700;
/** Only the owner may read and write. */
const FILE_MODE = 0o600;

/** Makes the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  using handle = await Deno.open(folder);
  await handle.sync();
}

/** Makes a folder and its parents where they are missing; an existing one keeps its mode. */
export async function makeFolder(folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true, mode: FOLDER_MODE });
}

/** Makes a folder where it is missing, in a parent that is there. */
export async function makeFolderIn(folder: string): Promise<void> {
  try {
    await Deno.mkdir(folder, { mode: FOLDER_MODE });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

/** Makes an empty file that only the owner may open, unless a file of that name is there. */
export async function makePrivateFile(path: string): Promise<void> {
  const file = await Deno.open(path, { read: true, write: true, create: true, mode: FILE_MODE });
  file.close();
}

/** Where a durable write puts its parts. All three are in one file system. */
export interface DurableTarget {
  /** Name while the file is incomplete; nothing may be there. */
  readonly temporaryPath: string;
  /** Final name; a file there is replaced. */
  readonly path: string;
  /** The folder of `path`. */
  readonly folder: string;
}

/** Writes `bytes` to `target.path`; a failure leaves nothing at `temporaryPath` as far as it can. */
export async function writeDurably(target: DurableTarget, bytes: Uint8Array): Promise<void> {
  try {
    await writeWhole(target.temporaryPath, bytes);
    await Deno.rename(target.temporaryPath, target.path);
  } catch (error) {
    // What cannot be removed now, opening the store removes.
    await Deno.remove(target.temporaryPath).catch(() => {});
    throw error;
  }
  await syncFolder(target.folder);
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode: FILE_MODE });
  let offset = 0;
  while (offset < bytes.length) offset += await file.write(bytes.subarray(offset));
  await file.sync();
}

/**
 * The bytes of a file; undefined when there is none. `Deno.readFile` is not used: it held the event loop
 * for 38-212 ms at 64 MiB, reading into one array of the known size for at most 9 ms.
 */
export async function readWhole(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  using file = await openToRead(path);
  if (file === undefined) return undefined;
  const bytes = new Uint8Array((await file.stat()).size);
  let offset = 0;
  while (offset < bytes.length) {
    const count = await file.read(bytes.subarray(offset));
    if (count === null) break;
    offset += count;
  }
  return bytes.subarray(0, offset);
}

async function openToRead(path: string): Promise<Deno.FsFile | undefined> {
  try {
    return await Deno.open(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Removes a file; true when there was one. */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await Deno.remove(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Facts of a file or folder; undefined when there is none. */
export async function findStat(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
