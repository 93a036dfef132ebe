/* bench_trees: full binary trees of depth 12 made by malloc, walked and freed by recursion, n times.
 * run(n) returns a checksum of the nodes.
 */
#include <stdint.h>
#include <stdlib.h>

typedef struct Tree {
  struct Tree *left, *right;
  uint32_t value;
} Tree;

static Tree *grow(int depth, uint32_t value) {
  Tree *tree = malloc(sizeof *tree);
  if (tree == NULL) __builtin_trap();
  tree->value = value;
  tree->left = depth > 0 ? grow(depth - 1, value * 2) : NULL;
  tree->right = depth > 0 ? grow(depth - 1, value * 2 + 1) : NULL;
  return tree;
}

static uint32_t walk(const Tree *tree) {
  if (tree == NULL) return 1;
  return walk(tree->left) * 31 + walk(tree->right) + tree->value;
}

static void fell(Tree *tree) {
  if (tree == NULL) return;
  fell(tree->left);
  fell(tree->right);
  free(tree);
}

__attribute__((export_name("run"))) uint32_t run(uint32_t rounds) {
  uint32_t sum = 0;
  for (uint32_t round = 0; round < rounds; round++) {
    Tree *tree = grow(12, round);
    sum ^= walk(tree);
    fell(tree);
  }
  return sum;
}
