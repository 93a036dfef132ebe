/**
 * A gateway whose disk does not do as it should: full, out of files, taken away while it runs, or not what it was when
 * it starts. What was acknowledged is there, readiness says why it is down, and it recovers where it can.
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { assertProblem } from "../flow/problem.ts";
import { submitJob } from "../flow/job_calls.ts";
import { readGuest } from "../support/guests.ts";
import { TestGateway } from "../support/gateway.ts";
import { runProgram, until } from "./program.ts";

const ADD = { export: "add", args: [1, 2] };
/** A process that is told of a write that its limit forbids, instead of being ended by it. */
const BEARS_LIMITS = ["/bin/bash", "-c", `trap "" XFSZ; exec "$0" "$@"`];

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Sets the soft limit of a running process. */
async function limit(gateway: TestGateway, what: "fsize" | "nofile", value: string): Promise<void> {
  const args = ["--pid", String(gateway.pid), `--${what}=${value}:`];
  const { success, stderr } = await new Deno.Command("prlimit", { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

async function readiness(gateway: TestGateway): Promise<{ status: number; store: string }> {
  const response = await fetch(`${gateway.url}/readyz`);
  return { status: response.status, store: (await response.json()).parts.store };
}

async function tryDeploy(gateway: TestGateway, name: string): Promise<Response> {
  return await fetch(`${gateway.url}/functions?name=${name}`, {
    method: "POST",
    headers: { "content-type": "application/wasm" },
    body: await readGuest("add"),
  });
}

async function tryJob(gateway: TestGateway): Promise<Response> {
  return await fetch(`${gateway.url}/functions/add/invoke-async`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(ADD),
  });
}

Deno.test("a disk that takes no more: calls go on, readiness says why, and all is well when there is room", async () => {
  await withFolder(async (dataFolder) => {
    const accepted: string[] = [];
    {
      await using gateway = await TestGateway.start({ dataFolder, launcher: BEARS_LIMITS });
      await gateway.deploy("add");
      accepted.push(await submitJob(gateway, "add", ADD));
      await limit(gateway, "fsize", "4096");
      await assertProblem(await tryJob(gateway), { status: 500, kind: "internal" });
      await assertProblem(await tryDeploy(gateway, "later"), { status: 500, kind: "internal" });
      const failed = await gateway.line((line) => line.message === "store.failed");
      assert.deepEqual([failed["level"], failed["part"], failed["restart_needed"]], [
        "error",
        "database",
        false,
      ]);
      assert.deepEqual(await readiness(gateway), { status: 503, store: String(failed["reason"]) });
      assert.match(String(failed["reason"]), /^the storage |^no space is left$/);
      assert.equal((await gateway.invoke("add", ADD)).status, 200);

      await limit(gateway, "fsize", "unlimited");
      await until("the store is ready again", async () => (await readiness(gateway)).status === 200);
      await gateway.line((line) => line.message === "store.recovered" && line["part"] === "database");
      assert.equal((await tryDeploy(gateway, "later")).status, 200);
      accepted.push(await submitJob(gateway, "add", ADD));
      gateway.signal("SIGKILL");
      await gateway.status;
    }
    await using gateway = await TestGateway.start({ dataFolder });
    for (const id of accepted) assert.equal((await fetch(`${gateway.url}/jobs/${id}`)).status, 200);
    assert.equal((await gateway.invoke("later", ADD)).status, 200);
  });
});

Deno.test("a process that may open no more files: calls under way end well, and it is called again when it may", async () => {
  await using gateway = await TestGateway.start();
  await gateway.deploy("sleep");
  const underWay = gateway.invoke("sleep", { argv: ["3000"] });
  await gateway.line((line) => line.message === "request.received" && line["method"] === "POST");
  await limit(gateway, "nofile", "1");
  // Each needs a connection of its own, while one is in use.
  await until("a connection cannot be accepted", async () => {
    await fetch(`${gateway.url}/healthz`).then((response) => response.body?.cancel(), () => {});
    return gateway.lines.some((line) => line.message === "listener.failed");
  });
  await limit(gateway, "nofile", "1024");
  await gateway.line((line) => line.message === "listener.recovered");
  assert.deepEqual(await readiness(gateway), { status: 200, store: "ready" });
  assert.equal((await (await underWay).json()).output, "slept 3000 ms\n");
  await gateway.deploy("add");
  assert.equal((await gateway.invoke("add", ADD)).status, 200);
});

Deno.test("a data folder that is taken away: nothing more is accepted, and the gateway ends well", async () => {
  await withFolder(async (folder) => {
    const dataFolder = `${folder}/data`;
    await using gateway = await TestGateway.start({ dataFolder });
    await gateway.deploy("add");
    await Deno.remove(dataFolder, { recursive: true });
    const failed = await gateway.line((line) => line.message === "store.failed");
    assert.deepEqual([failed["reason"], failed["restart_needed"]], [
      "the data folder's lock was removed",
      true,
    ]);
    assert.deepEqual(await readiness(gateway), { status: 503, store: "the data folder's lock was removed" });
    await assertProblem(await tryJob(gateway), { status: 500, kind: "internal" });
    assert.equal((await gateway.invoke("add", ADD)).status, 200);
    gateway.signal("SIGTERM");
    assert.equal((await gateway.status).code, 0);
    assert.equal(await gateway.stderr, "");
    // A folder that the operator has put in its place meanwhile stays as it is.
    await assert.rejects(Deno.stat(dataFolder), Deno.errors.NotFound);
  });
});

interface BadStart {
  readonly what: string;
  readonly message: RegExp;
  prepare(folder: string): Promise<void>;
}

const DATABASE = "records.sqlite";

async function madeOnce(folder: string): Promise<void> {
  await using _gateway = await TestGateway.start({ dataFolder: folder });
}

const BAD_STARTS: readonly BadStart[] = [
  {
    what: "a database that is none",
    message:
      /^error: Database \S+\/records\.sqlite cannot be opened: the file is not a database\. Keep the folder/,
    prepare: (folder) => Deno.writeTextFile(`${folder}/${DATABASE}`, "no database ".repeat(1000)),
  },
  {
    what: "a damaged database",
    message: /^error: Database \S+\/records\.sqlite is damaged: .*\. Keep the folder as it is and restore/,
    prepare: async (folder) => {
      await madeOnce(folder);
      using file = await Deno.open(`${folder}/${DATABASE}`, { write: true });
      const { size } = await file.stat();
      await file.seek(4096, Deno.SeekMode.Start);
      await file.write(new Uint8Array(size - 4096).fill(0xff));
    },
  },
  {
    what: "a folder of a newer program",
    message:
      /^error: Database \S+\/records\.sqlite was written by a newer program: .*\. Start the newer program/,
    prepare: async (folder) => {
      await madeOnce(folder);
      using database = new DatabaseSync(`${folder}/${DATABASE}`);
      database.exec("UPDATE schema_version SET version = 1000");
    },
  },
  {
    what: "a file in the folder's place",
    message: /^error: Data folder \S+ cannot be opened: a .*\. Start on another folder \(--data\)/,
    prepare: async (folder) => {
      await Deno.remove(folder);
      await Deno.writeTextFile(folder, "");
    },
  },
];

for (const { what, message, prepare } of BAD_STARTS) {
  Deno.test(`${what} is told in one line, with the path and what to do, and exit code 1`, async () => {
    await withFolder(async (folder) => {
      await prepare(folder);
      const { code, stderr, stdout } = await runProgram(["serve", "--addr=127.0.0.1:0", `--data=${folder}`]);
      assert.match(stderr, message);
      assert.deepEqual([code, stdout, stderr.trimEnd().split("\n").length], [1, "", 1], stderr);
    });
  });
}

Deno.test("a second gateway on a folder is told who has it, and the first one goes on", async () => {
  await using gateway = await TestGateway.start();
  await gateway.deploy("add");
  const { code, stderr } = await runProgram(["serve", "--addr=127.0.0.1:0", `--data=${gateway.dataFolder}`]);
  assert.match(
    stderr,
    new RegExp(`^error: .* in use by another gateway, process ${gateway.pid}\\. Stop that one`),
  );
  assert.equal(code, 1);
  assert.equal((await tryDeploy(gateway, "later")).status, 200);
  assert.equal((await readiness(gateway)).status, 200);
});
