import assert from "node:assert/strict";
import { ERRNO } from "../../../../../runtime/cell/imports/wasi/errno.ts";
import { AT, ROOT, WasiGuest } from "./wasi_guest.ts";

interface Entry {
  readonly next: bigint;
  readonly ino: bigint;
  readonly type: number;
  readonly name: string;
}

/** Lists from `cookie` on with a buffer of `bufferBytes`: whole entries, and how many bytes were used. */
function list(
  guest: WasiGuest,
  cookie = 0n,
  bufferBytes = 4096,
  fd: number = ROOT,
): { entries: Entry[]; used: number } {
  assert.equal(guest.call("fd_readdir", fd, AT.data, bufferBytes, cookie, AT.result), ERRNO.success);
  const used = guest.u32();
  const entries: Entry[] = [];
  for (let at = AT.data; at + 24 <= AT.data + used;) {
    const length = guest.u32(at + 16);
    if (at + 24 + length > AT.data + used) break;
    entries.push({
      next: guest.u64(at),
      ino: guest.u64(at + 8),
      type: guest.view.getUint8(at + 20),
      name: guest.text(at + 24, length),
    });
    at += 24 + length;
  }
  return { entries, used };
}

function names(entries: readonly Entry[]): string[] {
  return entries.map((entry) => entry.name);
}

Deno.test("fd_readdir() lists dot, dot-dot and the entries with types and inode numbers", () => {
  const guest = new WasiGuest();
  guest.create("f");
  guest.mkdir("d");
  guest.symlink("f", "l");
  const { entries } = list(guest);
  assert.deepEqual(
    entries.map(({ name, type }) => [name, type]),
    [[".", 3], ["..", 3], ["f", 4], ["d", 3], ["l", 7]],
  );
  guest.stat("f");
  assert.equal(entries[2]?.ino, guest.filestat().ino);
});

Deno.test("fd_readdir() names the parent of a directory, and the root as its own", () => {
  const guest = new WasiGuest();
  guest.mkdir("d");
  const [rootDot, rootDotDot] = list(guest).entries;
  const [dot, dotDot] = list(guest, 0n, 4096, guest.open("d")).entries;
  assert.equal(rootDot?.ino, rootDotDot?.ino);
  assert.equal(dotDot?.ino, rootDot?.ino);
  assert.notEqual(dot?.ino, dotDot?.ino);
});

Deno.test("fd_readdir() goes on from any cookie it gave", () => {
  const guest = new WasiGuest();
  for (const name of ["a", "b", "c"]) guest.create(name);
  const { entries } = list(guest);
  entries.forEach((entry, index) => {
    assert.deepEqual(names(list(guest, entry.next).entries), names(entries.slice(index + 1)));
  });
});

Deno.test("fd_readdir() fills the buffer to the brim and cuts the last entry", () => {
  const guest = new WasiGuest();
  guest.create("name");
  // Dot takes 25 bytes, dot-dot 26, the file 28.
  for (
    const [bufferBytes, whole] of [[0, 0], [1, 0], [24, 0], [25, 1], [50, 1], [51, 2], [78, 2], [
      79,
      3,
    ]] as const
  ) {
    const { entries, used } = list(guest, 0n, bufferBytes);
    assert.equal(used, bufferBytes);
    assert.equal(entries.length, whole, `${bufferBytes}`);
  }
  assert.equal(list(guest, 0n, 80).used, 79);
});

Deno.test("fd_readdir() neither repeats nor skips when listed entries are removed", () => {
  const guest = new WasiGuest();
  for (let index = 0; index < 50; index++) guest.create(`file${index}`);
  const seen: string[] = [];
  for (let cookie = 0n;;) {
    const { entries, used } = list(guest, cookie, 200);
    for (const { name, next } of entries) {
      cookie = next;
      if (name.startsWith(".")) continue;
      seen.push(name);
      assert.equal(guest.unlink(name), ERRNO.success);
    }
    if (used < 200) break;
  }
  assert.equal(new Set(seen).size, 50);
  assert.equal(seen.length, 50);
});

Deno.test("fd_readdir() shows an entry made meanwhile at the end", () => {
  const guest = new WasiGuest();
  guest.create("a");
  const { entries } = list(guest);
  guest.create("b");
  assert.deepEqual(names(list(guest, entries.at(-1)?.next).entries), ["b"]);
});

Deno.test("fd_readdir() with a cookie from nowhere lists nothing", () => {
  const guest = new WasiGuest();
  guest.create("a");
  for (const cookie of [1000n, 1n << 60n, -1n]) assert.equal(list(guest, cookie).used, 0);
});

Deno.test("fd_readdir() refuses what is no directory", () => {
  const guest = new WasiGuest();
  const file = guest.create("f");
  for (const [fd, errno] of [[file, ERRNO.notdir], [0, ERRNO.notdir], [99, ERRNO.badf]] as const) {
    assert.equal(guest.call("fd_readdir", fd, AT.data, 100, 0n, AT.result), errno);
  }
});
