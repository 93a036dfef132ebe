/** yoga-layout: layout in C++, compiled by emscripten and bound by embind. */
import yoga, { Align, Direction, Edge, FlexDirection, Justify, Wrap } from "yoga-layout";

export function run(): Promise<unknown> {
  const root = yoga.Node.create();
  root.setWidth(640);
  root.setFlexDirection(FlexDirection.Row);
  root.setFlexWrap(Wrap.Wrap);
  root.setJustifyContent(Justify.SpaceBetween);
  root.setAlignItems(Align.Center);
  const children = Array.from({ length: 60 }, (_, index) => {
    const child = yoga.Node.create();
    child.setMargin(Edge.All, index % 5);
    child.setHeight(10 + index % 17);
    if (index % 3 === 0) child.setFlexGrow(1);
    else child.setWidth(`${5 + index % 20}%`);
    if (index % 4 === 0) child.setMeasureFunc((width) => ({ width: Math.min(width, 50), height: 20 }));
    root.insertChild(child, index);
    return child;
  });
  root.calculateLayout(undefined, undefined, Direction.LTR);
  const layout = children.map((child) => child.getComputedLayout());
  root.freeRecursive();
  return Promise.resolve(layout);
}
