import assert from "node:assert/strict";
import { ERRNO } from "../../../../../runtime/cell/imports/wasi/errno.ts";
import {
  COMPONENTS_COUNT_MAX,
  NAME_BYTES_MAX,
  PATH_BYTES_MAX,
  SYMLINKS_COUNT_MAX,
} from "../../../../../runtime/cell/imports/wasi/paths.ts";
import { ALL_RIGHTS, AT, OPEN, READ_RIGHT, ROOT, WasiGuest, WRITE_RIGHT } from "./wasi_guest.ts";

/** A tree of d/e with the files f and d/g. */
function makeGuest(): WasiGuest {
  const guest = new WasiGuest();
  assert.equal(guest.mkdir("d"), ERRNO.success);
  assert.equal(guest.mkdir("d/e"), ERRNO.success);
  for (const path of ["f", "d/g"]) guest.call("fd_close", guest.create(path));
  return guest;
}

Deno.test("paths: the same file is found by every spelling", () => {
  const guest = makeGuest();
  guest.stat("d/g");
  const { ino } = guest.filestat();
  for (const path of ["./d/g", "d/./g", "d//g", "d/e/../g", "d/../d/g", "./././d/e/.././g"]) {
    assert.equal(guest.stat(path), ERRNO.success, path);
    assert.equal(guest.filestat().ino, ino, path);
  }
});

Deno.test("paths: nothing above the root can be named", () => {
  const guest = makeGuest();
  for (const path of ["..", "../f", "d/../..", "d/../../f", "./..", "d/e/../../../etc/passwd"]) {
    assert.equal(guest.stat(path), ERRNO.notcapable, path);
    assert.equal(guest.tryOpen(path, { flags: OPEN.creat, rights: WRITE_RIGHT }), ERRNO.notcapable, path);
    assert.equal(guest.mkdir(path), ERRNO.notcapable, path);
    assert.equal(guest.rename("f", path), ERRNO.notcapable, path);
  }
});

Deno.test("paths: nothing above the directory of a descriptor can be named through it", () => {
  const guest = makeGuest();
  const fd = guest.open("d", { flags: OPEN.directory });
  assert.equal(guest.tryOpen("../f", { fd }), ERRNO.notcapable);
  assert.equal(guest.tryOpen("e/../../f", { fd }), ERRNO.notcapable);
  assert.equal(guest.tryOpen("e/../g", { fd }), ERRNO.success);
});

Deno.test("paths: a leading slash is refused", () => {
  const guest = makeGuest();
  for (const path of ["/", "/f", "//f"]) assert.equal(guest.stat(path), ERRNO.notcapable, path);
});

Deno.test("paths: the empty path is no file", () => {
  assert.equal(makeGuest().stat(""), ERRNO.noent);
});

Deno.test("paths: a NUL is refused", () => {
  assert.equal(makeGuest().stat("f\0"), ERRNO.inval);
});

Deno.test("paths: bytes that are not UTF-8 are refused", () => {
  const guest = makeGuest();
  guest.bytes.set([0x66, 0xff], AT.path);
  assert.equal(guest.call("path_filestat_get", ROOT, 0, AT.path, 2, AT.result), ERRNO.ilseq);
});

Deno.test("paths: a byte order mark belongs to the name", () => {
  const guest = makeGuest();
  guest.create("\ufefff");
  guest.stat("\ufefff");
  const { ino } = guest.filestat();
  guest.stat("f");
  assert.notEqual(guest.filestat().ino, ino);
});

Deno.test("paths: a file in the middle is not a directory", () => {
  const guest = makeGuest();
  for (const path of ["f/x", "f/..", "f/.", "f/"]) assert.equal(guest.stat(path), ERRNO.notdir, path);
});

Deno.test("paths: a missing directory in the middle is no entry", () => {
  const guest = makeGuest();
  for (const path of ["x/f", "x/..", "d/x/g"]) assert.equal(guest.stat(path), ERRNO.noent, path);
});

Deno.test(`paths: ${PATH_BYTES_MAX} bytes are taken, one more is not`, () => {
  const guest = makeGuest();
  const path = (bytes: number): string => "f".padStart(bytes, "/").replace(/^\//, ".");
  assert.equal(guest.stat(path(PATH_BYTES_MAX)), ERRNO.success);
  assert.equal(guest.stat(path(PATH_BYTES_MAX + 1)), ERRNO.nametoolong);
});

Deno.test(`paths: a component of ${NAME_BYTES_MAX} bytes is taken, one more is not`, () => {
  const guest = makeGuest();
  assert.equal(guest.mkdir("n".repeat(NAME_BYTES_MAX)), ERRNO.success);
  assert.equal(guest.mkdir("n".repeat(NAME_BYTES_MAX + 1)), ERRNO.nametoolong);
});

Deno.test("paths: the bound on a component counts bytes, not characters", () => {
  const guest = makeGuest();
  assert.equal(guest.mkdir("é".repeat(127) + "e"), ERRNO.success);
  assert.equal(guest.mkdir("é".repeat(128)), ERRNO.nametoolong);
});

Deno.test(`paths: ${COMPONENTS_COUNT_MAX} components are taken, one more is not`, () => {
  const guest = makeGuest();
  assert.equal(guest.stat("./".repeat(COMPONENTS_COUNT_MAX - 1) + "f"), ERRNO.success);
  assert.equal(guest.stat("./".repeat(COMPONENTS_COUNT_MAX) + "f"), ERRNO.nametoolong);
});

Deno.test("paths: a symbolic link is followed in the middle of a path", () => {
  const guest = makeGuest();
  guest.symlink("d", "to_d");
  assert.equal(guest.stat("to_d/g"), ERRNO.success);
});

Deno.test("paths: a symbolic link at the end is followed only when asked", () => {
  const guest = makeGuest();
  guest.symlink("d/g", "to_g");
  guest.stat("to_g", true);
  assert.equal(guest.filestat().type, 4n);
  guest.stat("to_g", false);
  assert.equal(guest.filestat().type, 7n);
});

Deno.test("paths: a slash after a symbolic link follows it", () => {
  const guest = makeGuest();
  guest.symlink("d", "to_d");
  guest.stat("to_d/", false);
  assert.equal(guest.filestat().type, 3n);
});

Deno.test("paths: a symbolic link is resolved from where it lies", () => {
  const guest = makeGuest();
  guest.symlink("../f", "d/to_f");
  assert.equal(guest.stat("d/to_f"), ERRNO.success);
});

Deno.test("paths: a symbolic link cannot lead above the root", () => {
  const guest = makeGuest();
  guest.symlink("../../etc", "d/out");
  assert.equal(guest.stat("d/out"), ERRNO.notcapable);
  assert.equal(guest.stat("d/out/passwd"), ERRNO.notcapable);
});

Deno.test("paths: a symbolic link cannot lead above the directory of a descriptor", () => {
  const guest = makeGuest();
  guest.symlink("../f", "d/to_f");
  const fd = guest.open("d", { flags: OPEN.directory });
  assert.equal(guest.tryOpen("to_f", { fd }), ERRNO.notcapable);
});

Deno.test("paths: symbolic links in a circle are refused", () => {
  const guest = makeGuest();
  guest.symlink("b", "a");
  guest.symlink("a", "b");
  assert.equal(guest.stat("a"), ERRNO.loop);
  assert.equal(guest.stat("a/x"), ERRNO.loop);
});

Deno.test(`paths: ${SYMLINKS_COUNT_MAX} symbolic links are followed, one more is not`, () => {
  const guest = makeGuest();
  guest.symlink("f", "l1");
  for (let index = 2; index <= SYMLINKS_COUNT_MAX + 1; index++) guest.symlink(`l${index - 1}`, `l${index}`);
  assert.equal(guest.stat(`l${SYMLINKS_COUNT_MAX}`), ERRNO.success);
  assert.equal(guest.stat(`l${SYMLINKS_COUNT_MAX + 1}`), ERRNO.loop);
});

Deno.test("paths: only directories can be started from", () => {
  const guest = makeGuest();
  const file = guest.open("f");
  for (
    const [fd, errno] of [[0, ERRNO.notdir], [file, ERRNO.notdir], [99, ERRNO.badf], [
      -1,
      ERRNO.badf,
    ]] as const
  ) {
    assert.equal(guest.tryOpen("x", { fd, rights: READ_RIGHT }), errno, `${fd}`);
    assert.equal(guest.mkdir("x", fd), errno, `${fd}`);
  }
});

Deno.test("paths: unknown lookup flags are refused", () => {
  const guest = makeGuest();
  const errno = guest.call("path_open", ROOT, 2, ...guest.put("f"), 0, ALL_RIGHTS, 0n, 0, AT.result);
  assert.equal(errno, ERRNO.inval);
});
