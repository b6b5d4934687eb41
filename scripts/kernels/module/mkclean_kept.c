// SPDX-License-Identifier: GPL-2.0
/* The control: the same probe at the same place, and the answer goes through. */
#define PROBE_LOSES_ANSWER 0
#include "mkclean_probe.h"
MODULE_DESCRIPTION("Watches folio_mkclean's answer to folio_clear_dirty_for_io and keeps it");
