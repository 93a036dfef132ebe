/*
 * A driver library without a device: the functions of libcuda that gpu/cuda/symbols.ts names.
 *
 * It checks what it is given (handles and their kinds, the current context, sizes, layouts), keeps real memory of
 * the host for device memory, copies and fills for real, counts and records calls, and fails, is slow or hangs as
 * it is told. Time on a stream is a moment at which it will be done. It knows a few kernels of the contract by
 * name; any other runs as nothing. It tests marshalling, ownership and error paths, never numbers.
 *
 * Where the driver's behaviour is left open it takes the one that shows mistakes: what is copied from the device
 * arrives when the host has been told that the copy is done, and not before; what is copied to it must not change
 * until then; memory may be used only by work that comes after its zeroing, and given back only after its uses
 * (each stream knows what it comes after); what waits for all that runs must not be called while something does.
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
  size_t params_size; /* of a function */
  int number;      /* of a stream */
  uint32_t *after; /* of a stream or event: how much of each stream's work it comes after; of a buffer: its uses */
  int zeroed_on;   /* of a buffer: the stream and the place on it where it was made zero */
  uint32_t zeroed_at;
  char name[128];
} Object;

#define NEVER INT64_MAX
#define STREAMS_MAX 512

/* A copy of which the host does not know that it is done. */
typedef struct Copy {
  Object *stream;
  uint32_t at;
  char *host, *bytes; /* bytes: what was there, or what will arrive */
  size_t size;
  int is_down;
  struct Copy *next;
} Copy;
#define NAME_BYTES 48
#define CALLS_MAX 65536

static Object *objects;
static Copy *copies;
static int stream_count;
static uint32_t known[STREAMS_MAX]; /* how much of each stream's work the host knows to be done */
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
       REPORT, NEEDS_COMPILER, POISONS_PROCESS,
       LOCAL_BYTES, OPTIONS };
static const char *const OPTION_NAMES[OPTIONS] = { "kernelDelayUs", "hasPools", "readsHost", "deviceCount", "initStatus",
                                                   "copyDelayUs", "lockedBytesMax", "jitDelayUs", "report", "needsCompiler", "poisonsProcess",
                                                   "localBytes" };
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

static void merge(uint32_t *into, const uint32_t *from) {
  for (int at = 0; at < stream_count && at < STREAMS_MAX; at++) if (from[at] > into[at]) into[at] = from[at];
}

/* Sources of copies that may still be read, by both of their ends: every call looks at all of them. */
static void check_sources(const char *call) {
  for (Copy *each = copies; each; each = each->next) {
    size_t size = each->size < 4096 ? each->size : 4096, rest = each->size - size;
    if (each->is_down) continue;
    if (!memcmp(each->host, each->bytes, size) && !memcmp(each->host + rest, each->bytes + rest, size)) continue;
    problem(0, call, "the source of a copy changed before the copy was known to be done");
    memcpy(each->bytes, each->host, each->size);
  }
}

/* The host was told that work is done: what it copied is there. */
static void learn(const uint32_t *after) {
  merge(known, after);
  for (Copy **each = &copies; *each;) {
    Copy *copy = *each;
    if (known[copy->stream->number] < copy->at) { each = &copy->next; continue; }
    if (copy->is_down) memcpy(copy->host, copy->bytes, copy->size);
    *each = copy->next;
    free(copy->bytes);
    free(copy);
  }
}

static int is_sticky(int status) {
  return (status >= 700 && status < 800 && status != 701 && status != 703 && status != 704 && status != 705 &&
          status != 708 && status != 711 && status != 712 && status != 713 && status != 720) || status == 214 ||
         status == 220 || status == 226 || status == 911 || status == 999;
}

/* An error after which a context answers every call with the same; with poisonsProcess all of the process do. */
static int process_sticky;
static void poison(int status) {
  if (current) current->sticky = status;
  if (options[POISONS_PROCESS]) process_sticky = status;
}

static CUresult begin(const char *name, int needs_context) {
  check_sources(name);
  if (call_count < CALLS_MAX) snprintf(calls[call_count], NAME_BYTES, "%s", name);
  call_count++;
  if (fail_at > 0 && --fail_at == 0) {
    if (is_sticky(fail_status)) poison(fail_status);
    return fail_status;
  }
  if (needs_context) {
    if (!current || !current->live) return problem(INVALID_CONTEXT, name, "no context is current");
    if (current->sticky) return current->sticky;
    if (process_sticky) return process_sticky;
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
  if (kind == STREAM || kind == EVENT || kind == BUFFER) object->after = calloc(STREAMS_MAX, sizeof *object->after);
  if (kind == STREAM) {
    if (stream_count == STREAMS_MAX) abort();
    object->number = stream_count++;
  }
  object->zeroed_on = -1;
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

/* Whether something runs in the current context. */
static int is_busy(void) {
  int64_t now = now_ns();
  for (Object *each = objects; each; each = each->next) {
    if (each->kind == STREAM && each->context == current && each->done_at > now) return 1;
  }
  return 0;
}
#define QUIET() if (is_busy()) problem(0, __func__, "would wait for everything that runs in the context")

static void work(Object *stream, int64_t duration_us) {
  merge(stream->after, known);
  stream->after[stream->number]++;
  int64_t from = now_ns();
  if (stream->done_at > from) from = stream->done_at;
  stream->done_at = duration_us < 0 || from == NEVER ? NEVER : from + duration_us * 1000;
}

/* The last work of a stream uses a buffer. */
static void use(Object *buffer, Object *stream, const char *call) {
  if (!buffer || buffer->module) return;
  if (buffer->zeroed_on >= 0 && stream->after[buffer->zeroed_on] < buffer->zeroed_at) {
    problem(0, call, "memory is used by work that does not come after its zeroing");
  }
  if (stream->after[stream->number] > buffer->after[stream->number]) {
    buffer->after[stream->number] = stream->after[stream->number];
  }
}

static void copying(Object *stream, const void *host, const void *bytes, size_t size, int is_down) {
  Copy *copy = calloc(1, sizeof *copy);
  copy->stream = stream;
  copy->at = stream->after[stream->number];
  copy->host = (char *)host;
  copy->bytes = malloc(size);
  copy->size = size;
  copy->is_down = is_down;
  memcpy(copy->bytes, bytes, size);
  copy->next = copies;
  copies = copy;
}

/* Control. */

void fake_reset(void) {
  while (objects) {
    Object *next = objects->next;
    free(objects->memory);
    free(objects->after);
    free(objects);
    objects = next;
  }
  while (copies) {
    Copy *next = copies->next;
    free(copies->bytes);
    free(copies);
    copies = next;
  }
  stream_count = 0;
  memset(known, 0, sizeof known);
  memset(live, 0, sizeof live);
  memcpy(options, DEFAULTS, sizeof options);
  current = primary = NULL;
  process_sticky = primary_users = is_initialised = call_count = problem_count = fail_at = 0;
  problem_text[0] = 0;
}
void fake_fail(int nth, int status) { fail_at = nth; fail_status = status; }
void fake_set(int option, int64_t value) { options[option] = value; }
/* What does not end ends now. */
void fake_release(void) {
  int64_t now = now_ns();
  for (Object *each = objects; each; each = each->next) if (each->done_at == NEVER) each->done_at = now;
}
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
    case 39: *value = 2048; break;
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
  if (process_sticky) return process_sticky;
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

/* Bytes of an entry's parameters, each at the next place that its alignment allows. */
static size_t params_size(const char *entry) {
  size_t size = 0;
  const char *open = entry + strcspn(entry, "({"), *close = open + strcspn(open, ")");
  if (*open != '(') return 0;
  for (const char *at = open; (at = strstr(at, ".param ")) && at < close; at += 7) {
    int alignment = 0, count = 1;
    char type[16] = "", name[100] = "";
    if (sscanf(at, ".param .align %d .%15s %99[A-Za-z0-9_$]", &alignment, type, name) != 3 &&
        sscanf(at, ".param .%15s %99[A-Za-z0-9_$]", type, name) != 2) continue;
    const char *bracket = at + strcspn(at, "[,)");
    if (*bracket == '[') count = atoi(bracket + 1);
    size_t bytes = (size_t)atoi(type + 1) / 8, aligned = alignment ? (size_t)alignment : bytes;
    if (aligned == 0) continue;
    size = (size + aligned - 1) / aligned * aligned + bytes * (size_t)count;
  }
  return size;
}

/* Entries and variables of a text, found by their words. */
static void scan(Object *module, const char *text) {
  for (const char *at = text; (at = strstr(at, ".entry ")); at += 7) {
    Object *function = make(FUNCTION, module->context);
    function->module = module;
    sscanf(at + 7, "%127[A-Za-z0-9_$]", function->name);
    function->params_size = params_size(at);
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
  QUIET();
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
  *value = attribute == 0 ? 1024 : attribute == 3 ? (int)options[LOCAL_BYTES] : 0;
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
  if (address % 4) poison(MISALIGNED_ADDRESS);
  else if (!buffer_at(address, 4)) poison(ILLEGAL_ADDRESS);
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
  if (!strcmp(name, "trap_now")) poison(LAUNCH_FAILED);
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
  CHECK(params == NULL && (extra != NULL) == (object->params_size > 0));
  CHECK(gx && gy && gz && bx && by && bz && bx * by * bz <= 1024);
  CHECK(gx <= 2147483647u && gy <= 65535 && gz <= 65535 && bx <= 1024 && by <= 1024 && bz <= 64);
  CHECK(shared <= 48 * 1024 || shared <= (unsigned)object->dynamic_shared);
  memset(last_params, 0, sizeof last_params);
  last_params_size = object->params_size;
  CHECK(last_params_size <= sizeof last_params);
  if (extra) {
    CHECK((uintptr_t)extra[0] == 1 && extra[1] && (uintptr_t)extra[2] == 2 && extra[3] && extra[4] == NULL);
    CHECK(*(size_t *)extra[3] == object->params_size);
    memcpy(last_params, extra[1], last_params_size);
  }
  unsigned shape[7] = { gx, gy, gz, bx, by, bz, shared };
  memcpy(last_shape, shape, sizeof shape);
  work(on, run(object->name, last_params, (uint64_t)gx * bx));
  for (size_t at = 0; at + 8 <= last_params_size; at += 8) {
    uint64_t word;
    memcpy(&word, last_params + at, 8);
    use(buffer_at((CUdeviceptr)word, 1), on, __func__);
  }
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
static CUresult give_back(CUdeviceptr pointer, Object *stream, const char *call) {
  int is_pooled = stream != NULL;
  Object *object = buffer_at(pointer, 1);
  if (!object || (CUdeviceptr)(uintptr_t)object->memory != pointer || object->module) {
    return problem(INVALID_VALUE, call, "memory that was not allocated");
  }
  if (object->is_pooled != is_pooled) return problem(INVALID_VALUE, call, "memory of the other allocator");
  for (int at = 0; stream && at < stream_count; at++) {
    if (stream->after[at] >= object->after[at]) continue;
    problem(0, call, "memory is given back before work that uses it");
    break;
  }
  end(object);
  return SUCCESS;
}
CUresult cuMemAlloc(CUdeviceptr *pointer, size_t size) { BEGIN(1); return allocate(pointer, size, 0); }
CUresult cuMemFree(CUdeviceptr pointer) { BEGIN(1); return give_back(pointer, NULL, __func__); }
CUresult cuMemAllocAsync(CUdeviceptr *pointer, size_t size, CUstream stream) {
  BEGIN(1);
  HANDLE(on, stream, STREAM);
  CHECK(options[HAS_POOLS]);
  work(on, 0);
  return allocate(pointer, size, 1);
}
CUresult cuMemFreeAsync(CUdeviceptr pointer, CUstream stream) {
  BEGIN(1);
  HANDLE(on, stream, STREAM);
  work(on, 0);
  return give_back(pointer, on, __func__);
}
CUresult cuMemHostAlloc(void **pointer, size_t size, unsigned int flags) {
  BEGIN(1);
  CHECK(size > 0 && flags == 1);
  if (options[LOCKED_BYTES_MAX] && size > (size_t)options[LOCKED_BYTES_MAX]) return OUT_OF_MEMORY;
  Object *object = make(HOST, current);
  object->size = size;
  object->memory = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
  *pointer = object->memory;
  return SUCCESS;
}
CUresult cuMemFreeHost(void *pointer) {
  BEGIN(1);
  QUIET();
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
  QUIET();
  end(object);
  return SUCCESS;
}

/* Whether a part of the host's memory is registered and another part of it is not, or is apart. */
static int is_mixed(const void *host, size_t size) {
  uintptr_t address = (uintptr_t)host;
  Object *range = range_at(address, size);
  return range && (address < range->registered || address + size > range->registered + range->size);
}
CUresult cuMemcpyHtoDAsync(CUdeviceptr target, const void *source, size_t size, CUstream stream) {
  BEGIN(1);
  HANDLE(on, stream, STREAM);
  CHECK(size > 0 && source && buffer_at(target, size) && !is_mixed(source, size));
  /* It would hold the thread up, but for pinned memory. */
  CHECK(on->done_at <= now_ns() || host_at(source, size) || range_at((uintptr_t)source, size));
  memcpy((void *)(uintptr_t)target, source, size);
  work(on, options[COPY_DELAY_US]);
  use(buffer_at(target, size), on, __func__);
  copying(on, source, source, size, 0);
  return SUCCESS;
}
CUresult cuMemcpyDtoHAsync(void *target, CUdeviceptr source, size_t size, CUstream stream) {
  BEGIN(1);
  HANDLE(on, stream, STREAM);
  CHECK(size > 0 && target && buffer_at(source, size) && !is_mixed(target, size));
  CHECK(on->done_at <= now_ns() || host_at(target, size) || range_at((uintptr_t)target, size));
  work(on, options[COPY_DELAY_US]);
  use(buffer_at(source, size), on, __func__);
  copying(on, target, (void *)(uintptr_t)source, size, 1);
  memset(target, 0xa5, size);
  return SUCCESS;
}
CUresult cuMemsetD8Async(CUdeviceptr target, unsigned char value, size_t size, CUstream stream) {
  BEGIN(1);
  HANDLE(on, stream, STREAM);
  Object *buffer = buffer_at(target, size);
  CHECK(value == 0 && size > 0 && buffer);
  memset((void *)(uintptr_t)target, value, size);
  work(on, 0);
  if (buffer->zeroed_on < 0 && !buffer->module) {
    buffer->zeroed_on = on->number;
    buffer->zeroed_at = on->after[on->number];
  }
  use(buffer, on, __func__);
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
  if (object->done_at > now_ns()) return NOT_READY;
  learn(object->after);
  return SUCCESS;
}
/* Only the bench's C program waits like this: it would hold up a cell. */
CUresult cuStreamSynchronize(CUstream stream) {
  BEGIN(1);
  HANDLE(object, stream, STREAM);
  if (object->done_at == NEVER) return problem(INVALID_VALUE, __func__, "would wait for a kernel that does not end");
  while (object->done_at > now_ns()) {}
  learn(object->after);
  return SUCCESS;
}
CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned int flags) {
  BEGIN(1);
  HANDLE(on, stream, STREAM);
  HANDLE(object, event, EVENT);
  CHECK(flags == 0);
  if (object->done_at > on->done_at) on->done_at = object->done_at;
  merge(on->after, object->after);
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
  memcpy(object->after, on->after, STREAMS_MAX * sizeof *on->after);
  return SUCCESS;
}
CUresult cuEventQuery(CUevent event) {
  BEGIN(1);
  HANDLE(object, event, EVENT);
  if (object->done_at > now_ns()) return NOT_READY;
  learn(object->after);
  return SUCCESS;
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
