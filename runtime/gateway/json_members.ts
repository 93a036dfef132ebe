/**
 * The source texts of a JSON object's members.
 *
 * Owns a scanner over text that `JSON.parse` has accepted already; it checks nothing itself. Its use: numbers
 * of arguments exactly as written, and JSON input handed to a guest byte for byte.
 * Invariant: one pass, no recursion, so neither length nor depth of a text is felt beyond its size.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Finds the end of a string that begins at `start`: the index after its closing quote. */
function stringEnd(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit === BACKSLASH) index++;
    else if (unit === QUOTE) return index + 1;
  }
  return text.length;
}

/** Finds the end of a value that begins at `start`: the index of the comma or brace after it. */
function valueEnd(text: string, start: number): number {
  let depth = 0;
  for (let index = start; index < text.length; index++) {
    switch (text[index]) {
      case '"':
        index = stringEnd(text, index) - 1;
        break;
      case "[":
      case "{":
        depth++;
        break;
      case "]":
      case "}":
        if (depth === 0) return index;
        depth--;
        break;
      case ",":
        if (depth === 0) return index;
    }
  }
  return text.length;
}

/**
 * The source text of each member of the object that `text` is, by its name. Of members with the same name
 * the last counts, as for JSON.parse.
 */
export function memberTexts(text: string): Map<string, string> {
  const members = new Map<string, string>();
  let index = text.indexOf("{") + 1;
  for (;;) {
    const nameStart = text.indexOf('"', index);
    const close = valueEnd(text, index);
    if (nameStart < 0 || nameStart > close) return members;
    const nameEnd = stringEnd(text, nameStart);
    const valueStart = text.indexOf(":", nameEnd) + 1;
    const end = valueEnd(text, valueStart);
    members.set(JSON.parse(text.slice(nameStart, nameEnd)), text.slice(valueStart, end).trim());
    if (text[end] !== ",") return members;
    index = end + 1;
  }
}
