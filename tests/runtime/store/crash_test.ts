/**
 * Real kills of a process that deploys. About 2 s: ten processes are started.
 */
import assert from "node:assert/strict";
import { digestOf } from "../../../runtime/store/blob_store.ts";
import { openEmbeddedStore } from "../../../runtime/store/embedded/embedded_store.ts";
import type { Store } from "../../../runtime/store/store.ts";
import { makeRandom } from "./random.ts";
import { DataFolder } from "./embedded/data_folder.ts";

const KILLS_COUNT = 10;
/** The child deploys some hundred functions in that time; the moment of the kill is what matters. */
const LIFE_MS_MAX = 120;

/** What callers of the killed processes were told. */
interface Told {
  readonly deployed: Map<string, string>;
  readonly removing: Set<string>;
  readonly removed: Set<string>;
}

/** Runs the deploying program and kills it some time after it opened the store. */
async function killOne(folder: string, seed: number, lifeMs: number, told: Told): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "--no-lock",
      "--allow-read",
      "--allow-write",
      new URL("deploy_loop.ts", import.meta.url).pathname,
      folder,
      String(seed),
    ],
    stdout: "piped",
  }).spawn();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const lines = child.stdout.pipeThrough(new TextDecoderStream());
  let rest = "";
  for await (const text of lines) {
    const whole = (rest + text).split("\n");
    rest = whole.pop() ?? "";
    for (const line of whole) {
      if (line === "open") timer = setTimeout(() => child.kill("SIGKILL"), lifeMs);
      note(line, told);
    }
  }
  assert.equal((await child.status).signal, "SIGKILL");
  clearTimeout(timer);
}

function note(line: string, told: Told): void {
  const [step, id = "", digest = ""] = line.split(" ");
  if (step === "deployed") told.deployed.set(id, digest);
  if (step === "removing") told.removing.add(id);
  if (step === "removed") told.removed.add(id);
}

async function checkWhole(store: Store, folder: DataFolder, told: Told): Promise<void> {
  for (const [id, digest] of told.deployed) {
    const record = store.records.findFunction(id);
    if (told.removed.has(id)) assert.equal(record, undefined, `${id} was removed`);
    else if (!told.removing.has(id)) assert.equal(record?.digest, digest, `${id} was deployed`);
  }
  const records = store.records.listFunctions("acme", 1_000_000);
  const digests = new Set(records.map(({ digest }) => digest));
  for (const digest of digests) {
    const bytes = await store.blobs.get(digest);
    assert.ok(bytes !== undefined, `${digest} is missing`);
    assert.equal(await digestOf(bytes), digest);
  }
  assert.equal(new Set(records.map(({ version }) => version)).size, records.length);
  assert.deepEqual(new Set(await Array.fromAsync(store.blobs.list())), digests);
  assert.deepEqual(await folder.incoming(), []);
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

Deno.test("EmbeddedStore keeps whole what was acknowledged, and nothing half, through SIGKILL", async () => {
  const seed = Math.floor(Math.random() * 0xffff_ffff);
  print(`seed ${seed}`);
  const random = makeRandom(seed);
  await using folder = await DataFolder.make();
  const told: Told = { deployed: new Map(), removing: new Set(), removed: new Set() };
  const recovery = { temporaryFilesCount: 0, blobsCount: 0 };
  for (let kill = 0; kill < KILLS_COUNT; kill += 1) {
    await killOne(folder.path, seed + kill, 1 + Math.floor(random() * LIFE_MS_MAX), told);
    // Opening at once also shows that a kill gives the lock up.
    await using store = await openEmbeddedStore(folder.path);
    recovery.temporaryFilesCount += store.recovery.temporaryFilesCount;
    recovery.blobsCount += store.recovery.blobsCount;
    await checkWhole(store, folder, told);
  }
  print(`${told.deployed.size} deployed, ${told.removed.size} removed; found ${JSON.stringify(recovery)}`);
  assert.ok(told.deployed.size > 0, "the kills came before anything was deployed");
});
