"""The product: files in, the form a person needs out. Start reading at `bootstrap`."""
