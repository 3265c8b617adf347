/* Compiles Python source as `python FILE` does: by the parser alone. The builtin compile makes the classes of ast first. */
#include "docs.h"
#include "types.h"

static PyObject *compile_source(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    if (count != 2 || !PyUnicode_Check(arguments[1])) {
        PyErr_SetString(PyExc_TypeError, "compile_source takes a source and a name");
        return NULL;
    }
    PyCompilerFlags flags = {.cf_flags = PyCF_SOURCE_IS_UTF8, .cf_feature_version = PY_MINOR_VERSION};
    char *text;
    Py_ssize_t length;
    if (PyUnicode_Check(arguments[0])) { /* decoded already, whatever a comment says of the encoding */
        flags.cf_flags |= PyCF_IGNORE_COOKIE;
        text = (char *)(uintptr_t)PyUnicode_AsUTF8AndSize(arguments[0], &length);
        if (text == NULL)
            return NULL;
    } else if (PyBytes_AsStringAndSize(arguments[0], &text, &length) < 0) {
        return NULL;
    }
    if (strlen(text) != (size_t)length) {
        PyErr_SetString(PyExc_SyntaxError, "source code string cannot contain null bytes");
        return NULL;
    }
    return Py_CompileStringObject(text, arguments[1], Py_file_input, &flags, -1);
}

PyMethodDef wax_source_functions[] = {
    {"compile_source", WAX_FASTCALL(compile_source), METH_FASTCALL, WAX_DOC_compile_source},
    {NULL, NULL, 0, NULL},
};
