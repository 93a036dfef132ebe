import assert from "node:assert/strict";
import { findRevision } from "../../runtime/revision.ts";

const NAME = "0123456789abcdef0123456789abcdef01234567";
const OTHER = "f".repeat(40);

/** A folder with these files, gone afterwards. */
async function within(files: Readonly<Record<string, string>>, test: (folder: URL) => void): Promise<void> {
  const path = await Deno.makeTempDir({ prefix: "tensor-wasm-revision-" });
  const folder = new URL(`file://${path}/`);
  try {
    for (const [name, text] of Object.entries(files)) {
      const place = new URL(name, folder);
      await Deno.mkdir(new URL(".", place), { recursive: true });
      await Deno.writeTextFile(place, text.replaceAll("PATH", path));
    }
    test(folder);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

const CASES: readonly (readonly [what: string, files: Readonly<Record<string, string>>, revision: string])[] =
  [
    ["a branch", { ".git/HEAD": "ref: refs/heads/a/b\n", ".git/refs/heads/a/b": `${NAME}\n` }, NAME],
    ["a commit by its name", { ".git/HEAD": `${NAME}\n` }, NAME],
    ["a name of SHA-256", { ".git/HEAD": "a".repeat(64) }, "a".repeat(64)],
    [
      "a branch among the packed ones",
      {
        ".git/HEAD": "ref: refs/heads/main\n",
        ".git/packed-refs":
          `# pack-refs with: peeled\n${OTHER} refs/heads/not-main\n${NAME} refs/heads/main\n`,
      },
      NAME,
    ],
    [
      "a further working tree, by an absolute path",
      {
        ".git": "gitdir: PATH/first/.git/worktrees/w\n",
        "first/.git/worktrees/w/HEAD": "ref: refs/heads/w\n",
        "first/.git/worktrees/w/commondir": "../..\n",
        "first/.git/refs/heads/w": NAME,
      },
      NAME,
    ],
    [
      "a further working tree, by a relative path",
      { ".git": "gitdir: first/.git\n", "first/.git/HEAD": NAME },
      NAME,
    ],
    ["no checkout", { "main.ts": "" }, "unknown"],
    ["a branch without a commit", { ".git/HEAD": "ref: refs/heads/main\n" }, "unknown"],
    ["a reference outside of refs", { ".git/HEAD": "ref: ../secret\n", secret: NAME }, "unknown"],
    ["something else", { ".git/HEAD": "no commit at all\n" }, "unknown"],
    ["an empty file", { ".git": "" }, "unknown"],
  ];
for (const [what, files, revision] of CASES) {
  Deno.test(`findRevision() of ${what} is ${revision.slice(0, 12)}`, async () => {
    await within(files, (folder) => assert.equal(findRevision(folder), revision));
  });
}

Deno.test("findRevision() of sources that were fetched is unknown", () => {
  assert.equal(findRevision(new URL("https://sources.example/")), "unknown");
});
