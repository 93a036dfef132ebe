import assert from "node:assert/strict";
import fc from "fast-check";
import { ERRNO } from "../../../../../runtime/cell/imports/wasi/errno.ts";
import { NAMES_COUNT_MAX } from "../../../../../runtime/cell/imports/wasi/file_system.ts";
import { AT, OPEN, WasiGuest, WRITE_RIGHT } from "./wasi_guest.ts";

function fill(guest: WasiGuest): void {
  for (let index = 0; index < NAMES_COUNT_MAX; index++) {
    if (guest.mkdir(`n${index}`) !== ERRNO.success) throw new Error(`Refused at ${index}`);
  }
}

Deno.test(`names: ${NAMES_COUNT_MAX} are taken, one more of any kind is not`, () => {
  const guest = new WasiGuest();
  fill(guest);
  assert.equal(guest.mkdir("d"), ERRNO.nospc);
  assert.equal(guest.tryOpen("f", { flags: OPEN.creat }), ERRNO.nospc);
  assert.equal(guest.symlink("n0", "l"), ERRNO.nospc);
});

Deno.test("names: removing one makes room for one, and renaming needs no room", () => {
  const guest = new WasiGuest();
  fill(guest);
  assert.equal(guest.rename("n1", "moved"), ERRNO.success);
  guest.rmdir("n0");
  assert.equal(guest.mkdir("d"), ERRNO.success);
  assert.equal(guest.mkdir("e"), ERRNO.nospc);
});

Deno.test("names: replacing by rename frees one", () => {
  const guest = new WasiGuest();
  fill(guest);
  assert.equal(guest.rename("n1", "n2"), ERRNO.success);
  assert.equal(guest.mkdir("d"), ERRNO.success);
  assert.equal(guest.mkdir("e"), ERRNO.nospc);
});

Deno.test("names: hard links count", () => {
  const guest = new WasiGuest();
  guest.create("f");
  for (let index = 1; index < NAMES_COUNT_MAX; index++) guest.link("f", `l${index}`);
  assert.equal(guest.link("f", "one_more"), ERRNO.nospc);
});

Deno.test("names: a symbolic link that is refused gives its bytes back", () => {
  const guest = new WasiGuest({ fileBytesMax: 4 });
  fill(guest);
  assert.equal(guest.symlink("abcd", "l"), ERRNO.nospc);
  guest.rmdir("n0");
  assert.equal(guest.symlink("abcd", "l"), ERRNO.success);
});

Deno.test("bytes: an unlinked file keeps its bytes until its last descriptor closes", () => {
  const guest = new WasiGuest({ fileBytesMax: 4 });
  const first = guest.create("f");
  const second = guest.open("f");
  guest.write(first, "abcd");
  guest.unlink("f");
  assert.equal(guest.read(second), "abcd");
  const other = guest.create("g");
  assert.equal(guest.write(other, "x"), ERRNO.nospc);
  guest.call("fd_close", first);
  assert.equal(guest.write(other, "x"), ERRNO.nospc);
  guest.call("fd_close", second);
  assert.equal(guest.write(other, "wxyz"), ERRNO.success);
});

Deno.test("bytes: a closed file keeps its bytes until its last name goes", () => {
  const guest = new WasiGuest({ fileBytesMax: 4 });
  const fd = guest.create("f");
  guest.write(fd, "abcd");
  guest.call("fd_close", fd);
  guest.link("f", "g");
  guest.unlink("f");
  const other = guest.create("h");
  assert.equal(guest.write(other, "x"), ERRNO.nospc);
  guest.unlink("g");
  assert.equal(guest.write(other, "wxyz"), ERRNO.success);
});

Deno.test("bytes: files together cannot exceed the quota", () => {
  const guest = new WasiGuest({ fileBytesMax: 10 });
  assert.equal(guest.write(guest.create("a"), "123456"), ERRNO.success);
  assert.equal(guest.write(guest.create("b"), "12345"), ERRNO.nospc);
  assert.equal(guest.write(guest.open("b", { rights: WRITE_RIGHT }), "1234"), ERRNO.success);
});

Deno.test("directories: nothing can be made in a removed one that is still open", () => {
  const guest = new WasiGuest();
  guest.mkdir("d");
  guest.create("f");
  const fd = guest.open("d", { flags: OPEN.directory });
  guest.rmdir("d");
  assert.equal(guest.tryOpen("x", { fd, flags: OPEN.creat }), ERRNO.noent);
  assert.equal(guest.mkdir("x", fd), ERRNO.noent);
  assert.equal(
    guest.call("path_rename", 3, ...guest.put("f"), fd, ...guest.put("x", AT.path2)),
    ERRNO.noent,
  );
  assert.equal(guest.stat("f"), ERRNO.success);
});

Deno.test("directories: a tree deeper than any path is taken down without recursion", () => {
  const guest = new WasiGuest();
  const depth = 3000;
  let fd = 3;
  for (let level = 0; level < depth; level++) {
    assert.equal(guest.mkdir("d", fd), ERRNO.success);
    const inner = guest.open("d", { fd, flags: OPEN.directory });
    if (fd !== 3) guest.call("fd_close", fd);
    fd = inner;
  }
  guest.mkdir("other");
  assert.equal(guest.rename("other", "d/other"), ERRNO.success);
  assert.equal(
    guest.call("path_rename", 3, ...guest.put("d"), fd, ...guest.put("x", AT.path2)),
    ERRNO.inval,
  );
});

Deno.test("bytes: whatever was done, all of them come back when all is closed and removed", () => {
  const path = fc.constantFrom("a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "l", "l/a");
  const step = fc.tuple(fc.nat(9), path, path, fc.nat(400));
  const bytesMax = 1000;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const guest = new WasiGuest({ fileBytesMax: bytesMax });
      const open: number[] = [];
      for (const [kind, one, two, size] of steps) {
        const fd = open[size % (open.length || 1)] ?? 99;
        if (kind === 0) guest.mkdir(one);
        if (kind === 1 || kind === 2) {
          if (guest.tryOpen(one, { flags: OPEN.creat, rights: WRITE_RIGHT }) === 0) open.push(guest.u32());
        }
        if (kind === 3) guest.write(fd, "x".repeat(size));
        if (kind === 4) guest.unlink(one);
        if (kind === 5) guest.rename(one, two);
        if (kind === 6) guest.link(one, two);
        if (kind === 7) guest.symlink(one, two);
        if (kind === 8) guest.call("fd_filestat_set_size", fd, BigInt(size));
        if (kind === 9 && guest.call("fd_close", fd) === 0) open.splice(open.indexOf(fd), 1);
      }
      for (const fd of open) guest.call("fd_close", fd);
      for (let pass = 0; pass < 4; pass++) {
        for (const name of ["a", "b", "d", "e", "l"]) {
          for (const folder of ["", "a/", "b/", "d/", "e/", "l/", "d/a/", "d/b/", "d/e/", "l/a/"]) {
            guest.unlink(folder + name);
            guest.rmdir(folder + name);
          }
        }
      }
      fc.pre(guest.rmdir("a") === ERRNO.noent && guest.rmdir("d") === ERRNO.noent);
      assert.equal(guest.write(guest.create("f"), "x".repeat(bytesMax)), ERRNO.success);
    }),
    { seed: 20_262, numRuns: 150 },
  );
});
