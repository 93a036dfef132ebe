/**
 * baggage: the caller's own key-value pairs, carried and never read.
 *
 * Owns the checks and limits of W3C Baggage §3.3. Invariant: what is carried on is well-formed and within the
 * limits; a malformed member is left out, the others stay as they were written.
 */
import { splitHeaderList } from "./header_list.ts";

/** §3.3.2: at least 64 members and 8192 bytes must be carried; no more is. */
const MEMBERS_MAX = 64;
const LENGTH_MAX = 8192;
/** Longest part of a header that is looked at. */
const HEADER_LENGTH_MAX = 2 * LENGTH_MAX;

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const OCTETS = "[\\x21\\x23-\\x2b\\x2d-\\x3a\\x3c-\\x5b\\x5d-\\x7e]*";
/** §3.3.1: key = value, and properties after semicolons. */
const MEMBER = new RegExp(
  `^${TOKEN}[ \\t]*=[ \\t]*${OCTETS}(?:[ \\t]*;[ \\t]*${TOKEN}(?:[ \\t]*=[ \\t]*${OCTETS})?)*$`,
);

/** The part of a `baggage` header that is carried on, or undefined if nothing is. */
export function parseBaggage(header: string): string | undefined {
  let kept = "";
  let count = 0;
  for (const member of splitHeaderList(header.slice(0, HEADER_LENGTH_MAX))) {
    if (member.length > LENGTH_MAX || !MEMBER.test(member)) continue;
    const longer = kept === "" ? member : `${kept},${member}`;
    if (longer.length > LENGTH_MAX || count === MEMBERS_MAX) break;
    kept = longer;
    count += 1;
  }
  return kept === "" ? undefined : kept;
}
