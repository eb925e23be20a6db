"""The web page of mmsearch."""
