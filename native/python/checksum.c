/* The checksum of what a load trusts, for what packs: Python takes a step for each operation on each stripe. */
#include "docs.h"
#include "types.h"

static PyObject *xxh64(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "a buffer and a seed expected");
        return NULL;
    }
    unsigned long long seed = PyLong_AsUnsignedLongLong(arguments[1]);
    Py_buffer view;
    if (PyErr_Occurred() || PyObject_GetBuffer(arguments[0], &view, PyBUF_SIMPLE) < 0)
        return NULL;
    uint64_t found = wa_xxh64(view.buf, (uint64_t)view.len, seed);
    PyBuffer_Release(&view);
    return PyLong_FromUnsignedLongLong(found);
}

PyMethodDef wax_checksum_functions[] = {
    {"xxh64", WAX_FASTCALL(xxh64), METH_FASTCALL, WAX_DOC_xxh64},
    {NULL, NULL, 0, NULL},
};
