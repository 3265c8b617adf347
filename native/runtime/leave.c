/* Leaving compiled code from a function that it called: by a jump to the landing of the innermost call.
 *
 * Every frame in between is gone afterwards without running another instruction, so nothing in them may own anything (a lock,
 * memory, a descriptor, the embedder's objects) when one of these is called. */
#include "stop.h"

void wa_leave_by_exception(void)
{
    wa_leap(WA_THREW);
}

void wa_unwind(void)
{
    wa_leap(WA_UNWOUND);
}

static void describe_trap(uint32_t trap_code)
{
    const wa_activation *activation = wa_this_thread.current;
    activation->info->trap_code = trap_code;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    wa_place place = {0, here, here, 0};
    wa_capture_frames(wa_root(activation->store), activation->info, &place);
}

void wa_trap(uint32_t trap_code)
{
    describe_trap(trap_code);
    wa_leap(WA_TRAPPED);
}

bool wa_take_interrupt(void)
{
    bool was_interrupted = wa_this_thread.notes.sigint;
    if (was_interrupted)
        wa_this_thread.notes.sigint = false;
    return was_interrupted;
}

bool wa_interrupt_is_due(void)
{
    if (__builtin_expect(wa_this_thread.notes.any == 0, 1) || !wa_is_away())
        return false;
    if (wa_this_thread.notes.sigint && !wa_interrupt_is_wanted())
        wa_this_thread.notes.sigint = false;
    return wa_this_thread.notes.sigint || wa_has_stop();
}

static WA_COLD void leave_if_due(void)
{
    if (!wa_is_away())
        return;
    if (wa_take_interrupt() && wa_interrupt_is_wanted())
        wa_leap(WA_INTERRUPTED);
    uint32_t trap_code = wa_this_thread.notes.stop ? wa_take_stop() : 0;
    if (trap_code != 0)
        wa_trap(trap_code);
}

void wa_leave_if_interrupted(void)
{
    if (__builtin_expect(wa_this_thread.notes.any, 0))
        leave_if_due();
}

void wa_embedder_begins(const void *mark)
{
    wa_this_thread.mark = mark;
    wa_this_thread.is_outside = true;
}

bool wa_embedder_is_back(void *user)
{
    if (__builtin_expect(!wa_this_thread.notes.parked, 1))
        return true;
    wa_stack_settle(&wa_this_thread.current, user); /* takes no memory: the calls of this stack are there */
    return !wa_stack_is_interleaved();
}

bool wa_embedder_is_stopped(void)
{
    uint32_t trap_code = wa_this_thread.notes.stop ? wa_take_stop() : 0;
    if (trap_code != 0)
        describe_trap(trap_code);
    return trap_code != 0;
}

static WA_COLD int look_back(void *user)
{
    if (!wa_embedder_is_back(user)) {
        describe_trap(WA_TRAP_CALLS_INTERLEAVED);
        return WA_INTERLEAVED;
    }
    if (wa_take_interrupt())
        return WA_SIGINT_CAME;
    wa_this_thread.is_outside = false;
    return WA_GOES_ON;
}

int wa_embedder_ends(void *user)
{
    if (__builtin_expect(wa_this_thread.notes.any, 0))
        return look_back(user);
    wa_this_thread.is_outside = false;
    return WA_GOES_ON;
}
