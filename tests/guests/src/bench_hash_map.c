/* bench_hash_map: 8,192 keys put into an open-addressing map that grows from 16 slots, looked up, a third removed;
 * n times. run(n) returns a checksum of what the lookups found.
 */
#include <stdint.h>
#include <stdlib.h>

#define KEYS 8192u

typedef struct {
  uint32_t key, value; /* key 0: free; value REMOVED: a grave */
} Slot;

typedef struct {
  Slot *slots;
  uint32_t capacity, used;
} Map;

#define REMOVED UINT32_MAX

static uint32_t hash(uint32_t key) {
  key = (key ^ key >> 16) * 0x45d9f3bu;
  key = (key ^ key >> 16) * 0x45d9f3bu;
  return key ^ key >> 16;
}

/* The slot of a key, or the free slot where it would go. */
static Slot *find(const Map *map, uint32_t key) {
  for (uint32_t at = hash(key);; at++) {
    Slot *slot = &map->slots[at & (map->capacity - 1)];
    if (slot->key == key || slot->key == 0) return slot;
  }
}

static void grow(Map *map) {
  Map larger = {calloc(map->capacity * 2, sizeof(Slot)), map->capacity * 2, 0};
  if (larger.slots == NULL) __builtin_trap();
  for (uint32_t at = 0; at < map->capacity; at++) {
    Slot slot = map->slots[at];
    if (slot.key == 0 || slot.value == REMOVED) continue;
    *find(&larger, slot.key) = slot;
    larger.used++;
  }
  free(map->slots);
  *map = larger;
}

static void put(Map *map, uint32_t key, uint32_t value) {
  if (map->used * 4 >= map->capacity * 3) grow(map);
  Slot *slot = find(map, key);
  if (slot->key == 0) map->used++;
  *slot = (Slot){key, value};
}

static uint32_t exercise(uint32_t seed) {
  Map map = {calloc(16, sizeof(Slot)), 16, 0};
  if (map.slots == NULL) __builtin_trap();
  for (uint32_t at = 0; at < KEYS; at++) put(&map, (at + seed) * 2654435761u | 1, at);
  for (uint32_t at = 0; at < KEYS; at += 3) find(&map, (at + seed) * 2654435761u | 1)->value = REMOVED;
  uint32_t sum = 0;
  for (uint32_t at = 0; at < KEYS * 2; at++) {
    const Slot *slot = find(&map, (at + seed) * 2654435761u | 1);
    if (slot->key != 0 && slot->value != REMOVED) sum = sum * 31 + slot->value;
  }
  free(map.slots);
  return sum;
}

__attribute__((export_name("run"))) uint32_t run(uint32_t rounds) {
  uint32_t sum = 0;
  for (uint32_t round = 0; round < rounds; round++) sum ^= exercise(round);
  return sum;
}
