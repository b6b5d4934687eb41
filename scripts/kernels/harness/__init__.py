"""Boots kernels in QEMU, runs mmapstress inside, and says what they lost."""
