"""Ways in for programs: the API, MCP for language models, and metrics."""
