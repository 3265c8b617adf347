/* Protected calls: the boundary between the embedder's C and compiled code. */
#include "stop.h"

/* What a protected call runs: code through an entry trampoline, or init code, which takes its instance and a portion of fuel. */
typedef struct work {
    const void *code;
    void *context;
    wa_entry entry;
    uint64_t *slots;
} work;

/* Apart from wa_call so that no variable of the frame that sigsetjmp returns to twice lives in a register. */
static __attribute__((noinline)) uint64_t run(const work *what)
{
    if (what->entry != NULL)
        return what->entry(what->code, what->context, what->slots);
    return ((uint64_t (*)(void *, uint64_t))(uintptr_t)what->code)(what->context, 0);
}

/* An exception that nobody caught is the outcome, unless something else ended the call while it was on its way. */
static WA_COLD void take_exception(wa_activation *activation, wa_store *store)
{
    if (activation->outcome == WA_RETURNED || activation->outcome == WA_THREW) {
        activation->outcome = WA_THREW;
        activation->info->exception = store->pending;
        atomic_fetch_add(&store->exception_pins, 1);
    }
    store->pending = NULL;
}

/* Where calls are in progress farther out, or on other stacks, or something was noted. */
static WA_COLD void begin_slowly(wa_activation *activation)
{
    if (activation->previous != NULL || wa_this_thread.notes.parked)
        wa_stack_begin(activation);
    wa_leave_if_interrupted();
}

/* Another thread was inside before this one, or a stop came while none was in wasm: the trap that it is, 0: none. While there is
 * one, each call looks. */
static WA_COLD uint32_t look_around(wa_store *store)
{
    wa_store_fit_stack_limit(store);
    uint32_t code = wa_take_stop_of(store);
    if (atomic_load(&store->stop) != 0)
        atomic_store(&store->known_limit, 0);
    return code;
}

static int call_protected(wa_store *store, const work *what, wa_call_info *info)
{
    wa_activation activation;
    wa_thread_prepare();
    info->trap_code = 0;
    info->frame_count = 0;
    if ((uintptr_t)__builtin_frame_address(0) < wa_this_thread.stack_limit) {
        info->trap_code = WA_TRAP_STACK_EXHAUSTED;
        return WA_TRAPPED;
    }
    store = wa_root(store);
    if (atomic_load_explicit(&store->known_limit, memory_order_relaxed) != wa_this_thread.stack_limit &&
        (info->trap_code = look_around(store)) != 0)
        return WA_TRAPPED;
    activation.previous = wa_this_thread.current;
    activation.store = store;
    activation.info = info;
    activation.outcome = WA_RETURNED;
    activation.deadly_signals = 0;
    activation.is_linked = false;
    store->active++;
    /* The signal mask is not saved (it costs a system call); the handler runs without blocking anything. */
    if (sigsetjmp(activation.landing, 0) == 0) {
        wa_this_thread.current = &activation;
        if (__builtin_expect(((uintptr_t)activation.previous | wa_this_thread.notes.any) != 0, 0))
            begin_slowly(&activation);
        uint64_t portion = run(what);
        if (activation.store->is_metered)
            wa_fuel_return(activation.store, portion);
    } else {
        wa_fuel_return(activation.store, 0);
    }
    wa_this_thread.current = activation.previous;
    store = wa_root(activation.store);
    store->active--;
    if (__builtin_expect(activation.is_linked, 0))
        wa_stack_end(&activation);
    if (__builtin_expect(store->pending != NULL, 0))
        take_exception(&activation, store);
    return activation.outcome;
}

int wa_call(wa_store *store, const wa_function *function, wa_entry entry, uint64_t *slots, wa_call_info *info)
{
    work what = {function->code, function->context, entry, slots};
    return call_protected(store, &what, info);
}

int wa_call_init(wa_store *store, wa_instance *instance, wa_call_info *info)
{
    const wa_artifact *artifact = instance->head.artifact;
    const uint8_t *init = wa_code(artifact, artifact->contract->init_text_offset);
    if (init == NULL) {
        info->trap_code = 0;
        info->frame_count = 0;
        return WA_RETURNED;
    }
    work what = {init, instance, NULL, NULL};
    return call_protected(store, &what, info);
}

void wa_call_across(const wa_instance *caller, const wa_function *function, wa_entry entry, uint64_t *slots)
{
    const wa_activation *outer = wa_this_thread.current;
    wa_activation activation;
    work what = {function->code, function->context, entry, slots};
    activation.previous = wa_this_thread.current;
    activation.store = outer->store;
    activation.info = outer->info;
    activation.outcome = WA_RETURNED;
    activation.deadly_signals = outer->deadly_signals;
    activation.is_linked = false;
    if (sigsetjmp(activation.landing, 0) == 0) {
        wa_this_thread.current = &activation;
        uint64_t portion = run(&what);
        if (activation.store->is_metered)
            wa_fuel_return(activation.store, portion);
    }
    wa_this_thread.current = activation.previous;
    if (wa_root(activation.store)->pending != NULL && activation.outcome == WA_RETURNED)
        activation.outcome = WA_THREW;
    if (activation.outcome == WA_RETURNED || (activation.outcome == WA_THREW && wa_checks_exceptions(caller->head.artifact)))
        return;
    wa_leap(activation.outcome);
}

bool wa_call_is_across(void)
{
    const wa_activation *activation = wa_this_thread.current;
    return activation->previous != NULL && activation->previous->info == activation->info;
}

void *wa_current_user(void)
{
    return wa_this_thread.current != NULL ? wa_this_thread.current->info->user : NULL;
}
