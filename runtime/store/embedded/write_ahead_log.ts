/**
 * WriteAheadLog: the file in which commits are until a checkpoint, made durable off the event loop.
 *
 * Owns a handle on the log by which it is synced, and the look whether log and database still have their names. It
 * writes nothing (SQLite does). Invariant: when `sync` has resolved, everything committed before it began is on the
 * disk, in files that the next process will find.
 */
import { NamedFile } from "./named_file.ts";

/** The log of one database. */
export class WriteAheadLog implements Disposable {
  readonly #handle: Deno.FsFile;
  readonly #log: NamedFile;
  readonly #database: NamedFile;
  #bytes = 0;

  private constructor(handle: Deno.FsFile, log: NamedFile, database: NamedFile) {
    this.#handle = handle;
    this.#log = log;
    this.#database = database;
  }

  /** Opens the log of the database at `path`, which is open. Throws what the file system throws. */
  static async open(path: string): Promise<WriteAheadLog> {
    const logPath = `${path}-wal`;
    using stack = new DisposableStack();
    const handle = stack.use(await Deno.open(logPath));
    const log = new WriteAheadLog(
      handle,
      await NamedFile.at(logPath, "the database's log"),
      await NamedFile.at(path, "the database"),
    );
    stack.move();
    return log;
  }

  /** The database's own file. */
  get database(): NamedFile {
    return this.#database;
  }

  /** How large the log was at the last sync. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Flushes what was committed.
   *
   * @throws StorageRefusal when the files are not there any more; what the file system throws
   */
  async sync(): Promise<void> {
    await this.#handle.syncData();
    const [bytes] = await Promise.all([this.check(), this.#database.check()]);
    this.#bytes = bytes;
  }

  /**
   * How large the log is, if it is the one that was opened, and whole. Once SQLite has written to a log that was cut
   * short, it looks whole again: so this is to be asked in between, too.
   *
   * @throws StorageRefusal as `sync`
   */
  async check(): Promise<number> {
    return (await this.#log.check()).size;
  }

  /** Has `work` empty the log, and makes that durable. Nothing is committed meanwhile. */
  async empty(work: () => Promise<void>): Promise<void> {
    await this.#log.whileCut(async () => {
      await work();
      await this.#handle.sync();
      this.#bytes = 0;
    });
  }

  [Symbol.dispose](): void {
    this.#handle.close();
  }
}
