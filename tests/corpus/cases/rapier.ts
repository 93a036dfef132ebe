/** @dimforge/rapier2d-simd-compat: a physics engine in Rust with SIMD, bound by wasm-bindgen. */
import rapier from "@dimforge/rapier2d-simd-compat";

export async function run(): Promise<unknown> {
  await rapier.init();
  const world = new rapier.World({ x: 0, y: -9.81 });
  world.createCollider(rapier.ColliderDesc.cuboid(50, 0.1));
  const bodies = Array.from({ length: 30 }, (_, index) => {
    const body = world.createRigidBody(
      rapier.RigidBodyDesc.dynamic().setTranslation(Math.sin(index) * 2, 1 + index).setRotation(index / 10),
    );
    const shape = index % 2 === 0 ? rapier.ColliderDesc.ball(0.4) : rapier.ColliderDesc.cuboid(0.3, 0.5);
    world.createCollider(shape.setRestitution(0.3), body);
    return body;
  });
  const first = bodies[0];
  const last = bodies.at(-1);
  if (first !== undefined && last !== undefined) {
    world.createImpulseJoint(rapier.JointData.rope(4, { x: 0, y: 0 }, { x: 0, y: 0 }), first, last, true);
  }
  for (let step = 0; step < 300; step++) world.step();
  return {
    bodies: bodies.map((body) => ({
      ...body.translation(),
      angle: body.rotation(),
      asleep: body.isSleeping(),
    })),
    snapshot: world.takeSnapshot(),
  };
}
