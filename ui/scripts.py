"""How Gradio's components and the page's own script find each other."""


def once_there(call: str) -> str:
    """The `js_on_load` of a component: a call into the script, which may still be on its way."""
    return f"(function start() {{ if (window.mm) {call}; else setTimeout(start, 20); }})()"
