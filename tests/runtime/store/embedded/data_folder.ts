/**
 * A data folder for one test.
 */
import { openEmbeddedStore } from "../../../../runtime/store/embedded/embedded_store.ts";
import type { EmbeddedStore } from "../../../../runtime/store/embedded/embedded_store.ts";
import type { StorePlace } from "../../../contract/store_contract.ts";

/** A temporary folder, removed with all in it when disposed. */
export class DataFolder implements StorePlace {
  /** The data folder; it is made by the first `open`. */
  readonly path: string;
  readonly #parent: string;

  private constructor(parent: string) {
    this.#parent = parent;
    this.path = `${parent}/data`;
  }

  static async make(): Promise<DataFolder> {
    return new DataFolder(await Deno.makeTempDir({ prefix: "store_test_" }));
  }

  async open(): Promise<EmbeddedStore> {
    return await openEmbeddedStore(this.path);
  }

  /** The path of a blob's file. */
  blobPath(digest: string): string {
    return `${this.path}/blobs/${digest.slice(0, 2)}/${digest}`;
  }

  async damageBlob(digest: string): Promise<void> {
    const bytes = await Deno.readFile(this.blobPath(digest));
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    await Deno.writeFile(this.blobPath(digest), bytes);
  }

  /** The names in `incoming/`. */
  async incoming(): Promise<string[]> {
    return (await Array.fromAsync(Deno.readDir(`${this.path}/incoming`))).map(({ name }) => name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#parent, { recursive: true });
  }
}
