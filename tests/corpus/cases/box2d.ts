/** box2d-wasm: a physics engine in C++, compiled by emscripten with SIMD, driven through its WebIDL binding. */
import box2dModule from "box2d-wasm/dist/umd/Box2D.simd.js";

// Its types describe an ES module, its code is CommonJS.
const initBox2d = box2dModule as unknown as typeof box2dModule.default;

export async function run(): Promise<unknown> {
  const wasm = await Deno.readFile(new URL(import.meta.resolve("box2d-wasm/dist/umd/Box2D.simd.wasm")));
  const { b2World, b2Vec2, b2BodyDef, b2PolygonShape, b2CircleShape, b2_dynamicBody } = await initBox2d({
    wasmBinary: wasm.buffer,
  });
  const world = new b2World(new b2Vec2(0, -10));
  const ground = world.CreateBody(new b2BodyDef());
  const floor = new b2PolygonShape();
  floor.SetAsBox(50, 1);
  ground.CreateFixture(floor, 0);
  const bodies = Array.from({ length: 20 }, (_, index) => {
    const definition = new b2BodyDef();
    definition.set_type(b2_dynamicBody);
    definition.set_position(new b2Vec2(Math.sin(index) * 3, 4 + index));
    const body = world.CreateBody(definition);
    const circle = new b2CircleShape();
    circle.set_m_radius(0.3 + index / 40);
    const box = new b2PolygonShape();
    box.SetAsBox(0.4, 0.5);
    body.CreateFixture(index % 2 === 0 ? circle : box, 1);
    return body;
  });
  for (let step = 0; step < 240; step++) world.Step(1 / 60, 8, 3);
  return bodies.map((body) => {
    const at = body.GetPosition();
    return [at.get_x(), at.get_y(), body.GetAngle()];
  });
}
