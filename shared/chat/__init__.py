"""The canonical form between the protocols and the providers: values only, no input or output."""
