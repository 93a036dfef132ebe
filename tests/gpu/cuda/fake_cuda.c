/*
 * A driver library without a device: the functions of libcuda that gpu/cuda/symbols.ts names.
 *
 * It checks what it is given (handles and their kinds, the current context, sizes, layouts), keeps real memory of
 * the host for device memory, copies and fills for real, counts and records calls, and fails, is slow or hangs as
 * it is told. Time on a stream is a moment at which it will be done. It knows a few kernels of the contract by
 * name; any other runs as nothing. It tests marshalling, ownership and error paths, never numbers.
 *
 * In another process it is steered by a file beside it, `<library>.control`: lines `<option> <number>`, read as it
 * is loaded. With `report 1` each process that ends of its own accord appends a line to `<library>.report`: what it
 * had open, what was wrong, and where its compiler keeps code. With `needsCompiler 1` the compiler is a library of
 * its own, opened by its name alone, as the real one is: it is found beside the driver only where
 * the loader is told to look.
 *
 * Built by the tests with gcc; with -DUSE_CUDA_H against cuda.h, where a prototype that differs is an error.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef USE_CUDA_H
#include <cuda.h>
#undef cuEventElapsedTime
#else
typedef int CUresult;
typedef int CUdevice;
typedef struct { char bytes[16]; } CUuuid;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUmemPoolHandle_st *CUmemoryPool;
typedef int CUdevice_attribute;
typedef int CUfunction_attribute;
typedef int CUjit_option;
typedef int CUmemPool_attribute;
#define cuDeviceGetUuid cuDeviceGetUuid_v2
#define cuDeviceTotalMem cuDeviceTotalMem_v2
#define cuDevicePrimaryCtxRelease cuDevicePrimaryCtxRelease_v2
#define cuCtxDestroy cuCtxDestroy_v2
#define cuModuleGetGlobal cuModuleGetGlobal_v2
#define cuMemAlloc cuMemAlloc_v2
#define cuMemFree cuMemFree_v2
#define cuMemHostRegister cuMemHostRegister_v2
#define cuMemcpyHtoDAsync cuMemcpyHtoDAsync_v2
#define cuMemcpyDtoHAsync cuMemcpyDtoHAsync_v2
#define cuStreamDestroy cuStreamDestroy_v2
#define cuEventDestroy cuEventDestroy_v2
#endif

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, NO_DEVICE = 100,
       INVALID_DEVICE = 101, INVALID_CONTEXT = 201, INVALID_PTX = 218, COMPILER_NOT_FOUND = 221, INVALID_HANDLE = 400, NOT_FOUND = 500,
       NOT_READY = 600, ILLEGAL_ADDRESS = 700, ALREADY_REGISTERED = 712,
       NOT_REGISTERED = 713, MISALIGNED_ADDRESS = 716, LAUNCH_FAILED = 719 };

/* Objects. None is ever freed before fake_reset, so that a use after its end is seen. */
enum { CONTEXT, STREAM, EVENT, BUFFER, HOST, MODULE, RANGE, FUNCTION, KINDS };
static const char *const KIND_NAMES[KINDS] = { "context", "stream", "event", "buffer", "host", "module", "range",
                                              "function" };

typedef struct Object {
  int kind, live, sticky, recorded, is_pooled, dynamic_shared;
  struct Object *context, *module, *next;
  int64_t done_at; /* of a stream: when its work is done; of an event: when it is */
  uintptr_t registered; /* where a range begins */
  char *memory;    /* of a buffer, a module variable or pinned memory */
  size_t size;
  char name[128];
} Object;

#define NEVER INT64_MAX
#define NAME_BYTES 48
#define CALLS_MAX 65536

static Object *objects;
static __thread Object *current;
static int live[KINDS];
static Object *primary;
static int primary_users, is_initialised;
static char calls[CALLS_MAX][NAME_BYTES];
static int call_count, problem_count, fail_at, fail_status;
static char problem_text[512];
static size_t last_params_size;
static unsigned char last_params[4096];
static unsigned last_shape[7];

/* What fake_set changes. */
enum { KERNEL_DELAY_US, HAS_POOLS, READS_HOST, DEVICE_COUNT, INIT_STATUS, COPY_DELAY_US, LOCKED_BYTES_MAX, JIT_DELAY_US,
       REPORT, NEEDS_COMPILER, OPTIONS };
static const char *const OPTION_NAMES[OPTIONS] = { "kernelDelayUs", "hasPools", "readsHost", "deviceCount", "initStatus",
                                                   "copyDelayUs", "lockedBytesMax", "jitDelayUs", "report", "needsCompiler" };
static const int64_t DEFAULTS[OPTIONS] = { 0, 1, 0, 1 };
static int64_t options[OPTIONS] = { 0, 1, 0, 1 };

/* CUDA_VISIBLE_DEVICES, a list of numbers, as the real one: which devices there are, and in which order. */
static int visible(int *of) {
  const char *list = getenv("CUDA_VISIBLE_DEVICES");
  int count = 0;
  if (!list) for (; count < options[DEVICE_COUNT] && count < 16; count++) of[count] = count;
  else for (char *end; *list && count < 16; list = *end ? end + 1 : end) {
    int index = (int)strtol(list, &end, 10);
    if (end == list || index < 0 || index >= options[DEVICE_COUNT]) break;
    of[count++] = index;
  }
  return count;
}
static int device_count(void) { int of[16]; return visible(of); }
static int physical(int ordinal) { int of[16]; visible(of); return of[ordinal]; }

static int64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static CUresult problem(CUresult status, const char *call, const char *what) {
  if (problem_count++ == 0) snprintf(problem_text, sizeof problem_text, "%s: %s", call, what);
  return status;
}

static CUresult begin(const char *name, int needs_context) {
  if (call_count < CALLS_MAX) snprintf(calls[call_count], NAME_BYTES, "%s", name);
  call_count++;
  if (fail_at > 0 && --fail_at == 0) {
    if (fail_status >= 700 && fail_status < 800 && current) current->sticky = fail_status;
    return fail_status;
  }
  if (needs_context) {
    if (!current || !current->live) return problem(INVALID_CONTEXT, name, "no context is current");
    if (current->sticky) return current->sticky;
  }
  return SUCCESS;
}
#define BEGIN(needs_context) \
  do { CUresult status_ = begin(__func__, needs_context); if (status_) return status_; } while (0)

static Object *make(int kind, Object *context) {
  Object *object = calloc(1, sizeof *object);
  object->kind = kind;
  object->live = 1;
  object->context = context;
  object->next = objects;
  objects = object;
  live[kind]++;
  return object;
}

static void end(Object *object) {
  object->live = 0;
  live[object->kind]--;
}

static Object *as(const void *pointer, int kind, const char *call) {
  for (Object *each = objects; each; each = each->next) {
    if (each != pointer) continue;
    if (each->kind != kind) { problem(0, call, "a handle of another kind"); return NULL; }
    if (!each->live) { problem(0, call, "a handle that was destroyed"); return NULL; }
    if (kind != CONTEXT && each->context != current) { problem(0, call, "a handle of another context"); return NULL; }
    return each;
  }
  problem(0, call, "a handle that never was one");
  return NULL;
}
#define HANDLE(variable, pointer, kind) \
  Object *variable = as((const void *)(pointer), kind, __func__); \
  if (!variable) return INVALID_HANDLE
#define CHECK(condition) do { if (!(condition)) return problem(INVALID_VALUE, __func__, #condition); } while (0)

static Object *buffer_at(CUdeviceptr address, size_t size) {
  for (Object *each = objects; each; each = each->next) {
    if (each->kind != BUFFER || !each->live || each->context != current) continue;
    CUdeviceptr start = (CUdeviceptr)(uintptr_t)each->memory;
    if (address >= start && size <= each->size && address - start <= each->size - size) return each;
  }
  return NULL;
}

static void work(Object *stream, int64_t duration_us) {
  int64_t from = now_ns();
  if (stream->done_at > from) from = stream->done_at;
  stream->done_at = duration_us < 0 || from == NEVER ? NEVER : from + duration_us * 1000;
}

/* Control. */

void fake_reset(void) {
  while (objects) {
    Object *next = objects->next;
    free(objects->memory);
    free(objects);
    objects = next;
  }
  memset(live, 0, sizeof live);
  memcpy(options, DEFAULTS, sizeof options);
  current = primary = NULL;
  primary_users = is_initialised = call_count = problem_count = fail_at = 0;
  problem_text[0] = 0;
}
void fake_fail(int nth, int status) { fail_at = nth; fail_status = status; }
void fake_set(int option, int64_t value) { options[option] = value; }
int fake_call_count(void) { return call_count; }
int fake_problem_count(void) { return problem_count; }
int fake_live(int kind) { return live[kind]; }
void fake_call_name(int index, char *text, size_t size) { snprintf(text, size, "%s", calls[index]); }
void fake_problem_text(char *text, size_t size) { snprintf(text, size, "%s", problem_text); }
void fake_live_text(char *text, size_t size) {
  text[0] = 0;
  for (int kind = 0; kind < FUNCTION; kind++) {
    if (live[kind]) snprintf(text + strlen(text), size - strlen(text), "%s %d ", KIND_NAMES[kind], live[kind]);
  }
}
size_t fake_last_params(unsigned char *bytes, unsigned *shape) {
  memcpy(bytes, last_params, last_params_size);
  memcpy(shape, last_shape, sizeof last_shape);
  return last_params_size;
}

/* Control of another process. */

static FILE *beside(const char *suffix, const char *mode) {
  Dl_info info;
  char path[1024];
  if (!dladdr((void *)fake_reset, &info)) return NULL;
  snprintf(path, sizeof path, "%s%s", info.dli_fname, suffix);
  return fopen(path, mode);
}
__attribute__((constructor)) static void read_control(void) {
  FILE *file = beside(".control", "r");
  char name[32];
  long long value;
  if (!file) return;
  while (fscanf(file, "%31s %lld", name, &value) == 2) {
    for (int option = 0; option < OPTIONS; option++) if (!strcmp(name, OPTION_NAMES[option])) options[option] = value;
  }
  fclose(file);
}
__attribute__((destructor)) static void write_report(void) {
  char text[256];
  FILE *file = options[REPORT] ? beside(".report", "a") : NULL;
  if (!file) return;
  fake_live_text(text, sizeof text);
  const char *cache = getenv("CUDA_CACHE_PATH"), *off = getenv("CUDA_CACHE_DISABLE");
  fprintf(file, "open: %s; wrong: %s; cache: %s\n", *text ? text : "nothing", *problem_text ? problem_text : "nothing",
          off && !strcmp(off, "1") ? "off" : cache ? cache : "everybody's");
  fclose(file);
}

/* The driver. */

CUresult cuInit(unsigned int flags) {
  BEGIN(0);
  CHECK(flags == 0);
  if (options[INIT_STATUS]) return (CUresult)options[INIT_STATUS];
  is_initialised = 1;
  return SUCCESS;
}
CUresult cuDriverGetVersion(int *version) { BEGIN(0); *version = 13000; return SUCCESS; }
CUresult cuDeviceGetCount(int *count) {
  BEGIN(0);
  if (!is_initialised) return NOT_INITIALIZED;
  *count = device_count();
  return SUCCESS;
}
CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  BEGIN(0);
  CHECK(ordinal >= 0 && ordinal < device_count());
  *device = ordinal + 40; /* no program may take the number for the ordinal */
  return SUCCESS;
}
#define DEVICE(device) CHECK((device) >= 40 && (device) < 40 + device_count())
CUresult cuDeviceGetName(char *name, int length, CUdevice device) {
  BEGIN(0);
  DEVICE(device);
  CHECK(length >= 16);
  snprintf(name, length, "Fake GPU %d", physical(device - 40));
  return SUCCESS;
}
CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device) {
  BEGIN(0);
  DEVICE(device);
  memset(uuid, 0xa0 + physical(device - 40), 16);
  return SUCCESS;
}
CUresult cuDeviceTotalMem(size_t *bytes, CUdevice device) {
  BEGIN(0);
  DEVICE(device);
  *bytes = (size_t)140 << 30;
  return SUCCESS;
}
CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
  BEGIN(0);
  DEVICE(device);
  switch ((int)attribute) {
    case 1: *value = 1024; break;
    case 8: *value = 48 * 1024; break;
    case 10: *value = 32; break;
    case 16: *value = 132; break;
    case 75: *value = 9; break;
    case 76: *value = 0; break;
    case 88: *value = (int)options[READS_HOST]; break;
    case 97: *value = 227 * 1024; break;
    case 115: *value = (int)options[HAS_POOLS]; break;
    default: return problem(INVALID_VALUE, __func__, "an attribute that is not used");
  }
  return SUCCESS;
}
static int pool;
CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool_out, CUdevice device) {
  BEGIN(0);
  DEVICE(device);
  *pool_out = (CUmemoryPool)&pool;
  return SUCCESS;
}
CUresult cuMemPoolSetAttribute(CUmemoryPool which, CUmemPool_attribute attribute, void *value) {
  BEGIN(0);
  CHECK((void *)which == &pool && attribute == 4 && *(uint64_t *)value == 256ull << 20);
  return SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  BEGIN(0);
  DEVICE(device);
  if (!primary) primary = make(CONTEXT, NULL);
  primary_users++;
  *context = (CUcontext)primary;
  return SUCCESS;
}

static void end_children(Object *context, const char *call) {
  for (Object *each = objects; each; each = each->next) {
    if (!each->live || each->context != context) continue;
    if (each->kind == STREAM && each->done_at == NEVER) problem(0, call, "would wait for a kernel that does not end");
    end(each);
  }
  end(context);
  if (current == context) current = NULL;
}
CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
  BEGIN(0);
  DEVICE(device);
  CHECK(primary_users > 0);
  if (--primary_users > 0) return SUCCESS;
  end_children(primary, __func__);
  primary = NULL;
  return SUCCESS;
}
CUresult cuCtxCreate_v2(CUcontext *context, unsigned int flags, CUdevice device) {
  BEGIN(0);
  DEVICE(device);
  CHECK(flags == 0);
  current = make(CONTEXT, NULL);
  *context = (CUcontext)current;
  return SUCCESS;
}
CUresult cuCtxDestroy(CUcontext context) {
  BEGIN(0);
  HANDLE(object, context, CONTEXT);
  end_children(object, __func__);
  return SUCCESS;
}
CUresult cuCtxSetCurrent(CUcontext context) {
  BEGIN(0);
  HANDLE(object, context, CONTEXT);
  current = object;
  return SUCCESS;
}

/* Entries and variables of a text, found by their words. */
static void scan(Object *module, const char *text) {
  for (const char *at = text; (at = strstr(at, ".entry ")); at += 7) {
    Object *function = make(FUNCTION, module->context);
    function->module = module;
    sscanf(at + 7, "%127[A-Za-z0-9_$]", function->name);
  }
  for (const char *at = text; (at = strstr(at, ".global .align ")); at += 15) {
    char type[16] = "", name[100] = "";
    int alignment = 0, count = 1;
    if (sscanf(at, ".global .align %d .%15s %99[A-Za-z0-9_$]", &alignment, type, name) != 3) continue;
    const char *bracket = at + strcspn(at, "[;=");
    if (*bracket == '[') count = atoi(bracket + 1);
    Object *variable = make(BUFFER, module->context);
    variable->module = module;
    variable->size = (size_t)count * (size_t)atoi(type + 1) / 8;
    variable->memory = aligned_alloc(256, (variable->size + 255) / 256 * 256);
    memset(variable->memory, 0, variable->size);
    snprintf(variable->name, sizeof variable->name, "%s", name);
  }
}
CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned int count, CUjit_option *keys, void **values) {
  BEGIN(1);
  CHECK(count == 2 && keys[0] == 5 && keys[1] == 6);
  char *log = values[0];
  size_t room = (size_t)(uintptr_t)values[1];
  CHECK(log && room >= 1024);
  if (options[NEEDS_COMPILER] && !dlopen("libnvidia-ptxjitcompiler.so.1", RTLD_NOW)) return COMPILER_NOT_FOUND;
  if (options[JIT_DELAY_US]) usleep((useconds_t)options[JIT_DELAY_US]);
  const char *bad = strstr(image, "frobnicate");
  if (bad) {
    int line = 1;
    for (const char *at = image; at < bad; at++) line += *at == '\n';
    values[1] = (void *)(uintptr_t)snprintf(log, room, "ptxas application ptx input, line %d; error   : "
      "Not a name of any known instruction: 'frobnicate'\nptxas fatal   : Ptx assembly aborted due to errors\n", line);
    return INVALID_PTX;
  }
  Object *object = make(MODULE, current);
  scan(object, image);
  *module = (CUmodule)object;
  return SUCCESS;
}
CUresult cuModuleUnload(CUmodule module) {
  BEGIN(1);
  HANDLE(object, module, MODULE);
  for (Object *each = objects; each; each = each->next) if (each->live && each->module == object) end(each);
  end(object);
  return SUCCESS;
}
static Object *named(Object *module, int kind, const char *name) {
  for (Object *each = objects; each; each = each->next) {
    if (each->live && each->kind == kind && each->module == module && !strcmp(each->name, name)) return each;
  }
  return NULL;
}
CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  BEGIN(1);
  HANDLE(object, module, MODULE);
  Object *found = named(object, FUNCTION, name);
  if (!found) return NOT_FOUND;
  *function = (CUfunction)found;
  return SUCCESS;
}
CUresult cuModuleGetGlobal(CUdeviceptr *pointer, size_t *bytes, CUmodule module, const char *name) {
  BEGIN(1);
  HANDLE(object, module, MODULE);
  Object *found = named(object, BUFFER, name);
  if (!found) return NOT_FOUND;
  *pointer = (CUdeviceptr)(uintptr_t)found->memory;
  *bytes = found->size;
  return SUCCESS;
}
CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction function) {
  BEGIN(1);
  HANDLE(object, function, FUNCTION);
  CHECK(attribute == 0 || attribute == 1 || attribute == 3);
  *value = attribute == 0 ? 1024 : 0;
  return SUCCESS;
}
CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
  BEGIN(1);
  HANDLE(object, function, FUNCTION);
  CHECK(attribute == 8 && value >= 0 && value <= 227 * 1024);
  object->dynamic_shared = value;
  return SUCCESS;
}

static void touch(uint64_t address, int is_read) {
  if (address % 4) current->sticky = MISALIGNED_ADDRESS;
  else if (!buffer_at(address, 4)) current->sticky = ILLEGAL_ADDRESS;
  else if (!is_read) *(uint32_t *)(uintptr_t)address = 7;
}
static int64_t run(const char *name, const unsigned char *params, uint64_t threads) {
  uint64_t pointer = 0;
  uint32_t value = 0, count = 0;
  memcpy(&pointer, params, 8);
  memcpy(&value, params + 8, 4);
  memcpy(&count, params + 12, 4);
  uint32_t *words = (uint32_t *)(uintptr_t)pointer;
  if (!strcmp(name, "spin")) return -1;
  if (!strcmp(name, "trap_now")) current->sticky = LAUNCH_FAILED;
  else if (!strcmp(name, "read_at")) touch(pointer, 1);
  else if (!strcmp(name, "write_at")) touch(pointer, 0);
  else if (!strcmp(name, "add_one")) for (uint32_t at = 0; at < value && at < threads; at++) words[at]++;
  else if (!strcmp(name, "fill")) for (uint32_t at = 0; at < count && at < threads; at++) words[at] = value;
  return options[KERNEL_DELAY_US];
}
CUresult cuLaunchKernel(CUfunction function, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx,
                        unsigned int by, unsigned int bz, unsigned int shared, CUstream stream, void **params,
                        void **extra) {
  BEGIN(1);
  HANDLE(object, function, FUNCTION);
  HANDLE(on, stream, STREAM);
  CHECK(params == NULL && extra != NULL);
  CHECK((uintptr_t)extra[0] == 1 && extra[1] && (uintptr_t)extra[2] == 2 && extra[3] && extra[4] == NULL);
  CHECK(gx && gy && gz && bx && by && bz && bx * by * bz <= 1024);
  CHECK(shared <= 48 * 1024 || shared <= (unsigned)object->dynamic_shared);
  size_t size = *(size_t *)extra[3];
  CHECK(size <= sizeof last_params);
  last_params_size = size;
  memset(last_params, 0, sizeof last_params);
  memcpy(last_params, extra[1], size);
  unsigned shape[7] = { gx, gy, gz, bx, by, bz, shared };
  memcpy(last_shape, shape, sizeof shape);
  work(on, run(object->name, last_params, (uint64_t)gx * bx));
  return SUCCESS;
}

static CUresult allocate(CUdeviceptr *pointer, size_t size, int is_pooled) {
  if (size == 0) return problem(INVALID_VALUE, "allocate", "no bytes");
  if (size > (size_t)1 << 30) return OUT_OF_MEMORY;
  Object *object = make(BUFFER, current);
  object->size = size;
  object->is_pooled = is_pooled;
  object->memory = aligned_alloc(256, (size + 255) / 256 * 256);
  memset(object->memory, 0xdb, size); /* no zeros that nobody wrote */
  *pointer = (CUdeviceptr)(uintptr_t)object->memory;
  return SUCCESS;
}
static CUresult give_back(CUdeviceptr pointer, int is_pooled, const char *call) {
  Object *object = buffer_at(pointer, 1);
  if (!object || (CUdeviceptr)(uintptr_t)object->memory != pointer || object->module) {
    return problem(INVALID_VALUE, call, "memory that was not allocated");
  }
  if (object->is_pooled != is_pooled) return problem(INVALID_VALUE, call, "memory of the other allocator");
  end(object);
  return SUCCESS;
}
CUresult cuMemAlloc(CUdeviceptr *pointer, size_t size) { BEGIN(1); return allocate(pointer, size, 0); }
CUresult cuMemFree(CUdeviceptr pointer) { BEGIN(1); return give_back(pointer, 0, __func__); }
CUresult cuMemAllocAsync(CUdeviceptr *pointer, size_t size, CUstream stream) {
  BEGIN(1);
  HANDLE(on, stream, STREAM);
  CHECK(options[HAS_POOLS]);
  return allocate(pointer, size, 1);
}
CUresult cuMemFreeAsync(CUdeviceptr pointer, CUstream stream) {
  BEGIN(1);
  HANDLE(on, stream, STREAM);
  return give_back(pointer, 1, __func__);
}
CUresult cuMemHostAlloc(void **pointer, size_t size, unsigned int flags) {
  BEGIN(1);
  CHECK(size > 0 && flags == 1);
  Object *object = make(HOST, current);
  object->size = size;
  object->memory = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
  *pointer = object->memory;
  return SUCCESS;
}
CUresult cuMemFreeHost(void *pointer) {
  BEGIN(1);
  for (Object *each = objects; each; each = each->next) {
    if (each->live && each->kind == HOST && each->memory == pointer) { end(each); return SUCCESS; }
  }
  return problem(INVALID_VALUE, __func__, "memory that was not allocated");
}

static Object *host_at(const void *pointer, size_t size) {
  for (Object *each = objects; each; each = each->next) {
    if (each->kind != HOST || !each->live || each->context != current) continue;
    if ((char *)pointer >= each->memory && (char *)pointer + size <= each->memory + each->size) return each;
  }
  return NULL;
}
static Object *range_at(uintptr_t address, size_t size) {
  for (Object *each = objects; each; each = each->next) {
    if (each->kind != RANGE || !each->live || each->context != current) continue;
    if (address < each->registered + each->size && each->registered < address + size) return each;
  }
  return NULL;
}
CUresult cuMemHostRegister(void *pointer, size_t size, unsigned int flags) {
  BEGIN(1);
  CHECK(pointer && (uintptr_t)pointer % 4096 == 0 && size > 0 && flags == 0);
  if (options[LOCKED_BYTES_MAX] && size > (size_t)options[LOCKED_BYTES_MAX]) return OUT_OF_MEMORY;
  if (range_at((uintptr_t)pointer, size)) return problem(ALREADY_REGISTERED, __func__, "memory that is registered");
  Object *object = make(RANGE, current);
  object->registered = (uintptr_t)pointer;
  object->size = size;
  return SUCCESS;
}
CUresult cuMemHostUnregister(void *pointer) {
  BEGIN(1);
  Object *object = range_at((uintptr_t)pointer, 1);
  if (!object || object->registered != (uintptr_t)pointer) return problem(NOT_REGISTERED, __func__, "no range begins there");
  end(object);
  return SUCCESS;
}

CUresult cuMemcpyHtoDAsync(CUdeviceptr target, const void *source, size_t size, CUstream stream) {
  BEGIN(1);
  HANDLE(on, stream, STREAM);
  CHECK(size > 0 && source && buffer_at(target, size));
  memcpy((void *)(uintptr_t)target, source, size);
  work(on, options[COPY_DELAY_US]);
  return SUCCESS;
}
CUresult cuMemcpyDtoHAsync(void *target, CUdeviceptr source, size_t size, CUstream stream) {
  BEGIN(1);
  HANDLE(on, stream, STREAM);
  CHECK(size > 0 && target && buffer_at(source, size));
  /* It would hold the thread up, but for pinned memory. */
  CHECK(on->done_at <= now_ns() || host_at(target, size));
  memcpy(target, (void *)(uintptr_t)source, size);
  work(on, options[COPY_DELAY_US]);
  return SUCCESS;
}
CUresult cuMemsetD8Async(CUdeviceptr target, unsigned char value, size_t size, CUstream stream) {
  BEGIN(1);
  HANDLE(on, stream, STREAM);
  CHECK(value == 0 && size > 0 && buffer_at(target, size));
  memset((void *)(uintptr_t)target, value, size);
  work(on, 0);
  return SUCCESS;
}

CUresult cuStreamCreate(CUstream *stream, unsigned int flags) {
  BEGIN(1);
  CHECK(flags == 1);
  *stream = (CUstream)make(STREAM, current);
  return SUCCESS;
}
CUresult cuStreamDestroy(CUstream stream) {
  BEGIN(1);
  HANDLE(object, stream, STREAM);
  end(object);
  return SUCCESS;
}
CUresult cuStreamQuery(CUstream stream) {
  BEGIN(1);
  HANDLE(object, stream, STREAM);
  return object->done_at > now_ns() ? NOT_READY : SUCCESS;
}
/* Only the bench's C program waits like this: it would hold up a cell. */
CUresult cuStreamSynchronize(CUstream stream) {
  BEGIN(1);
  HANDLE(object, stream, STREAM);
  if (object->done_at == NEVER) return problem(INVALID_VALUE, __func__, "would wait for a kernel that does not end");
  while (object->done_at > now_ns()) {}
  return SUCCESS;
}
CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned int flags) {
  BEGIN(1);
  HANDLE(on, stream, STREAM);
  HANDLE(object, event, EVENT);
  CHECK(flags == 0);
  if (object->done_at > on->done_at) on->done_at = object->done_at;
  return SUCCESS;
}
CUresult cuEventCreate(CUevent *event, unsigned int flags) {
  BEGIN(1);
  CHECK(flags == 0 || flags == 2);
  Object *object = make(EVENT, current);
  object->size = flags;
  *event = (CUevent)object;
  return SUCCESS;
}
CUresult cuEventDestroy(CUevent event) {
  BEGIN(1);
  HANDLE(object, event, EVENT);
  end(object);
  return SUCCESS;
}
CUresult cuEventRecord(CUevent event, CUstream stream) {
  BEGIN(1);
  HANDLE(object, event, EVENT);
  HANDLE(on, stream, STREAM);
  object->recorded = 1;
  object->done_at = on->done_at > now_ns() ? on->done_at : now_ns();
  return SUCCESS;
}
CUresult cuEventQuery(CUevent event) {
  BEGIN(1);
  HANDLE(object, event, EVENT);
  return object->done_at > now_ns() ? NOT_READY : SUCCESS;
}
CUresult cuEventElapsedTime(float *milliseconds, CUevent start, CUevent stop) {
  BEGIN(1);
  HANDLE(from, start, EVENT);
  HANDLE(to, stop, EVENT);
  CHECK(from->size == 0 && to->size == 0);
  if (!from->recorded || !to->recorded) return INVALID_HANDLE;
  if (from->done_at > now_ns() || to->done_at > now_ns()) return NOT_READY;
  *milliseconds = (float)((double)(to->done_at - from->done_at) / 1e6);
  return SUCCESS;
}
