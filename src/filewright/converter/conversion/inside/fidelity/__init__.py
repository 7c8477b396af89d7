"""How true a PDF is to the office document that it was made of; runs in the sandbox, beside the probe."""
