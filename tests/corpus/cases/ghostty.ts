/** ghostty-web: a terminal's parser and screen, compiled by Zig. */
import { Ghostty } from "ghostty-web";

export async function run(): Promise<unknown> {
  const wasm = await Deno.readFile(new URL(import.meta.resolve("ghostty-web/ghostty-vt.wasm")));
  const imports = { env: { log: () => {} } };
  const { instance } = await WebAssembly.instantiate(wasm, imports);
  const terminal = new Ghostty(instance).createTerminal(60, 12);
  for (let line = 0; line < 60; line++) {
    terminal.write(
      `\x1b[${31 + line % 7}mline ${line}\x1b[0m\t\x1b[1mbold\x1b[22m 数字 e\u0301 \x1b[3${
        line % 8
      };4mx\x1b[K\r\n`,
    );
  }
  terminal.write("\x1b[5;10H\x1b[2Kmiddle\x1b[6n\x1b[?2004h\x1b[48;2;1;2;3mtrue colour");
  terminal.update();
  const viewport = terminal.getViewport();
  terminal.resize(30, 20);
  terminal.update();
  return {
    viewport: JSON.stringify(viewport),
    resized: JSON.stringify(terminal.getViewport()),
    cursor: terminal.getCursor(),
    scrollback: terminal.getScrollbackLength(),
    response: terminal.readResponse(),
    bracketed: terminal.hasBracketedPaste(),
  };
}
