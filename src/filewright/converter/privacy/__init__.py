"""What a tenant may ask for of what is kept about it: all of it, as a ZIP, and that all of it be gone, with a proof."""
