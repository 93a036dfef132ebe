/**
 * Redaction: which fields never reach a log line.
 *
 * Owns the rule by name, at any depth: a field whose name has a word for content or credentials in it is left
 * out, whatever it holds, except for a plain count of such things (`tokens_in`, `key_count`). It does not look
 * into texts (scrub.ts does). Invariant: what a name is judged to be depends on the name and on whether the value is a number,
 * on nothing else.
 */

/** Words for what callers send or prove themselves with; singular and plural are alike. */
const DENIED_WORDS: ReadonlySet<string> = new Set([
  "apikey",
  "arg",
  "argument",
  "auth",
  "authorization",
  "bearer",
  "body",
  "completion",
  "content",
  "cookie",
  "credential",
  "csrf",
  "dsn",
  "input",
  "jwt",
  "key",
  "messages",
  "otp",
  "output",
  "param",
  "passphrase",
  "passwd",
  "password",
  "payload",
  "prompt",
  "pwd",
  "query",
  "querystring",
  "secret",
  "session",
  "signature",
  "text",
  "token",
  "xsrf",
]);

/** Denied at the end of a name written without separators, as in `accesstoken`. */
const DENIED_ENDINGS = [
  "accesskey",
  "apikey",
  "authkey",
  "authorization",
  "cookie",
  "password",
  "passphrase",
  "privatekey",
  "secret",
  "secretkey",
  "sessionkey",
  "signingkey",
  "token",
] as const;

/** Denied as a whole: the header that carries a backend's key. */
const DENIED_NAMES: ReadonlySet<string> = new Set(["x_honeycomb_team"]);

/** Names that have a denied word in them and are harmless all the same. */
const ALLOWED_NAMES: ReadonlySet<string> = new Set(["content_type", "contenttype", "session_id"]);

/** How a field is treated. */
export type Verdict = "keep" | "keep_count" | "drop";

/** Judges a field by its name: `keep_count` keeps a number and drops anything else. */
export function judgeField(name: string): Verdict {
  const words = splitWords(name);
  const plain = words.join("_");
  if (ALLOWED_NAMES.has(plain)) return "keep";
  if (DENIED_NAMES.has(plain)) return "drop";
  const lastWord = words.at(-1) ?? "";
  if (isDenied(lastWord) || DENIED_ENDINGS.some((ending) => singular(lastWord).endsWith(ending))) {
    return "drop";
  }
  return words.some(isDenied) ? "keep_count" : "keep";
}

/** Whether a field may be written. */
export function mayLog(verdict: Verdict, value: unknown): boolean {
  return verdict === "keep" ||
    (verdict === "keep_count" && (typeof value === "number" || typeof value === "bigint"));
}

/** The words of a name: `X-Api-Key`, `apiKey` and `api.key` are all api, key. */
function splitWords(name: string): string[] {
  return name
    // Letters that only look different, and ones that cannot be seen.
    .normalize("NFKC")
    .replace(/\p{Cf}/gu, "")
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "");
}

function isDenied(word: string): boolean {
  return DENIED_WORDS.has(word) || DENIED_WORDS.has(singular(word));
}

/** Good enough for the words above; `messages` is denied and `message` is not, so it stays as it is. */
function singular(word: string): string {
  if (word === "messages") return word;
  if (word.endsWith("ies")) return `${word.slice(0, -3)}y`;
  return word.endsWith("s") ? word.slice(0, -1) : word;
}
