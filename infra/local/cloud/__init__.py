"""The emulated cloud: the synthesized template and the real bundles, served on this machine as AWS would serve them."""
