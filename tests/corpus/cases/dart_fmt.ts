/** @wasm-fmt/dart_fmt: the formatter of Dart, compiled by dart2wasm: garbage-collected types, exceptions, js-string. */
import { format } from "@wasm-fmt/dart_fmt";

const SOURCE = `
import 'dart:math' as math;
sealed class Shape { double get area; }
class Circle extends Shape{Circle(this.radius);final double radius;@override double get area=>math.pi*radius*radius;}
class Square extends Shape { final double side; Square(this.side); @override double get area=>side*side; }
String describe(Shape shape)=>switch(shape){Circle(radius:var r) when r>10=>'big circle', Circle()=>'circle', Square(:var side)=>'square of $side', _=>'unknown'};
Future<void> main(List<String> arguments) async { final shapes=<Shape>[Circle(1),Square(2),for(var i=0;i<10;i++) Circle(i.toDouble())];
for(final shape in shapes.where((s)=>s.area>1.5).toList()..sort((a,b)=>a.area.compareTo(b.area))){ print(describe(shape)); }
  await Future.delayed(Duration(milliseconds:1)).then((_)=>print('done, with a rather long line that has to be broken by the formatter somewhere')); }
`;

export function run(): Promise<unknown> {
  const long = Array.from({ length: 60 }, (_, index) => SOURCE.replaceAll("Shape", `Shape${index}`)).join(
    "\n",
  );
  return Promise.resolve({
    formatted: format(SOURCE, "main.dart"),
    narrow: format(SOURCE, "main.dart", { line_width: 40, line_ending: "crlf" }),
    long: format(long.replaceAll(/import .*;/g, ""), "long.dart"),
    refused: refusal(() => format("class {", "broken.dart")),
  });
}

function refusal(body: () => unknown): string {
  try {
    return `accepted: ${body()}`;
  } catch (error) {
    return String(error);
  }
}
