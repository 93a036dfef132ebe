import assert from "node:assert/strict";
import { ERRNO } from "../../../../../runtime/cell/imports/wasi/errno.ts";
import { ALL_RIGHTS, AT, OPEN, READ_RIGHT, ROOT, WasiGuest, WRITE_RIGHT } from "./wasi_guest.ts";

function readlink(guest: WasiGuest, path: string, length = 100): number {
  return guest.call("path_readlink", ROOT, ...guest.put(path), AT.data, length, AT.result);
}

Deno.test("path_open() without creat needs the file to be there", () => {
  const guest = new WasiGuest();
  assert.equal(guest.tryOpen("f"), ERRNO.noent);
  guest.create("f");
  assert.equal(guest.tryOpen("f"), ERRNO.success);
});

Deno.test("path_open() with creat and excl needs it not to be there, not even as a link to nowhere", () => {
  const guest = new WasiGuest();
  const exclusive = { flags: OPEN.creat | OPEN.excl };
  assert.equal(guest.tryOpen("f", exclusive), ERRNO.success);
  assert.equal(guest.tryOpen("f", exclusive), ERRNO.exist);
  guest.symlink("nowhere", "l");
  assert.equal(guest.tryOpen("l", exclusive), ERRNO.exist);
});

Deno.test("path_open() with creat makes the file that a link points to", () => {
  const guest = new WasiGuest();
  guest.symlink("target", "l");
  guest.write(guest.create("l"), "x");
  assert.equal(guest.read(guest.open("target")), "x");
});

Deno.test("path_open() with trunc empties the file and gives its bytes back", () => {
  const guest = new WasiGuest({ fileBytesMax: 3 });
  guest.write(guest.create("f"), "abc");
  const fd = guest.open("f", { flags: OPEN.trunc, rights: WRITE_RIGHT });
  guest.stat("f");
  assert.equal(guest.filestat().size, 0n);
  assert.equal(guest.write(fd, "xyz"), ERRNO.success);
});

Deno.test("path_open() with directory refuses files", () => {
  const guest = new WasiGuest();
  guest.create("f");
  assert.equal(guest.tryOpen("f", { flags: OPEN.directory }), ERRNO.notdir);
  assert.equal(guest.tryOpen(".", { flags: OPEN.directory }), ERRNO.success);
});

Deno.test("path_open() of a directory for writing, creating or truncating is refused", () => {
  const guest = new WasiGuest();
  guest.mkdir("d");
  assert.equal(guest.tryOpen("d", { rights: WRITE_RIGHT }), ERRNO.isdir);
  assert.equal(guest.tryOpen("d", { flags: OPEN.creat }), ERRNO.isdir);
  assert.equal(guest.tryOpen("d", { flags: OPEN.trunc }), ERRNO.isdir);
});

Deno.test("path_open() with all rights and directory gives the rights that a directory has", () => {
  const guest = new WasiGuest();
  guest.mkdir("d");
  const fd = guest.open("d", { flags: OPEN.directory, rights: ALL_RIGHTS });
  guest.call("fd_fdstat_get", fd, AT.result);
  assert.equal(guest.u64(AT.result + 8) & (READ_RIGHT | WRITE_RIGHT), 0n);
});

Deno.test("path_open() gives no right that the directory does not pass on", () => {
  const guest = new WasiGuest();
  guest.create("f");
  guest.call("fd_fdstat_set_rights", ROOT, 0n, READ_RIGHT);
  const fd = guest.open("f", { rights: READ_RIGHT | WRITE_RIGHT });
  assert.equal(guest.write(fd, "x"), ERRNO.badf);
  assert.equal(guest.read(fd), "");
});

Deno.test("path_open() ignores bits of rights that do not exist", () => {
  const guest = new WasiGuest();
  assert.equal(guest.tryOpen("f", { flags: OPEN.creat, rights: -1n }), ERRNO.success);
});

Deno.test("path_open() refuses creat together with directory, and unknown flags", () => {
  const guest = new WasiGuest();
  assert.equal(guest.tryOpen("d", { flags: OPEN.creat | OPEN.directory }), ERRNO.inval);
  assert.equal(guest.tryOpen("f", { flags: OPEN.creat | 16 }), ERRNO.inval);
  assert.equal(guest.tryOpen("f", { flags: OPEN.creat, fdFlags: 32 }), ERRNO.inval);
  assert.equal(guest.stat("f"), ERRNO.noent);
});

Deno.test("path_open() of a symbolic link that is not to be followed is refused", () => {
  const guest = new WasiGuest();
  guest.create("f");
  guest.symlink("f", "l");
  assert.equal(guest.tryOpen("l", { follow: false }), ERRNO.loop);
});

Deno.test("path_open() with creat refuses a slash at the end", () => {
  assert.equal(new WasiGuest().tryOpen("f/", { flags: OPEN.creat }), ERRNO.isdir);
});

Deno.test("path_create_directory() refuses a name that is taken", () => {
  const guest = new WasiGuest();
  guest.create("f");
  for (const path of ["f", ".", "d/..", "d"]) {
    guest.mkdir("d");
    assert.equal(guest.mkdir(path), ERRNO.exist, path);
  }
});

Deno.test("path_create_directory() takes a slash at the end", () => {
  const guest = new WasiGuest();
  assert.equal(guest.mkdir("d/"), ERRNO.success);
  assert.equal(guest.mkdir("d/e/f"), ERRNO.noent);
});

Deno.test("path_link() makes a second name for the same bytes", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  assert.equal(guest.link("f", "g"), ERRNO.success);
  guest.write(fd, "abc");
  guest.unlink("f");
  assert.equal(guest.read(guest.open("g")), "abc");
});

Deno.test("path_link() refuses directories, taken names and missing files", () => {
  const guest = new WasiGuest();
  guest.create("f");
  guest.mkdir("d");
  assert.equal(guest.link("d", "e"), ERRNO.perm);
  assert.equal(guest.link("f", "d"), ERRNO.exist);
  assert.equal(guest.link("x", "y"), ERRNO.noent);
  assert.equal(guest.link("f", "g/"), ERRNO.noent);
});

Deno.test("path_link() names the link itself unless told to follow", () => {
  const guest = new WasiGuest();
  guest.create("f");
  guest.symlink("f", "l");
  guest.link("l", "same");
  guest.link("l", "followed", true);
  guest.stat("same", false);
  assert.equal(guest.filestat().type, 7n);
  guest.stat("followed", false);
  assert.equal(guest.filestat().type, 4n);
});

Deno.test("path_symlink() may point nowhere, but not at an absolute path or nothing", () => {
  const guest = new WasiGuest();
  assert.equal(guest.symlink("nowhere", "l"), ERRNO.success);
  assert.equal(guest.stat("l"), ERRNO.noent);
  assert.equal(guest.symlink("/etc", "m"), ERRNO.notcapable);
  assert.equal(guest.symlink("", "m"), ERRNO.noent);
  assert.equal(guest.symlink("x", "l"), ERRNO.exist);
});

Deno.test("path_symlink() counts its target as file bytes until it is removed", () => {
  const guest = new WasiGuest({ fileBytesMax: 10 });
  assert.equal(guest.symlink("0123456789a", "l"), ERRNO.nospc);
  assert.equal(guest.symlink("0123456789", "l"), ERRNO.success);
  assert.equal(guest.write(guest.create("f"), "x"), ERRNO.nospc);
  assert.equal(guest.symlink("x", "f"), ERRNO.exist);
  guest.unlink("l");
  assert.equal(guest.write(guest.open("f", { rights: WRITE_RIGHT }), "0123456789"), ERRNO.success);
});

Deno.test("path_readlink() gives as much of the target as fits", () => {
  const guest = new WasiGuest();
  guest.symlink("target", "l");
  assert.equal(readlink(guest, "l"), ERRNO.success);
  assert.equal(guest.text(AT.data, guest.u32()), "target");
  assert.equal(readlink(guest, "l", 3), ERRNO.success);
  assert.equal(guest.text(AT.data, guest.u32()), "tar");
});

Deno.test("path_readlink() refuses what is no link", () => {
  const guest = new WasiGuest();
  guest.create("f");
  assert.equal(readlink(guest, "f"), ERRNO.inval);
  assert.equal(readlink(guest, "."), ERRNO.inval);
  assert.equal(readlink(guest, "x"), ERRNO.noent);
});

Deno.test("path_rename() moves a file and keeps its descriptors", () => {
  const guest = new WasiGuest();
  const fd = guest.create("f");
  guest.mkdir("d");
  assert.equal(guest.rename("f", "d/g"), ERRNO.success);
  guest.write(fd, "abc");
  assert.equal(guest.stat("f"), ERRNO.noent);
  assert.equal(guest.read(guest.open("d/g")), "abc");
});

Deno.test("path_rename() replaces a file and gives its bytes back", () => {
  const guest = new WasiGuest({ fileBytesMax: 6 });
  for (const path of ["a", "b"]) {
    const fd = guest.create(path);
    guest.write(fd, "123");
    guest.call("fd_close", fd);
  }
  assert.equal(guest.rename("a", "b"), ERRNO.success);
  assert.equal(guest.write(guest.create("c"), "456"), ERRNO.success);
});

Deno.test("path_rename() moves a directory with all that is in it", () => {
  const guest = new WasiGuest();
  guest.mkdir("d");
  guest.mkdir("x");
  guest.create("d/f");
  assert.equal(guest.rename("d", "x/e"), ERRNO.success);
  assert.equal(guest.stat("x/e/f"), ERRNO.success);
  assert.equal(guest.stat("x/e/../../x"), ERRNO.success);
});

Deno.test("path_rename() moves no directory into itself", () => {
  const guest = new WasiGuest();
  guest.mkdir("d");
  guest.mkdir("d/e");
  assert.equal(guest.rename("d", "d/e/f"), ERRNO.inval);
  assert.equal(guest.rename("d", "d/f"), ERRNO.inval);
  assert.equal(guest.stat("d/e"), ERRNO.success);
});

Deno.test("path_rename() puts a directory only over an empty directory, and a file over no directory", () => {
  const guest = new WasiGuest();
  for (const path of ["d", "full", "full/x", "empty"]) guest.mkdir(path);
  guest.create("f");
  assert.equal(guest.rename("d", "f"), ERRNO.notdir);
  assert.equal(guest.rename("d", "full"), ERRNO.notempty);
  assert.equal(guest.rename("f", "empty"), ERRNO.isdir);
  assert.equal(guest.rename("f", "new/"), ERRNO.notdir);
  assert.equal(guest.rename("d", "empty"), ERRNO.success);
});

Deno.test("path_rename() onto itself or onto another name of the same file leaves both", () => {
  const guest = new WasiGuest();
  guest.create("f");
  guest.link("f", "g");
  assert.equal(guest.rename("f", "f"), ERRNO.success);
  assert.equal(guest.rename("f", "g"), ERRNO.success);
  assert.equal(guest.stat("f"), ERRNO.success);
  assert.equal(guest.stat("g"), ERRNO.success);
});

Deno.test("path_rename() refuses missing files and paths that end in a dot", () => {
  const guest = new WasiGuest();
  guest.mkdir("d");
  assert.equal(guest.rename("x", "y"), ERRNO.noent);
  for (const path of [".", "d/.", "d/.."]) {
    assert.equal(guest.rename(path, "y"), ERRNO.inval);
    assert.equal(guest.rename("d", path), ERRNO.inval);
  }
});

Deno.test("path_rename() works between two directory descriptors", () => {
  const guest = new WasiGuest();
  guest.mkdir("d");
  guest.mkdir("e");
  guest.create("d/f");
  const [from, to] = [guest.open("d"), guest.open("e")];
  const errno = guest.call("path_rename", from, ...guest.put("f"), to, ...guest.put("g", AT.path2));
  assert.equal(errno, ERRNO.success);
  assert.equal(guest.stat("e/g"), ERRNO.success);
});

Deno.test("path_remove_directory() removes empty directories only", () => {
  const guest = new WasiGuest();
  guest.mkdir("d");
  guest.create("d/f");
  assert.equal(guest.rmdir("d"), ERRNO.notempty);
  assert.equal(guest.rmdir("d/f"), ERRNO.notdir);
  assert.equal(guest.rmdir("x"), ERRNO.noent);
  assert.equal(guest.rmdir("."), ERRNO.inval);
  guest.unlink("d/f");
  assert.equal(guest.rmdir("d"), ERRNO.success);
});

Deno.test("path_unlink_file() removes files and links, but no directories", () => {
  const guest = new WasiGuest();
  guest.mkdir("d");
  guest.create("f");
  guest.symlink("d", "l");
  assert.equal(guest.unlink("d"), ERRNO.isdir);
  assert.equal(guest.unlink("x"), ERRNO.noent);
  assert.equal(guest.unlink("f/"), ERRNO.notdir);
  assert.equal(guest.unlink("l"), ERRNO.success);
  assert.equal(guest.unlink("f"), ERRNO.success);
  assert.equal(guest.stat("d"), ERRNO.success);
});
