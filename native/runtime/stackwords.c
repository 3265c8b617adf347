/* The words on the stack, for collectors: no map tells where in the guest's frames a reference lies. */
#include <setjmp.h>

#include "gc.h"
#include "thread.h"

/* Reads other functions' frames, which sanitizers mind. */
__attribute__((noinline, no_sanitize("address", "undefined"))) void wa_visit_stack(void (*visit)(uint64_t, void *), void *user)
{
    const wa_activation *outermost = wa_this_thread.current;
    jmp_buf registers; /* of callers: they are saved here or in a frame below */
    while (outermost->previous != NULL)
        outermost = outermost->previous;
    if (setjmp(registers) != 0)
        return;
    /* This function's own prologue saves registers between the two. */
    const volatile uint64_t *word = __builtin_frame_address(0), *saved = (const volatile uint64_t *)(const void *)&registers;
    if (saved < word)
        word = saved;
    for (; word < (const volatile uint64_t *)(const void *)outermost; word++)
        visit(*word, user);
}
