/**
 * GuestOutput: the headers of a body that a guest wrote.
 *
 * Owns what is said of bytes that nobody here vouches for. Invariant: in a browser they are no page of the gateway's
 * own: a script in them runs nowhere, and so calls none of its routes (CSP Level 3 §6.3.2; Fetch, "nosniff").
 */

/** The headers of a guest's output, of the media type that it set, if it did. */
export function guestHeaders(contentType: string | undefined): Readonly<Record<string, string>> {
  return {
    "content-type": contentType ?? "application/octet-stream",
    "content-security-policy": "sandbox",
    "x-content-type-options": "nosniff",
  };
}
