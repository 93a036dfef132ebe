/**
 * The system's tables of connections, read as a file and by a shell: both have a connection that stands.
 *
 * Owns one listener and one connection to it. Invariant: nothing is left of a shell once its owner is disposed of.
 */
import assert from "node:assert/strict";
import { ConnectionTables } from "../../../runtime/gateway/connection_tables.ts";

const NO_LEAKS = { sanitizeOps: true, sanitizeResources: true } as const;
const SKIPPED = Deno.build.os !== "linux";

/** All that it reads. */
async function textOf(tables: ConnectionTables): Promise<string> {
  let text = "";
  assert.equal(await tables.read((piece) => void (text += piece)), true);
  return text;
}

async function withConnection(body: (row: RegExp) => Promise<void>): Promise<void> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  using client = await Deno.connect({ hostname: "127.0.0.1", port });
  using _server = await listener.accept();
  const [local, peer] = [port, (client.localAddr as Deno.NetAddr).port].map((number) =>
    number.toString(16).toUpperCase().padStart(4, "0")
  );
  await body(new RegExp(`: 0100007F:${local} 0100007F:${peer} 01 `));
}

Deno.test({ name: "tables that may be read are read", ignore: SKIPPED, ...NO_LEAKS }, async () => {
  await using tables = new ConnectionTables();
  await withConnection(async (row) => assert.match(await textOf(tables), row));
});

Deno.test(
  { name: "others are read by one shell, again and again", ignore: SKIPPED, ...NO_LEAKS },
  async () => {
    let tries = 0;
    await using tables = new ConnectionTables(() => {
      tries++;
      return Promise.reject(new Deno.errors.NotCapable("no"));
    });
    for (let count = 0; count < 3; count++) {
      await withConnection(async (row) => {
        const text = await textOf(tables);
        assert.match(text, row);
        assert.equal(text.split("local_address").length - 1, 2);
      });
    }
    assert.equal(tries, 1);
  },
);

Deno.test("once it is disposed of there are none", NO_LEAKS, async () => {
  const tables = new ConnectionTables();
  await tables[Symbol.asyncDispose]();
  assert.equal(await tables.read(() => assert.fail("a table")), false);
});
