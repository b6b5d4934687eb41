"""Boots kernels in QEMU, runs mmapstress inside, and reports what they lost."""
