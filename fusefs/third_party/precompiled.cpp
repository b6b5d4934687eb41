// A target with a precompiled header must have a source.
