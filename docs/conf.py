"""How Sphinx builds the documentation site: `make docs`, with warnings as errors, into build/docs."""

from typing import Any, ClassVar

from pygments.lexers.webassembly import WatLexer
from pygments.token import Name

from wasmartifact.version import VERSION

project = "wasmartifact"
copyright = "the authors of wasmartifact, Apache-2.0"
version = release = VERSION

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
html_theme = "furo"
html_title = f"wasmartifact {VERSION}"
html_show_sphinx = False

# `name` in a docstring is an object of Python where there is one.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the Parameters sections have the types
autodoc_class_signature = "mixed"
numpydoc_show_class_members = False  # autodoc lists them

# Headings can be linked to, and `.md` links lead to pages.
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_block", "colon_fence"]


class WebAssemblyLexer(WatLexer):
    """Pygments' own, and the words that are newer than it."""

    tokens: ClassVar[dict[str, Any]] = {
        **WatLexer.tokens,
        "root": [
            (r"(?:i32|i64|memory)\.atomic\.[a-z0-9_.]+|atomic\.fence", Name.Builtin),
            *WatLexer.tokens["root"],
            (r"[a-z][a-z0-9_-]*", Name.Builtin),
        ],
    }


def without_unknown(
    _app: Any, _what: str, _name: str, _object: Any, _options: Any, signature: str, returns: str
) -> Any:
    """A signature without the arguments that there are not: ``**unknown`` is there for what its error says."""
    return None if signature is None else (signature.replace(", **unknown", ""), returns)


def setup(app: Any) -> None:
    """Sphinx calls this."""
    app.connect("autodoc-process-signature", without_unknown)
    app.add_lexer("wat", WebAssemblyLexer)
