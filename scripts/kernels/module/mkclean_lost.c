// SPDX-License-Identifier: GPL-2.0
/* Undoes the 2006 fix: the VM cleans the page table entries and tells nobody. */
#define PROBE_LOSES_ANSWER 1
#include "mkclean_probe.h"
MODULE_DESCRIPTION("Drops folio_mkclean's answer to folio_clear_dirty_for_io, as Linux 2.6.19 did");
