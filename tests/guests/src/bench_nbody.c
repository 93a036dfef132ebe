/* bench_nbody: five bodies under gravity in double precision, n thousand steps of the symplectic Euler method.
 * run(n) returns the bits of the total energy, folded.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#define BODIES 5

typedef struct {
  double x, y, z, vx, vy, vz, mass;
} Body;

static const Body START[BODIES] = {
    {0, 0, 0, 0, 0, 0, 40},
    {5, 1, 0, 0, 2.8, 0.1, 0.04},
    {-9, 2, 1, -0.2, -2.1, 0, 0.01},
    {12, -8, -1, 1.0, 1.3, -0.1, 0.002},
    {-15, -20, 2, 1.0, -0.8, 0.05, 0.002},
};
static Body bodies[BODIES];

static void step(double dt) {
  for (int i = 0; i < BODIES; i++) {
    Body *a = &bodies[i];
    for (int j = i + 1; j < BODIES; j++) {
      Body *b = &bodies[j];
      double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
      double square = dx * dx + dy * dy + dz * dz + 0.01;
      double pull = dt / (square * sqrt(square));
      a->vx -= dx * b->mass * pull, a->vy -= dy * b->mass * pull, a->vz -= dz * b->mass * pull;
      b->vx += dx * a->mass * pull, b->vy += dy * a->mass * pull, b->vz += dz * a->mass * pull;
    }
  }
  for (int i = 0; i < BODIES; i++) {
    Body *body = &bodies[i];
    body->x += dt * body->vx, body->y += dt * body->vy, body->z += dt * body->vz;
  }
}

static double energy(void) {
  double sum = 0;
  for (int i = 0; i < BODIES; i++) {
    const Body *a = &bodies[i];
    sum += a->mass * (a->vx * a->vx + a->vy * a->vy + a->vz * a->vz) / 2;
    for (int j = i + 1; j < BODIES; j++) {
      const Body *b = &bodies[j];
      double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
      sum -= a->mass * b->mass / sqrt(dx * dx + dy * dy + dz * dz);
    }
  }
  return sum;
}

__attribute__((export_name("run"))) uint32_t run(uint32_t thousands) {
  memcpy(bodies, START, sizeof bodies);
  for (uint32_t at = 0; at < thousands * 1000; at++) step(0.001);
  double total = energy();
  uint64_t bits;
  memcpy(&bits, &total, sizeof bits);
  return (uint32_t)(bits ^ bits >> 32);
}
