/**
 * DataLock: the data folder belongs to one process at a time.
 *
 * Owns `<data>/lock`, an flock(2) held by the open file for the life of the process; a kill gives it up.
 * It does not remove the file: removing a locked name would let two processes hold two files. Invariant:
 * while it is held, no other store of this runtime writes under the folder.
 */
import { createHash } from "node:crypto";
import { StoreOpenError } from "../store.ts";
import { NamedFile } from "./named_file.ts";

/** A held lock. Disposing it lets the next process in. */
export class DataLock implements Disposable {
  readonly #file: Deno.FsFile;
  /** By its name, which somebody may take away: the next gateway would lock another file. */
  readonly file: NamedFile;
  /**
   * The time of the lock in the clock of the file system, in ms since the epoch: files that are not younger
   * were there before this process wrote any.
   */
  readonly takenUnixMs: number;
  /**
   * Names the folder, in hexadecimal digits: whatever else has this name in it is of whoever holds the lock, or of an
   * earlier holder that is gone. A copy of the folder has another.
   */
  readonly folderId: string;

  constructor(file: Deno.FsFile, name: NamedFile, { mtime, dev, ino, birthtime }: Deno.FileInfo) {
    this.#file = file;
    this.file = name;
    this.takenUnixMs = mtime?.getTime() ?? 0;
    this.folderId = createHash("sha256").update(`${dev} ${ino} ${birthtime?.getTime()}`).digest("hex").slice(
      0,
      16,
    );
  }

  /** Gives the folder up. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/**
 * Takes the lock of a data folder, which is there.
 *
 * @throws StoreOpenError when another process, or another store of this one, holds it
 */
export async function takeDataLock(folder: string): Promise<DataLock> {
  const file = await Deno.open(`${folder}/lock`, { read: true, write: true, create: true, mode: 0o600 });
  try {
    if (!file.tryLockSync(true)) {
      throw new StoreOpenError(
        `Data folder ${folder} is in use by another gateway${holderOf(file)}`,
        "Stop that one, or start on another folder (--data)",
      );
    }
    await file.truncate(0);
    await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
    const info = await file.stat();
    const name = NamedFile.of(`${folder}/lock`, "the data folder's lock", info);
    // Somebody may have taken it away between its opening and its locking.
    await name.check();
    return new DataLock(file, name, info);
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The holder as it wrote itself into the file: a help for the operator, not a proof. */
function holderOf(file: Deno.FsFile): string {
  const bytes = new Uint8Array(16);
  const count = file.readSync(bytes) ?? 0;
  const pid = new TextDecoder().decode(bytes.subarray(0, count)).trim();
  return /^[0-9]{1,10}$/.test(pid) ? `, process ${pid}` : "";
}
