/**
 * Request paths: which path a request is for, whatever form its target has.
 *
 * Owns the forms that the router does not know (RFC 9112 §3.2): a whole URL without a path, and the authority of
 * CONNECT. Invariant: nothing of a query is ever taken for a path, since paths are logged and queries never are.
 */
import { getPath } from "hono/utils/url";

const [SLASH, QUESTION_MARK, HASH] = [0x2f, 0x3f, 0x23];
/** RFC 9110 §4.2.3: an empty path is the same. */
const ROOT = "/";

/** The path of a request, as the router takes it. */
export function pathOf(request: Request): string {
  const { url } = request;
  for (let index = url.indexOf("//") + 2; index < url.length; index++) {
    const code = url.charCodeAt(index);
    if (code === SLASH) return getPath(request);
    if (code === QUESTION_MARK || code === HASH) return ROOT;
  }
  return ROOT;
}
