/**
 * JobFiles: inputs and outputs of jobs that are too large for a row of the database.
 *
 * Owns the folder `jobs/` and the names in it. It does not know which jobs there are (sqlite_job_store.ts tells
 * it when the store opens). Invariant: a file is whole or not there, and durable once `write` has resolved.
 */
import { invariant } from "../../model/invariant.ts";
import { makeFolder, readWhole, removeFile, syncFolder, writeDurably } from "./durable_file.ts";

/** Which part of a job a file is. */
export type JobPart = "input" | "output";

const ID = /^[0-9a-f-]{36}$/;
const NAME = /^([0-9a-f-]{36})\.(input|output)$/;

/** The large parts of jobs. */
export class JobFiles {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Opens the folder, making it where it is missing. */
  static async open(dataFolder: string): Promise<JobFiles> {
    const folder = `${dataFolder}/jobs`;
    await makeFolder(folder);
    await syncFolder(dataFolder);
    return new JobFiles(folder);
  }

  /** Stores a part durably. */
  async write(id: string, part: JobPart, bytes: Uint8Array): Promise<void> {
    const path = this.#path(id, part);
    await writeDurably({ temporaryPath: `${path}.part`, path, folder: this.#folder }, bytes);
  }

  /** The bytes of a part, undefined when there are none. */
  read(id: string, part: JobPart): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return readWhole(this.#path(id, part));
  }

  /** Removes a part if it is there. A failure leaves it to the next opening of the store. */
  async remove(id: string, part: JobPart): Promise<void> {
    await removeFile(this.#path(id, part)).catch(() => false);
  }

  /** Removes every file of which `isNeeded` does not hold, half-written ones included; answers how many. */
  async sweep(isNeeded: (id: string, part: JobPart) => boolean): Promise<number> {
    let count = 0;
    for await (const { name } of Deno.readDir(this.#folder)) {
      const [, id, part] = NAME.exec(name) ?? [];
      if (id !== undefined && part !== undefined && isNeeded(id, part as JobPart)) continue;
      if (await removeFile(`${this.#folder}/${name}`)) count += 1;
    }
    return count;
  }

  #path(id: string, part: JobPart): string {
    invariant(ID.test(id), "A job was named by something that is not an id");
    return `${this.#folder}/${id}.${part}`;
  }
}
