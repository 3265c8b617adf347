/* Part of source_lines.c: a function that is inlined where it is called. */
static inline int fraction(int dividend, int divisor)
{
    return dividend / divisor; /* line: fraction */
}
