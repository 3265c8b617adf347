/* Leaving compiled code from a function that it called: by a jump to the landing of the innermost call.
 *
 * Every frame in between is gone afterwards without running another instruction, so nothing in them may own anything (a lock,
 * memory, a descriptor, the embedder's objects) when one of these is called. */
#include "store.h"
#include "thread.h"

void wa_leave_by_exception(void)
{
    wa_leap(WA_THREW);
}

void wa_unwind(void)
{
    wa_leap(WA_UNWOUND);
}

void wa_trap(uint32_t trap_code)
{
    const wa_activation *activation = wa_this_thread.current;
    activation->info->trap_code = trap_code;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    wa_capture_frames(wa_root(activation->store), activation->info, 0, here, here);
    wa_leap(WA_TRAPPED);
}

bool wa_take_interrupt(void)
{
    bool was_interrupted = wa_this_thread.is_interrupted;
    if (was_interrupted)
        wa_this_thread.is_interrupted = false;
    return was_interrupted;
}

void wa_leave_if_interrupted(void)
{
    if (wa_this_thread.current->info->is_away && wa_take_interrupt())
        wa_leap(WA_INTERRUPTED);
}
