/**
 * Header lists: splitting a header value at its commas.
 *
 * Owns the rule of HTTP's list syntax (RFC 9110 §5.6.1): elements between commas, with optional spaces and
 * tabs around them. Invariant: linear in the length of the header, whatever it holds; the obvious regular
 * expression for trailing blanks is quadratic on a run of them.
 */

/** The elements of a list, without the blanks around them; empty elements are left out. */
export function splitHeaderList(header: string): string[] {
  const elements: string[] = [];
  for (const part of header.split(",")) {
    const element = trimBlanks(part);
    if (element !== "") elements.push(element);
  }
  return elements;
}

/** Only spaces and tabs are optional white space; String.trim would take more. */
function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
