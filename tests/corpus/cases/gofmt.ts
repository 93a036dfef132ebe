/** @wasm-fmt/gofmt: the formatter of Go, compiled by TinyGo. */
import { format } from "@wasm-fmt/gofmt/node";

const SOURCE = `package main
import ("fmt";"os")
type point struct{x,y int;name string}
func (p *point) move(dx,dy int)*point{p.x+=dx;p.y+=dy;return p}
func main(){ ps:=map[string]*point{"a":{1,2,"a"},"longer":{3,4,"b"}}
for k,v:=range ps{ if v.x>1&&v.y<10||k=="a"{fmt.Fprintln(os.Stderr,k,v.move(1,2).name) } else {go func(){ defer fmt.Println("x")}() } }}
`;

export function run(): Promise<unknown> {
  const many = Array.from(
    { length: 40 },
    (_, index) => SOURCE.slice(13).replaceAll("point", `point${index}`),
  );
  return Promise.resolve({
    formatted: format(SOURCE),
    long: format(`package main\n${many.join("\n").replaceAll(/import .*/g, "")}`),
  });
}
