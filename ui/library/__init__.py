"""The Library tab: uploads, ingestion jobs, and the documents of the index."""
