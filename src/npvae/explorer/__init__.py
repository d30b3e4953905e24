"""The explorer: a page that decodes any place of X in the reader's browser, without a server."""
