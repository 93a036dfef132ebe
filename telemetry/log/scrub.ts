/**
 * Scrubbing: credentials and query strings inside of texts.
 *
 * Owns what a text is searched for: user and query of URLs, queries of paths, authorization schemes, JSON web
 * tokens, keys with a vendor's prefix, `password=…`. Most texts are told to have none of it in one pass
 * (text_scan.ts), and fields are judged by name before (redact.ts). Invariant: the time is linear in the text,
 * whose length the caller bounds: every repetition below is bounded or excludes what it begins with, because
 * guests choose texts.
 */
import { MAY_HIDE, scanText } from "./text_scan.ts";

/** What takes the place of what was found. */
export const REDACTED = "[redacted]";

/** The authority and path of a URL, from its `://` on. */
const URL_REST = /:\/\/(?:[^\s/?#"'<>@]*@)?([^\s?#"'<>]*)(\?[^\s#"'<>]*)?(#[^\s"'<>]*)?/g;
/** A query after a path, or anything that looks like one. */
const QUERY = /(?<=\/[\w.~%+-]{0,128})\?[^\s"'<>]+|\?[\w.~%+[\]-]{1,128}=[^\s"'<>]*/g;
const SCHEME = /\b(bearer|basic|digest)\s{1,8}[\w.~+/=-]{6,}/gi;
const WEB_TOKEN = /\beyJ[\w-]{8,2048}\.[\w-]{1,4096}(?:\.[\w-]{0,2048})?/g;
const VENDOR_KEY =
  /\b(?:[spr]k[-_][\w-]{16,256}|gh[pousr]_\w{20,256}|github_pat_\w{20,256}|AKIA[0-9A-Z]{12,32}|xox[abprs]-[\w-]{10,256})/g;
/** `name=value`, `name: value` and `"name":"value"`; tokens and keys only where no prose has them. */
const PAIR =
  /((?:passw(?:or)?d|passphrase|pwd|secret|credential|authorization|cookie)s?["']?\s{0,8}[=:]\s{0,8}|(?:token|key)s?(?:["']\s{0,8}:|=)\s{0,8})("[^"]{0,4096}"?|'[^']{0,4096}'?|(?:(?:bearer|basic|digest)\s)?[^\s,;&}"']+)/gi;

/** A text without credentials and query strings. */
export function scrubText(text: string): string {
  return (scanText(text) & MAY_HIDE) === 0 ? text : takeOut(text);
}

/** The same by search alone, for a text that may hide something. */
export function takeOut(text: string): string {
  return text
    .replace(
      URL_REST,
      (_all, rest: string, query: string | undefined) =>
        `://${rest}${query === undefined ? "" : `?${REDACTED}`}`,
    )
    .replace(QUERY, `?${REDACTED}`)
    .replace(PAIR, `$1${REDACTED}`)
    .replace(SCHEME, `$1 ${REDACTED}`)
    .replace(WEB_TOKEN, REDACTED)
    .replace(VENDOR_KEY, REDACTED);
}
