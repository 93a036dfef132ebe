/**
 * `kill -9` in the middle of deploys, again and again on the same data folder: what was acknowledged is there and
 * works, what was not is there as a whole or not at all, and nothing half is left.
 *
 * Takes some 30 s: 25 gateways are started and killed, each one also being the check of the one before. The seed
 * is printed; KILL_DEPLOY_SEED repeats one.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { padModule } from "../flow/padded_module.ts";
import { makeRandom } from "../runtime/store/random.ts";
import { TestGateway } from "../support/gateway.ts";
import { readGuest } from "../support/guests.ts";
import { func, I32, moduleOf, name, section, vec } from "../support/module_bytes.ts";
import { until } from "./program.ts";

const KILLS_COUNT = 25;
/** Callers that deploy at the same time. */
const CALLERS_COUNT = 3;
const LIFE_MS_MAX = 60;
/** Older functions that are tried again in each round; all of them are at the end. */
const OLDER_TRIED_COUNT = 10;
const STARTS_KILLED_COUNT = 10;
/** A kill comes between the start of the program and some time after the store is open. */
const START_MS_MAX = 200;
const SIZES = [0, 1_000, 40_000, 65_536, 300_000, 700_000];
const TEXT = "to be or not to be";
const TEXT_COUNTED = "2\tbe\n2\tto\n1\tnot\n1\tor\n";

/** A module whose answer tells it from every other. */
interface Candidate {
  readonly functionName: string;
  readonly digest: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What `run` answers; a word_freq that is padded otherwise. */
  readonly answer: number | undefined;
}

interface Listed {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly digest: string;
  readonly size: number;
}

/** What callers know; names are never used twice. */
interface Told {
  /** Everything that was sent, by name. */
  readonly sent: Map<string, Candidate>;
  /** What was answered with 200, by name. */
  readonly acknowledged: Map<string, Listed>;
  /** Names whose removal was sent; `removed` are those of which it was answered. */
  readonly removing: Set<string>;
  readonly removed: Set<string>;
}

type Random = () => number;

function pick<T>(values: readonly T[], random: Random): T | undefined {
  return values[Math.floor(random() * values.length)];
}

/** `run` answers `value`. */
function answering(value: number): Uint8Array<ArrayBuffer> {
  const constant = [...Array.from({ length: 4 }, (_, index) => ((value >> (7 * index)) & 0x7f) | 0x80), 0];
  const body = [0, 0x41, ...constant, 0x0b];
  return moduleOf(
    section(1, vec(func([], [I32]))),
    section(3, vec([0])),
    section(7, vec([...name("run"), 0, 0])),
    section(10, vec([body.length, ...body])),
  );
}

function makeCandidate(index: number, random: Random): Candidate {
  const answer = random() < 0.75 ? index : undefined;
  const bare = answer === undefined ? readGuest("word_freq") : answering(answer);
  const size = (pick(SIZES, random) ?? 0) + Math.floor(random() * 100);
  const bytes = padModule(bare, Math.max(size, bare.length + 16), index);
  const digest = createHash("sha256").update(bytes).digest("hex");
  return { functionName: `f${index}`, digest, bytes, answer };
}

async function send(gateway: TestGateway, candidate: Candidate, random: Random): Promise<Listed> {
  const { functionName, bytes } = candidate;
  const response = random() < 0.5
    ? await fetch(`${gateway.url}/functions?name=${functionName}`, {
      method: "POST",
      headers: { "content-type": "application/wasm" },
      body: bytes,
    })
    : await fetch(`${gateway.url}/functions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: functionName, wasm_b64: bytes.toBase64() }),
    });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text);
}

/** Deploys, and sometimes removes, until the gateway is gone. */
async function deployUntilGone(gateway: TestGateway, told: Told, random: Random): Promise<void> {
  const mine: string[] = [];
  for (;;) {
    const candidate = makeCandidate(told.sent.size, random);
    told.sent.set(candidate.functionName, candidate);
    const known = await send(gateway, candidate, random).catch(rethrowFailedAssertion);
    if (known === undefined) return;
    told.acknowledged.set(candidate.functionName, known);
    mine.push(candidate.functionName);
    if (random() > 0.25) continue;
    const [victim = ""] = mine.splice(Math.floor(random() * mine.length), 1);
    told.removing.add(victim);
    const response = await fetch(`${gateway.url}/functions/${victim}`, { method: "DELETE" })
      .catch(rethrowFailedAssertion);
    if (response === undefined) return;
    assert.equal(response.status, 204);
    told.removed.add(victim);
  }
}

/** A connection that broke is what a kill looks like; anything else is not. */
function rethrowFailedAssertion(error: unknown): undefined {
  if (error instanceof assert.AssertionError) throw error;
  return undefined;
}

async function listAll(gateway: TestGateway): Promise<Listed[]> {
  const all: Listed[] = [];
  for (let cursor: string | undefined = "";;) {
    const query: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await (await fetch(`${gateway.url}/functions?limit=1000${query}`)).json();
    all.push(...page.functions);
    cursor = page.next_cursor;
    if (cursor === undefined) return all;
  }
}

/** Nothing is listed that was not sent as it is; nothing is missing that was promised. */
function assertList(listed: readonly Listed[], told: Told): void {
  const byName = new Map(listed.map((entry) => [entry.name, entry]));
  assert.equal(byName.size, listed.length, "a name is there once");
  for (const entry of listed) {
    const candidate = told.sent.get(entry.name);
    assert.deepEqual(
      [entry.digest, entry.size, entry.version],
      [candidate?.digest, candidate?.bytes.length, 1],
      `${entry.name} is there as it was sent`,
    );
    assert.ok(!told.removed.has(entry.name), `${entry.name} was removed`);
  }
  for (const [functionName, { id, digest }] of told.acknowledged) {
    if (told.removing.has(functionName)) continue;
    const entry = byName.get(functionName);
    assert.deepEqual([entry?.id, entry?.digest], [id, digest], `${functionName} was acknowledged`);
  }
}

async function assertWorks(
  gateway: TestGateway,
  { id, name: functionName }: Listed,
  told: Told,
): Promise<void> {
  const read = await (await fetch(`${gateway.url}/functions/${id}`)).json();
  assert.deepEqual([read.id, read.name, read.digest], [
    id,
    functionName,
    told.sent.get(functionName)?.digest,
  ]);
  const answer = told.sent.get(functionName)?.answer;
  if (answer === undefined) {
    const response = await gateway.invoke(functionName, { input: TEXT });
    assert.deepEqual([response.status, await response.text()], [200, TEXT_COUNTED], functionName);
  } else {
    const response = await gateway.invoke(id, { export: "run" });
    assert.deepEqual(await response.json(), { function_id: id, result: [answer] }, functionName);
  }
}

/** The folder holds the database, the lock, and one blob for each module; every blob is what its name says. */
async function assertFolder(folder: string, listed: readonly Listed[]): Promise<void> {
  const names = (await Array.fromAsync(Deno.readDir(folder))).map((entry) => entry.name).sort();
  assert.deepEqual(names.filter((file) => !/^records\.sqlite(-wal|-shm)?$/.test(file)), [
    "artifacts",
    "blobs",
    "incoming",
    "jobs",
    "lock",
    "traces",
  ]);
  assert.deepEqual(await Array.fromAsync(Deno.readDir(`${folder}/incoming`)), []);
  const digests: string[] = [];
  for await (const shard of Deno.readDir(`${folder}/blobs`)) {
    for await (const blob of Deno.readDir(`${folder}/blobs/${shard.name}`)) digests.push(blob.name);
  }
  assert.deepEqual(digests.sort(), listed.map(({ digest }) => digest).sort());
}

async function assertBlobsAreWhole(folder: string, listed: readonly Listed[]): Promise<void> {
  for (const { digest } of listed) {
    const bytes = await Deno.readFile(`${folder}/blobs/${digest.slice(0, 2)}/${digest}`);
    assert.equal(createHash("sha256").update(bytes).digest("hex"), digest);
  }
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

/** Resolves when so many more deploys were acknowledged. */
async function acknowledged(told: Told, count: number): Promise<void> {
  const goal = told.acknowledged.size + count;
  await until(`${goal} deploys are acknowledged`, () => told.acknowledged.size >= goal);
}

Deno.test(`${KILLS_COUNT} kills in the middle of deploys lose nothing and leave nothing half`, async () => {
  const seed = Number(Deno.env.get("KILL_DEPLOY_SEED") ?? Math.floor(Math.random() * 0xffff_ffff));
  print(`seed ${seed}`);
  const random = makeRandom(seed);
  const told: Told = { sent: new Map(), acknowledged: new Map(), removing: new Set(), removed: new Set() };
  const folder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  const dataFolder = `${folder}/data`;
  // A gateway that is killed while a cell starts leaves the folder of its socket.
  const env = { TMPDIR: folder };
  try {
    let known = new Set<string>();
    for (let kill = 0; kill <= KILLS_COUNT; kill++) {
      await using gateway = await TestGateway.start({ dataFolder, env });
      const listed = await listAll(gateway);
      assertList(listed, told);
      await assertFolder(dataFolder, listed);
      const isLast = kill === KILLS_COUNT;
      const older = listed.filter((entry) => known.has(entry.name));
      const tried = isLast ? older : Array.from({ length: OLDER_TRIED_COUNT }, () => pick(older, random));
      for (const entry of [...tried, ...listed.filter((entry) => !known.has(entry.name))]) {
        if (entry !== undefined) await assertWorks(gateway, entry, told);
      }
      known = new Set(listed.map((entry) => entry.name));
      if (isLast) {
        await assertBlobsAreWhole(dataFolder, listed);
        const unanswered = listed.filter((entry) => !told.acknowledged.has(entry.name)).length;
        print(
          `${told.sent.size} sent, ${told.acknowledged.size} acknowledged, ${told.removed.size} removed; ` +
            `${listed.length} there, ${unanswered} of them unacknowledged`,
        );
        break;
      }
      const callers = Array.from({ length: CALLERS_COUNT }, () => deployUntilGone(gateway, told, random));
      // Mostly counted from the third deploy that went through: before the first a cell has to start.
      if (random() < 0.75) await acknowledged(told, 3);
      await new Promise((resolve) => setTimeout(resolve, random() * LIFE_MS_MAX));
      gateway.signal("SIGKILL");
      await Promise.all(callers);
    }
    assert.ok(told.acknowledged.size > KILLS_COUNT, "the kills came too early to show anything");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("kills while the store is opened, over what earlier kills left, lose nothing", async () => {
  const seed = Number(Deno.env.get("KILL_DEPLOY_SEED") ?? Math.floor(Math.random() * 0xffff_ffff));
  print(`seed ${seed}`);
  const random = makeRandom(seed);
  const told: Told = { sent: new Map(), acknowledged: new Map(), removing: new Set(), removed: new Set() };
  const folder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  const dataFolder = `${folder}/data`;
  // A gateway that is killed while a cell starts leaves the folder of its socket.
  const env = { TMPDIR: folder };
  try {
    {
      await using gateway = await TestGateway.start({ dataFolder, env });
      for (let index = 0; index < 10; index++) {
        const candidate = makeCandidate(index, random);
        told.sent.set(candidate.functionName, candidate);
        told.acknowledged.set(candidate.functionName, await send(gateway, candidate, random));
      }
    }
    for (let kill = 0; kill < STARTS_KILLED_COUNT; kill++) {
      await leaveRemains(dataFolder, kill);
      const child = new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "--quiet", "--no-check", "--allow-all", "main.ts"],
          ...["serve", "--addr", "127.0.0.1:0", "--data", dataFolder],
        ],
        cwd: new URL("../../", import.meta.url).pathname,
        env,
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      await new Promise((resolve) => setTimeout(resolve, 60 + random() * START_MS_MAX));
      child.kill("SIGKILL");
      await child.status;
    }
    await leaveRemains(dataFolder, STARTS_KILLED_COUNT);
    await using gateway = await TestGateway.start({ dataFolder, env });
    const listed = await listAll(gateway);
    assertList(listed, told);
    assert.equal(listed.length, 10);
    await assertFolder(dataFolder, listed);
    for (const entry of listed) await assertWorks(gateway, entry, told);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** What a kill in the middle of a deploy leaves: half a file under way, and a blob that nothing refers to. */
async function leaveRemains(folder: string, index: number): Promise<void> {
  await Deno.writeFile(`${folder}/incoming/${index + 1}`, new Uint8Array(1000));
  const bytes = padModule(answering(index), 1000 + index, 1);
  const digest = createHash("sha256").update(bytes).digest("hex");
  await Deno.mkdir(`${folder}/blobs/${digest.slice(0, 2)}`, { recursive: true });
  await Deno.writeFile(`${folder}/blobs/${digest.slice(0, 2)}/${digest}`, bytes);
}
