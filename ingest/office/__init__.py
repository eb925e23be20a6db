"""Office files: what each is, LibreOffice that converts it, and what joins the pages."""
