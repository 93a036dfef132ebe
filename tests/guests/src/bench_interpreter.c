/* bench_interpreter: a register machine whose loop is one switch (br_table); its program sums the greatest common
 * divisors of all pairs of numbers below a limit, by division. run(n) runs it n times and returns a checksum of steps and sums.
 */
#include <stdint.h>

typedef enum { SET, MOVE, ADD, ADD_CONSTANT, REMAINDER, JUMP, JUMP_IF_ZERO, JUMP_IF_LESS, HALT } Operation;

typedef struct {
  uint8_t operation, target, first, second;
  int32_t constant; /* also where a jump goes */
} Instruction;

enum { LIMIT, FIRST, SECOND, A, B, REST, SUM, REGISTERS };

static const Instruction PROGRAM[] = {
    [0] = {SET, SUM, 0, 0, 0},
    [1] = {SET, FIRST, 0, 0, 1},
    /* the next first number */
    [2] = {SET, SECOND, 0, 0, 1},
    /* the next pair */
    [3] = {MOVE, A, FIRST, 0, 0},
    [4] = {MOVE, B, SECOND, 0, 0},
    /* the next remainder */
    [5] = {JUMP_IF_ZERO, 0, B, 0, 10},
    [6] = {REMAINDER, REST, A, B, 0},
    [7] = {MOVE, A, B, 0, 0},
    [8] = {MOVE, B, REST, 0, 0},
    [9] = {JUMP, 0, 0, 0, 5},
    /* the divisor */
    [10] = {ADD, SUM, SUM, A, 0},
    [11] = {ADD_CONSTANT, SECOND, SECOND, 0, 1},
    [12] = {JUMP_IF_LESS, 0, SECOND, LIMIT, 3},
    [13] = {ADD_CONSTANT, FIRST, FIRST, 0, 1},
    [14] = {JUMP_IF_LESS, 0, FIRST, LIMIT, 2},
    [15] = {HALT, 0, 0, 0, 0},
};

/* Runs the program until it halts; the number of steps. */
static uint32_t interpret(const Instruction *program, uint32_t *registers) {
  uint32_t steps = 0;
  for (const Instruction *at = program;; steps++) {
    uint32_t *target = &registers[at->target];
    uint32_t first = registers[at->first], second = registers[at->second];
    switch ((Operation)at->operation) {
      case SET: *target = (uint32_t)at->constant; break;
      case MOVE: *target = first; break;
      case ADD: *target = first + second; break;
      case ADD_CONSTANT: *target = first + (uint32_t)at->constant; break;
      case REMAINDER: *target = first % second; break;
      case JUMP: at = program + at->constant; continue;
      case JUMP_IF_ZERO:
        if (first != 0) break;
        at = program + at->constant;
        continue;
      case JUMP_IF_LESS:
        if (first >= second) break;
        at = program + at->constant;
        continue;
      case HALT: return steps;
    }
    at++;
  }
}

__attribute__((export_name("run"))) uint32_t run(uint32_t rounds) {
  uint32_t sum = 0;
  for (uint32_t round = 0; round < rounds; round++) {
    uint32_t registers[REGISTERS] = {0};
    registers[LIMIT] = 100;
    sum = sum * 31 + interpret(PROGRAM, registers);
    sum += registers[SUM];
  }
  return sum;
}
