/* Stacks that one thread switches between, without Python: ``stacks ARTIFACT shared|own SCHEDULE ...``.
 *
 * A schedule is the order in which stacks go on, as digits. When a stack goes on for the first time, it calls the guest, whose
 * host function gives the thread away; the second time it comes back to the guest. While a stack waits, its memory is
 * overwritten, and put back when it goes on: as greenlets do it, which share one range. Prints what became of each call.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "wasmartifact.h"

enum { STACKS = 4, STACK_BYTES = 256 * 1024 };

typedef struct stack {
    ucontext_t context;
    char *memory, *copy;
    wa_store *store;
    wa_instance *instance;
    bool has_begun;
    char outcome[64];
} stack;

static stack stacks[STACKS];
static stack *running;
static ucontext_t scheduler;
static wa_artifact *artifact;

static void fail(const char *what, const wa_error *error)
{
    fprintf(stderr, "%s: error %u %s\n", what, error == NULL ? 0 : error->code, error == NULL ? "" : error->text);
    exit(1);
}

static bool runs_here(void *user, const void *mark)
{
    (void)user;
    return mark == running;
}

/* The host function. */
static void give_away(wa_function *record, uint64_t *slots)
{
    (void)record;
    (void)slots;
    stack *mine = running;
    wa_embedder_begins(mine);
    swapcontext(&mine->context, &scheduler);
    if (wa_embedder_ends(mine) == WA_INTERLEAVED)
        wa_trap(WA_TRAP_CALLS_INTERLEAVED);
}

static void work(void)
{
    stack *mine = running;
    wa_call_info info = {.user = mine, .is_away = true};
    wa_error error;
    wa_extern found;
    uint64_t slots[2] = {5, 0};
    if (wa_instance_export(mine->instance, wa_artifact_find_export(artifact, "go", 2), &found, &error) < 0)
        fail("export", &error);
    int outcome = wa_call(mine->store, found.object, wa_function_entry(found.object), slots, &info);
    if (outcome == WA_RETURNED)
        snprintf(mine->outcome, sizeof mine->outcome, "returned %d", (int)slots[0]);
    else
        snprintf(mine->outcome, sizeof mine->outcome, "ended %d, code %u, %u frames", outcome, info.trap_code, info.frame_count);
    swapcontext(&mine->context, &scheduler);
}

static void go_on(stack *next)
{
    if (next->has_begun) {
        memcpy(next->memory, next->copy, STACK_BYTES);
    } else {
        next->has_begun = true;
        getcontext(&next->context);
        next->context.uc_stack.ss_sp = next->memory;
        next->context.uc_stack.ss_size = STACK_BYTES;
        makecontext(&next->context, work, 0);
    }
    running = next;
    swapcontext(&scheduler, &next->context);
    running = NULL;
    memcpy(next->copy, next->memory, STACK_BYTES);
    memset(next->memory, 0xa5, STACK_BYTES);
}

static wa_instance *make_instance(wa_store *store, const wa_extern *import)
{
    wa_error error;
    wa_instance *instance = wa_store_try_enter(store) ? wa_instantiate(store, artifact, import, 1, &error) : NULL;
    if (instance == NULL)
        fail("instantiate", &error);
    return instance;
}

static void run(const char *schedule, bool is_shared, const wa_extern *import)
{
    for (int i = 0; i < STACKS; i++) {
        stacks[i].has_begun = false;
        stacks[i].outcome[0] = 0;
        stacks[i].store = is_shared && i > 0 ? stacks[0].store : wa_store_new();
        stacks[i].instance = is_shared && i > 0 ? stacks[0].instance : make_instance(stacks[i].store, import);
    }
    for (const char *step = schedule; *step != 0; step++)
        go_on(&stacks[*step - '0']);
    printf("%s", schedule);
    for (int i = 0; i < STACKS; i++) {
        if (stacks[i].has_begun)
            printf("; %d %s", i, stacks[i].outcome);
        if (wa_store_is_active(stacks[i].store))
            fail("a call is left", NULL);
    }
    printf("\n");
    for (int i = 0; i < (is_shared ? 1 : STACKS); i++) {
        wa_store_leave(stacks[i].store);
        wa_store_release(stacks[i].store);
    }
}

int main(int argc, char **argv)
{
    /* Parts of this thread's own stack: the runtime knows where that ends. */
    _Alignas(64) char memory[STACKS][STACK_BYTES];
    wa_error error;
    int fd = argc > 3 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    artifact = fd < 0 ? NULL : wa_artifact_open(fd, &error);
    if (artifact == NULL)
        fail("open", fd < 0 ? NULL : &error);
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL || wa_artifact_bind(artifact, library, dlsym(library, WA_ANCHOR_SYMBOL), &error) < 0)
        fail("bind", library == NULL ? NULL : &error);
    wa_signature type = wa_type_signature(artifact, wa_function_type(artifact, 0));
    wa_host *host = wa_host_new(give_away, type.digest, NULL, NULL);
    wa_extern import = {.kind = WA_KIND_FUNC, .object = wa_host_function(host)};
    wa_stacks_tell_apart(runs_here);
    for (int i = 0; i < STACKS; i++) {
        stacks[i].memory = memory[i];
        stacks[i].copy = malloc(STACK_BYTES);
    }
    for (int i = 3; i < argc; i++)
        run(argv[i], strcmp(argv[2], "shared") == 0, &import);
    for (int i = 0; i < STACKS; i++)
        free(stacks[i].copy);
    wa_host_release(host);
    wa_artifact_release(artifact);
    return 0;
}
